//! The test bed: the vendor document's nginx sidecar example, end to end, every line accounted for.
//!
//! Reading order: `scenario` (what is asserted), `bed` (what it runs on), `pods` (how containers
//! become processes), `example` (the run of `cargo e2e`), `received` and `report` (the result).

pub mod bed;
pub mod cli;
pub mod component;
pub mod eventually;
pub mod example;
pub mod kubernetes;
pub mod manifest;
pub mod outage;
pub mod pods;
pub mod program;
pub mod progress;
pub mod received;
pub mod report;
pub mod scenario;
pub mod signals;
pub mod sls;
