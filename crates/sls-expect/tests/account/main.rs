//! Whether the accounting finds what is wrong with a stream of logs, names it right and names nothing else: streams
//! that are changed on purpose, and streams with which nothing is wrong.

mod clean;
mod mutations;
mod stream;
