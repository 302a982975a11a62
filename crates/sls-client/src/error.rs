//! Why a request failed, and whether trying again can help.

use sls_api::{
    error::code,
    operation::{DecodeError, PathError},
    sign::SignError,
};
use std::{error::Error, time::Duration};

/// A request that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered with an error.
    #[error("{operation}: {code} (HTTP {status}): {message}{}", request(.request_id))]
    Api {
        /// Name of the operation.
        operation: &'static str,
        /// HTTP status.
        status: u16,
        /// Error code, or `BadResponse` when the answer is not one of the service.
        code: String,
        /// For people.
        message: String,
        /// Identity of the request; empty when the answer has none.
        request_id: String,
        /// The server's clock, Unix seconds, when it told.
        server_time: Option<i64>,
        /// How long it asked to be left alone (`Retry-After`), when it did.
        retry_after: Option<Duration>,
    },
    /// The server was not reached, or the connection broke.
    #[error("{operation}: cannot reach {endpoint}: {}", root(.source.as_ref()))]
    Transport {
        /// Name of the operation.
        operation: &'static str,
        /// Where to.
        endpoint: String,
        /// What happened.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No complete answer in time.
    #[error("{operation}: no answer from {endpoint} within {} s", .after.as_secs_f32())]
    Timeout {
        /// Name of the operation.
        operation: &'static str,
        /// Where to.
        endpoint: String,
        /// The time allowed.
        after: Duration,
    },
    /// A success whose body is not what the operation answers.
    #[error("{operation}: the answer cannot be read: {source}")]
    Decode {
        /// Name of the operation.
        operation: &'static str,
        /// Why.
        source: DecodeError,
    },
    /// An answer over the limit; it was not read to its end.
    #[error("{operation}: the answer is over {limit} bytes: ask for less at once")]
    TooLarge {
        /// Name of the operation.
        operation: &'static str,
        /// The limit, bytes.
        limit: usize,
    },
    /// The operation belongs to a project and none was given.
    #[error("{operation} needs a project")]
    ProjectMissing {
        /// Name of the operation.
        operation: &'static str,
    },
    /// The path or query cannot be written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The request cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Whether and how trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It cannot: the request itself is wrong.
    Never,
    /// The server or the network has trouble; try later.
    Later,
    /// A quota is used up; try later and send less.
    Quota,
    /// The key is unknown, disabled or wrong; only a person can help, then the same request works.
    Auth,
    /// The clock is off; correct it (see [`crate::Client::correct_clock`]) and try at once.
    ClockSkew {
        /// The server's clock, Unix seconds, when it told.
        server_time: Option<i64>,
    },
    /// The project, Logstore or other thing does not exist (yet).
    NotExist,
}

/// Code of answers that are not of the service's form. Source: name used by the SDKs.
pub(crate) const BAD_RESPONSE: &str = "BadResponse";

impl ClientError {
    /// Whether trying again can help. Source: what LoongCollector, the C producer and the Go
    /// producer do with each code.
    #[must_use]
    pub fn class(&self) -> Retry {
        match self {
            Self::Api { status, code, message, server_time, .. } => {
                class_of(*status, code, message, *server_time)
            }
            Self::Transport { .. } | Self::Timeout { .. } => Retry::Later,
            Self::Decode { .. }
            | Self::TooLarge { .. }
            | Self::ProjectMissing { .. }
            | Self::Path(_)
            | Self::Sign(_) => Retry::Never,
        }
    }

    /// The error code, when the server answered with one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api { code, .. } => Some(code),
            _ => None,
        }
    }
}

fn class_of(status: u16, code: &str, message: &str, server_time: Option<i64>) -> Retry {
    match code {
        code::WRITE_QUOTA_EXCEED
        | code::READ_QUOTA_EXCEED
        | code::SHARD_WRITE_QUOTA_EXCEED
        | code::SHARD_READ_QUOTA_EXCEED
        | code::META_OPERATION_QPS_LIMIT_EXCEEDED
        | "ExceedQuota" => Retry::Quota,
        code::REQUEST_TIME_EXPIRED | code::REQUEST_TIME_TOO_SKEWED => Retry::ClockSkew { server_time },
        code::UNAUTHORIZED
        | code::INVALID_ACCESS_KEY_ID
        | code::MISS_ACCESS_KEY_ID
        | code::SIGNATURE_NOT_MATCH
        | code::PROJECT_FORBIDDEN => Retry::Auth,
        code::INTERNAL_SERVER_ERROR | code::REQUEST_TIMEOUT | code::SERVER_BUSY => Retry::Later,
        _ if code.ends_with("NotExist") => Retry::NotExist,
        // Somebody in between; the service is to be reached again once he is gone.
        BAD_RESPONSE if status == 200 => Retry::Later,
        // The C producer looks for the code inside unreadable answers.
        BAD_RESPONSE if message.contains(code::REQUEST_TIME_EXPIRED) => Retry::ClockSkew { server_time },
        _ => match status {
            401 => Retry::Auth,
            429 => Retry::Quota,
            408 | 500.. => Retry::Later,
            _ => Retry::Never,
        },
    }
}

fn request(id: &str) -> String {
    if id.is_empty() { String::new() } else { format!(" (request {id})") }
}

/// The innermost cause: the outer ones only say that something failed.
pub(crate) fn root<'a>(mut error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, code: &str) -> Retry {
        class_of(status, code, "", Some(7))
    }

    #[test]
    fn every_code_that_clients_branch_on_has_its_class() {
        assert_eq!(class(403, "WriteQuotaExceed"), Retry::Quota);
        assert_eq!(class(403, "ShardWriteQuotaExceed"), Retry::Quota);
        assert_eq!(class(401, "SignatureNotMatch"), Retry::Auth);
        assert_eq!(class(401, "Unauthorized"), Retry::Auth);
        assert_eq!(class(404, "ProjectNotExist"), Retry::NotExist);
        assert_eq!(class(404, "LogStoreNotExist"), Retry::NotExist);
        assert_eq!(class(400, "IndexConfigNotExist"), Retry::NotExist);
        assert_eq!(class(400, "RequestTimeExpired"), Retry::ClockSkew { server_time: Some(7) });
        assert_eq!(class(500, "InternalServerError"), Retry::Later);
        assert_eq!(class(503, "ServerBusy"), Retry::Later);
        assert_eq!(class(502, "BadResponse"), Retry::Later);
        assert_eq!(class(400, "ParameterInvalid"), Retry::Never);
        assert_eq!(class(400, "PostBodyInvalid"), Retry::Never);
        assert_eq!(class(403, "BadResponse"), Retry::Never);
        assert_eq!(class(200, "BadResponse"), Retry::Later);
    }

    #[test]
    fn an_error_says_what_where_and_which_request() {
        let e = ClientError::Api {
            operation: "PutLogs",
            status: 404,
            code: "LogStoreNotExist".into(),
            message: "logstore x does not exist".into(),
            request_id: "ABC".into(),
            server_time: None,
            retry_after: None,
        };
        assert_eq!(
            e.to_string(),
            "PutLogs: LogStoreNotExist (HTTP 404): logstore x does not exist (request ABC)"
        );
    }
}
