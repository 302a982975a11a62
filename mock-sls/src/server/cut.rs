//! Connections that end on demand: closed, or reset as by a machine that has lost its memory. What a
//! request needs for it lies in its extensions ([`Peer`]); the task of the connection drops the socket.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Who sent a request, and how to be rid of him.
#[derive(Debug, Clone)]
pub struct Peer {
    /// His address.
    pub address: SocketAddr,
    /// Ends his connection.
    pub cut: Arc<Cut>,
}

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With an orderly end (FIN).
    Close,
    /// With a reset (RST), also what was sent and not yet read is lost.
    Reset,
}

/// Ends one connection, on whatever layers.
#[derive(Debug, Default)]
pub struct Cut {
    reset: AtomicBool,
    asked: Notify,
}

impl Cut {
    /// Ends the connection without another byte.
    pub fn cut(&self, how: How) {
        self.reset.fetch_or(how == How::Reset, Ordering::Relaxed);
        self.asked.notify_one();
    }

    /// Resolves when the connection is to end.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }
}

/// A socket that is reset when it is dropped after [`How::Reset`], also from inside TLS or a tunnel.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    cut: Arc<Cut>,
}

impl Socket {
    /// A socket that `cut` ends.
    pub fn new(stream: TcpStream, cut: Arc<Cut>) -> Self {
        Self { stream, cut }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.get_mut().stream)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.cut.reset.load(Ordering::Relaxed)
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::debug!(%error, "a connection is closed instead of reset");
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
