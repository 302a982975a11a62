//! Requests and answers as lines of a file, to be read by people and compared by tests.
//!
//! A request is `METHOD /path [header: value] {body}`, sent to the project `proj-a`, or to the
//! bare endpoint after the word `account`. Its answer is written below it: the operation that the
//! server counted, the status, and the body or the error.

use http::Request;
use mock_sls::clock::Clock;
use mock_sls::{Auth, Config};
use serde_json::Value;

use super::bed::Bed;
use super::raw::{self, Answer};

/// What every transcript begins with: a server at this time, with the project `proj-a`.
pub const BEGIN: &str = "2024-01-01T00:00:00Z";

/// A server whose clock stands still, with `proj-a` in it.
pub async fn bed() -> Bed {
    let clock = Clock::manual(BEGIN.parse().unwrap());
    let bed = Bed::bare(Config { auth: Auth::Off, clock, ..Config::default() }).await;
    bed.create_project().await;
    bed
}

/// Sends one line; returns the operation that was counted, none for an unknown one, and the answer.
pub async fn send(bed: &Bed, line: &str) -> (Option<String>, Answer) {
    let before = calls(bed).await;
    let answer = raw::send(bed.server.addr(), request(line)).await;
    let after = calls(bed).await;
    let counted = after.into_iter().zip(before).find(|(after, before)| after.1 > before.1);
    (counted.map(|(after, _)| after.0), answer)
}

/// The answer as a transcript shows it.
pub fn shown((operation, answer): &(Option<String>, Answer)) -> String {
    let name = operation.as_deref().unwrap_or("(no operation)");
    let status = answer.status.as_u16();
    let code = answer.error_code();
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

/// Every operation with the number of its calls.
async fn calls(bed: &Bed) -> Vec<(String, u64)> {
    let answer = raw::send(bed.server.addr(), request("account GET /_mock/v1/operations")).await;
    let table: Value = serde_json::from_slice(&answer.body).unwrap();
    let call = |op: &Value| (op["name"].as_str().unwrap().to_owned(), op["calls"].as_u64().unwrap());
    table["operations"].as_array().unwrap().iter().map(call).collect()
}
