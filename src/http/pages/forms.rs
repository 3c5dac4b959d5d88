//! Forms, and where they come from. Besides the cookie, which other sites cannot have sent (`SameSite`), a
//! form that changes something carries a proof: a message authentication code over its reader's token,
//! which no other site knows. And browsers tell which site a request is from.

use aws_lc_rs::hmac;
use axum::extract::{FromRequest, FromRequestParts as _, Request};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use secrecy::SecretString;
use url::{Url, form_urlencoded};

use crate::http::problem::{Kind, Problem};
use crate::http::{Shared, keys};

use super::session::Visitor;

/// The field of a form that has the proof.
const PROOF: &str = "proof";
/// Says which site a request is from, in browsers that say so.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Makes and checks the proofs of forms.
pub struct Forms {
    key: hmac::Key,
}

impl Forms {
    /// By a secret that all replicas share.
    pub fn new(secret: &SecretString) -> Self {
        Self {
            key: keys::derive(secret, "order-service form 1"),
        }
    }

    /// The proof for whoever holds this token.
    pub fn proof(&self, token: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, token.as_bytes()))
    }
}

/// The fields of a form that was sent.
#[derive(Debug)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field without the space around it; nothing when it is not there.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// A field as it was sent.
    pub fn exact(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }
}

/// A form of this site, without a proof: who signs in has none so far.
#[derive(Debug)]
pub struct OpenForm(pub Fields);

impl FromRequest<Shared> for OpenForm {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Problem> {
        if !is_from_here(request.headers(), shared.public_url.as_deref()) {
            return Err(foreign());
        }
        let content_type = request.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|value| value.split(';').next());
        if essence.map(str::trim) != Some("application/x-www-form-urlencoded") {
            let expected = "send the form as a browser does";
            return Err(Problem::new(Kind::UnsupportedMediaType, expected));
        }
        let bytes = Bytes::from_request(request, shared).await.map_err(|_| {
            Problem::new(Kind::MalformedBody, "the form could not be read to its end")
        })?;
        let fields = form_urlencoded::parse(&bytes).into_owned();
        Ok(Self(Fields(fields.collect())))
    }
}

/// A form of this site with the proof that it was made for its sender.
#[derive(Debug)]
pub struct Form {
    /// Who sends it.
    pub visitor: Visitor,
    /// What is in it.
    pub fields: Fields,
}

impl FromRequest<Shared> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, shared).await?;
        let request = Request::from_parts(parts, body);
        let OpenForm(fields) = OpenForm::from_request(request, shared).await?;
        let sent = fields.get(PROOF).as_bytes();
        let is_proved =
            aws_lc_rs::constant_time::verify_slices_are_equal(sent, visitor.proof.as_bytes());
        match is_proved {
            Ok(()) => Ok(Self { visitor, fields }),
            Err(_) => Err(foreign()),
        }
    }
}

fn foreign() -> Problem {
    Problem::new(
        Kind::Forbidden,
        "the form was not made for you by this site, or you have signed in anew since; go back, \
            reload the page, and send it again",
    )
}

/// Whether a browser that says where a request is from names this site.
fn is_from_here(headers: &HeaderMap, public_url: Option<&Url>) -> bool {
    let header = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let same_site =
        header(&SEC_FETCH_SITE).is_none_or(|site| matches!(site, "same-origin" | "none"));
    let same_origin = header(&ORIGIN).is_none_or(|origin| {
        let Ok(origin) = Url::parse(origin) else {
            return false;
        };
        let Some(public_url) = public_url else {
            // What stands before the service may end TLS: only the host is known for sure.
            return host_of(&origin) == header(&HOST).map(str::to_owned);
        };
        origin.origin() == public_url.origin()
    });
    same_site && same_origin
}

/// Host and port as a browser puts them into `Host`.
fn host_of(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn is_ours(sent: &[(HeaderName, &'static str)], public_url: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("shop.example:8001"));
        for (name, value) in sent {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let public_url = public_url.map(|url| Url::parse(url).unwrap());
        is_from_here(&headers, public_url.as_ref())
    }

    #[test]
    fn forms_are_accepted_from_the_same_site_only() {
        for (sent, public_url, expected) in [
            (&[][..], None, true),
            (&[(ORIGIN, "http://shop.example:8001")], None, true),
            (&[(ORIGIN, "https://shop.example:8001")], None, true),
            (&[(ORIGIN, "http://shop.example")], None, false),
            (&[(ORIGIN, "http://evil.example:8001")], None, false),
            (&[(ORIGIN, "null")], None, false),
            (&[(SEC_FETCH_SITE, "same-origin")], None, true),
            (&[(SEC_FETCH_SITE, "none")], None, true),
            (&[(SEC_FETCH_SITE, "same-site")], None, false),
            (&[(SEC_FETCH_SITE, "cross-site")], None, false),
            (
                &[(ORIGIN, "https://shop.example")],
                Some("https://shop.example/"),
                true,
            ),
            (
                &[(ORIGIN, "http://shop.example")],
                Some("https://shop.example/"),
                false,
            ),
        ] {
            assert_eq!(
                is_ours(sent, public_url),
                expected,
                "{sent:?} {public_url:?}"
            );
        }
    }
}
