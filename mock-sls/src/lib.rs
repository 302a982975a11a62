//! An emulator of Alibaba Cloud Simple Log Service (SLS): one process, one SQLite file.
//!
//! Used in process by tests and by the end-to-end bed ([`MockSls::start`]), and as the program
//! `mock-sls serve` by everyone else. Clients of the real service talk to it unchanged.
//!
//! Reading order: `front` (the steps of every request) → `route` (from the table of
//! operations to axum) → `ops` (behaviour, one file per resource) → `store` (SQL, the same
//! names) → `agent` (the side collectors talk to) → `query` (search and SQL, pure) → `consumers`
//! (who reads which shard, pure) → `write_quota`, `quotas`, `janitor` (limits on writing and
//! on counts, expired logs) → `journal`, `faults` (what came, and what goes wrong on purpose)
//! → `arrivals`, `expect` (who waits for logs, and for what).
//!
//! Invariants: a write is answered only after its transaction is committed, and a read that
//! begins after that answer sees it. Nothing but `store` touches SQLite; nothing in `store` or
//! `query` knows HTTP. Only `front`, `agent`, `janitor` and what answers under
//! `/_mock/v1` read the clock.

mod accounts;
mod admin;
mod agent;
mod app;
mod arrivals;
mod auth;
pub mod cli;
pub mod clock;
mod config;
mod console;
mod consumers;
mod error;
mod expect;
mod faults;
mod front;
#[cfg(fuzzing)]
pub mod fuzzing;
mod janitor;
mod journal;
mod openapi;
mod ops;
mod query;
pub mod quotas;
mod reference;
mod route;
mod server;
mod store;
mod write_quota;

pub use accounts::AccountsError;
pub use config::{Account, Auth, Config, DEFAULT_REGION, Data, Key, Limits, Rights, Tls, WriteQuotas};
pub use console::Settings as ConsoleSettings;
pub use query::sql::{IpPlaces, PlacesError, Settings as SqlSettings};
pub use server::{Fault, MockSls, Running, StartError, StateError, TlsError};
pub use store::{FILE_NAME as DATABASE_FILE, OpenError};

/// Account id of the default key pair.
pub const DEFAULT_ACCOUNT_ID: &str = "1234567890123456";
/// Id of the default key pair; it opens nothing but this emulator.
pub const DEFAULT_ACCESS_KEY_ID: &str = "mockAccessKeyId";
/// Secret of the default key pair.
pub const DEFAULT_ACCESS_KEY_SECRET: &str = "mockAccessKeySecret";
