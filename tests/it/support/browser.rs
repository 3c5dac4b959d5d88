//! A real browser: headless Chromium, controlled by its driver.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::Stdio;
use std::time::Duration;

use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt as _;
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use url::{ParseError, Url};

use super::service::eventually;

/// The limit for a browser start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A page in a browser.
pub struct Browser {
    pub client: Client,
    base: String,
}

/// A command of the Chrome DevTools Protocol.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}

/// Runs `work` with a browser and closes it afterwards. Without an installed driver it prints that
/// and does nothing.
pub async fn with_browser(base: &str, work: impl AsyncFnOnce(&Browser)) {
    let Some((driver, port)) = start_driver().await else {
        eprintln!("NOT TESTED: no chromedriver here (apt-get install chromium-driver)");
        return;
    };
    let arguments = [
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        // Root, as in CI and containers, cannot use Chromium's sandbox; only our own pages are
        // opened.
        "--no-sandbox",
    ];
    let mut capabilities = Capabilities::new();
    let options = json!({ "args": arguments });
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    let driver_url = format!("http://127.0.0.1:{port}/");
    let client = timeout(PATIENCE, builder.connect(&driver_url)).await;
    let browser = Browser {
        client: client.expect("no browser in time").unwrap(),
        base: base.to_owned(),
    };
    let done = AssertUnwindSafe(work(&browser)).catch_unwind().await;
    let _ = browser.client.close().await;
    drop(driver);
    if let Err(panic) = done {
        resume_unwind(panic);
    }
}

/// A driver on a free port, killed on drop; `None` if none is installed. Under load a driver has
/// exited before it printed its port, so there are several attempts.
async fn start_driver() -> Option<(Child, u16)> {
    for _ in 0..5 {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        if let Some(port) = port_of(&mut child).await {
            return Some((child, port));
        }
    }
    panic!("chromedriver told no port")
}

/// The port that a driver prints; `None` if it exits first.
async fn port_of(child: &mut Child) -> Option<u16> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = loop {
        let line = lines.next_line().await.unwrap()?;
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            break port.trim_end_matches('.').parse().unwrap();
        }
    };
    // Reads on, because a full pipe would block the driver.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some(port)
}

impl Browser {
    /// Opens a path of the service.
    pub async fn open(&self, path: &str) {
        let url = format!("{}{path}", self.base);
        self.client.goto(&url).await.unwrap();
    }

    /// The current path and query.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        url[url::Position::BeforePath..].to_owned()
    }

    /// Waits until this path is open.
    pub async fn until_path(&self, expected: &str) {
        eventually(expected, async || {
            let path = self.path().await;
            path.starts_with(expected).then_some(())
        })
        .await;
    }

    /// Waits until the page contains this text.
    pub async fn until_text(&self, css: &str, text: &str) {
        let what = format!("{text} in {css}");
        eventually(&what, async || {
            let script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent).join('|')";
            let found = self.client.execute(script, vec![json!(css)]).await.ok()?;
            found.as_str()?.contains(text).then_some(())
        })
        .await;
    }

    /// Clicks the first match of a selector.
    pub async fn click(&self, css: &str) {
        let found = self.client.wait().for_element(Locator::Css(css)).await;
        found.expect(css).click().await.unwrap();
    }

    /// Types into a field.
    pub async fn enter(&self, css: &str, text: &str) {
        let found = self.client.wait().for_element(Locator::Css(css)).await;
        let field = found.expect(css);
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Signs in with the form that is open.
    pub async fn sign_in(&self, name: &str) {
        self.enter("#username", name).await;
        self.enter("#password", name).await;
        self.click("main button[type=submit]").await;
    }

    /// The result of a script in the page.
    pub async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Sets the width of the page and its light or dark scheme.
    pub async fn show(&self, width: u32, scheme: &str) {
        let metrics = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params":
            { "width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500 } });
        let media = json!({ "cmd": "Emulation.setEmulatedMedia", "params":
            { "features": [{ "name": "prefers-color-scheme", "value": scheme }] } });
        for command in [metrics, media] {
            self.client.issue_cmd(DevTools(command)).await.unwrap();
        }
    }

    /// Saves a screenshot into the folder in `TEST_SCREENSHOTS`, if that is set.
    pub async fn picture(&self, name: &str) {
        let Ok(folder) = std::env::var("TEST_SCREENSHOTS") else {
            return;
        };
        let png = self.client.screenshot().await.unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(format!("{folder}/{name}.png"), png).unwrap();
    }
}
