//! The command-line tools of the bed (docker, kind, kubectl): running one, and saying what to do when
//! that fails.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

/// Lines of a failed tool's standard error that a message holds at most.
const ERROR_LINES_MAX: usize = 8;

/// Runs `program` to its end and returns its standard output.
///
/// # Errors
/// It cannot be started, or fails; the message holds the command and what it said last.
pub async fn run<I, S>(program: &str, args: I) -> Result<String>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let shown = shown(&command);
    let output = command.output().await.with_context(|| {
        format!("{program} cannot be run; the kind bed needs docker, kind and kubectl on the PATH")
    })?;
    if !output.status.success() {
        bail!("`{shown}` failed: {}", last_words(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(ERROR_LINES_MAX)..).unwrap_or_default().join(" / ")
}

/// kubectl, told which cluster.
#[derive(Debug, Clone)]
pub struct Kubectl {
    /// The file; kubectl's own choice if not given.
    pub kubeconfig: Option<PathBuf>,
    pub context: String,
}

impl Kubectl {
    /// Runs it with these arguments.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn run(&self, args: &[&str]) -> Result<String> {
        let all = self.cluster_args().into_iter().chain(args.iter().map(|arg| (*arg).to_owned()));
        run("kubectl", all).await
    }

    /// A command that is to run beside the bed; it ends when it is dropped.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(self.cluster_args()).args(args).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// The words with which a user reaches the same cluster.
    pub fn prefix(&self) -> String {
        format!("kubectl {}", self.cluster_args().join(" "))
    }

    fn cluster_args(&self) -> Vec<String> {
        let mut args = Vec::new();
        if let Some(path) = &self.kubeconfig {
            args.extend(["--kubeconfig".to_owned(), path.display().to_string()]);
        }
        args.extend(["--context".to_owned(), self.context.clone()]);
        args
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_names_the_command_and_its_last_words() {
        let error = run("sh", ["-c", "echo one >&2; echo two >&2; exit 3"]).await.expect_err("fails");
        assert_eq!(error.to_string(), "`sh -c echo one >&2; echo two >&2; exit 3` failed: one / two");
        let error = run("no-such-tool", [""; 0]).await.expect_err("fails");
        assert!(error.to_string().contains("needs docker, kind and kubectl"), "{error:#}");
    }

    #[test]
    fn kubectl_is_always_told_the_context() {
        let kubectl = Kubectl { kubeconfig: Some("/k".into()), context: "kind-a".into() };
        assert_eq!(
            shown(&kubectl.command(&["get", "pods"])),
            "kubectl --kubeconfig /k --context kind-a get pods"
        );
    }
}
