//! The operator's program; everything is in [`operator::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    operator::cli::main(std::env::args_os())
}
