//! Carries out what probes and hooks ask for.
//!
//! Called by the probers and by the stopping of containers; knows nothing of schedules.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::manifest::Check;
use crate::pods::containers::{Container, ExecOutcome};

/// Bytes read of an HTTP answer; the status line is among the first.
const ANSWER_BYTES_MAX: usize = 10 * 1024;

/// Does the check within `timeout`; the error says why it failed.
///
/// # Errors
/// A text for an event.
pub async fn run(
    check: &Check,
    container: &Container,
    pod_ip: &str,
    timeout: Duration,
) -> Result<(), String> {
    let bounded = async |work| match tokio::time::timeout(timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {timeout:?}")),
    };
    match check {
        Check::Exec(argv) => exec(argv, container, timeout).await,
        Check::HttpGet { host, port, path, headers } => {
            let host = host_or_pod(host, pod_ip);
            bounded(Box::pin(http_get(host, *port, path, headers)) as Attempt<'_>).await
        }
        Check::TcpSocket { host, port } => {
            let host = host_or_pod(host, pod_ip);
            bounded(Box::pin(async move { connect(host, *port).await.map(drop) }) as Attempt<'_>).await
        }
        Check::Sleep(time) => {
            tokio::time::sleep(*time.min(&timeout)).await;
            Ok(())
        }
        Check::Unsupported(why) => Err(why.clone()),
    }
}

type Attempt<'a> = futures::future::BoxFuture<'a, Result<(), String>>;

async fn exec(argv: &[String], container: &Container, timeout: Duration) -> Result<(), String> {
    match container.exec(argv, timeout).await {
        ExecOutcome::Ended { code: 0, .. } => Ok(()),
        ExecOutcome::Ended { code, output } if output.trim().is_empty() => {
            Err(format!("command {argv:?} ended with exit code {code}"))
        }
        ExecOutcome::Ended { output, .. } => Err(output.trim_end().to_owned()),
        ExecOutcome::TimedOut => Err(format!("command {argv:?} timed out after {timeout:?}")),
        ExecOutcome::NotRun(why) => Err(format!("command {argv:?} could not be run: {why}")),
    }
}

/// Only Linux answers on every address of 127.0.0.0/8, which pods have theirs from.
fn host_or_pod<'a>(host: &'a str, pod_ip: &'a str) -> &'a str {
    match host {
        "" if cfg!(target_os = "linux") => pod_ip,
        "" => "127.0.0.1",
        host => host,
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    TcpStream::connect((host, port)).await.map_err(|error| format!("dial tcp {host}:{port}: {error}"))
}

async fn http_get(host: &str, port: u16, path: &str, headers: &[(String, String)]) -> Result<(), String> {
    let mut stream = connect(host, port).await?;
    let mut request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\nUser-Agent: kube-probe\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request.push_str(&format!("Host: {host}:{port}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let failed = |error: std::io::Error| format!("Get \"http://{host}:{port}{path}\": {error}");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    let mut limited = (&mut stream).take(ANSWER_BYTES_MAX as u64);
    limited.read_to_end(&mut answer).await.map_err(failed)?;
    match status_of(&answer) {
        Some(200..400) => Ok(()),
        Some(status) => Err(format!("HTTP probe failed with statuscode: {status}")),
        None => Err(format!("http://{host}:{port}{path} gave no HTTP answer")),
    }
}

/// `200` of `HTTP/1.1 200 OK`.
fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next()?.strip_prefix("HTTP/")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_the_second_word_of_the_answer() {
        assert_eq!(status_of(b"HTTP/1.1 204 No Content\r\nA: b\r\n"), Some(204));
        assert_eq!(status_of(b"SSH-2.0 200\r\n"), None);
        assert_eq!(status_of(b""), None);
    }

    /// Answers one request with `answer` and returns what was asked.
    async fn server(answer: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                request.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        (port, asked)
    }

    #[tokio::test]
    async fn an_http_probe_judges_the_status() {
        let (port, asked) = server("HTTP/1.1 302 Found\r\n\r\n").await;
        let headers = [("X-A".to_owned(), "b".to_owned())];
        http_get("127.0.0.1", port, "/health?x=1", &headers).await.unwrap();
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /health?x=1 HTTP/1.1\r\n") && asked.contains("X-A: b\r\n"), "{asked}");
        let (port, _asked) = server("HTTP/1.1 503 Busy\r\n\r\n").await;
        let error = http_get("127.0.0.1", port, "/", &[]).await.unwrap_err();
        assert_eq!(error, "HTTP probe failed with statuscode: 503");
        let error = http_get("127.0.0.1", 1, "/", &[]).await.unwrap_err();
        assert!(error.starts_with("dial tcp 127.0.0.1:1: "), "{error}");
    }
}
