//! The console as a browser without scripts sees it, and what its scripts are answered.

mod query;
