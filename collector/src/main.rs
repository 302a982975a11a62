//! The collector's executable; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    collector::cli::main(std::env::args_os())
}
