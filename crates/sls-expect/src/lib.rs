//! Assertions on the logs that an emulated Log Service received, and the faults it is told to make.
//!
//! What is asked, what is decided and how it is told is pure. `mock-sls` answers with it under
//! `/_mock/v1`, its command line prints with it, tests in Rust ask with it ([`client`]).
//!
//! Reading order: [`expectation`] what is asked → [`watch`] when it is decided → [`condition`] and
//! [`golden`] what holds of the logs themselves → [`verdict`] the answer, with what explains a failure →
//! [`report`] how people and machines read it. Beside that: [`ledger`] what was written → [`account`] what of it
//! was received; [`operations`] names of operations → [`fault`] what goes wrong, and when → [`journal`] what was
//! asked of the server.

pub mod account;
pub mod client;
pub mod condition;
pub mod expectation;
pub mod fault;
pub mod golden;
pub mod journal;
pub mod ledger;
pub mod operations;
pub mod report;
pub mod verdict;
pub mod watch;

pub use condition::Condition;
pub use expectation::{Count, Expectation, Invalid};
pub use golden::Golden;
pub use verdict::{Ending, Explanation, Verdict};
