//! Assertions on what was received, over HTTP.

mod bed;
mod client;
mod commands;
mod counts;
mod explanations;
mod tails;
