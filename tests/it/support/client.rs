//! An HTTP client of the service, with or without a token.

use order_service::auth::{TokenClaims, sign};
use order_service::clock;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::service::eventually;

use super::openapi::assert_documented;

/// The secret that signs the test tokens.
pub const SECRET: &str = "a-secret-for-tests-of-at-least-32-bytes";

/// A client with one caller's token.
#[derive(Clone)]
pub struct Client {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

/// A complete response.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    /// The body as JSON; null if it is not JSON.
    pub body: Value,
}

impl Reply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The `order_id` of the body.
    pub fn order_id(&self) -> i64 {
        self.body["order_id"]
            .as_i64()
            .unwrap_or_else(|| panic!("no order_id: {self:?}"))
    }

    /// The pointers of the violations in a problem.
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        errors
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect()
    }

    /// Fails unless this is a well-formed problem with this status and code.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(self.body["status"], json!(status));
        assert_eq!(self.body["type"], json!(format!("/problems/{code}")));
        assert_eq!(
            self.body["request_id"].as_str(),
            self.header("x-request-id")
        );
        assert!(
            self.body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty())
        );
    }
}

/// The claims of an access token that is valid for an hour.
pub fn claims() -> TokenClaims {
    TokenClaims {
        exp: clock::now().unix_timestamp() + 3600,
        token_type: Some(json!("access")),
        ..TokenClaims::default()
    }
}

/// Signs claims as a token.
pub fn token(claims: &TokenClaims) -> String {
    sign(claims, &SecretString::from(SECRET)).unwrap()
}

impl Client {
    /// A client without a token.
    pub fn anonymous(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            token: None,
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                // The tests use plain HTTP; without this each client parses all root certificates.
                .tls_certs_only([])
                .build()
                .unwrap(),
        }
    }

    /// A client with this token.
    pub fn with_token(base: &str, token: String) -> Self {
        Self {
            token: Some(token),
            ..Self::anonymous(base)
        }
    }

    /// A customer.
    pub fn customer(base: &str, customer_id: i64) -> Self {
        let claims = TokenClaims {
            user_id: Some(json!(customer_id)),
            ..claims()
        };
        Self::with_token(base, token(&claims))
    }

    /// A staff member.
    pub fn staff(base: &str) -> Self {
        let claims = TokenClaims {
            user_id: Some(json!(1000)),
            is_staff: Some(json!(true)),
            ..claims()
        };
        Self::with_token(base, token(&claims))
    }

    /// A peer service.
    pub fn service(base: &str) -> Self {
        let claims = TokenClaims {
            sub: Some(json!("shipping")),
            role: Some(json!("service")),
            ..claims()
        };
        Self::with_token(base, token(&claims))
    }

    /// An unsent request.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::PATCH, path).json(body)).await
    }

    /// Places an order.
    pub async fn place(&self, body: &Value) -> Reply {
        self.post("/v1/orders/create/", body).await
    }

    /// Places an order with an idempotency key.
    pub async fn place_with_key(&self, key: &str, body: &Value) -> Reply {
        let request = self
            .request(Method::POST, "/v1/orders/create/")
            .header("Idempotency-Key", key);
        send(request.json(body)).await
    }

    pub async fn cancel(&self, order_id: i64) -> Reply {
        send(self.request(Method::POST, &format!("/v1/orders/{order_id}/cancel/"))).await
    }

    pub async fn details(&self, order_id: i64) -> Reply {
        self.get(&format!("/v1/orders/{order_id}/details/")).await
    }

    /// Waits until an order has this status.
    pub async fn until_status(&self, order_id: i64, status: &str) {
        eventually(status, async || {
            let order = self.details(order_id).await.body;
            (order["order_status"] == status).then_some(())
        })
        .await;
    }

    /// The event codes of an order, oldest first.
    pub async fn history(&self, order_id: i64) -> Vec<String> {
        let tracking = self.get(&format!("/v1/orders/{order_id}/tracking/")).await;
        let timeline = tracking.body["timeline"].as_array().unwrap();
        for (index, event) in timeline.iter().enumerate() {
            assert_eq!(event["seq"], json!(index + 1), "a gap in {timeline:?}");
        }
        timeline
            .iter()
            .map(|event| event["code"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Sends a request and reads the whole response, which must be documented.
pub async fn send(request: reqwest::RequestBuilder) -> Reply {
    let (http, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = http.execute(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    assert_documented(&method, &path, status, &headers);
    Reply {
        status,
        headers,
        text,
        body,
    }
}

/// A cart of one SKU.
pub fn cart(sku: &str, quantity: u32, unit_price: &str) -> Value {
    json!({ "items": [{ "sku": sku, "quantity": quantity, "unit_price": unit_price }] })
}
