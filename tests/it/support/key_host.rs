//! A host that publishes keys; its responses can be changed, delayed and counted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use super::app::TestApp;
use super::issuer::Issuer;

/// A response.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// A running host; it ends on drop.
pub struct KeyHost {
    pub url: Url,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    is_held: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl KeyHost {
    /// Starts a host that publishes these keys at `/keys`.
    pub async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(document(keys)));
        let asked = Arc::new(AtomicUsize::new(0));
        let is_held = watch::Sender::new(false);
        let (told, count, held) = (answer.clone(), asked.clone(), is_held.subscribe());
        let serve = move || {
            let (told, count, mut held) = (told.clone(), count.clone(), held.clone());
            async move {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = held.wait_for(|held| !held).await;
                let answer = told.lock().unwrap().clone();
                let mut response = Response::builder().status(answer.status);
                if let Some(location) = &answer.location {
                    response = response.header("location", location);
                }
                response.body(Body::from(answer.body)).unwrap()
            }
        };
        let router = Router::new().fallback(serve);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url: Url::parse(&url).unwrap(),
            answer,
            asked,
            is_held,
            task,
        }
    }

    /// Publishes these keys from now on.
    pub fn publish(&self, keys: &[Value]) {
        self.answer(document(keys));
    }

    /// Sends this response from now on.
    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Responds with this status and no body from now on.
    pub fn fail(&self, status: u16) {
        self.answer(Answer {
            status,
            location: None,
            body: Vec::new(),
        });
    }

    /// Delays all responses, or releases them.
    pub fn hold(&self, is_held: bool) {
        self.is_held.send_replace(is_held);
    }

    /// The number of requests.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// A service that trusts the published keys with the issuer's algorithm.
    pub async fn app(&self, issuer: &Issuer, settings: &[(&str, &str)]) -> TestApp {
        let basic = [
            ("SECRET_KEY", ""),
            ("JWT_JWKS_URL", self.url.as_str()),
            ("JWT_ALGORITHM", issuer.algorithm),
        ];
        TestApp::with(&[&basic[..], settings].concat()).await
    }
}

impl Drop for KeyHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A valid key set.
pub fn document(keys: &[Value]) -> Answer {
    Answer {
        status: 200,
        location: None,
        body: json!({ "keys": keys }).to_string().into_bytes(),
    }
}
