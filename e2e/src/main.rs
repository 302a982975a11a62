//! The bed's executable: the bed itself, and every program it runs in its containers.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    e2e::component::dispatch(&args).unwrap_or_else(|| e2e::program::main(args))
}
