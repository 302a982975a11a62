//! The operator for `AliyunLogConfig`: what such an object asks for exists in Log Service, stays that
//! way, and what is wrong with an object is told in its status.
//!
//! One look at one object is validate → observe → plan → apply → report, one module each; `validate`,
//! `plan`, `progress`, `status`, `diff`, `conflict` and `retry` are pure. [`controller`] is the shell
//! around them, [`cli`] the program; [`once`] does the same to one object without a cluster. [`inject`] puts the
//! collector beside the containers of a workload; [`webhook`] does so when Pods are created, and [`audit`] finds those
//! that were missed. [`policy`] says the same to API servers, in CEL.

pub mod allowed;
pub mod audit;
pub mod cli;
pub mod cluster;
pub mod controller;
pub mod crd;
pub mod credentials;
pub mod http;
pub mod inject;
pub mod kind;
pub mod kubernetes;
pub mod leader;
pub mod metrics;
pub mod once;
pub mod policy;
pub mod retry;
pub mod sls;
pub mod validate;
pub mod webhook;

mod agents;
mod apply;
mod conflict;
mod converge;
mod convert;
mod delete;
mod desired;
mod diff;
mod drain;
mod env_form;
mod export;
mod failure;
mod fate;
mod notices;
mod observe;
mod plan;
mod progress;
mod schema;
mod status;
mod survey;
mod text;
