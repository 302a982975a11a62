//! A Log Service of a few lines for the data path's tests: takes PutLogs, decodes it, counts, and
//! fails in the ways that tests ask for. It speaks just enough HTTP for our client.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use collector::pipeline::Destination;
use sls_api::codec::RAW_BYTES_MAX;
use sls_api::log_group::LogGroup;
use sls_api::ops::logs::CompressedLogs;
use sls_api::sign::AccessKey;
use sls_client::{Client, ClientConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{PATIENCE, eventually};

/// How the sink treats a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Answers with this status and error code; the logs are not taken.
    Refuse(u16, &'static str),
    /// Never answers; the logs are not taken.
    Hang,
    /// Answers a byte now and then, and so never to the end; the logs are not taken.
    Drip,
    /// Resets the connection before the request is there.
    Reset,
    /// Somebody in between answers with a page of his own, and success; the logs are not taken.
    Portal,
    /// Takes the logs, then breaks the connection without an answer.
    TakeAndDrop,
    /// Takes the logs, then resets the connection in the middle of the answer.
    TakeAndReset,
    /// Takes the logs, and answers after this time.
    Late(Duration),
}

/// Time between two bytes of an answer that drips.
const DRIP: Duration = Duration::from_millis(20);
/// How far the clock of a request may be from the server's. Source: the service (docs of signatures).
const SKEW_MAX_SECONDS: i64 = 900;

#[derive(Default)]
struct Inner {
    groups: Vec<(String, LogGroup)>,
    /// The hash key of every request that was taken.
    keys: Vec<Option<String>>,
    /// The last sequence id of each Logstore and hash key.
    sequences: HashMap<(String, String), i64>,
    /// Requests refused for their sequence id.
    refused: usize,
    logs: usize,
    faults: VecDeque<Fault>,
    /// Requests that have a log with this text fail like this.
    poison: Option<(&'static str, Fault)>,
    /// Seconds that its clock is ahead.
    clock_ahead: i64,
    tls: Option<TlsAcceptor>,
    standing: Option<Fault>,
    requests: usize,
    refuse_above_logs: Option<usize>,
    /// Answer to GetLogging; none: there is no project logging.
    logging: Option<String>,
    logging_asked: usize,
    logging_is_away: bool,
    /// Requests to these Logstores fail like this; they are no part of what is counted otherwise.
    bad_logstores: HashMap<String, Fault>,
    bad_requests: usize,
}

impl Inner {
    /// False if the request has a sequence id that is not larger than the last one of its key.
    fn advance(&mut self, request: &Request) -> bool {
        let Some(id) = request.parameter("seqid") else { return true };
        let id: i64 = id.parse().expect("a number");
        let key = request.parameter("key").expect("a key").to_owned();
        let last = self.sequences.entry((request.logstore(), key)).or_insert(i64::MIN);
        let is_new = id > *last;
        *last = id.max(*last);
        is_new
    }

    /// The server's time, if the request's is too far from it.
    fn time_if_expired(&self, request: &Request) -> Option<i64> {
        let server = jiff::Timestamp::now().as_second() + self.clock_ahead;
        let date = request.header("date").expect("a date");
        let said =
            jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).expect("a date").as_second();
        ((server - said).abs() > SKEW_MAX_SECONDS).then_some(server)
    }
}

const HEAD_OF_200: &str = "HTTP/1.1 200 OK\r\nx-log-requestid: 1\r\n";
const TAKEN: &str = "HTTP/1.1 200 OK\r\nx-log-requestid: 1\r\ncontent-length: 0\r\n\r\n";
const PORTAL: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 12\r\n\r\nplease login";

fn has_text(groups: &[LogGroup], text: &str) -> bool {
    let contents = groups.iter().flat_map(|group| &group.logs).flat_map(|log| &log.contents);
    contents.into_iter().any(|content| String::from_utf8_lossy(&content.value).contains(text))
}

async fn drip(mut stream: impl Wire) {
    let bytes = HEAD_OF_200.bytes().chain(std::iter::repeat_with(|| b'x'));
    for byte in bytes {
        if stream.write_all(&[byte]).await.is_err() {
            return;
        }
        tokio::time::sleep(DRIP).await;
    }
}

/// The sink; clones share it.
#[derive(Clone)]
pub struct Sink {
    inner: Arc<Mutex<Inner>>,
    addr: SocketAddr,
}

/// A connection.
trait Wire: AsyncRead + AsyncWrite + Unpin {
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Wire for tokio_rustls::server::TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Sink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let addr = listener.local_addr().expect("address");
        let sink = Self { inner: Arc::new(Mutex::new(Inner::default())), addr };
        let serving = sink.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accept");
                let sink = serving.clone();
                match sink.with(|inner| inner.tls.clone()) {
                    None => drop(tokio::spawn(sink.serve(stream))),
                    Some(tls) => drop(tokio::spawn(async move {
                        if let Ok(stream) = tls.accept(stream).await {
                            sink.serve(stream).await;
                        }
                    })),
                }
            }
        });
        sink
    }

    async fn serve(self, mut stream: impl Wire) {
        let mut received = Vec::new();
        while let Some(request) = read_request(&mut stream, &mut received, || self.resets()).await {
            let answer = match self.take(&request) {
                Ok(answer) => answer,
                Err(Fault::Hang) => return std::future::pending().await,
                Err(Fault::Drip) => return drip(stream).await,
                Err(Fault::Portal) => PORTAL.to_owned(),
                Err(Fault::Late(after)) => {
                    tokio::time::sleep(after).await;
                    TAKEN.to_owned()
                }
                Err(Fault::TakeAndReset) => {
                    let _ = stream.write_all(&TAKEN.as_bytes()[..TAKEN.len() / 2]).await;
                    let _ = stream.socket().set_zero_linger();
                    return;
                }
                Err(_) => return, // closes the connection
            };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// The connection on which a request comes is to be reset.
    fn resets(&self) -> bool {
        self.with(|inner| match inner.faults.front().copied() {
            Some(Fault::Reset) => {
                inner.requests += 1;
                inner.faults.pop_front().is_some()
            }
            next => next.or(inner.standing) == Some(Fault::Reset),
        })
    }

    /// The answer, or what to do instead of answering.
    fn take(&self, request: &Request) -> Result<String, Fault> {
        self.with(|inner| {
            if request.head.starts_with("GET /logging") {
                inner.logging_asked += 1;
                if inner.logging_is_away {
                    return Ok(refusal(503, "ServerBusy"));
                }
                return Ok(match &inner.logging {
                    Some(logging) => {
                        format!("{HEAD_OF_200}content-length: {}\r\n\r\n{logging}", logging.len())
                    }
                    None => refusal(404, "LoggingNotExist"),
                });
            }
            let bad = inner.bad_logstores.get(&request.logstore()).copied();
            inner.bad_requests += usize::from(bad.is_some());
            match bad {
                Some(Fault::Refuse(status, code)) => return Ok(refusal(status, code)),
                Some(fault) => return Err(fault),
                None => {}
            }
            inner.requests += 1;
            if let Some(server_time) = inner.time_if_expired(request) {
                let refusal = refusal(400, "RequestTimeExpired");
                return Ok(refusal.replacen("\r\n", &format!("\r\nx-log-time: {server_time}\r\n"), 1));
            }
            let fault = inner.faults.pop_front().or(inner.standing);
            if inner.refuse_above_logs.is_none()
                && let Some(Fault::Refuse(status, code)) = fault
            {
                return Ok(refusal(status, code)); // unread: an outage has many of them
            }
            let groups = request.log_groups();
            let logs: usize = groups.iter().map(|g| g.logs.len()).sum();
            if inner.refuse_above_logs.is_some_and(|max| logs > max) {
                return Ok(refusal(400, "PostBodyTooLarge"));
            }
            let fault = fault.or_else(|| inner.poison.filter(|(text, _)| has_text(&groups, text))?.1.into());
            match fault {
                Some(Fault::Refuse(status, code)) => return Ok(refusal(status, code)),
                Some(fault @ (Fault::Hang | Fault::Drip | Fault::Portal)) => return Err(fault),
                _ if !inner.advance(request) => {
                    inner.refused += 1;
                    return Ok(refusal(400, "InvalidSequenceId"));
                }
                _ => {
                    inner.keys.push(request.parameter("key").map(str::to_owned));
                    inner.logs += logs;
                    inner.groups.extend(groups.into_iter().map(|group| (request.logstore(), group)));
                }
            }
            match fault {
                Some(fault) => Err(fault),
                None => Ok(TAKEN.to_owned()),
            }
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().expect("sink"))
    }

    /// The next requests fail like this, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.with(|inner| inner.faults.extend(faults));
    }

    /// All requests fail like this until told otherwise.
    pub fn fail_always(&self, fault: Option<Fault>) {
        self.with(|inner| inner.standing = fault);
    }

    /// Requests that have a log with this text fail like this, until told otherwise.
    pub fn poison(&self, poison: Option<(&'static str, Fault)>) {
        self.with(|inner| inner.poison = poison);
    }

    /// Its clock is so many seconds ahead of that of this machine.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.with(|inner| inner.clock_ahead = seconds);
    }

    /// New connections are of TLS.
    pub fn set_tls(&self, acceptor: TlsAcceptor) {
        self.with(|inner| inner.tls = Some(acceptor));
    }

    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Groups of more logs are refused as too large.
    pub fn refuse_above(&self, logs: usize) {
        self.with(|inner| inner.refuse_above_logs = Some(logs));
    }

    /// The project has project logging, of these types, into this Logstore of this project.
    pub fn set_logging(&self, project: &str, types: &[&str], logstore: &str) {
        let detail = |kind: &&str| serde_json::json!({"type": kind, "logstore": logstore});
        let details: Vec<serde_json::Value> = types.iter().map(detail).collect();
        let logging = serde_json::json!({"loggingProject": project, "loggingDetails": details});
        self.with(|inner| inner.logging = Some(logging.to_string()));
    }

    /// Who asks for project logging is to come later.
    pub fn set_logging_away(&self, is_away: bool) {
        self.with(|inner| inner.logging_is_away = is_away);
    }

    /// How often somebody asked for project logging.
    pub fn logging_asked(&self) -> usize {
        self.with(|inner| inner.logging_asked)
    }

    /// Requests to a Logstore fail like this, until told otherwise.
    pub fn fail_logstore(&self, logstore: &str, fault: Option<Fault>) {
        self.with(|inner| match fault {
            Some(fault) => drop(inner.bad_logstores.insert(logstore.to_owned(), fault)),
            None => drop(inner.bad_logstores.remove(logstore)),
        });
    }

    /// How many requests came for Logstores that fail.
    pub fn bad_requests(&self) -> usize {
        self.with(|inner| inner.bad_requests)
    }

    /// The groups of a Logstore that have this topic.
    pub fn groups_of(&self, logstore: &str, topic: &str) -> Vec<LogGroup> {
        self.with(|inner| {
            let groups = inner
                .groups
                .iter()
                .filter(|(to, group)| to == logstore && group.topic.as_deref() == Some(topic));
            groups.map(|(_, group)| group.clone()).collect()
        })
    }

    pub fn requests(&self) -> usize {
        self.with(|inner| inner.requests)
    }

    pub fn groups(&self) -> Vec<LogGroup> {
        self.with(|inner| inner.groups.iter().map(|(_, group)| group.clone()).collect())
    }

    /// How many logs were taken.
    pub fn logs(&self) -> usize {
        self.with(|inner| inner.logs)
    }

    /// How many requests were refused because they had arrived before.
    pub fn refused(&self) -> usize {
        self.with(|inner| inner.refused)
    }

    /// The hash keys of the requests that were taken, in the order of arrival.
    pub fn keys(&self) -> Vec<Option<String>> {
        self.with(|inner| inner.keys.clone())
    }

    /// The values of field `key` of all logs of a Logstore, in the order of arrival.
    pub fn values(&self, logstore: &str, key: &str) -> Vec<String> {
        self.with(|inner| {
            let groups = inner.groups.iter().filter(|(to, _)| to == logstore);
            let logs = groups.flat_map(|(_, group)| &group.logs);
            logs.flat_map(|log| log.contents.iter().filter(|c| c.key == key))
                .map(|c| String::from_utf8_lossy(&c.value).into_owned())
                .collect()
        })
    }

    /// Waits until `n` values of field `content` arrived in Logstore `store`.
    pub async fn wait_for(&self, n: usize) -> Vec<String> {
        let found = eventually(|| Some(self.values("store", "content")).filter(|v| v.len() >= n)).await;
        found.unwrap_or_else(|| panic!("{} of {n} logs arrived", self.values("store", "content").len()))
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Makes clients that talk to this sink. They wait long for an answer: one that gives up on a busy machine
    /// sends again what the sink has taken.
    pub fn clients(&self) -> impl Fn(&Destination) -> Result<Client, String> + Send + Sync + 'static {
        self.clients_that_wait(PATIENCE)
    }

    /// The same, which wait so long for an answer.
    pub fn clients_that_wait(
        &self,
        request_timeout: Duration,
    ) -> impl Fn(&Destination) -> Result<Client, String> + Send + Sync + 'static {
        let endpoint = self.endpoint();
        move |_| {
            let endpoint = endpoint.parse().map_err(|e| format!("{e}"))?;
            let mut config = ClientConfig::new(endpoint, AccessKey::new("id", "secret"));
            config.request_timeout = request_timeout;
            Client::new(config).map_err(|e| e.to_string())
        }
    }
}

struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn logstore(&self) -> String {
        self.head.split('/').nth(2).expect("a Logstore in the path").to_owned()
    }

    /// A parameter of the route by hash key.
    fn parameter(&self, name: &str) -> Option<&str> {
        let target = self.head.split(' ').nth(1).expect("a target");
        let (path, query) = target.split_once('?')?;
        assert!(path.ends_with("/shards/route"), "{target}");
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    fn log_groups(&self) -> Vec<LogGroup> {
        let body = CompressedLogs {
            bytes: self.body.clone().into(),
            raw_size: self.header("x-log-bodyrawsize").expect("raw size").parse().expect("a number"),
            compression: self.header("x-log-compresstype").unwrap_or_default().parse().expect("compression"),
            batch: self.header("x-log-mode") == Some("batch_group"),
            json: false,
        };
        body.log_groups(RAW_BYTES_MAX).expect("the body decodes")
    }
}

/// `None` if the connection ends, or is to be reset by what `resets` says of a request that begins.
async fn read_request(
    stream: &mut impl Wire,
    received: &mut Vec<u8>,
    resets: impl Fn() -> bool,
) -> Option<Request> {
    let mut has_begun = false;
    loop {
        if let Some(head_len) = received.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&received[..head_len]).into_owned();
            let mut request = Request { head, body: Vec::new() };
            let body_len: usize =
                request.header("content-length").map_or(0, |n| n.parse().expect("a length"));
            if received.len() >= head_len + 4 + body_len {
                request.body = received[head_len + 4..head_len + 4 + body_len].to_vec();
                received.drain(..head_len + 4 + body_len);
                return Some(request);
            }
        }
        if stream.read_buf(received).await.ok()? == 0 {
            return None;
        }
        if !std::mem::replace(&mut has_begun, true) && resets() {
            let _ = stream.socket().set_zero_linger();
            return None;
        }
    }
}

fn refusal(status: u16, code: &str) -> String {
    let body = format!(r#"{{"errorCode":"{code}","errorMessage":"asked for by the test"}}"#);
    format!("HTTP/1.1 {status} No\r\nx-log-requestid: 1\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
