//! The signals that end a run early; `program` waits for them, once to end the run and once more to
//! leave what is being cleaned up.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGHUP in the mask of ignored signals: bit `number - 1`. Source: proc(5), signal(7).
const HANGUP_BIT: u64 = 1;

/// Listens from its making on: no signal is lost between two waits.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Not where the run was started to outlive its terminal, as by `nohup`.
    hangup: Option<Signal>,
}

impl Signals {
    /// # Errors
    /// The system refuses.
    pub fn listen() -> Result<Self> {
        // Before the first handler is installed.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let hangup = match hangup_is_ignored(&status) {
            true => None,
            false => Some(signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?),
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            hangup,
        })
    }

    /// Resolves at the next SIGINT, SIGTERM or SIGHUP, and says which in words.
    pub async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "told to stop",
            _ = hangup => "the terminal is gone",
        }
    }
}

/// Reads `/proc/self/status`; systems without it count as not ignoring.
fn hangup_is_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANGUP_BIT != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_under_nohup_ignores_hangups() {
        assert!(hangup_is_ignored("Name:\te2e\nSigIgn:\t0000000000001001\n"));
        assert!(!hangup_is_ignored("Name:\te2e\nSigIgn:\t0000000000001000\n"));
        assert!(!hangup_is_ignored(""));
    }
}
