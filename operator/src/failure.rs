//! A step that failed: what Log Service or the network said, and how soon it makes sense to try again.
//! Made by `observe`, `apply` and `delete`; told by `status`.

use std::time::Duration;

use sls_api::error::code;
use sls_client::{ClientError, Retry};

use crate::crd::ADOPT_ANNOTATION;
use crate::desired::{OWNER_TAG, Target};
use crate::sls::{CallError, SlsError};

/// Code of a failure without an answer from Log Service; also the reason of condition Ready.
pub const BACKEND_UNAVAILABLE: &str = "BackendUnavailable";
/// Status code that stands for "could not be reached". Source: operator specification §3.3.
const UNREACHABLE_STATUS: u16 = 503;
/// Code of a config that belongs to another cluster; also the reason of conditions Accepted and Ready. Source:
/// operator specification §3.3.
pub const FOREIGN_OWNER: &str = "ForeignOwner";
/// Status code that stands for "somebody else has it". Source: operator specification §3.3.
const EXISTS_STATUS: u16 = 409;

/// A failed step.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The step, for example CreateConfig or GetLogStore.
    pub step: &'static str,
    /// When to try again.
    pub class: Class,
    /// errorCode of Log Service, or [`BACKEND_UNAVAILABLE`].
    pub code: String,
    /// What happened and what to do.
    pub message: String,
    /// HTTP status of the answer, if there was one.
    pub http_status: Option<u16>,
    /// Request id of the answer, if there was one.
    pub request_id: Option<String>,
    /// How long the service asked to be left alone.
    pub retry_after: Option<Duration>,
}

/// When to try again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Log Service refuses what the object says: not before the object changes, or at the next resync.
    Spec,
    /// The operator's credentials are refused: once in a while, they may be replaced.
    Auth,
    /// Something just created is not there yet: very soon.
    NotYet,
    /// No answer: soon, with a low bound, so that a restarted backend is noticed within seconds.
    Unreachable,
    /// Others got no answer, so nothing was sent: when the service answers, or after a long while.
    Held,
    /// Log Service is overloaded or broken: later and later.
    Busy,
}

impl Class {
    /// Name for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Auth => "auth",
            Self::NotYet => "not_yet",
            Self::Unreachable => "unreachable",
            Self::Held => "held",
            Self::Busy => "busy",
        }
    }
}

impl Failure {
    /// Judges an error of `step`.
    pub fn new(step: &'static str, error: &CallError) -> Self {
        let class = class(error);
        match error {
            CallError::Client(ClientError::Api {
                status, code, message, request_id, retry_after, ..
            }) => Self {
                step,
                class,
                code: reason(code),
                message: format!("{message}{}", remedy(class)),
                http_status: Some(*status),
                request_id: Some(request_id.clone()).filter(|id| !id.is_empty()),
                retry_after: *retry_after,
            },
            _ => Self {
                step,
                class,
                code: BACKEND_UNAVAILABLE.to_owned(),
                message: format!("{error}{}", remedy(class)),
                http_status: None,
                request_id: None,
                retry_after: None,
            },
        }
    }

    /// Something that cannot be created because it exists, and cannot be seen either.
    pub fn invisible(step: &'static str, error: &CallError) -> Self {
        let mut failure = Self::new(step, error);
        failure.class = Class::Busy;
        failure.message.push_str(if is_config_exists(error) {
            "; but not in the form of this object: a name is that of one config, classic or pipeline, choose another"
        } else {
            "; but it cannot be seen with the operator's credentials: names of projects are shared by all accounts, choose another"
        });
        failure
    }

    /// A config that belongs to another cluster.
    pub fn foreign_owner(target: &Target, owner: &str) -> Self {
        let message = format!(
            "{target} belongs to {owner}, an object of another cluster (tag {OWNER_TAG}); use another configName, or \
             take it over with the annotation {ADOPT_ANNOTATION}=true"
        );
        Self {
            step: "GetConfig",
            class: Class::Spec,
            code: FOREIGN_OWNER.to_owned(),
            message,
            http_status: Some(EXISTS_STATUS),
            request_id: None,
            retry_after: None,
        }
    }

    /// A config in classic form where one in pipeline form is wanted, which is not to be replaced.
    pub fn classic_form(step: &'static str, target: &Target) -> Self {
        let message = format!(
            "{target} exists in classic form; set enableUpgradeOverride to have it replaced, or name the object otherwise"
        );
        Self {
            step,
            class: Class::Spec,
            code: reason(code::CONFIG_ALREADY_EXIST),
            message,
            http_status: Some(EXISTS_STATUS),
            request_id: None,
            retry_after: None,
        }
    }

    /// An endpoint or credentials with which nothing can be sent at all.
    pub fn unusable(error: &SlsError) -> Self {
        let (class, code) = match error {
            SlsError::Credentials(_) => (Class::Auth, "CredentialsUnusable"),
            SlsError::Endpoint(_) => (Class::Spec, "EndpointUnusable"),
            SlsError::Client { .. } | SlsError::NoAccount(_) | SlsError::Authorities { .. } => {
                (Class::Auth, "CredentialsUnusable")
            }
        };
        let message = format!("{error}{}", remedy(class));
        let code = code.to_owned();
        Self { step: "Connect", class, code, message, http_status: None, request_id: None, retry_after: None }
    }

    /// `status.statusCode` of this failure.
    pub fn status_code(&self) -> u16 {
        self.http_status.unwrap_or(UNREACHABLE_STATUS)
    }
}

fn class(error: &CallError) -> Class {
    let error = match error {
        CallError::Client(error @ ClientError::Api { .. }) => error,
        CallError::Client(ClientError::Transport { .. } | ClientError::Timeout { .. }) => {
            return Class::Unreachable;
        }
        CallError::Shut { .. } | CallError::NotLeading { .. } => return Class::Held,
        // The answer cannot be used; a proxy in between may be the reason and may go away.
        CallError::Client(_) => return Class::Busy,
    };
    match error.class() {
        // Whatever the code: who is forbidden something must be allowed it by somebody.
        Retry::Never if matches!(error, ClientError::Api { status: 403, .. }) => Class::Auth,
        // Nothing is wrong with the object, and room may be made elsewhere.
        Retry::Never if error.code().is_some_and(|code| code.ends_with("QuotaExceed")) => Class::Busy,
        Retry::Never => Class::Spec,
        Retry::Auth => Class::Auth,
        Retry::NotExist => Class::NotYet,
        Retry::Later | Retry::Quota | Retry::ClockSkew { .. } => Class::Busy,
    }
}

/// The answer of the service, if it was an error.
fn answer(error: &CallError) -> Option<(&ClientError, &str)> {
    match error {
        CallError::Client(error @ ClientError::Api { code, .. }) => Some((error, code)),
        _ => None,
    }
}

/// Whether the service says that what is asked for does not exist.
pub fn is_not_exist(error: &CallError) -> bool {
    answer(error).is_some_and(|(error, _)| error.class() == Retry::NotExist)
}

/// Whether the service says that what is to be created exists already.
pub fn is_already_exist(error: &CallError) -> bool {
    answer(error).is_some_and(|(_, code)| ALREADY_EXIST.contains(&code))
}

/// A Logstore without index is an error of status 400 with this code. Source: API document, Go SDK.
pub fn has_no_index(error: &CallError) -> bool {
    answer(error).is_some_and(|(_, code)| code == code::INDEX_CONFIG_NOT_EXIST)
}

fn is_config_exists(error: &CallError) -> bool {
    answer(error).is_some_and(|(_, code)| code == code::CONFIG_ALREADY_EXIST)
}

/// Codes of a creation that came too late. Source: API error codes; Go SDK for the old group code.
const ALREADY_EXIST: [&str; 6] = [
    code::PROJECT_ALREADY_EXIST,
    code::LOG_STORE_ALREADY_EXIST,
    code::INDEX_ALREADY_EXIST,
    code::MACHINE_GROUP_ALREADY_EXIST,
    code::GROUP_ALREADY_EXIST,
    code::CONFIG_ALREADY_EXIST,
];

fn remedy(class: Class) -> &'static str {
    match class {
        Class::Spec => "; correct the object",
        Class::Auth => "; check the operator's credentials (--credentials-file) and their permissions",
        Class::NotYet | Class::Busy | Class::Held => "",
        Class::Unreachable => "; is Log Service running, and is --sls-endpoint right?",
    }
}

/// A code as the reason of a condition, which Kubernetes limits to letters, digits and `_`.
fn reason(code: &str) -> String {
    let reason: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    if reason.starts_with(|c: char| c.is_ascii_alphabetic()) { reason } else { format!("Error{reason}") }
}
