//! The query language: search, SQL and histograms over the logs of one Logstore.
//!
//! Text, index and blocks of logs in, answers out: no HTTP, no clock, no database file. Called
//! by [`crate::ops::search`]. The way of a query:
//! [`statement`] cuts it at the pipe → [`parse`] makes the search a tree → [`matcher`] makes the
//! tree ready for an index → [`search`] finds logs in the blocks that [`source`] hands out →
//! [`run`] answers with a page of [`rows`] or feeds them to [`sql`] or [`spl`]; [`histogram`] counts
//! them.
//! [`context`] finds what a log's writer wrote beside it, without search or index;
//! [`filter`] is a search without index, for [`crate::ops::cursors`].

#[cfg(test)]
mod answers;
pub mod context;
pub mod error;
pub mod expr;
pub mod filter;
pub mod histogram;
pub mod index;
mod json_leaf;
mod lex;
pub mod log_view;
mod mark;
pub mod matcher;
#[cfg(test)]
mod model_tests;
mod needle;
pub mod parse;
pub mod request;
pub mod rows;
pub mod run;
pub mod search;
mod shown;
pub mod source;
pub mod spl;
pub mod sql;
pub mod statement;
pub mod summary;
#[cfg(any(test, fuzzing))]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod tokenizer;

pub use error::QueryError;
