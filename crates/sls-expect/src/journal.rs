//! What the emulator remembers of the requests it got: an entry each, and the filter by which they are
//! asked for. Answered under `/_mock/v1/journal`, printed by `mock-sls journal`, asked in Rust with
//! `Running::journal`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::fault::Client;
use crate::operations::{Operations, Selection, UnknownOperation};

/// Entries of an answer when nothing is said (own choice: some screenfuls).
pub const LIMIT_DEFAULT: usize = 1_000;
/// Most entries of an answer (own choice: as many as are remembered).
pub const LIMIT_MAX: usize = 10_000;
/// How long may be waited for an entry, ms (own choice: below what clients take for a hang).
pub const FOLLOW_MS_MAX: u64 = 60_000;

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number in the order in which requests ended, from 1; goes on when the journal is cleared.
    pub seq: u64,
    /// When it arrived, by the server's clock, Unix milliseconds.
    pub time_ms: i64,
    /// `x-log-requestid` of its answer.
    pub request_id: String,
    /// HTTP method.
    pub method: String,
    /// Path as on the wire, without the query string.
    pub path: String,
    /// Name of the operation, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Project that it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Logstore in its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore: Option<String>,
    /// Shard in its path; writes name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
    /// Status that it was answered with; none if it came to no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Whether nobody got that answer: the connection was reset or cut, or the client had gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// `errorCode` of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// `errorMessage` of the answer, its first 500 bytes or so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Bytes of the body as on the wire; 0 if it was not read.
    pub bytes_in: u64,
    /// Bytes of the answer's body as on the wire.
    pub bytes_out: u64,
    /// From its head to its answer, microseconds.
    pub micros: u64,
    /// Who sent it, address and port.
    pub client: String,
    /// `User-Agent`, its first 200 bytes or so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// What was in it, if it wrote logs and was read so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrote: Option<Wrote>,
    /// Names of the faults that acted on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// The logs of a request that writes some. They are in the Logstore only if `status` is 200.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrote {
    /// Log groups that are not empty.
    pub groups: u64,
    /// Logs in them.
    pub logs: u64,
    /// Bytes of the groups before compression.
    pub raw_bytes: u64,
    /// Topic of the first group; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
}

/// Entries, the earliest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Those that match.
    pub entries: Vec<Entry>,
    /// What to ask for next as `since`: all up to this number has been looked at.
    pub next: u64,
    /// Requests after `since` that are no longer remembered, whether they would match or not.
    pub missed: u64,
}

/// Which entries. Parts that are not given do not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Names of operations with commas between them; `write`, `query` and `pull` stand for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The Logstore in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logstore: Option<String>,
    /// A status, a class of them (`4xx`), or `none` for requests without answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The sender's address, with or without its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only entries after this number, and the first of them; without it, the last ones of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Most entries wanted, 1 to [`LIMIT_MAX`]; [`LIMIT_DEFAULT`] without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How long to wait for an entry if there is none, ms, at most [`FOLLOW_MS_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_ms: Option<u64>,
}

/// A filter that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// An operation that is not there.
    #[error("operation: {0}")]
    Operation(#[from] UnknownOperation),
    /// What is not a status.
    #[error("status {0:?}: use a number, a class as 4xx, or none for requests without answer")]
    Status(String),
    /// What is not an address.
    #[error("client {0:?}: use an IP address, with or without a port")]
    Client(String),
    /// Too many entries, or none.
    #[error("limit {0}: use 1 to {LIMIT_MAX}")]
    Limit(usize),
    /// Too long a wait.
    #[error("follow_ms {0}: at most {FOLLOW_MS_MAX} are allowed, ask again after that")]
    Follow(u64),
}

/// A filter whose parts were read.
#[derive(Debug, Clone, Default)]
pub struct Matcher {
    operations: Option<Selection>,
    project: Option<String>,
    logstore: Option<String>,
    status: Option<Status>,
    error_code: Option<String>,
    client: Option<Client>,
}

#[derive(Debug, Clone, Copy)]
enum Status {
    Is(u16),
    Class(u16),
    None,
}

/// What a filter looks at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Name of the operation.
    pub operation: Option<&'a str>,
    /// The project.
    pub project: Option<&'a str>,
    /// The Logstore.
    pub logstore: Option<&'a str>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Code of the error.
    pub error_code: Option<&'a str>,
    /// Who sent it.
    pub client: SocketAddr,
}

impl Filter {
    /// Reads the parts.
    ///
    /// # Errors
    /// [`BadFilter`] says which makes no sense.
    pub fn check(&self) -> Result<Matcher, BadFilter> {
        if let Some(limit) = self.limit.filter(|limit| *limit == 0 || *limit > LIMIT_MAX) {
            return Err(BadFilter::Limit(limit));
        }
        if let Some(ms) = self.follow_ms.filter(|ms| *ms > FOLLOW_MS_MAX) {
            return Err(BadFilter::Follow(ms));
        }
        let operations = self.operation.as_deref().map(|names| Operations::from(names).select());
        Ok(Matcher {
            operations: operations.transpose()?,
            project: self.project.clone(),
            logstore: self.logstore.clone(),
            status: self.status.as_deref().map(status).transpose()?,
            error_code: self.error_code.clone(),
            client: self.client.as_deref().map(client).transpose()?,
        })
    }
}

fn status(text: &str) -> Result<Status, BadFilter> {
    let bad = || BadFilter::Status(text.to_owned());
    if text == "none" {
        return Ok(Status::None);
    }
    match text.strip_suffix("xx") {
        Some(class) => class.parse().map(Status::Class).map_err(|_| bad()),
        None => text.parse().map(Status::Is).map_err(|_| bad()),
    }
}

fn client(text: &str) -> Result<Client, BadFilter> {
    let host = text.parse().map(Client::Host);
    host.or_else(|_| text.parse().map(Client::Port)).map_err(|_| BadFilter::Client(text.to_owned()))
}

impl Matcher {
    /// Whether a request is among those that are asked for.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        let same =
            |wanted: &Option<String>, have: Option<&str>| wanted.is_none() || wanted.as_deref() == have;
        let operation = |wanted: &Selection| facts.operation.is_some_and(|operation| wanted.has(operation));
        let status = |wanted: Status| match wanted {
            Status::Is(status) => facts.status == Some(status),
            Status::Class(class) => facts.status.is_some_and(|status| status / 100 == class),
            Status::None => facts.status.is_none(),
        };
        self.operations.as_ref().is_none_or(operation)
            && same(&self.project, facts.project)
            && same(&self.logstore, facts.logstore)
            && self.status.is_none_or(status)
            && same(&self.error_code, facts.error_code)
            && self.client.is_none_or(|client| client.is(facts.client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts<'static> {
        Facts {
            operation: Some("PutLogs"),
            project: Some("p"),
            logstore: Some("l"),
            status: Some(403),
            error_code: Some("WriteQuotaExceed"),
            client: "127.0.0.1:4711".parse().unwrap(),
        }
    }

    fn filter(part: &str) -> Filter {
        let (name, value) = part.split_once('=').unwrap();
        let value = value.parse::<u64>().map_or_else(|_| value.into(), serde_json::Value::from);
        let value = if name == "status" { value.to_string().replace('"', "").into() } else { value };
        serde_json::from_value(serde_json::Value::Object([(name.to_owned(), value)].into_iter().collect()))
            .unwrap()
    }

    #[test]
    fn each_part_of_a_filter_must_hold() {
        for (part, holds) in [
            ("operation=PutLogs", true),
            ("operation=write", true),
            ("operation=GetLogs,GetProject", false),
            ("project=p", true),
            ("project=q", false),
            ("logstore=l", true),
            ("logstore=m", false),
            ("status=403", true),
            ("status=4xx", true),
            ("status=5xx", false),
            ("status=none", false),
            ("error_code=WriteQuotaExceed", true),
            ("error_code=ServerBusy", false),
            ("client=127.0.0.1", true),
            ("client=127.0.0.1:4711", true),
            ("client=127.0.0.1:4712", false),
        ] {
            assert_eq!(filter(part).check().unwrap().matches(&facts()), holds, "{part}");
        }
        let unanswered = Facts { status: None, error_code: None, operation: None, ..facts() };
        assert!(filter("status=none").check().unwrap().matches(&unanswered));
        assert!(!filter("operation=*").check().unwrap().matches(&unanswered));
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_refused_with_its_reason() {
        for (part, reason) in [
            ("operation=PutLog", "do you mean PutLogs?"),
            ("status=many", "use a number, a class as 4xx"),
            ("client=me", "use an IP address"),
            ("limit=0", "use 1 to 10000"),
            ("limit=10001", "use 1 to 10000"),
            ("follow_ms=60001", "at most 60000"),
        ] {
            let refused = filter(part).check().unwrap_err().to_string();
            assert!(refused.contains(reason), "{part}: {refused}");
        }
    }
}
