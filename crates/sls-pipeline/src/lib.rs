//! A collection config as it runs: config → [`pipeline::Pipeline`], text → events → fields → what is sent.
//!
//! All of it is pure: no files, no network. The collector runs it; a console runs it on a pasted sample, so that what it
//! shows is what the collector will do. Reading order: [`pipeline`] → [`pipeline_json`] (config → `Pipeline`) →
//! [`lines`], [`events`], [`parse`], [`shape`] (text → what is sent) → [`judge`] (how well a config fits a sample),
//! [`preview`](mod@preview) (what becomes of each event of it);
//! [`matcher`] says which files belong to it.
#![deny(unsafe_code)]

pub mod encoding;
pub mod events;
pub mod judge;
pub mod key;
pub mod lines;
pub mod matcher;
pub mod parse;
pub mod pipeline;
pub mod pipeline_json;
pub mod preview;
pub mod shape;
