//! Raw HTTP, for requests that a well-behaved client does not send.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A response.
#[derive(Debug)]
pub struct RawReply {
    pub status: u16,
    pub body: String,
}

/// Sends these bytes on a new connection and reads until the service closes it, so the request
/// needs `Connection: close`.
pub async fn exchange(base: &str, request: &[u8]) -> RawReply {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://"))
        .await
        .unwrap();
    // The service may close before everything was written.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    RawReply {
        status: status.unwrap_or_else(|| panic!("no answer: {text}")),
        body: body.to_owned(),
    }
}
