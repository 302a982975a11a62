//! Assertions on what was received, over HTTP.

mod accounts;
mod bed;
mod client;
mod commands;
mod counts;
mod document;
mod explanations;
mod tails;
