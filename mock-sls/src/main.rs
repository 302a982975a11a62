//! The program `mock-sls`; see [`mock_sls::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    mock_sls::cli::main(std::env::args_os())
}
