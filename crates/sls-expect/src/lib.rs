//! Assertions on the logs that an emulated Log Service received, and the faults it is told to make.
//!
//! Pure: what is asked, what is decided and how it is told. `mock-sls` answers with it under
//! `/_mock/v1`, its command line prints with it, tests in Rust ask with it.
