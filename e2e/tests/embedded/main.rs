//! The embedded bed, driven as a user would drive it.

mod bad_input;
mod bed;
mod console;
mod example;
mod scenarios;
