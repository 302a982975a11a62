//! What to do about a request that failed. Pure.

use std::time::Duration;

use sls_api::error::code;
use sls_client::{ClientError, Retry};

/// Tries before content that the server calls malformed is dropped. Source: LoongCollector's number
/// for errors that it gives up on (collector.md §3.3).
pub const MALFORMED_TRIES_MAX: u32 = 5;

/// What kind of trouble a destination has; a message is written when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Server or network.
    Unreachable,
    /// The project or Logstore does not exist.
    NotExist,
    /// The key, its permission or the account.
    Auth,
    Quota,
    /// The clock differs from the server's.
    Clock,
    /// The server refuses the request for another reason.
    Refused,
    /// The server cannot read the content.
    Malformed,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it again, for as long as it takes.
    Again(Trouble),
    /// Sign with this time from now on and send it again at once.
    CorrectClock { server_time: i64 },
    /// It had arrived before: the server knows its number. Source: collector.md §3.3.
    Arrived,
    /// Send it in two halves.
    Split,
    /// Send it again a few times, then give it up: no later moment will make it readable.
    GiveUpSoon,
}

/// Judges a failure of PutLogs. Only what says that the *content* is unreadable or too large can
/// cost data; every other error may be cured on the other side (collector.md §3.4 rule 5).
pub fn judge(error: &ClientError) -> Verdict {
    if let ClientError::Api { status, code, .. } = error {
        match code.as_str() {
            code::POST_BODY_TOO_LARGE => return Verdict::Split,
            code::INVALID_SEQUENCE_ID => return Verdict::Arrived,
            code::POST_BODY_INVALID
            | code::INVALID_ENCODING
            | code::POST_BODY_UNCOMPRESS_ERROR
            | code::INVALID_BODY_RAW_SIZE => return Verdict::GiveUpSoon,
            _ if *status == 413 => return Verdict::Split,
            _ => {}
        }
    }
    match error.class() {
        Retry::ClockSkew { server_time: Some(server_time) } => Verdict::CorrectClock { server_time },
        Retry::ClockSkew { server_time: None } => Verdict::Again(Trouble::Clock),
        Retry::Later => Verdict::Again(Trouble::Unreachable),
        Retry::Quota => Verdict::Again(Trouble::Quota),
        Retry::Auth => Verdict::Again(Trouble::Auth),
        Retry::NotExist => Verdict::Again(Trouble::NotExist),
        Retry::Never => Verdict::Again(Trouble::Refused),
    }
}

impl Trouble {
    /// First and longest wait between two tries. Source: our choice; short enough that a Logstore
    /// made by hand or an ended outage is noticed within seconds.
    pub fn waits(self) -> (Duration, Duration) {
        let ms = Duration::from_millis;
        match self {
            Self::Unreachable => (ms(100), ms(5_000)),
            Self::NotExist => (ms(500), ms(5_000)),
            Self::Quota => (ms(500), ms(5_000)),
            Self::Auth | Self::Clock => (ms(1_000), ms(15_000)),
            Self::Refused | Self::Malformed => (ms(500), ms(30_000)),
        }
    }

    /// It is about the one request: others to the same place may well be taken.
    pub fn is_its_own(self) -> bool {
        matches!(self, Self::Refused | Self::Malformed)
    }

    /// Tells it apart from the others in alarms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::NotExist => "not exist",
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::Clock => "clock",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
        }
    }

    /// What somebody can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Unreachable => "check the endpoint, the network and the state of the service",
            Self::NotExist => {
                "create the project and the Logstore, or correct their names or the region in the config"
            }
            Self::Auth => {
                "check the AccessKey (default_access_key_id in ilogtail_config.json), that it belongs to \
                 the account of the project, and its permission log:PostLogStoreLogs"
            }
            Self::Quota => "raise the write quota of the project or split shards of the Logstore",
            Self::Clock => "set the clock of this machine",
            Self::Refused => "correct what the server names",
            Self::Malformed => "this is a fault of the collector: please report it with the request id",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, code: &str, expected: Verdict) {
        let error = ClientError::Api {
            operation: "PutLogs",
            status,
            code: code.to_owned(),
            message: String::new(),
            request_id: String::new(),
            server_time: Some(7),
            retry_after: None,
        };
        assert_eq!(judge(&error), expected, "{status} {code}");
    }

    #[test]
    fn only_unreadable_content_is_ever_given_up() {
        use Verdict::{Again, CorrectClock, GiveUpSoon, Split};
        check(404, "ProjectNotExist", Again(Trouble::NotExist));
        check(404, "LogStoreNotExist", Again(Trouble::NotExist));
        check(401, "Unauthorized", Again(Trouble::Auth));
        check(401, "SignatureNotMatch", Again(Trouble::Auth));
        check(403, "WriteQuotaExceed", Again(Trouble::Quota));
        check(500, "InternalServerError", Again(Trouble::Unreachable));
        check(503, "ServerBusy", Again(Trouble::Unreachable));
        check(400, "ParameterInvalid", Again(Trouble::Refused));
        check(400, "SomethingNew", Again(Trouble::Refused));
        check(400, "RequestTimeExpired", CorrectClock { server_time: 7 });
        check(400, "PostBodyTooLarge", Split);
        check(400, "InvalidSequenceId", Verdict::Arrived);
        check(413, "BadResponse", Split);
        check(400, "PostBodyInvalid", GiveUpSoon);
        check(400, "InvalidEncoding", GiveUpSoon);
    }
}
