//! A minimal browser: it asks for HTML, keeps its cookie and sends forms.

use order_service::clock;
use reqwest::Method;
use reqwest::header::{ACCEPT, COOKIE};

use super::app::TestApp;
use super::client::{Client, Reply, send};

/// The Accept header of a browser.
pub const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A visitor of the pages.
pub struct Visitor {
    client: Client,
    cookie: Option<String>,
}

impl Visitor {
    /// A visitor who has not signed in.
    pub fn stranger(app: &TestApp) -> Self {
        Self {
            client: app.anonymous(),
            cookie: None,
        }
    }

    /// A visitor who has signed in.
    pub async fn signed_in(app: &TestApp, name: &str) -> Self {
        let mut visitor = Self::stranger(app);
        let reply = visitor.sign_in(name, name, "/").await;
        assert_eq!(reply.status, 303, "{reply:?}");
        let set = reply.header("set-cookie").unwrap();
        visitor.cookie = Some(set.split(';').next().unwrap().to_owned());
        visitor
    }

    /// A visitor with this cookie.
    pub fn with_cookie(app: &TestApp, cookie: &str) -> Self {
        Self {
            cookie: Some(cookie.to_owned()),
            ..Self::stranger(app)
        }
    }

    /// The current cookie.
    pub fn cookie(&self) -> &str {
        self.cookie.as_deref().unwrap()
    }

    /// An unsent request.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, path).header(ACCEPT, HTML);
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    /// Submits the sign-in form.
    pub async fn sign_in(&self, name: &str, password: &str, next: &str) -> Reply {
        let fields = [("username", name), ("password", password), ("next", next)];
        self.post("/sign-in/", &fields).await
    }

    /// Submits a form.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        send(self.form(path, fields)).await
    }

    /// An unsent form.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        self.request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.finish())
    }
}

/// The value of a hidden field in a page.
#[track_caller]
pub fn field(page: &Reply, name: &str) -> String {
    let before = format!("name=\"{name}\" value=\"");
    let (_, rest) = page
        .text
        .split_once(&before)
        .unwrap_or_else(|| panic!("no {name} in {}", page.text));
    rest.split('"').next().unwrap().to_owned()
}

/// Fails unless this is a page with this status and all security headers.
#[track_caller]
pub fn assert_page(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{reply:?}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "private, no-store"),
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name} of {status}");
    }
    assert!(reply.text.starts_with("<!DOCTYPE html>"), "{}", reply.text);
    for inline in ["<script>", "<style", " style=", " onclick=", "javascript:"] {
        assert!(!reply.text.contains(inline), "{inline} in {}", reply.text);
    }
}

/// An expiry time in the past.
pub fn over() -> i64 {
    clock::now().unix_timestamp() - 3600
}
