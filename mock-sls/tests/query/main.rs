//! The query language over HTTP: the shared cases, and what they do not cover.

mod answers;
mod bed;
mod cases;
