//! A Logtail-compatible log collector for the sidecar of a pod.
//!
//! Two halves that meet in [`pipeline::Pipeline`]. *Control* learns what to collect and shows that
//! it is alive; *data* reads files and delivers them. Control never calls into data except to hand
//! over the desired pipelines; data never sees JSON.
//!
//! Reading order, control: [`cli`] → [`service`] (wires everything, handles signals) →
//! [`instance_config`] and [`env`](mod@env) (start parameters) → [`control`] (heartbeats, configs)
//! → [`pipeline_json`] (config → `Pipeline`) · [`initd`] and [`layout`] (init script, files).
#![deny(unsafe_code)]

pub mod app_info;
pub mod cli;
pub mod env;
pub mod identity;
pub mod instance_config;
pub mod layout;
pub mod logging;
pub mod nearest;
pub mod region;
