//! The way from this machine to the emulator in the cluster.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::install::INSTALLATION;
use super::tool::{self, Kubectl};

/// Longest wait for the port to be forwarded.
const FORWARD_TIMEOUT: Duration = Duration::from_secs(30);

/// A port of this machine that leads to the emulator. Works with every cluster, wherever it runs.
pub struct Forward {
    child: Child,
    pub port: u16,
}

impl Forward {
    /// Forwards `port`, or a free one if that is 0. What kubectl complains about goes to a file in
    /// `root`.
    pub async fn start(kubectl: &Kubectl, port: u16, root: &Path) -> Result<Self> {
        let from = if port == 0 { String::new() } else { port.to_string() };
        let ports = format!("{from}:8080");
        let args = ["-n", INSTALLATION, "port-forward", "--address=127.0.0.1", "service/mock-sls", &ports];
        let mut command = kubectl.command(&args);
        let shown = tool::shown(&command);
        let log = root.join("port-forward.log");
        let complaints = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot open {}", log.display()))?;
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(complaints)
            .spawn()
            .with_context(|| format!("`{shown}` cannot be run"))?;
        let stdout = child.stdout.take().context("kubectl has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = tokio::time::timeout(FORWARD_TIMEOUT, lines.next_line())
            .await
            .with_context(|| format!("`{shown}` says nothing"))??
            .with_context(|| format!("`{shown}` ended: {}", last_line(&log)))?;
        let port = forwarded_port(&first).with_context(|| format!("`{shown}` says {first:?}"))?;
        // It writes a line for every connection and must never wait for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, port })
    }

    /// Closes the port.
    pub async fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill().await;
    }
}

/// What it complained about last, such as a port in use.
fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("it does not say why").to_owned()
}

/// The local port in `Forwarding from 127.0.0.1:41234 -> 8080`.
fn forwarded_port(line: &str) -> Option<u16> {
    let (from, _) = line.split_once(" -> ")?;
    from.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forwarded_port_is_read_from_kubectls_first_line() {
        assert_eq!(forwarded_port("Forwarding from 127.0.0.1:41234 -> 8080"), Some(41234));
        assert_eq!(forwarded_port("error: no pods"), None);
    }
}
