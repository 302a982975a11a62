//! The console as a browser without scripts sees it, and what its scripts are answered; one file per subject.

mod agents;
mod bed;
mod cluster;
mod configs;
mod guard;
mod indexes;
mod query;
mod setup;
mod testbed;
mod visitor;
