//! What a fault does: one kind, read from an object with one member, whose value may be written short
//! (`"error": 503`) or in full.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sls_api::error::code;
use sls_api::nearest::nearest;

use super::Invalid;

/// Longest delay, ms (own choice: longer than clients wait).
pub const DELAY_MS_MAX: u64 = 600_000;
/// Longest hang, ms (own choice, as [`DELAY_MS_MAX`]).
pub const HANG_MS_MAX: u64 = 600_000;
/// How long a hang lasts if nothing is said, ms (own choice, as [`HANG_MS_MAX`]: the client goes first).
pub const HANG_MS_DEFAULT: u64 = HANG_MS_MAX;
/// Largest offset of the clock either way, s: ten years (own choice).
pub const CLOCK_OFFSET_S_MAX: i64 = 10 * 365 * 86_400;
/// Longest time until logs are found, ms: a day (own choice).
pub const VISIBILITY_DELAY_MS_MAX: u64 = 86_400_000;
/// Characters of a message or code (own choice).
pub const MESSAGE_CHARS_MAX: usize = 1_000;

/// Names of the kinds.
pub(super) const KINDS: [&str; 11] = [
    "delay_ms",
    "error",
    "quota",
    "reset",
    "hang",
    "slow_body",
    "truncated",
    "wrong_request_id",
    "clock_offset_s",
    "incomplete",
    "visibility_delay_ms",
];

/// What a fault does to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Waits before the request is handled.
    DelayMs(Delay),
    /// Answers with this error; the request is not handled.
    Error(ErrorAnswer),
    /// Answers as the service does when this quota is exceeded; the request is not handled.
    Quota(Quota),
    /// Resets the connection (RST) instead of an answer.
    Reset(Reset),
    /// Neither handles the request nor answers, then closes the connection.
    Hang(Hang),
    /// Sends the body of the answer slowly.
    SlowBody {
        /// Bytes per second, 1 or more.
        bytes_per_s: u64,
    },
    /// Announces the whole body of the answer, sends the first bytes of it and closes the connection.
    Truncated {
        /// How many bytes. An answer that has no more is announced as one byte longer.
        bytes: u64,
    },
    /// The answer's `x-log-requestid` is not the request's.
    WrongRequestId(WrongRequestId),
    /// The server's clock, as the signature check and the answer's `x-log-time` have it, is ahead by so
    /// many seconds, or behind. Receive times of logs are not moved.
    ClockOffsetS(i64),
    /// So many answers of queries say that they are incomplete; rows and counts in them are as ever.
    Incomplete(u64),
    /// Queries do not find logs that came less than so many ms ago; PullLogs does.
    VisibilityDelayMs(u64),
}

/// How long to wait, ms; a number of its own between both each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// Shortest.
    pub min: u64,
    /// Longest, at most [`DELAY_MS_MAX`].
    pub max: u64,
}

/// An answer that the service did not mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorAnswer {
    /// HTTP status, 200 to 599. The official clients take everything but 200 for an error.
    pub status: u16,
    /// `errorCode`; without it the one that the service has for the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// `errorMessage`; without it one that names the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl ErrorAnswer {
    /// The code on the wire. Source: error code page; guess for statuses that it does not have.
    pub fn code(&self) -> &str {
        match (&self.error_code, self.status) {
            (Some(code), _) => code,
            (None, 401) => code::UNAUTHORIZED,
            (None, 403 | 429) => code::WRITE_QUOTA_EXCEED,
            (None, 404) => code::LOG_STORE_NOT_EXIST,
            (None, 405) => code::INVALID_METHOD,
            (None, 413) => code::POST_BODY_TOO_LARGE,
            (None, 503) => code::SERVER_BUSY,
            (None, 500..) => code::INTERNAL_SERVER_ERROR,
            (None, _) => code::PARAMETER_INVALID,
        }
    }
}

/// Which quota is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quota {
    /// What the project may write: 403 `WriteQuotaExceed`.
    Write,
    /// What a shard may take: 403 `ShardWriteQuotaExceed`.
    ShardWrite,
    /// What the project may read: 403 `ReadQuotaExceed`.
    Read,
    /// What a shard may give: 403 `ShardReadQuotaExceed`.
    ShardRead,
}

/// When the connection is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// Before the request is handled: nothing happened.
    Before,
    /// After it was handled: what it wrote is there, the answer is lost.
    After,
}

/// How long nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hang {
    /// At most so long, ms, up to [`HANG_MS_MAX`]; ends before that when the client goes or the fault is
    /// removed.
    #[serde(default = "hang_default")]
    pub max_ms: u64,
}

fn hang_default() -> u64 {
    HANG_MS_DEFAULT
}

/// What is wrong with the request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongRequestId {
    /// There is none. LoongCollector takes such an answer for a network fault.
    Absent,
    /// It is another than the journal and the log of the emulator have.
    Other,
}

impl<'de> Deserialize<'de> for What {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Map::<String, Value>::deserialize(from)?;
        let mut members = given.into_iter();
        let what = match (members.next(), members.next()) {
            (None, _) => Err(Invalid::NotOne { given: "nothing is given".to_owned() }),
            (Some((one, _)), Some((other, _))) => {
                Err(Invalid::NotOne { given: format!("{one} and {other} are given") })
            }
            (Some((kind, value)), None) => Self::of(&kind, value),
        };
        what.map_err(serde::de::Error::custom)
    }
}

impl What {
    /// The fault of a kind, by name, with its value in short form or in full.
    ///
    /// # Errors
    /// [`Invalid`] if there is no such kind or its value cannot be.
    pub fn of(kind: &str, value: Value) -> Result<Self, Invalid> {
        let Some(kind) = KINDS.iter().find(|known| **known == kind) else {
            let hint = nearest(kind, KINDS.into_iter()).map(|name| format!(", do you mean {name}?"));
            return Err(Invalid::NotOne { given: format!("{kind} is no fault{}", hint.unwrap_or_default()) });
        };
        let what = match *kind {
            "delay_ms" => Self::DelayMs(match value {
                Value::Number(_) => {
                    let ms = read(kind, value)?;
                    Delay { min: ms, max: ms }
                }
                value => read(kind, value)?,
            }),
            "error" => Self::Error(read(kind, full("status", value))?),
            "quota" => Self::Quota(read(kind, value)?),
            "reset" => Self::Reset(read(kind, value)?),
            "hang" => Self::Hang(match value {
                Value::Bool(true) => Hang { max_ms: HANG_MS_DEFAULT },
                value => read(kind, full("max_ms", value))?,
            }),
            "slow_body" => Self::SlowBody { bytes_per_s: member(kind, "bytes_per_s", value)? },
            "truncated" => Self::Truncated { bytes: member(kind, "bytes", value)? },
            "wrong_request_id" => Self::WrongRequestId(read(kind, value)?),
            "clock_offset_s" => Self::ClockOffsetS(read(kind, value)?),
            "incomplete" => Self::Incomplete(read(kind, value)?),
            _ => Self::VisibilityDelayMs(read(kind, value)?),
        };
        what.check()?;
        Ok(what)
    }

    /// Checks the numbers in it.
    ///
    /// # Errors
    /// [`Invalid`] says which cannot be.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let bad = |kind, why: String| Err(Invalid::What { kind, why });
        match self {
            Self::DelayMs(Delay { min, max }) if min > max => {
                bad("delay_ms", format!("min {min} is larger than max {max}"))
            }
            Self::DelayMs(Delay { max, .. }) if *max > DELAY_MS_MAX => {
                bad("delay_ms", format!("{max}: at most {DELAY_MS_MAX} are allowed"))
            }
            Self::Error(answer) => answer.check(),
            Self::Hang(Hang { max_ms }) if !(1..=HANG_MS_MAX).contains(max_ms) => {
                bad("hang", format!("max_ms {max_ms}: use 1 to {HANG_MS_MAX}"))
            }
            Self::SlowBody { bytes_per_s: 0 } => bad("slow_body", "use 1 byte per second or more".to_owned()),
            Self::ClockOffsetS(offset) if offset.unsigned_abs() > CLOCK_OFFSET_S_MAX.unsigned_abs() => bad(
                "clock_offset_s",
                format!("{offset}: at most {CLOCK_OFFSET_S_MAX} either way are allowed"),
            ),
            Self::Incomplete(0) => bad("incomplete", "how many answers? Use 1 or more".to_owned()),
            Self::VisibilityDelayMs(ms) if *ms > VISIBILITY_DELAY_MS_MAX => {
                bad("visibility_delay_ms", format!("{ms}: at most {VISIBILITY_DELAY_MS_MAX} are allowed"))
            }
            _ => Ok(()),
        }
    }

    /// The kind, if only queries know it.
    pub(super) fn only_of_queries(&self) -> Option<&'static str> {
        match self {
            Self::Incomplete(_) => Some("incomplete"),
            Self::VisibilityDelayMs(_) => Some("visibility_delay_ms"),
            _ => None,
        }
    }
}

impl ErrorAnswer {
    fn check(&self) -> Result<(), Invalid> {
        let bad = |why: String| Err(Invalid::What { kind: "error", why });
        if !(200..600).contains(&self.status) {
            return bad(format!("status {}: use 200 to 599", self.status));
        }
        let long =
            |text: &Option<String>| text.as_ref().is_some_and(|it| it.chars().count() > MESSAGE_CHARS_MAX);
        if long(&self.error_code) || long(&self.message) {
            return bad(format!("at most {MESSAGE_CHARS_MAX} characters are allowed"));
        }
        Ok(())
    }
}

/// A number as the member that it stands for.
fn full(name: &str, value: Value) -> Value {
    match value {
        Value::Number(_) => Value::Object([(name.to_owned(), value)].into_iter().collect()),
        value => value,
    }
}

/// The only member of an object, or the number that stands for it.
fn member(kind: &'static str, name: &str, value: Value) -> Result<u64, Invalid> {
    match value {
        Value::Object(mut members) if members.len() == 1 && members.contains_key(name) => {
            read(kind, members.remove(name).unwrap_or_default())
        }
        Value::Number(_) => read(kind, value),
        _ => Err(Invalid::What { kind, why: format!("use a number, or an object with {name}") }),
    }
}

fn read<T: DeserializeOwned>(kind: &'static str, value: Value) -> Result<T, Invalid> {
    serde_json::from_value(value).map_err(|error| Invalid::What { kind, why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<What, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn short_forms_are_those_in_full() {
        for (short, long) in [
            (r#"{"delay_ms":5}"#, r#"{"delay_ms":{"min":5,"max":5}}"#),
            (r#"{"error":503}"#, r#"{"error":{"status":503}}"#),
            (r#"{"hang":true}"#, r#"{"hang":{}}"#),
            (r#"{"hang":9}"#, r#"{"hang":{"max_ms":9}}"#),
            (r#"{"slow_body":9}"#, r#"{"slow_body":{"bytes_per_s":9}}"#),
            (r#"{"truncated":0}"#, r#"{"truncated":{"bytes":0}}"#),
        ] {
            assert_eq!(of(short).unwrap(), of(long).unwrap(), "{short}");
        }
    }

    #[test]
    fn each_kind_is_read_by_its_name() {
        let values = [
            "1",
            "500",
            r#""shard_read""#,
            r#""before""#,
            "{}",
            "1",
            "1",
            r#""absent""#,
            "-1200",
            "2",
            "100",
        ];
        for (kind, value) in KINDS.into_iter().zip(values) {
            let what = of(&format!(r#"{{"{kind}":{value}}}"#)).unwrap();
            let written = serde_json::to_value(&what).unwrap();
            assert!(written.get(kind).is_some(), "{written}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_with_its_reason() {
        for (json, reason) in [
            (r#"{"delay_ms":-1}"#, "what.delay_ms: invalid value: integer `-1`"),
            (r#"{"delay_ms":{"min":2,"max":1}}"#, "min 2 is larger"),
            (r#"{"delay_ms":600001}"#, "at most 600000"),
            (r#"{"error":99}"#, "status 99: use 200 to 599"),
            (r#"{"error":{"code":5}}"#, "unknown field `code`"),
            (r#"{"quota":"all"}"#, "unknown variant `all`"),
            (r#"{"reset":"soon"}"#, "what.reset: unknown variant `soon`, expected `before` or `after`"),
            (r#"{"hang":0}"#, "max_ms 0"),
            (r#"{"slow_body":0}"#, "1 byte per second"),
            (r#"{"slow_body":{"bytes":1}}"#, "an object with bytes_per_s"),
            (r#"{"truncated":"x"}"#, "use a number"),
            (r#"{"clock_offset_s":9999999999}"#, "either way"),
            (r#"{"incomplete":0}"#, "1 or more"),
        ] {
            let refused = of(json).unwrap_err();
            assert!(refused.contains(reason), "{json}: {refused}");
        }
    }

    #[test]
    fn an_error_without_code_has_that_of_its_status() {
        for (status, code) in [(500, "InternalServerError"), (503, "ServerBusy"), (400, "ParameterInvalid")] {
            assert_eq!(ErrorAnswer { status, error_code: None, message: None }.code(), code);
        }
    }
}
