//! Runs containers as processes of this machine.
//!
//! The kubelet ([`super::kubelet`]) calls [`Runtime::start`] with a root directory to fill, and
//! gets a [`Container`] to signal, to run commands in and to wait for. Each container has two
//! processes of the bed's own executable between it and the bed, see [`shim`]. Nothing here knows
//! of Kubernetes objects.

#[cfg(target_os = "linux")]
mod capabilities;
pub mod exec;
pub mod isolation;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod orphans;
mod paths;
pub mod rootfs;
pub mod shim;
pub mod spec;
mod watched;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, watch};

use self::rootfs::{Layout, VolumeMount};
use self::spec::{Exit, Mode, PREFIX_VARIABLE, Report, ShimSpec};
use super::expand::expand;
use super::image::Image;
use super::logs::LogWriter;

/// Bytes kept of the output of a probe or hook; the rest is read and dropped. The kubelet's
/// number.
pub const EXEC_OUTPUT_BYTES_MAX: usize = 10 * 1024;

/// Bytes of a container's host name; longer pod names are cut, as the kubelet does.
const HOSTNAME_BYTES_MAX: usize = 63;

/// How long the log of an ended container may stay open in the hands of a process that escaped
/// from it; only possible without a pid namespace.
const LOG_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Where programs are looked for when neither image nor manifest sets `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Bytes of a termination message, its last ones. The kubelet's number.
const TERMINATION_MESSAGE_BYTES_MAX: usize = 4096;

/// The file that is the container's termination log, in the container's directory.
pub fn termination_log(directory: &Path) -> PathBuf {
    directory.join("termination-log")
}

/// Starts containers, all with the same isolation.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The bed's executable: the shims, and the programs of images.
    pub component_exe: PathBuf,
    /// How containers are isolated, see [`isolation::choose`].
    pub mode: Mode,
}

/// One container to start.
#[derive(Debug)]
pub struct ContainerConfig<'a> {
    /// An empty or missing directory for the container's root and spec. It stays.
    pub directory: PathBuf,
    /// Name of the pod; the host name is made of it.
    pub pod_name: &'a str,
    /// Address of the pod.
    pub pod_ip: &'a str,
    /// The image.
    pub image: &'a Image,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment, without what the image gives; later entries win.
    pub env: Vec<(String, String)>,
    /// Working directory inside the container.
    pub cwd: PathBuf,
    /// Volumes.
    pub volumes: Vec<VolumeMount>,
}

/// Why a container did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The root directory could not be made.
    #[error("cannot lay out the container's root in {}: {source}", directory.display())]
    Layout {
        /// The container's directory.
        directory: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// The bed's executable could not be started.
    #[error("cannot start the shim {}: {source}", exe.display())]
    Shim {
        /// The bed's executable.
        exe: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// The shim could not run the program.
    #[error("{0}")]
    Program(String),
}

/// A running or ended container. Dropping it kills what still runs.
#[derive(Debug)]
pub struct Container {
    /// Process id of its first process as the bed sees it.
    pub pid: i32,
    /// What the container has to do without, for people.
    pub warnings: Vec<String>,
    spec: PathBuf,
    component_exe: PathBuf,
    control: Mutex<OwnedWriteHalf>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Runtime {
    /// Lays out the root, starts the program and returns once it runs. Its output goes to `log`.
    ///
    /// # Errors
    /// When the root cannot be made or the program cannot be started; nothing is left running.
    pub async fn start(&self, config: ContainerConfig<'_>, log: LogWriter) -> Result<Container, StartError> {
        let layout_error = |source| StartError::Layout { directory: config.directory.clone(), source };
        let spec = self.prepare(&config).map_err(layout_error)?;
        let path = config.directory.join("spec.json");
        spec.write(&path).map_err(layout_error)?;
        let shim_error = |source| StartError::Shim { exe: self.component_exe.clone(), source };
        let (mut child, control) = spawn_with_control(
            Command::new(&self.component_exe)
                .arg0(shim::NAME)
                .arg(&path)
                .env_clear()
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        )
        .map_err(shim_error)?;
        let logged = log.capture(child.stdout.take(), child.stderr.take());
        let (read, write) = control.into_split();
        let mut reports = BufReader::new(read);
        match next_report(&mut reports).await {
            Some(Report::Started { pid, warnings }) => {
                let (send, exit) = watch::channel(None);
                tokio::spawn(async move {
                    let exit = watch_to_end(reports, child).await;
                    tokio::time::timeout(LOG_CLOSE_TIMEOUT, logged).await.ok();
                    send.send_replace(Some(exit));
                });
                Ok(Container {
                    pid,
                    warnings,
                    spec: path,
                    component_exe: self.component_exe.clone(),
                    control: Mutex::new(write),
                    exit,
                })
            }
            Some(Report::Failed { message }) => {
                child.wait().await.ok();
                Err(StartError::Program(message))
            }
            Some(Report::Exited(_)) | None => {
                drop(write);
                child.wait().await.ok();
                Err(StartError::Program(format!(
                    "the shim ended before the program ran; is {} the bed's executable?",
                    self.component_exe.display()
                )))
            }
        }
    }

    fn prepare(&self, config: &ContainerConfig<'_>) -> io::Result<ShimSpec> {
        let root = config.directory.join("rootfs");
        let hostname: String = cut(config.pod_name, HOSTNAME_BYTES_MAX).to_owned();
        let binds = rootfs::lay_out(&Layout {
            root: &root,
            mode: self.mode,
            image: config.image,
            component_exe: &self.component_exe,
            hostname: &hostname,
            pod_ip: config.pod_ip,
            volumes: &config.volumes,
            cwd: &config.cwd,
        })?;
        let env = environment(self.mode, &root, &hostname, config);
        let cwd = config.cwd.clone();
        let argv = config.argv.clone();
        Ok(ShimSpec { mode: self.mode, root, hostname, argv, env, cwd, binds })
    }
}

/// The complete environment: defaults, then the image's, then the manifest's; the last of equal
/// names stays. The image may refer to `$(POD_IP)` and `$(POD_NAME)`.
fn environment(
    mode: Mode,
    root: &Path,
    hostname: &str,
    config: &ContainerConfig<'_>,
) -> Vec<(String, String)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let known = [pair("POD_IP", config.pod_ip), pair("POD_NAME", config.pod_name)];
    let of_image = config.image.env.iter().map(|(name, value)| (name.clone(), expand(value, &known)));
    let given = [pair("PATH", DEFAULT_PATH), pair("HOSTNAME", hostname), pair("HOME", "/root")]
        .into_iter()
        .chain(of_image)
        .chain(config.env.iter().cloned());
    let mut env: Vec<(String, String)> = Vec::new();
    for (name, value) in given {
        env.retain(|(known, _)| *known != name);
        env.push((name, value));
    }
    if mode == Mode::Prefix {
        for (name, value) in &mut env {
            match name.as_str() {
                "PATH" => *value = prefixed_path(root, value),
                "HOME" => *value = paths::within(root, Path::new(value)).display().to_string(),
                _ => {}
            }
        }
        env.push((PREFIX_VARIABLE.to_owned(), root.display().to_string()));
    }
    env
}

/// Each directory of `path` below the root first, then the machine's.
fn prefixed_path(root: &Path, path: &str) -> String {
    let inside = path.split(':').map(|directory| paths::within(root, Path::new(directory)));
    let mut list: Vec<String> = inside.map(|directory| directory.display().to_string()).collect();
    list.push(path.to_owned());
    list.join(":")
}

/// At most `bytes` bytes of `text`, cut between characters.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Starts a shim with one end of a new socket pair as its standard input, in a process group of
/// its own, so that a Ctrl-C at the bed's terminal leaves the order of events to the bed.
fn spawn_with_control(command: &mut Command) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = command.stdin(Stdio::from(OwnedFd::from(theirs))).process_group(0).spawn()?;
    Ok((child, UnixStream::from_std(ours)?))
}

async fn next_report(reports: &mut BufReader<OwnedReadHalf>) -> Option<Report> {
    let mut line = String::new();
    reports.read_line(&mut line).await.ok()?;
    serde_json::from_str(&line).ok()
}

/// Waits for the shim's last word. A shim that dies without one was killed from outside, and the
/// container with it.
async fn watch_to_end(mut reports: BufReader<OwnedReadHalf>, mut shim: Child) -> Exit {
    let report = next_report(&mut reports).await;
    shim.wait().await.ok();
    match report {
        Some(Report::Exited(exit)) => exit,
        _ => Exit::Signal(rustix::process::Signal::KILL.as_raw()),
    }
}

/// How a command run inside a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecOutcome {
    /// It ended by itself: exit code and the beginning of its output, both streams mixed.
    Ended {
        /// Exit code.
        code: i32,
        /// At most [`EXEC_OUTPUT_BYTES_MAX`] bytes.
        output: String,
    },
    /// It had not ended in time and was killed.
    TimedOut,
    /// It could not be started.
    NotRun(String),
}

/// The end of a container, see [`Container::ending`].
#[derive(Clone, Debug)]
pub struct Ending(watch::Receiver<Option<Exit>>);

impl Ending {
    /// Waits for it.
    pub async fn wait(mut self) -> Exit {
        // The sender is dropped only after it has sent.
        match self.0.wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(exit)) => exit,
            _ => Exit::Signal(rustix::process::Signal::KILL.as_raw()),
        }
    }
}

impl Container {
    /// Sends a signal to the container's first process; nothing happens when it has ended.
    /// SIGKILL ends all processes of the container.
    pub async fn signal(&self, signal: rustix::process::Signal) {
        if let Ok(byte) = u8::try_from(signal.as_raw()) {
            self.control.lock().await.write_all(&[byte]).await.ok();
        }
    }

    /// What the container left in its termination log; nothing if it left nothing.
    pub fn termination_message(&self) -> Option<String> {
        let bytes = std::fs::read(termination_log(self.spec.parent()?)).ok()?;
        let end = bytes.get(bytes.len().saturating_sub(TERMINATION_MESSAGE_BYTES_MAX)..).unwrap_or_default();
        Some(String::from_utf8_lossy(end).into_owned()).filter(|message| !message.is_empty())
    }

    /// A handle to wait for the end with, which does not keep the container alive.
    pub fn ending(&self) -> Ending {
        Ending(self.exit.clone())
    }

    /// Waits until the container has ended, its log is complete and none of its processes is left.
    pub async fn ended(&self) -> Exit {
        self.ending().wait().await
    }

    /// Runs a command inside the container and waits for it, at most for `timeout`.
    pub async fn exec(&self, argv: &[String], timeout: Duration) -> ExecOutcome {
        let spawned = spawn_with_control(
            Command::new(&self.component_exe)
                .arg0(exec::NAME)
                .arg(&self.spec)
                .arg(self.pid.to_string())
                .args(argv)
                .env_clear()
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        let (mut child, control) = match spawned {
            Ok(spawned) => spawned,
            Err(error) => return ExecOutcome::NotRun(error.to_string()),
        };
        let output = Arc::new(std::sync::Mutex::new(Vec::new()));
        let out = collect(child.stdout.take(), Arc::clone(&output));
        let err = collect(child.stderr.take(), Arc::clone(&output));
        let ended = tokio::time::timeout(timeout, async {
            // A daemon that the command left behind may hold the streams: its end is enough.
            let status = child.wait().await;
            tokio::time::timeout(LOG_CLOSE_TIMEOUT, async { tokio::join!(out, err) }).await.ok();
            status
        })
        .await;
        drop(control);
        match ended {
            Err(_) => {
                child.wait().await.ok();
                ExecOutcome::TimedOut
            }
            Ok(Err(error)) => ExecOutcome::NotRun(error.to_string()),
            Ok(Ok(status)) => {
                let code = Exit::from(status).code();
                let bytes = output.lock().map(|bytes| bytes.clone()).unwrap_or_default();
                ExecOutcome::Ended { code, output: String::from_utf8_lossy(&bytes).into_owned() }
            }
        }
    }
}

/// Reads a stream to its end and keeps the beginning.
async fn collect(stream: Option<impl tokio::io::AsyncRead + Unpin>, into: Arc<std::sync::Mutex<Vec<u8>>>) {
    let Some(mut stream) = stream else { return };
    let mut chunk = [0; 4096];
    while let Ok(n) = stream.read(&mut chunk).await {
        if n == 0 {
            return;
        }
        if let Ok(mut kept) = into.lock() {
            let room = EXEC_OUTPUT_BYTES_MAX.saturating_sub(kept.len());
            kept.extend_from_slice(&chunk[..n.min(room)]);
        }
    }
}
