//! Every error the service answers with, and the one table from error to wire; only
//! [`ApiError::Refused`] brings status and code along.
//!
//! Handlers and the store return [`ApiError`]; [`crate::front`] turns it into a response.
//! Codes and messages: "Error codes" page of 2023, API reference of 2021, and the texts that
//! the SDKs' own tests compare with.

use http::StatusCode;
use sls_api::codec::CodecError;
use sls_api::error::code;
use sls_api::names::{
    ConfigName, ConsumerGroupName, InvalidName, LogstoreName, MachineGroupName, ProjectName,
};
use sls_api::operation::DecodeError;
use sls_api::sign::VerifyError;

use crate::front::BODY_BYTES_MAX;
use crate::query::QueryError;

/// An answer other than 200.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The project in the host name is not there.
    #[error("The Project does not exist: {0}")]
    ProjectNotExist(String),
    /// The operation needs a project and the request names none.
    #[error(
        "The request names no project: put it in front of the endpoint's host name \
         (project.endpoint) or in the header x-log-project"
    )]
    NoProject,
    /// Project names are unique.
    #[error("Project {0} already exist")]
    ProjectAlreadyExist(ProjectName),
    /// The caller's account does not own the project.
    #[error("The project does not belong to you.")]
    NotOwner,

    /// The caller's key may not do this. Source: reports of users, in issues of the vendor's
    /// Go SDK and log4j appender.
    #[error("denied by sts or ram, action: {action}, resource: {resource}")]
    Denied {
        /// `log:` and the operation; the service has older names for some.
        action: String,
        /// `acs:log:region:account:…`.
        resource: String,
    },
    /// The key is switched off. Source: error code page, as the next two.
    #[error("AccessKeyId is disabled: {0}")]
    KeyDisabled(String),
    /// The token of a temporary key is another.
    #[error("The security token you provided is invalid.")]
    TokenInvalid,
    /// A temporary key is over.
    #[error("The security token you provided has expired.")]
    TokenExpired,

    /// No such Logstore in the project.
    #[error("logstore {0} does not exist")]
    LogStoreNotExist(LogstoreName),
    /// Logstore names are unique in a project.
    #[error("logstore {0} already exists")]
    LogStoreAlreadyExist(LogstoreName),
    /// The body of a Logstore call makes no sense; the text says why.
    #[error("{0}")]
    LogStoreInfoInvalid(String),
    /// Nothing in the Logstore can be written to.
    #[error("logstore {0} has no writable shard")]
    LogStoreWithoutShard(LogstoreName),
    /// An anonymous write to a Logstore that does not take any. Source of code and text: guess.
    #[error("web tracking is not enabled for logstore {0}: set its enable_tracking to true")]
    TrackingDisabled(LogstoreName),
    /// No such shard in the Logstore.
    #[error("shard {0} does not exist")]
    ShardNotExist(i64),

    /// A consumer group body makes no sense; the text says why.
    #[error("{0}")]
    JsonInfoInvalid(String),
    /// No such consumer group at the Logstore.
    #[error("consumer group {0} does not exist")]
    ConsumerGroupNotExist(ConsumerGroupName),
    /// Consumer group names are unique at a Logstore.
    #[error("consumer group {0} already exists")]
    ConsumerGroupAlreadyExist(ConsumerGroupName),
    /// The Logstore has as many consumer groups as it may.
    #[error("a logstore can have {groups_max} consumer groups: delete one first")]
    ConsumerGroupQuotaExceed {
        /// How many it may have.
        groups_max: usize,
    },
    /// A consumer that the group does not know says that it holds shards.
    #[error("consumer {0} is not in the group, or was silent for too long: send a heartbeat without shards")]
    NotExistConsumerWithBody(String),
    /// A checkpoint of a consumer that the group does not know.
    #[error("consumer {0} does not exist")]
    ConsumerNotExist(String),
    /// A checkpoint of a consumer that does not hold the shard.
    #[error("consumer {consumer} does not hold shard {shard}")]
    ConsumerNotMatch {
        /// Who would store it.
        consumer: String,
        /// The shard.
        shard: u32,
    },
    /// A checkpoint of a shard that is not there.
    #[error("shard {0} does not exist")]
    CheckPointShardNotExist(i64),
    /// A checkpoint that is no cursor.
    #[error("the checkpoint {0:?} is not a cursor")]
    InvalidShardCheckPoint(String),

    /// A Logstore has one index.
    #[error("Logstore index is already created.")]
    IndexAlreadyExist,
    /// Update or delete where there is no index.
    #[error("log store index is not created.")]
    IndexNotCreated,
    /// Get of an index that is not there.
    #[error("index config doesn't exist.")]
    IndexConfigNotExist,
    /// Query of a Logstore without an index.
    #[error("logstore without index config")]
    QueryWithoutIndex,
    /// A query is refused, for a reason that no other variant has.
    #[error(transparent)]
    Query(QueryError),
    /// The index body makes no sense; the text says why.
    #[error("{0}")]
    IndexInfoInvalid(String),

    /// No such machine group in the project.
    #[error("MachineGroup {0} not exist")]
    MachineGroupNotExist(MachineGroupName),
    /// Machine group names are unique in a project.
    #[error("group {0} already exists")]
    MachineGroupAlreadyExist(MachineGroupName),
    /// No such Logtail config in the project.
    #[error("Config {0} not exist")]
    ConfigNotExist(ConfigName),
    /// Logtail config names are unique in a project.
    #[error("config {0} already exists")]
    ConfigAlreadyExist(ConfigName),
    /// The body names another resource than the path.
    #[error("The name {body:?} in the body is not the name {path:?} in the path.")]
    NameMismatch {
        /// Name in the request path.
        path: String,
        /// Name in the request body.
        body: String,
    },

    /// An error of one kind of resource only, which whoever refuses has at hand: the tables of
    /// `sls_api::ops::documents` give most.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Code on the wire.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// There are as many as there may be.
    #[error(
        "Project Quota Exceed: there may be {max} of this kind ({what}); delete some, or start the \
         emulator with a higher --quota"
    )]
    QuotaExceed {
        /// Kind of resource.
        what: &'static str,
        /// The quota.
        max: u64,
    },

    /// There are as many documents of a kind as there may be. Source of code and text: JavaSDK
    /// SavedSearchTest.
    #[error("{0} quota exceed")]
    DocumentQuotaExceed(&'static str),

    /// A parameter is missing or wrong; the text names it.
    #[error("{0}")]
    ParameterInvalid(String),
    /// As [`Self::ParameterInvalid`], the code that machine group and config calls use.
    #[error("{0}")]
    InvalidParameter(String),
    /// A name in the path or body breaks the rule for its kind.
    #[error(transparent)]
    Name(#[from] InvalidName),

    /// The window of a query is empty or reversed.
    #[error("The time range [{from}, {to}) is empty: from must be less than to.")]
    InvalidTimeRange {
        /// Start, Unix seconds.
        from: i64,
        /// End, Unix seconds, not included.
        to: i64,
    },

    /// The cursor stands where no cursor of this server does.
    #[error("Invalid cursor {0}")]
    InvalidCursor(String),
    /// What should be a cursor does not decode. Source of the code: JavaSDK AbnormalOperationTest.
    #[error("Invalid cursor {0}")]
    NoCursor(String),

    /// A log body that does not decode; the text says why.
    #[error("{0}")]
    PostBodyInvalid(String),
    /// A time of a log that cannot be.
    #[error("{0}")]
    InvalidTimestamp(String),
    /// A sequence number that is not larger than the last one of its key.
    #[error("sequence id {number} of key {key} is not larger than {last}, the last one")]
    InvalidSequenceId {
        /// The hash key.
        key: String,
        /// The number.
        number: i64,
        /// The last number.
        last: i64,
    },
    /// More is written to the project than its quota allows.
    #[error("Write quota is exceeded.")]
    WriteQuotaExceed,
    /// More is written to a shard than its quota allows.
    #[error("Write quota of shard {0} is exceeded: write less, or split it.")]
    ShardWriteQuotaExceed(u32),
    /// More is read from the project than its quota allows; only a fault says so.
    #[error("Read quota is exceeded.")]
    ReadQuotaExceed,
    /// More is read from a shard than its quota allows; only a fault says so.
    #[error("Read quota of shard {0} is exceeded: read less, or split it.")]
    ShardReadQuotaExceed(u32),
    /// A field name that is empty or too long.
    #[error("The key of a log field must have 1 to 128 bytes: {0:?}")]
    InvalidKey(String),
    /// A log body that does not decompress.
    #[error("The body cannot be decompressed: {0}")]
    PostBodyUncompressError(#[source] CodecError),
    /// An unknown compression.
    #[error(transparent)]
    InvalidCompressType(CodecError),
    /// The size before compression is missing or wrong; the text says which.
    #[error("{0}")]
    InvalidBodyRawSize(String),
    /// A body over the limit, compressed or not.
    #[error("Body size {bytes} must little than {BODY_BYTES_MAX}.")]
    PostBodyTooLarge {
        /// Declared or already received bytes.
        bytes: u64,
    },

    /// The request is not signed as it should be.
    #[error(transparent)]
    Verify(#[from] VerifyError),

    /// The path exists, the method does not.
    #[error("invalid request method: {0}")]
    InvalidMethod(String),
    /// No operation of the table answers this request.
    #[error(
        "{method} {path}{selector} is not an operation of this emulator; GET /_mock/v1/operations \
         lists what is"
    )]
    NotSupported {
        /// Request method.
        method: String,
        /// Request path.
        path: String,
        /// The query keys that choose an operation, as ` with type=x`, or nothing.
        selector: String,
    },
    /// The request took longer than it may.
    #[error("The request is not finished after {seconds} s.")]
    RequestTimeout {
        /// The limit.
        seconds: u64,
    },
    /// A bounded queue is full.
    #[error("The server is busy, please try again later.")]
    ServerBusy,
    /// The database fails; the caller sees the request id, the log the cause.
    #[error("The emulator's database failed; its log says why under this request's id.")]
    Store(#[from] rusqlite::Error),
    /// What the database holds does not decode, or a part of the server is gone.
    #[error("The emulator failed: {0}")]
    Internal(String),
}

impl From<DecodeError> for ApiError {
    /// The general reading of a body that does not decode; some operations have their own.
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Json(error) => {
                Self::ParameterInvalid(format!("The body is not valid json string: {error}"))
            }
            DecodeError::Protobuf(error) => {
                Self::PostBodyInvalid(format!("Protobuffer content cannot be parsed: {error}"))
            }
            error @ DecodeError::TooManyParts { .. } => Self::PostBodyInvalid(error.to_string()),
            DecodeError::Codec(CodecError::TooLarge { raw_size, .. }) => {
                Self::PostBodyTooLarge { bytes: raw_size as u64 }
            }
            DecodeError::Codec(error @ CodecError::Unsupported(_)) => Self::InvalidCompressType(error),
            DecodeError::Codec(error) => Self::PostBodyUncompressError(error),
            error @ DecodeError::TooManyPackages { .. } => Self::PostBodyInvalid(error.to_string()),
            error @ DecodeError::Header { .. } => Self::InvalidBodyRawSize(error.to_string()),
        }
    }
}

impl ApiError {
    /// Whether the server could not answer, and not the caller ask.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Internal(_) | Self::ServerBusy | Self::RequestTimeout { .. })
    }

    /// Status and code on the wire.
    pub fn wire(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::ProjectNotExist(_) | Self::NoProject => (S::NOT_FOUND, code::PROJECT_NOT_EXIST),
            Self::ProjectAlreadyExist(_) => (S::BAD_REQUEST, code::PROJECT_ALREADY_EXIST),
            Self::NotOwner
            | Self::Denied { .. }
            | Self::KeyDisabled(_)
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::TrackingDisabled(_) => (S::UNAUTHORIZED, code::UNAUTHORIZED),
            Self::LogStoreNotExist(_) => (S::NOT_FOUND, code::LOG_STORE_NOT_EXIST),
            Self::LogStoreAlreadyExist(_) => (S::BAD_REQUEST, code::LOG_STORE_ALREADY_EXIST),
            Self::LogStoreInfoInvalid(_) => (S::BAD_REQUEST, code::LOG_STORE_INFO_INVALID),
            Self::LogStoreWithoutShard(_) => (S::BAD_REQUEST, code::LOG_STORE_WITHOUT_SHARD),
            Self::ShardNotExist(_) => (S::BAD_REQUEST, code::SHARD_NOT_EXIST),
            Self::JsonInfoInvalid(_) => (S::BAD_REQUEST, code::JSON_INFO_INVALID),
            Self::ConsumerGroupNotExist(_) => (S::NOT_FOUND, code::CONSUMER_GROUP_NOT_EXIST),
            Self::ConsumerGroupAlreadyExist(_) => (S::BAD_REQUEST, code::CONSUMER_GROUP_ALREADY_EXIST),
            Self::ConsumerGroupQuotaExceed { .. } => (S::BAD_REQUEST, code::CONSUMER_GROUP_QUOTA_EXCEED),
            Self::NotExistConsumerWithBody(_) => (S::BAD_REQUEST, code::NOT_EXIST_CONSUMER_WITH_BODY),
            Self::ConsumerNotExist(_) => (S::NOT_FOUND, code::CONSUMER_NOT_EXIST),
            Self::ConsumerNotMatch { .. } => (S::NOT_FOUND, code::CONSUMER_NOT_MATCH),
            Self::CheckPointShardNotExist(_) => (S::NOT_FOUND, code::SHARD_NOT_EXIST),
            Self::InvalidShardCheckPoint(_) => (S::BAD_REQUEST, code::INVALID_SHARD_CHECK_POINT),
            Self::IndexAlreadyExist => (S::BAD_REQUEST, code::INDEX_ALREADY_EXIST),
            Self::IndexNotCreated
            | Self::NoCursor(_)
            | Self::ParameterInvalid(_)
            | Self::Query(_)
            | Self::Name(_) => (S::BAD_REQUEST, code::PARAMETER_INVALID),
            Self::IndexConfigNotExist | Self::QueryWithoutIndex => {
                (S::BAD_REQUEST, code::INDEX_CONFIG_NOT_EXIST)
            }
            Self::IndexInfoInvalid(_) => (S::BAD_REQUEST, code::INDEX_INFO_INVALID),
            Self::MachineGroupNotExist(_) => (S::NOT_FOUND, code::MACHINE_GROUP_NOT_EXIST),
            Self::MachineGroupAlreadyExist(_) => (S::BAD_REQUEST, code::MACHINE_GROUP_ALREADY_EXIST),
            Self::ConfigNotExist(_) => (S::NOT_FOUND, code::CONFIG_NOT_EXIST),
            Self::ConfigAlreadyExist(_) => (S::BAD_REQUEST, code::CONFIG_ALREADY_EXIST),
            Self::NameMismatch { .. } => (S::BAD_REQUEST, code::BAD_REQUEST),
            Self::Refused { status, code, .. } => (S::from_u16(*status).unwrap_or(S::BAD_REQUEST), code),
            Self::QuotaExceed { .. } => (S::BAD_REQUEST, code::PROJECT_QUOTA_EXCEED),
            Self::DocumentQuotaExceed(_) => (S::BAD_REQUEST, code::EXCEED_QUOTA),
            Self::InvalidParameter(_) => (S::BAD_REQUEST, code::INVALID_PARAMETER),
            Self::InvalidTimeRange { .. } => (S::BAD_REQUEST, code::INVALID_TIME_RANGE),
            Self::InvalidCursor(_) => (S::BAD_REQUEST, code::INVALID_CURSOR),
            Self::PostBodyInvalid(_) => (S::BAD_REQUEST, code::POST_BODY_INVALID),
            Self::InvalidTimestamp(_) => (S::BAD_REQUEST, code::INVALID_TIMESTAMP),
            Self::InvalidSequenceId { .. } => (S::BAD_REQUEST, code::INVALID_SEQUENCE_ID),
            Self::WriteQuotaExceed => (S::FORBIDDEN, code::WRITE_QUOTA_EXCEED),
            Self::ShardWriteQuotaExceed(_) => (S::FORBIDDEN, code::SHARD_WRITE_QUOTA_EXCEED),
            Self::ReadQuotaExceed => (S::FORBIDDEN, code::READ_QUOTA_EXCEED),
            Self::ShardReadQuotaExceed(_) => (S::FORBIDDEN, code::SHARD_READ_QUOTA_EXCEED),
            Self::InvalidKey(_) => (S::BAD_REQUEST, code::INVALID_KEY),
            Self::PostBodyUncompressError(_) => (S::BAD_REQUEST, code::POST_BODY_UNCOMPRESS_ERROR),
            Self::InvalidCompressType(_) => (S::BAD_REQUEST, code::INVALID_COMPRESS_TYPE),
            Self::InvalidBodyRawSize(_) => (S::BAD_REQUEST, code::INVALID_BODY_RAW_SIZE),
            Self::PostBodyTooLarge { .. } => (S::PAYLOAD_TOO_LARGE, code::POST_BODY_TOO_LARGE),
            Self::Verify(error) => {
                let (status, code) = error.wire();
                (S::from_u16(status).unwrap_or(S::UNAUTHORIZED), code)
            }
            Self::InvalidMethod(_) => (S::METHOD_NOT_ALLOWED, code::INVALID_METHOD),
            Self::NotSupported { .. } => (S::BAD_REQUEST, code::NOT_SUPPORTED),
            Self::RequestTimeout { .. } => (S::INTERNAL_SERVER_ERROR, code::REQUEST_TIMEOUT),
            Self::ServerBusy => (S::SERVICE_UNAVAILABLE, code::SERVER_BUSY),
            Self::Store(_) | Self::Internal(_) => (S::INTERNAL_SERVER_ERROR, code::INTERNAL_SERVER_ERROR),
        }
    }
}
