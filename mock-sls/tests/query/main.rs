//! The query language over HTTP: what the shared cases do not cover.

mod answers;
mod bed;
