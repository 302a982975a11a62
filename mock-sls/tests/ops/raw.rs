//! Sends a request exactly as written, for what no well-behaved client sends.

use std::net::SocketAddr;

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer with its whole body.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of text"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `errorCode` of an error body; empty for other bodies.
    pub fn error_code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body.get("errorCode").and_then(|code| code.as_str()).unwrap_or_default().to_owned()
    }
}

/// Sends over a connection of its own; an absolute target is sent as such.
pub async fn send(address: SocketAddr, request: Request<Vec<u8>>) -> Answer {
    let stream = TcpStream::connect(address).await.expect("the server accepts");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    let connection = tokio::spawn(connection);
    let response =
        sender.send_request(request.map(|body| Full::new(Bytes::from(body)))).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    connection.abort();
    Answer { status: head.status, headers: head.headers, body }
}
