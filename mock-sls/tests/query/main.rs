//! The query language over HTTP: the shared cases, and what they do not cover.

mod bed;
mod cases;
