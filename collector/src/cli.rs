//! Command line.
use std::ffi::OsString;
use std::process::ExitCode;

pub fn main(_args: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
