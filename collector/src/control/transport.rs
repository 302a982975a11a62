//! One request to a config server: plain HTTP POST with protobuf bodies, a connection each.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use prost::Message;
use sls_client::Proxies;
use tokio::net::TcpStream;

use crate::instance_config::HostPort;

/// Longest time for one request from connecting to the last byte. Source: own choice; a heartbeat
/// interval.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer read, in bytes. Source: own choice; a thousand configs of the usual size.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Characters of an error answer's text that are shown.
const SHOWN_CHARS: usize = 200;

const PROTOBUF: &str = "application/x-protobuf";

/// Why a server did not give an answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("cannot connect ({0})")]
    Connect(std::io::Error),
    #[error("cannot connect to the proxy {proxy} ({source})")]
    Proxy { proxy: String, source: std::io::Error },
    #[error("no answer within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout,
    #[error("connection broke: {0}")]
    Broken(hyper::Error),
    #[error("answered HTTP {status}{}; is this a server of the agent protocol?", with_colon(.text))]
    Status { status: StatusCode, text: String },
    #[error("answer is longer than {ANSWER_BYTES_MAX} bytes or broke off: {0}")]
    Body(String),
    #[error("answer is not protobuf of the agent protocol: {0}")]
    Decode(prost::DecodeError),
    #[error("request cannot be built: {0}")]
    Request(http::Error),
}

fn with_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// Posts `message` to `path` of `server`, perhaps through a proxy, and decodes the answer.
///
/// # Errors
/// [`TransportError`]; nothing is retried here.
pub async fn post<A: Message + Default>(
    server: &HostPort,
    proxies: &Proxies,
    path: &str,
    message: &impl Message,
) -> Result<A, TransportError> {
    let exchange = exchange(server, proxies, path, message.encode_to_vec());
    let bytes =
        tokio::time::timeout(REQUEST_TIMEOUT, exchange).await.map_err(|_| TransportError::Timeout)??;
    A::decode(bytes).map_err(TransportError::Decode)
}

async fn exchange(
    server: &HostPort,
    proxies: &Proxies,
    path: &str,
    body: Vec<u8>,
) -> Result<Bytes, TransportError> {
    let whole = format!("http://{server}{path}");
    let proxy = whole.parse().ok().and_then(|target| proxies.of(&target));
    let mut request = Request::post(if proxy.is_some() { &whole } else { path })
        .header(header::HOST, server.as_str())
        .header(header::CONTENT_TYPE, PROTOBUF)
        .header(header::USER_AGENT, concat!("ilogtail/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body)))
        .map_err(TransportError::Request)?;
    if let Some(authorization) = proxy.as_ref().and_then(sls_client::Proxy::authorization) {
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
    }
    let stream = match proxy.map(|proxy| proxy.address()) {
        None => TcpStream::connect(server.as_str()).await.map_err(TransportError::Connect)?,
        Some(proxy) => {
            TcpStream::connect(&proxy).await.map_err(|source| TransportError::Proxy { proxy, source })?
        }
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(TransportError::Broken)?;
    // Driven beside the request; an error of it shows in the request too.
    let answer = async {
        let response = sender.send_request(request).await.map_err(TransportError::Broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let bytes = body.map_err(|error| TransportError::Body(error.to_string()))?.to_bytes();
        Ok((status, bytes))
    };
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    let (status, bytes) = tokio::select! {
        answer = &mut answer => answer?,
        _ = &mut connection => answer.await?,
    };
    if status != StatusCode::OK {
        let text = String::from_utf8_lossy(&bytes).trim().chars().take(SHOWN_CHARS).collect();
        return Err(TransportError::Status { status, text });
    }
    Ok(bytes)
}
