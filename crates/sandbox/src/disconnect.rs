//! Connections that a handler can close, so that the client gets an incomplete response or none.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Closes the connection of a request. Handlers obtain it as `ConnectInfo`.
#[derive(Debug, Clone)]
pub(super) struct Disconnector(Arc<AtomicUsize>);

impl Default for Disconnector {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(usize::MAX)))
    }
}

impl Disconnector {
    /// Fails every further write; the server then closes the connection.
    pub fn disconnect(&self) {
        self.disconnect_after(0);
    }

    /// Closes the connection after this many further bytes.
    pub fn disconnect_after(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Release);
    }

    /// Number of bytes that may still be written; `None` without a limit.
    fn left(&self) -> io::Result<Option<usize>> {
        match self.0.load(Ordering::Acquire) {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            usize::MAX => Ok(None),
            left => Ok(Some(left)),
        }
    }
}

impl Connected<IncomingStream<'_, DisconnectListener>> for Disconnector {
    fn connect_info(stream: IncomingStream<'_, DisconnectListener>) -> Self {
        stream.io().disconnector.clone()
    }
}

/// A listener whose connections can be closed by handlers.
#[derive(Debug)]
pub(super) struct DisconnectListener(pub TcpListener);

impl Listener for DisconnectListener {
    type Io = DisconnectStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Without TCP_NODELAY, responses are only slower.
        let _ = stream.set_nodelay(true);
        let disconnector = Disconnector::default();
        (
            DisconnectStream {
                stream,
                disconnector,
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A connection that fails every write after [`Disconnector::disconnect`].
#[derive(Debug)]
pub(super) struct DisconnectStream {
    stream: TcpStream,
    disconnector: Disconnector,
}

impl AsyncRead for DisconnectStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for DisconnectStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(left) = self.disconnector.left()? else {
            return Pin::new(&mut self.stream).poll_write(cx, buf);
        };
        let written = Pin::new(&mut self.stream).poll_write(cx, &buf[..buf.len().min(left)]);
        if let Poll::Ready(Ok(written)) = written {
            self.disconnector.disconnect_after(left - written);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.disconnector.left()? {
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
            Some(_) => {
                let first = bufs.iter().find(|buf| !buf.is_empty());
                self.poll_write(cx, first.map_or(&[], |buf| buf))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.disconnector.left()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
