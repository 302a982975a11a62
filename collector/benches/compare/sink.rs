//! Where all collectors send to: an HTTP server of our own that answers, verifies and counts.
//!
//! It answers first and verifies afterwards, so that no collector waits for the check; where the collector is to have all
//! processors, it keeps what came and verifies when nothing more comes. Every body is unpacked;
//! every request of ours must have a signature that holds and a body that is a LogGroup or a list of them. The
//! number in each line (`lines`) says whether one is missing or came twice.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::arrivals::Arrivals;
use crate::body;
use crate::request::{Connection, Request};

/// So long nothing has come when what was kept is verified.
const QUIET: Duration = Duration::from_millis(300);

/// A server of one measurement.
pub struct Sink {
    pub address: SocketAddr,
    pub arrivals: Arc<Arrivals>,
    shared: Arc<Shared>,
}

/// When requests are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verifies {
    /// As soon as they are answered.
    AtOnce,
    /// When it is quiet, so that verifying takes no processor away.
    WhenQuiet,
}

struct Shared {
    protocol: Protocol,
    verifies: Verifies,
    arrivals: Arc<Arrivals>,
    kept: Mutex<Vec<Answered>>,
}

struct Answered {
    number: u64,
    request: Request,
    at: Instant,
}

/// Who sends, and so what is asked of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The Log Service's.
    LogService,
    /// Whatever; lines are looked for in the unpacked body.
    Other,
}

impl Sink {
    /// Listens; its threads end with the process, or with their connections.
    ///
    /// # Errors
    /// No port is free.
    pub fn start(protocol: Protocol, lines_max: u64, verifies: Verifies) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let arrivals = Arc::new(Arrivals::new(lines_max));
        let kept = Mutex::default();
        let shared = Arc::new(Shared { protocol, verifies, arrivals: Arc::clone(&arrivals), kept });
        let of_connections = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&of_connections);
                std::thread::spawn(move || {
                    // A connection that breaks is the collector's business.
                    let _ = serve(stream, &shared);
                });
            }
        });
        Ok(Self { address, arrivals, shared })
    }

    /// Verifies what was kept, if it is quiet.
    pub fn verify_kept(&self) {
        let mut kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.last().is_some_and(|last| last.at.elapsed() > QUIET) {
            let mut unpacked = Vec::new();
            kept.drain(..).for_each(|answered| self.shared.verify(&answered, &mut unpacked));
        }
    }
}

impl Shared {
    fn verify(&self, answered: &Answered, unpacked: &mut Vec<u8>) {
        match body::check(&answered.request, self.protocol, unpacked) {
            Ok(logs) => self.arrivals.note_lines(answered.number, unpacked, logs, answered.at),
            Err(problem) => self.arrivals.note_problem(problem),
        }
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = Connection::new(stream);
    let mut unpacked = Vec::new();
    while let Some(request) = connection.next_request()? {
        let is_logs = match shared.protocol {
            Protocol::LogService => request.path.starts_with("/logstores/") && request.method == "POST",
            Protocol::Other => matches!(request.method.as_str(), "POST" | "PUT"),
        };
        if !is_logs {
            connection.answer(&answer(&request, is_logs))?;
            continue;
        }
        let number = shared.arrivals.note_request(request.body.len());
        connection.answer(&answer(&request, is_logs))?;
        let answered = Answered { number, request, at: Instant::now() };
        match shared.verifies {
            Verifies::AtOnce => shared.verify(&answered, &mut unpacked),
            Verifies::WhenQuiet => {
                shared.kept.lock().unwrap_or_else(PoisonError::into_inner).push(answered);
            }
        }
    }
    Ok(())
}

/// A whole answer, so that it goes out in one piece.
fn answer(request: &Request, is_logs: bool) -> Vec<u8> {
    const NO_LOGGING: &str =
        r#"{"errorCode":"LoggingNotExist","errorMessage":"the project has no project logging"}"#;
    let (status, kind, text) = match request.path.as_str() {
        "/" if request.method == "GET" => ("200 OK", "application/json", r#"{"version":{"number":"8.0.0"}}"#),
        path if path.starts_with("/logging") => ("404 Not Found", "application/json", NO_LOGGING),
        path if path.contains("_bulk") => {
            ("200 OK", "application/json", r#"{"took":1,"errors":false,"items":[]}"#)
        }
        // Empty messages, of the agent protocol and of OTLP.
        path if path.starts_with("/Agent/") || path.starts_with("/v1/") => {
            ("200 OK", "application/x-protobuf", "")
        }
        _ if is_logs => ("200 OK", "text/plain", ""),
        _ => ("404 Not Found", "text/plain", ""),
    };
    let mut out = Vec::with_capacity(256);
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nx-log-requestid: 1\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    out
}
