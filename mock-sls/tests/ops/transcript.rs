//! Requests and answers as lines of a file, to be read by people and compared by tests.
//!
//! A request is `METHOD /path [header: value] {body}`, sent to the project `proj-a`, or to the
//! bare endpoint after the word `account`. Its answer is written below it: the operation, the
//! status, and the body or the error. [`Calls`] checks that the server took the requests for the
//! same operations.

use std::collections::BTreeMap;

use http::{Method, Request};
use mock_sls::clock::Clock;
use mock_sls::{Auth, Config};
use serde_json::Value;
use sls_api::operation::{Endpoint, Scope};
use sls_api::ops::all_endpoints;

use super::bed::Bed;
use super::raw::{self, Answer};

/// What every transcript begins with: a server at this time, with the project `proj-a`.
pub const BEGIN: &str = "2024-01-01T00:00:00Z";

/// Parts of the errors of requests that no operation answers. The code of the first is that of some operations
/// too, so it is the text that tells.
const UNKNOWN: [&str; 2] = ["is not an operation of this emulator", "\"InvalidMethod\""];

/// A server whose clock stands still, with `proj-a` in it.
pub async fn bed() -> Bed {
    let clock = Clock::manual(BEGIN.parse().unwrap());
    let bed = Bed::bare(Config { auth: Auth::Off, clock, ..Config::default() }).await;
    bed.create_project().await;
    bed
}

/// Sends one line; returns the operation that it means, none for an unknown one, and the answer.
pub async fn send(bed: &Bed, line: &str) -> (Option<&'static str>, Answer) {
    let request = request(line);
    let operation = operation(&request, line.starts_with("account ")).map(|endpoint| endpoint.name);
    let answer = raw::send(bed.server.addr(), request).await;
    let text = if answer.error_code().is_empty() { String::new() } else { answer.text() };
    let known = !UNKNOWN.iter().any(|part| text.contains(part));
    (operation.filter(|_| known), answer)
}

/// The answer as a transcript shows it.
pub fn shown((operation, answer): &(Option<&'static str>, Answer)) -> String {
    let name = operation.unwrap_or("(no operation)");
    let status = answer.status.as_u16();
    let code = answer.error_code();
    let content_type = answer.header("content-type");
    if !matches!(content_type, "" | "application/json") && !answer.body.is_empty() {
        return format!("  {name} {status} ({} bytes of {content_type})", answer.body.len());
    }
    if code.is_empty() {
        return format!("  {name} {status} {}", answer.text()).trim_end().to_owned();
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    format!("  {name} {status} {code}: {}", body["errorMessage"].as_str().unwrap())
}

fn request(line: &str) -> Request<Vec<u8>> {
    let (host, line) = match line.strip_prefix("account ") {
        Some(line) => ("127.0.0.1", line),
        None => ("proj-a.localhost", line),
    };
    let (method, line) = line.split_once(' ').expect("METHOD /path");
    let (target, mut rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut request = Request::builder().method(method).uri(target).header("host", host);
    // A JSON list begins like a header, but has no name.
    while let Some((header, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && let Some((name, value)) = header.split_once(": ")
    {
        request = request.header(name, value);
        rest = after.trim_start();
    }
    request.body(rest.as_bytes().to_vec()).unwrap()
}

/// What the table says that a request means, on the bare endpoint if it is for the `account`.
pub fn operation(request: &Request<Vec<u8>>, account: bool) -> Option<Endpoint> {
    let query: Vec<(String, String)> =
        serde_urlencoded::from_str(request.uri().query().unwrap_or_default()).unwrap();
    let given = || query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let means = |endpoint: &Endpoint| {
        let scope = match endpoint.scope {
            Scope::Account => account,
            Scope::Project => !account,
            Scope::Either => true,
        };
        scope
            && *request.method() == endpoint.method
            && endpoint.match_path(request.uri().path()).is_some()
            && endpoint.selected_by(given())
    };
    let selectors = |endpoint: &Endpoint| u8::from(endpoint.selector.is_some());
    all_endpoints().filter(means).max_by_key(selectors)
}

/// How often each operation was called, by the test and by the server's own count.
pub struct Calls {
    before: BTreeMap<String, u64>,
    sent: BTreeMap<String, u64>,
}

impl Calls {
    pub async fn begin(bed: &Bed) -> Self {
        Self { before: counted(bed).await, sent: BTreeMap::new() }
    }

    pub fn add(&mut self, operation: Option<&'static str>) {
        if let Some(operation) = operation {
            *self.sent.entry(operation.to_owned()).or_default() += 1;
        }
    }

    /// Fails if the server counted anything else since the beginning.
    pub async fn check(self, bed: &Bed) {
        let mut since = counted(bed).await;
        for (operation, before) in self.before {
            *since.get_mut(&operation).unwrap() -= before;
        }
        since.retain(|_, calls| *calls > 0);
        assert_eq!(since, self.sent, "the server took some requests for other operations");
    }
}

async fn counted(bed: &Bed) -> BTreeMap<String, u64> {
    let request =
        Request::builder().method(Method::GET).uri("/_mock/v1/operations").header("host", "127.0.0.1");
    let answer = raw::send(bed.server.addr(), request.body(Vec::new()).unwrap()).await;
    let table: Value = serde_json::from_slice(&answer.body).unwrap();
    let call = |op: &Value| (op["name"].as_str().unwrap().to_owned(), op["calls"].as_u64().unwrap());
    table["operations"].as_array().unwrap().iter().map(call).collect()
}
