//! What the commands share that ask a running emulator: where it is, and how a command ends. Used by the
//! commands beside it.

use std::io::{ErrorKind, Write};

use anyhow::Context as _;
use clap::Args;
pub use sls_expect::client::{Call, CallError, Emulator};

/// Where the emulator is; the part of a command line that all these commands have.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// Where the emulator listens for plain HTTP.
    #[arg(long, value_name = "URL", env = "MOCK_SLS_ENDPOINT", default_value = "http://127.0.0.1:8080")]
    pub endpoint: Emulator,
}

/// Runs a command that waits for a server.
///
/// # Errors
/// Those of the command, and if no runtime can be had.
pub fn run<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(command)
}

/// Prints text. Says false when nobody reads it any more, as behind `| head`.
///
/// # Errors
/// The output fails otherwise.
pub fn print(text: impl AsRef<[u8]>) -> anyhow::Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("cannot print"),
    }
}
