//! What crosses the wire between a Log Service (SLS) client and server, and nothing else.
//!
//! Every program of this workspace speaks through these types: the collector and the operator
//! send them with `sls-client`, `mock-sls` receives them, `e2e` asserts on them. There is no I/O,
//! no clock and no async code here: bytes and `now` come in as arguments.
//!
//! Reading order: [`names`] → [`operation`] (one type per API call) → [`ops`] (the calls, one
//! module per resource) → [`log_group`] and [`codec`] (what a PutLogs body is made of) →
//! [`sign`] (both directions) → [`error`] → [`agent`] and [`logtail`] (how a collector learns
//! what to collect).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod agent;
pub mod codec;
pub mod error;
pub mod header;
pub mod log_group;
pub mod logtail;
pub mod names;
pub mod nearest;
pub mod operation;
pub mod ops;
pub mod sign;

pub use operation::{Json, NoPath, NoQuery, Operation, Payload, WireBody};
