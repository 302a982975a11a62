//! A step that failed: what Log Service or the network said, and how soon it makes sense to try again.
//! Made by `observe`, `apply` and `delete`; told by `status`.

use sls_api::error::code;
use sls_client::{ClientError, Retry};

use crate::desired::Target;
use crate::sls::SlsError;

/// Code of a failure without an answer from Log Service; also the reason of condition Ready.
pub const BACKEND_UNAVAILABLE: &str = "BackendUnavailable";
/// Status code that stands for "could not be reached". Source: operator specification §3.3.
const UNREACHABLE_STATUS: u16 = 503;
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
            Self::Busy => "busy",
        }
    }
}

impl Failure {
    /// Judges an error of `step`.
    pub fn new(step: &'static str, error: &ClientError) -> Self {
        let class = class(error);
        match error {
            ClientError::Api { status, code, message, request_id, .. } => Self {
                step,
                class,
                code: reason(code),
                message: format!("{message}{}", remedy(class)),
                http_status: Some(*status),
                request_id: Some(request_id.clone()).filter(|id| !id.is_empty()),
            },
            _ => Self {
                step,
                class,
                code: BACKEND_UNAVAILABLE.to_owned(),
                message: format!("{error}{}", remedy(class)),
                http_status: None,
                request_id: None,
            },
        }
    }

    /// Something that cannot be created because it exists, and cannot be seen either.
    pub fn invisible(step: &'static str, error: &ClientError) -> Self {
        let mut failure = Self::new(step, error);
        failure.class = Class::Busy;
        failure.message.push_str(if is_config_exists(error) {
            "; but not in the form of this object: a name is that of one config, classic or pipeline, choose another"
        } else {
            "; but it cannot be seen with the operator's credentials: names of projects are shared by all accounts, choose another"
        });
        failure
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
        }
    }

    /// An endpoint or credentials with which nothing can be sent at all.
    pub fn unusable(error: &SlsError) -> Self {
        let (class, code) = match error {
            SlsError::Credentials(_) => (Class::Auth, "CredentialsUnusable"),
            SlsError::Endpoint(_) => (Class::Spec, "EndpointUnusable"),
            SlsError::Client { .. } => (Class::Auth, "CredentialsUnusable"),
        };
        let message = format!("{error}{}", remedy(class));
        Self { step: "Connect", class, code: code.to_owned(), message, http_status: None, request_id: None }
    }

    /// `status.statusCode` of this failure.
    pub fn status_code(&self) -> u16 {
        self.http_status.unwrap_or(UNREACHABLE_STATUS)
    }
}

fn class(error: &ClientError) -> Class {
    match error {
        ClientError::Api { .. } => {}
        ClientError::Transport { .. } | ClientError::Timeout { .. } => return Class::Unreachable,
        // The answer cannot be used; a proxy in between may be the reason and may go away.
        _ => return Class::Busy,
    }
    match error.class() {
        Retry::Never => Class::Spec,
        Retry::Auth => Class::Auth,
        Retry::NotExist => Class::NotYet,
        Retry::Later | Retry::Quota | Retry::ClockSkew { .. } => Class::Busy,
    }
}

/// Whether the service says that what is asked for does not exist.
pub fn is_not_exist(error: &ClientError) -> bool {
    matches!(error, ClientError::Api { .. }) && error.class() == Retry::NotExist
}

/// Whether the service says that what is to be created exists already.
pub fn is_already_exist(error: &ClientError) -> bool {
    matches!(error, ClientError::Api { code, .. } if ALREADY_EXIST.contains(&code.as_str()))
}

fn is_config_exists(error: &ClientError) -> bool {
    matches!(error, ClientError::Api { code, .. } if code == code::CONFIG_ALREADY_EXIST)
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
        Class::NotYet | Class::Busy => "",
        Class::Unreachable => "; is Log Service running, and is --sls-endpoint right?",
    }
}

/// A code as the reason of a condition, which Kubernetes limits to letters, digits and `_`.
fn reason(code: &str) -> String {
    let reason: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    if reason.starts_with(|c: char| c.is_ascii_alphabetic()) { reason } else { format!("Error{reason}") }
}
