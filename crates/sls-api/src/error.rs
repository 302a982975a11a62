//! The error answer of the service, and the codes that clients branch on.
//!
//! `mock-sls` writes [`ErrorBody`], `sls-client` reads it.

use serde::{Deserialize, Serialize};

/// Body of every answer whose status is not 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// One of [`code`], or another code of the service.
    pub error_code: String,
    /// For people.
    #[serde(default)]
    pub error_message: String,
}

/// Known values of `errorCode`. Source: "Error codes" page of 2023, API reference of 2021, and
/// the constants that the SDKs compare with.
#[allow(missing_docs)]
pub mod code {
    pub const BAD_REQUEST: &str = "BadRequest";
    pub const CONFIG_ALREADY_EXIST: &str = "ConfigAlreadyExist";
    pub const CONFIG_NOT_EXIST: &str = "ConfigNotExist";
    pub const CONSUMER_GROUP_ALREADY_EXIST: &str = "ConsumerGroupAlreadyExist";
    pub const CONSUMER_GROUP_NOT_EXIST: &str = "ConsumerGroupNotExist";
    /// Guess: no source names the code for one group too many.
    pub const CONSUMER_GROUP_QUOTA_EXCEED: &str = "ConsumerGroupQuotaExceed";
    pub const CONSUMER_NOT_EXIST: &str = "ConsumerNotExist";
    pub const CONSUMER_NOT_MATCH: &str = "ConsumerNotMatch";
    pub const EXCEED_QUOTA: &str = "ExceedQuota";
    pub const INDEX_ALREADY_EXIST: &str = "IndexAlreadyExist";
    pub const INDEX_CONFIG_NOT_EXIST: &str = "IndexConfigNotExist";
    pub const INDEX_INFO_INVALID: &str = "IndexInfoInvalid";
    pub const INTERNAL_SERVER_ERROR: &str = "InternalServerError";
    pub const INVALID_ACCESS_KEY_ID: &str = "InvalidAccessKeyId";
    pub const INVALID_API_VERSION: &str = "InvalidAPIVersion";
    pub const INVALID_BODY_RAW_SIZE: &str = "InvalidBodyRawSize";
    pub const INVALID_COMPRESS_TYPE: &str = "InvalidCompressType";
    pub const INVALID_CONTENT_TYPE: &str = "InvalidContentType";
    pub const INVALID_CURSOR: &str = "InvalidCursor";
    pub const INVALID_DATE_FORMAT: &str = "InvalidDateFormat";
    pub const INVALID_ENCODING: &str = "InvalidEncoding";
    pub const INVALID_KEY: &str = "InvalidKey";
    pub const INVALID_LINE: &str = "InvalidLine";
    pub const INVALID_METHOD: &str = "InvalidMethod";
    pub const INVALID_OFFSET: &str = "InvalidOffset";
    pub const INVALID_PARAMETER: &str = "InvalidParameter";
    pub const INVALID_QUERY_STRING: &str = "InvalidQueryString";
    pub const INVALID_REQUEST_TIME: &str = "InvalidRequestTime";
    pub const INVALID_SEQUENCE_ID: &str = "InvalidSequenceId";
    pub const INVALID_SHARD_CHECK_POINT: &str = "InvalidShardCheckPoint";
    pub const INVALID_SIGNATURE_METHOD: &str = "InvalidSignatureMethod";
    pub const INVALID_TIMESTAMP: &str = "InvalidTimestamp";
    pub const INVALID_TIME_RANGE: &str = "InvalidTimeRange";
    pub const JSON_INFO_INVALID: &str = "JsonInfoInvalid";
    pub const LOG_STORE_ALREADY_EXIST: &str = "LogStoreAlreadyExist";
    pub const LOG_STORE_INFO_INVALID: &str = "LogStoreInfoInvalid";
    pub const LOG_STORE_NOT_EXIST: &str = "LogStoreNotExist";
    pub const LOG_STORE_WITHOUT_SHARD: &str = "LogStoreWithoutShard";
    pub const MACHINE_GROUP_ALREADY_EXIST: &str = "MachineGroupAlreadyExist";
    pub const MACHINE_GROUP_NOT_EXIST: &str = "MachineGroupNotExist";
    /// Old name of [`MACHINE_GROUP_NOT_EXIST`], a constant of the Go SDK.
    pub const GROUP_NOT_EXIST: &str = "GroupNotExist";
    /// Old name of [`MACHINE_GROUP_ALREADY_EXIST`], a constant of the Go SDK.
    pub const GROUP_ALREADY_EXIST: &str = "GroupAlreadyExist";
    pub const META_OPERATION_QPS_LIMIT_EXCEEDED: &str = "MetaOperationQpsLimitExceeded";
    pub const MISSING_API_VERSION: &str = "MissingAPIVersion";
    pub const MISSING_BODY_RAW_SIZE: &str = "MissingBodyRawSize";
    pub const MISSING_CONTENT_LENGTH: &str = "MissingContentLength";
    pub const MISSING_CONTENT_TYPE: &str = "MissingContentType";
    pub const MISSING_DATE: &str = "MissingDate";
    pub const MISSING_HOST: &str = "MissingHost";
    pub const MISSING_SIGNATURE_METHOD: &str = "MissingSignatureMethod";
    pub const MISS_ACCESS_KEY_ID: &str = "MissAccessKeyId";
    pub const NOT_EXIST_CONSUMER_WITH_BODY: &str = "NotExistConsumerWithBody";
    pub const NOT_SUPPORTED: &str = "NotSupported";
    pub const PARAMETER_INVALID: &str = "ParameterInvalid";
    pub const POST_BODY_INVALID: &str = "PostBodyInvalid";
    pub const POST_BODY_TOO_LARGE: &str = "PostBodyTooLarge";
    /// Spelled so by the service.
    pub const POST_BODY_UNCOMPRESS_ERROR: &str = "PostBodyUncompressError";
    pub const PROJECT_ALREADY_EXIST: &str = "ProjectAlreadyExist";
    pub const PROJECT_FORBIDDEN: &str = "ProjectForbidden";
    pub const PROJECT_NOT_EXIST: &str = "ProjectNotExist";
    pub const PROJECT_QUOTA_EXCEED: &str = "ProjectQuotaExceed";
    pub const READ_QUOTA_EXCEED: &str = "ReadQuotaExceed";
    pub const REQUEST_TIMEOUT: &str = "RequestTimeout";
    pub const REQUEST_TIME_EXPIRED: &str = "RequestTimeExpired";
    /// Name of [`REQUEST_TIME_EXPIRED`] in 2021.
    pub const REQUEST_TIME_TOO_SKEWED: &str = "RequestTimeTooSkewed";
    pub const SERVER_BUSY: &str = "ServerBusy";
    pub const SHARD_NOT_EXIST: &str = "ShardNotExist";
    pub const SHARD_READ_QUOTA_EXCEED: &str = "ShardReadQuotaExceed";
    pub const SHARD_WRITE_QUOTA_EXCEED: &str = "ShardWriteQuotaExceed";
    pub const SIGNATURE_NOT_MATCH: &str = "SignatureNotMatch";
    pub const UNAUTHORIZED: &str = "Unauthorized";
    pub const WRITE_QUOTA_EXCEED: &str = "WriteQuotaExceed";
}
