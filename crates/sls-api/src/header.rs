//! Header names and fixed header values of the Log Service protocol.
//!
//! All lowercase: some clients (the C SDK) keep only headers whose names begin with a lowercase
//! `x-log-`.

/// API version a request speaks.
pub const API_VERSION: &str = "x-log-apiversion";
/// The only value of [`API_VERSION`] that current SDKs send.
pub const API_VERSION_VALUE: &str = "0.6.0";
/// Size in bytes of the body before compression. Unreliable on JSON requests.
pub const BODY_RAW_SIZE: &str = "x-log-bodyrawsize";
/// How the body is compressed; absent when it is not.
pub const COMPRESS_TYPE: &str = "x-log-compresstype";
/// Signature algorithm of scheme v1: `hmac-sha1` or `hmac-sha256`.
pub const SIGNATURE_METHOD: &str = "x-log-signaturemethod";
/// Hex SHA-256 of the body, scheme v4.
pub const CONTENT_SHA256: &str = "x-log-content-sha256";
/// Time of the request; overrides `Date`.
pub const LOG_DATE: &str = "x-log-date";
/// Token of temporary (STS) credentials.
pub const SECURITY_TOKEN: &str = "x-acs-security-token";
/// `batch_group` when a PutLogs body is an `SlsLogPackageList`.
pub const MODE: &str = "x-log-mode";
/// Value of [`MODE`] for several log groups in one PutLogs.
pub const MODE_BATCH_GROUP: &str = "batch_group";
/// Project, when the host name does not carry it (LoongCollector with a custom domain).
pub const PROJECT: &str = "x-log-project";
/// Identity of a request, 24 upper-case hex digits, in every answer.
pub const REQUEST_ID: &str = "x-log-requestid";
/// Server time in Unix seconds, in every answer.
pub const TIME: &str = "x-log-time";
/// Address under which agents reach the service directly.
pub const HOST_IP: &str = "x-log-hostip";
/// Number of logs, buckets or log groups in an answer.
pub const COUNT: &str = "x-log-count";
/// Cursor behind the last log group of a PullLogs answer.
pub const CURSOR: &str = "x-log-cursor";
/// Receive time (Unix seconds) at [`CURSOR`].
pub const CURSOR_TIME: &str = "x-log-cursor-time";
/// `1` when a PullLogs answer reaches the end of the shard.
pub const END_OF_CURSOR: &str = "x-log-end-of-cursor";
/// Cursor of the last log group of a PullLogs answer, as a decimal number.
pub const READ_LAST_CURSOR: &str = "x-log-read-last-cursor";
/// Log groups that a PullLogs with a query read, before filtering.
pub const RAW_DATA_COUNT: &str = "x-log-rawdatacount";
/// Their size before compression, bytes.
pub const RAW_DATA_SIZE: &str = "x-log-rawdatasize";
/// Logs in them.
pub const RAW_DATA_LINES: &str = "x-log-rawdatalines";
/// Logs that a PullLogs with a query returns.
pub const RESULT_LINES: &str = "x-log-resultlines";
/// Logs that its query failed on.
pub const FAILED_LINES: &str = "x-log-failedlines";
/// Where a list goes on, in answers of ListTopics.
pub const NEXT_TOKEN: &str = "x-log-nexttoken";
/// `Complete` or `Incomplete`, in answers of queries.
pub const PROGRESS: &str = "x-log-progress";

/// Content type of JSON bodies.
pub const JSON: &str = "application/json";
/// Content type of protobuf bodies.
pub const PROTOBUF: &str = "application/x-protobuf";
