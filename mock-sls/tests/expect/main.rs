//! Assertions on what was received, over HTTP.

mod bed;
mod counts;
mod explanations;
mod tails;
