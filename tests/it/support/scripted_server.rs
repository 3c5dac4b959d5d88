//! An HTTP server that replies from a script and records requests. It uses plain TCP, because it
//! must also truncate, reset and stall.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// How much of a reply is sent.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// All of it.
    Whole,
    /// Half of the body is sent, then the connection is closed.
    Half,
    /// Half of the body is sent, then nothing more, with the connection open.
    HalfThenSilence,
    /// Nothing is sent, with the connection open.
    Silence,
    /// Nothing is sent, and the connection is closed.
    Close,
    /// Nothing is sent, and the connection is reset.
    Reset,
}

/// A scripted reply.
#[derive(Clone, Debug)]
pub struct ScriptedReply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    manner: Manner,
}

impl ScriptedReply {
    /// A JSON reply.
    pub fn json(status: u16, body: Value) -> Self {
        Self::text(status, body.to_string()).header("content-type", "application/json")
    }

    /// A text reply.
    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            manner: Manner::Whole,
        }
    }

    /// A redirect.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::text(status, "").header("location", location)
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Closes the connection in the middle of the body.
    pub fn half(self) -> Self {
        self.in_manner(Manner::Half)
    }

    /// Stalls in the middle of the body.
    pub fn half_then_silence(self) -> Self {
        self.in_manner(Manner::HalfThenSilence)
    }

    /// No reply, with the connection open.
    pub fn silence() -> Self {
        Self::text(0, "").in_manner(Manner::Silence)
    }

    /// No reply: the connection is closed once the request was read.
    pub fn close() -> Self {
        Self::text(0, "").in_manner(Manner::Close)
    }

    /// No reply: the connection is reset once the request was read.
    pub fn reset() -> Self {
        Self::text(0, "").in_manner(Manner::Reset)
    }

    fn in_manner(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", self.status);
        if self.status != 204 {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head + "\r\n"
    }
}

/// A received request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path and query as sent.
    pub target: String,
    /// The headers by lower-case name.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// A running server; it ends on drop.
pub struct Scripted {
    address: SocketAddr,
    script: Arc<Mutex<VecDeque<ScriptedReply>>>,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// Starts a server that sends these replies, one for each request, and then only 599.
    pub async fn start(script: impl IntoIterator<Item = ScriptedReply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (next, seen) = (script.clone(), requests.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, next.clone(), seen.clone()));
            }
        });
        Self {
            address,
            script,
            requests,
            task,
        }
    }

    /// The base URL.
    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}", self.address)).unwrap()
    }

    /// Appends a reply to the script, such as one that contains the server's address.
    pub fn then(&self, reply: ScriptedReply) {
        self.script.lock().unwrap().push_back(reply);
    }

    /// The received requests in order.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<ScriptedReply>>>,
    seen: Arc<Mutex<Vec<Request>>>,
) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    seen.lock().unwrap().push(request);
    let next = script.lock().unwrap().pop_front();
    let reply = next.unwrap_or_else(|| ScriptedReply::text(599, "the script is over"));
    let half = reply.body.len() / 2;
    let sent = match reply.manner {
        Manner::Whole => reply.body.as_slice(),
        Manner::Half | Manner::HalfThenSilence => &reply.body[..half],
        Manner::Silence => return hold(stream).await,
        Manner::Close => return,
        Manner::Reset => {
            stream.set_zero_linger().unwrap();
            return;
        }
    };
    // The client may hang up early.
    let _ = stream.write_all(reply.head().as_bytes()).await;
    let _ = stream.write_all(sent).await;
    if matches!(reply.manner, Manner::HalfThenSilence) {
        hold(stream).await;
    } else {
        let _ = stream.shutdown().await;
    }
}

/// Keeps the connection open until the client disconnects.
async fn hold(mut stream: TcpStream) {
    let _ = stream.read(&mut [0]).await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request {
        method,
        target,
        headers,
        body,
    })
}
