//! Programs named docker, kind and kubectl that say what a test wants, note how they were called, and
//! do nothing. They are the only programs on the PATH of the bed that a test starts.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Nothing that a test waits for takes so long.
const HANG: Duration = Duration::from_secs(60);

const BED: &str = env!("CARGO_BIN_EXE_e2e");

/// A Docker with all images and one node, `n`.
pub const DOCKER: &str = r#"
case "$1" in
version) echo 27.0.1 ;;
image) echo sha256:aa ;;
ps) echo "n control-plane" ;;
exec) for i in mock-sls operator collector mock_log; do echo "docker.io/sls-bed/$i:dev type sha256:aa"; done ;;
esac
"#;
/// A kind with one cluster, `there`.
pub const KIND: &str = r#"
case "$1 $2" in
"get clusters") echo there ;;
esac
"#;
/// A kubectl of an administrator whose contexts are `kind-there` and `other`.
pub const KUBECTL: &str = r#"
case "$*" in
"version --client -o json") echo '{"clientVersion": {"gitVersion": "v1.34.0"}}' ;;
"config get-contexts -o name") printf 'kind-there\nother\n' ;;
*"auth can-i"*) echo yes ;;
*"get nodes"*) echo node/n ;;
*"get -k"*) ;;
*"get storageclasses"*) echo '{"items": [{"metadata": {"name": "standard",
    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}]}' ;;
esac
"#;

/// A folder with the programs.
pub struct Fakes {
    folder: TempDir,
}

impl Fakes {
    /// All three, with nothing wrong.
    pub fn new() -> Self {
        let fakes = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(fakes.path("bin")).expect("bin");
        fs::create_dir(fakes.path("tmp")).expect("tmp");
        fakes.with("docker", DOCKER).with("kind", KIND).with("kubectl", KUBECTL)
    }

    /// Another program of that name. In its script `$FAKES` is the folder.
    pub fn with(self, name: &str, script: &str) -> Self {
        let path = self.path("bin").join(name);
        let folder = self.folder.path().display();
        let head =
            format!("#!/bin/sh\nFAKES={folder} PATH=/usr/bin:/bin\necho \"{name} $*\" >>\"$FAKES/calls\"\n");
        // Renamed into place: a file that is open for writing in another thread's child cannot be run.
        fs::write(self.path("new"), head + script).expect("the script");
        fs::set_permissions(self.path("new"), fs::Permissions::from_mode(0o755)).expect("its mode");
        fs::rename(self.path("new"), path).expect("the program");
        self
    }

    /// Answers before the usual ones: the program as it is, with `case` lines in front.
    pub fn answering(self, name: &str, usual: &str, cases: &str) -> Self {
        self.with(name, &format!("case \"$*\" in\n{cases}\nesac\n{usual}"))
    }

    pub fn without(self, name: &str) -> Self {
        fs::remove_file(self.path("bin").join(name)).expect("the program is there");
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The bed with these words behind `--bed kind`; its folders lie in ours.
    pub fn bed(&self, args: &[&str]) -> Command {
        // Tests that were started with nohup would hand an ignored SIGHUP down, which the bed respects.
        let mut command = if cfg!(target_os = "linux") {
            let mut command = Command::new("/usr/bin/env");
            command.args(["--default-signal=HUP", BED]);
            command
        } else {
            Command::new(BED)
        };
        command
            .args(["--bed", "kind"])
            .args(args)
            .env_clear()
            .envs([("PATH", self.path("bin")), ("HOME", self.path("")), ("TMPDIR", self.path("tmp"))])
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::from(self.bed(args).output().expect("the bed"))
    }

    /// How the programs were called, one call a line.
    pub fn calls(&self) -> String {
        fs::read_to_string(self.path("calls")).unwrap_or_default()
    }

    /// Whether anything was called that makes or removes a thing.
    pub fn changed_anything(&self) -> bool {
        let changes = ["create", "delete", "apply", "patch", "load", "tag", "export"];
        // `auth can-i create …` asks only.
        let calls = self.calls();
        let changing =
            |call: &str| call.split(' ').any(|word| changes.contains(&word)) && !call.contains("can-i");
        calls.lines().any(changing)
    }

    /// A pipe whose writer, a script that says `: >$FAKES/NAME`, waits for [`wait_for`].
    pub fn pipe(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        path
    }
}

/// Returns when a script has opened and closed the pipe.
pub fn wait_for(pipe: &Path) {
    let (said, end) = mpsc::channel();
    let path = pipe.to_owned();
    // Opening a pipe that nobody writes to has no time limit of its own.
    thread::spawn(move || {
        let mut end = Vec::new();
        said.send(fs::File::open(path).and_then(|mut pipe| pipe.read_to_end(&mut end)))
    });
    end.recv_timeout(HANG).expect("a script opens the pipe").expect("its end");
}

/// How the bed ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    /// Both streams.
    pub said: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let said = [output.stdout, output.stderr].concat();
        Self { code: output.status.code(), said: String::from_utf8_lossy(&said).into_owned() }
    }
}
