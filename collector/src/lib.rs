//! A Logtail-compatible log collector for the sidecar of a pod.
//!
//! Two halves that meet in [`pipeline::Pipeline`]. *Control* learns what to collect and shows that
//! it is alive; *data* reads files and delivers them. Control never calls into data except to hand
//! over the desired pipelines; data never sees JSON.
//!
//! Reading order, control: [`cli`] → [`service`] (wires everything, handles signals) →
//! [`instance_config`] and [`env`](mod@env) (start parameters) → [`control`] (heartbeats, configs)
//! → [`pipeline_json`] (config → `Pipeline`) · [`trial`] (a config on lines that are there) · [`initd`] and [`layout`] (init script, files)
//! · [`alarm`] and [`diagnostics`] (what goes wrong, and telling the service of it).
#![deny(unsafe_code)]

pub mod alarm;
pub mod app_info;
pub mod checkpoint;
pub mod cli;
pub mod control;
pub mod diagnostics;
pub mod discover;
pub mod engine;
pub mod env;
pub mod env_refs;
pub mod fingerprint;
pub mod identity;
pub mod initd;
pub mod instance_config;
pub mod json_file;
pub mod layout;
pub mod logging;
pub mod metrics;
pub mod pack;
pub mod pipeline_json;
pub mod region;
pub mod service;
pub mod ship;
pub mod tags;
pub mod tail;
pub mod trial;
pub mod watch;

pub use sls_pipeline::{encoding, events, lines, parse, pipeline, shape};
