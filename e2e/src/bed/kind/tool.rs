//! The command-line tools of the bed (docker, kind, kubectl): running one, and saying what to do when
//! that fails.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// Lines of a failed tool's standard error that a message holds at most.
const ERROR_LINES_MAX: usize = 8;

/// Where each tool comes from, for who lacks it.
const SOURCES: [(&str, &str); 3] = [
    ("docker", "https://docs.docker.com/engine/install, or on Debian: apt-get install docker.io"),
    ("kind", "https://kind.sigs.k8s.io, or: go install sigs.k8s.io/kind@latest"),
    ("kubectl", "https://kubernetes.io/docs/tasks/tools"),
];

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
    command.args(args);
    let shown = shown(&command);
    let output = output(command).await?;
    if !output.status.success() {
        bail!("`{shown}` failed: {}", last_words(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a command said, however it ended. It is killed, and all it started, when this is dropped.
async fn output(mut command: Command) -> Result<Output> {
    apart(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let child = command.spawn().with_context(|| cannot_run(&program))?;
    let mut group = Group::of(&child);
    let output = child.wait_with_output().await.with_context(|| format!("cannot wait for {program}"))?;
    group.0 = None;
    Ok(output)
}

/// In a process group of its own: a terminal's Ctrl-C reaches the bed and not its tools, which it may
/// need to clean up with.
fn apart(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).kill_on_drop(true).process_group(0)
}

/// A running tool and what it has started; docker that kind has started must not outlive kind, or it
/// would make what has just been removed.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended in this moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn cannot_run(program: &str) -> String {
    let source = SOURCES.iter().find(|(name, _)| *name == program);
    let source = source.map(|(_, source)| format!(": {source}")).unwrap_or_default();
    format!("{program} cannot be run; the kind bed needs docker, kind and kubectl on the PATH{source}")
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

    /// What it answers on standard output, whatever its exit code says: `auth can-i` fails for a no.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn answer(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new("kubectl");
        command.args(self.cluster_args()).args(args);
        Ok(String::from_utf8_lossy(&output(command).await?.stdout).trim().to_owned())
    }

    /// A command that is to run beside the bed; it ends when it is dropped.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        apart(&mut command).args(self.cluster_args()).args(args);
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

    #[tokio::test]
    async fn what_a_dropped_tool_has_started_is_killed_with_it() {
        use tokio::io::AsyncReadExt;
        // The grandchild holds the pipe's only writing end as long as it lives.
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        run("mkfifo", [&fifo]).await.expect("a fifo");
        let script = format!("sh -c 'echo up; exec sleep 1000' > {} & wait", fifo.display());
        let tool = tokio::spawn(run("sh", ["-c".to_owned(), script]));
        let mut pipe = tokio::fs::File::open(&fifo).await.expect("the reading end");
        let mut said = [0; 3];
        pipe.read_exact(&mut said).await.expect("the grandchild runs");
        tool.abort();
        assert_eq!(pipe.read_to_end(&mut Vec::new()).await.expect("the end"), 0);
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
