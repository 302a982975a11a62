//! Assertions on what was received, over HTTP.

mod accounts;
mod bed;
mod client;
mod commands;
mod counts;
mod explanations;
mod tails;
