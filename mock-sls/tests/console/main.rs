//! The console as a browser without scripts sees it, and what its scripts are answered.

mod bed;
mod cluster;
mod guard;
mod query;
mod testbed;
