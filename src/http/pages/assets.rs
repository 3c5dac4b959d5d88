//! Styles and scripts of the pages, embedded in the binary. Their names contain a digest of the content, so
//! that browsers may cache them forever and load new ones after a release.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse as _, Response};

use crate::auth::sha256;
use crate::http::problem::{Problem, no_such_route};

struct Asset {
    name: &'static str,
    path: String,
    content_type: &'static str,
    text: &'static str,
}

static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        asset("pages.css", include_str!("../../../assets/pages.css")),
        asset("history.js", include_str!("../../../assets/history.js")),
        asset("order.js", include_str!("../../../assets/order.js")),
        asset("icon.svg", include_str!("../../../assets/icon.svg")),
    ]
});

fn asset(name: &'static str, text: &'static str) -> Asset {
    let digest: String = sha256(text.as_bytes())
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    let content_type = match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    Asset {
        name,
        path: format!("/assets/{stem}.{digest}.{extension}"),
        content_type,
        text,
    }
}

/// The path of an asset.
pub fn link(name: &str) -> &'static str {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    found.map_or("", |asset| &asset.path)
}

/// Serves an asset by its name with the digest.
pub async fn serve(Path(file): Path<String>) -> Result<Response, Problem> {
    let path = format!("/assets/{file}");
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return Err(no_such_route().await);
    };
    let mut response = asset.text.into_response();
    for (name, value) in [
        (CONTENT_TYPE, asset.content_type),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}
