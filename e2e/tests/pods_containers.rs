//! Containers as real processes, under every isolation that this machine allows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::pods::Isolation;
use e2e::pods::containers::rootfs::VolumeMount;
use e2e::pods::containers::spec::{Exit, Mode};
use e2e::pods::containers::{Container, ContainerConfig, ExecOutcome, Runtime, StartError, isolation};
use e2e::pods::image::Image;
use e2e::pods::logs::{LogFile, LogWriter, read};
use futures::StreamExt;
use rustix::process::Signal;

/// Guard against hanging, far above what anything here takes.
const HANG: Duration = Duration::from_secs(60);

struct Bench {
    directory: tempfile::TempDir,
    runtime: Runtime,
    next: std::cell::Cell<u32>,
}

struct Started {
    container: Container,
    log: LogFile,
    directory: PathBuf,
}

impl Bench {
    fn new(mode: Mode) -> Self {
        let runtime = Runtime { component_exe: env!("CARGO_BIN_EXE_e2e").into(), mode };
        Self { directory: tempfile::tempdir().unwrap(), runtime, next: 0.into() }
    }

    async fn try_start(
        &self,
        script: &str,
        change: impl FnOnce(&mut ContainerConfig<'_>),
    ) -> (Result<Container, StartError>, LogFile, PathBuf) {
        let number = self.next.replace(self.next.get() + 1);
        let directory = self.directory.path().join(number.to_string());
        let image = Image::default();
        let mut config = ContainerConfig {
            directory: directory.clone(),
            pod_name: "demo-pod",
            pod_ip: "127.9.9.9",
            image: &image,
            argv: vec!["sh".into(), "-c".into(), script.into()],
            env: Vec::new(),
            cwd: "/".into(),
            volumes: Vec::new(),
        };
        change(&mut config);
        let writer = LogWriter::create(&directory.join("log")).unwrap();
        let log = writer.file();
        (self.runtime.start(config, writer).await, log, directory)
    }

    async fn start(&self, script: &str, change: impl FnOnce(&mut ContainerConfig<'_>)) -> Started {
        let (container, log, directory) = self.try_start(script, change).await;
        Started { container: container.unwrap(), log, directory }
    }

    /// Runs a script to its end.
    async fn run(&self, script: &str) -> (Exit, String) {
        self.start(script, |_| ()).await.finish().await
    }
}

impl Started {
    async fn finish(&self) -> (Exit, String) {
        let exit = tokio::time::timeout(HANG, self.container.ended()).await.unwrap();
        let mut stream = read::open(&self.log, read::ReadOptions::default()).unwrap();
        let mut text = Vec::new();
        while let Some(chunk) = stream.next().await {
            text.extend_from_slice(&chunk.unwrap());
        }
        (exit, String::from_utf8(text).unwrap())
    }

    /// Waits until the container has written `text`.
    async fn has_written(&self, text: &str) {
        let options = read::ReadOptions { follow: true, ..Default::default() };
        let mut stream = read::open(&self.log, options).unwrap();
        let mut seen = Vec::new();
        let wait = async {
            while !String::from_utf8_lossy(&seen).contains(text) {
                seen.extend_from_slice(&stream.next().await.unwrap().unwrap());
            }
        };
        tokio::time::timeout(HANG, wait).await.unwrap();
    }
}

/// Namespaces as far as the machine allows them; says so when it does not.
async fn namespaces() -> Option<Mode> {
    let trial = tempfile::tempdir().unwrap();
    let exe = Path::new(env!("CARGO_BIN_EXE_e2e"));
    match isolation::choose(Isolation::Namespaces, trial.path(), exe).await {
        Ok(choice) => Some(choice.mode),
        Err(reason) => {
            assert!(
                std::env::var_os("E2E_REQUIRE_NAMESPACES").is_none(),
                "namespaces are required: {reason}"
            );
            eprintln!("not tested here: {reason}");
            None
        }
    }
}

async fn modes() -> Vec<Mode> {
    namespaces().await.into_iter().chain([Mode::Prefix]).collect()
}

fn volume(source: &Path, target: &str) -> VolumeMount {
    VolumeMount { source: source.to_owned(), target: target.into(), read_only: false }
}

/// True while some process has `marker` in its command line.
fn runs(marker: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(|entry| {
        std::fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
    })
}

#[tokio::test]
async fn output_and_exit_code_come_back() {
    for mode in modes().await {
        let bench = Bench::new(mode);
        let (exit, text) = bench.run("echo to-stdout; echo to-stderr >&2; exit 7").await;
        assert_eq!(exit, Exit::Code(7));
        assert!(text.contains("to-stdout\n") && text.contains("to-stderr\n"), "{text}");
        assert_eq!(
            bench.run("kill -KILL $$; exit 1").await.0.code(),
            match mode {
                // Process 1 of a pid namespace cannot kill itself.
                Mode::Namespaces { .. } => 1,
                Mode::Prefix => 137,
            }
        );
    }
}

#[tokio::test]
async fn two_containers_share_a_volume_at_the_same_path() {
    for mode in modes().await {
        let bench = Bench::new(mode);
        let shared = tempfile::tempdir().unwrap();
        let root = match mode {
            Mode::Namespaces { .. } => "",
            Mode::Prefix => "$SLS_PATH_PREFIX",
        };
        let mount = |config: &mut ContainerConfig<'_>| {
            config.volumes.push(volume(shared.path(), "/var/log/nginx"));
        };
        let writer = bench.start(&format!("echo hello > {root}/var/log/nginx/a"), mount).await;
        assert_eq!(writer.finish().await.0, Exit::Code(0));
        let reader = bench.start(&format!("cat {root}/var/log/nginx/a"), mount).await;
        assert_eq!(reader.finish().await, (Exit::Code(0), "hello\n".to_owned()));
    }
}

#[tokio::test]
async fn programs_and_files_of_the_image_are_at_their_paths() {
    let image = Image {
        programs: vec![
            ("/bin/mock_log".into(), "mock_log".into()),
            ("/usr/bin/pod-exec".into(), "pod-exec".into()),
            ("/etc/init.d/ilogtaild".into(), "ilogtaild".into()),
        ],
        files: vec![("/usr/share/e2e/file".into(), b"content\n".to_vec())],
        env: vec![("FROM_IMAGE".into(), "1".into()), ("BOTH".into(), "image".into())],
        ..Image::default()
    };
    for mode in modes().await {
        let bench = Bench::new(mode);
        let started = bench
            .start(
                "p=$SLS_PATH_PREFIX
                 test -x $p/bin/mock_log -a -x $p/etc/init.d/ilogtaild || exit 9
                 cat $p/usr/share/e2e/file
                 echo $FROM_IMAGE $BOTH $PWD
                 pod-exec; echo $?",
                |config| {
                    config.image = Box::leak(Box::new(image.clone()));
                    config.env.push(("BOTH".into(), "manifest".into()));
                },
            )
            .await;
        let (_, text) = started.finish().await;
        // The two streams are not in order of each other.
        for part in ["content\n", "1 manifest /", "usage: pod-exec", "128\n"] {
            assert!(text.contains(part), "{part:?} is missing in {text}");
        }
    }
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_named() {
    for mode in modes().await {
        let bench = Bench::new(mode);
        for (argv, expected) in [
            (vec!["no-such-program".to_owned()], "executable file not found in $PATH"),
            (vec!["/no/such/program".to_owned()], "no such file"),
            (vec!["/etc/hosts".to_owned()], "permission denied"),
            (vec![], "no command"),
        ] {
            let (result, ..) = bench.try_start("", |config| config.argv = argv.clone()).await;
            let error = result.unwrap_err().to_string();
            assert!(error.contains(expected), "{mode:?}: {error}");
        }
        let (result, ..) = bench.try_start("", |c| c.volumes.push(volume(Path::new("/nowhere"), "/x"))).await;
        if mode != Mode::Prefix {
            assert!(result.unwrap_err().to_string().contains("cannot mount /nowhere at /x"));
        }
    }
}

#[tokio::test]
async fn a_container_sees_its_own_machine() {
    let Some(mode) = namespaces().await else { return };
    let bench = Bench::new(mode);
    let script = "hostname; id -u; echo $$; test -e /dev/null && echo dev
        grep demo-pod /etc/hosts; touch /tmp/x /usr/local/x /etc/ilogtail && echo writable
        touch /usr/share/x 2>/dev/null || echo read-only
        ls /work /boot 2>/dev/null; cat /proc/mounts | grep -c ' / '; echo $SLS_PATH_PREFIX
        touch /sys/x 2>/dev/null || echo sys-read-only
        mount -t tmpfs none /mnt 2>/dev/null || echo no-mount
        ls /proc | grep -c '^[0-9]'";
    let started = bench.start(script, |_| ()).await;
    let (exit, text) = started.finish().await;
    assert_eq!(exit, Exit::Code(0));
    let mut lines: Vec<&str> = text.lines().collect();
    let processes: u32 = lines.pop().unwrap().parse().unwrap();
    let expected = [
        "demo-pod",
        "0",
        "1",
        "dev",
        "127.9.9.9\tdemo-pod",
        "writable",
        "read-only",
        "1",
        "",
        "sys-read-only",
        "no-mount",
    ];
    assert_eq!(lines, expected, "{text}");
    // Where the kernel refuses an own /proc, the container says so.
    assert!(processes < 5 || !started.container.warnings.is_empty(), "{text}");
}

#[tokio::test]
async fn a_read_only_volume_cannot_be_written() {
    let Some(mode) = namespaces().await else { return };
    let bench = Bench::new(mode);
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(shared.path().join("a"), "content\n").unwrap();
    let started = bench
        .start("cat /data/a; echo x > /data/b", |config| {
            config.volumes.push(VolumeMount { read_only: true, ..volume(shared.path(), "/data") });
            // Nothing from outside may be reached by a link either.
            config.volumes.push(volume(Path::new("/etc/hostname"), "/var/run/host/name"));
        })
        .await;
    let (exit, text) = started.finish().await;
    assert_ne!(exit, Exit::Code(0));
    assert!(text.contains("content\n") && text.contains("Read-only file system"), "{text}");
    assert!(!shared.path().join("b").exists());
}

#[tokio::test]
async fn sigterm_reaches_the_program() {
    for mode in modes().await {
        let bench = Bench::new(mode);
        let script = "trap 'echo got-term; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
        let started = bench.start(script, |_| ()).await;
        started.has_written("ready").await;
        started.container.signal(Signal::TERM).await;
        let (exit, text) = started.finish().await;
        assert_eq!((exit, text.contains("got-term")), (Exit::Code(3), true), "{mode:?} {text}");
    }
}

#[tokio::test]
async fn the_end_of_the_first_process_is_the_end_of_all() {
    for (number, mode) in modes().await.into_iter().enumerate() {
        let bench = Bench::new(mode);
        let marker = format!("47110{number}");
        // A daemon in its own session, as `ilogtaild start` leaves one.
        let script = format!("setsid sleep {marker} </dev/null >/dev/null 2>&1 & sleep 0.1; exit 0");
        let started = bench.start(&script, |_| ()).await;
        assert_eq!(started.finish().await.0, Exit::Code(0));
        assert!(!runs(&marker), "{mode:?}: a process is left");
    }
}

#[tokio::test]
async fn dropping_a_container_kills_it() {
    for (number, mode) in modes().await.into_iter().enumerate() {
        let bench = Bench::new(mode);
        let marker = format!("47120{number}");
        let script = format!("setsid sleep {marker} & echo ready; exec sleep {marker}");
        let started = bench.start(&script, |_| ()).await;
        started.has_written("ready").await;
        let log = started.log.clone();
        drop(started);
        let mut progress = log.progress;
        tokio::time::timeout(HANG, progress.wait_for(|now| now.closed)).await.unwrap().unwrap();
        assert!(!runs(&marker), "{mode:?}: a process is left");
    }
}

/// Waits until no process has `marker` in its command line.
async fn gone(marker: &str) {
    let gone = async {
        while runs(marker) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(HANG, gone).await.unwrap();
}

/// The parent of a process, from `/proc`.
fn parent(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_killed_shim_takes_the_program_with_it() {
    for (number, mode) in modes().await.into_iter().enumerate() {
        let bench = Bench::new(mode);
        let marker = format!("47140{number}");
        let started = bench.start(&format!("echo ready; exec sleep {marker}"), |_| ()).await;
        started.has_written("ready").await;
        let shim = rustix::process::Pid::from_raw(parent(started.container.pid)).unwrap();
        rustix::process::kill_process(shim, Signal::KILL).unwrap();
        assert_eq!(started.finish().await.0, Exit::Signal(9));
        gone(&marker).await;
    }
}

#[tokio::test]
async fn a_command_runs_inside_a_running_container() {
    for mode in modes().await {
        let bench = Bench::new(mode);
        let started = bench
            .start("echo here > $SLS_PATH_PREFIX/tmp/mark; echo ready; exec sleep 600", |config| {
                config.env.push(("NAME".into(), "value".into()));
            })
            .await;
        started.has_written("ready").await;
        let exec = async |script: &str, timeout: Duration| {
            let argv = ["sh", "-c", script].map(str::to_owned);
            started.container.exec(&argv, timeout).await
        };
        assert_eq!(
            exec("cat $SLS_PATH_PREFIX/tmp/mark; echo $NAME >&2; exit 4", HANG).await,
            ExecOutcome::Ended { code: 4, output: "here\nvalue\n".into() },
            "{mode:?}"
        );
        assert_eq!(exec("sleep 47130", Duration::from_millis(300)).await, ExecOutcome::TimedOut);
        gone("47130").await;
        let missing = started.container.exec(&["no-such".into()], HANG).await;
        assert!(
            matches!(&missing, ExecOutcome::Ended { code: 128, output } if output.contains("not found")),
            "{missing:?}"
        );
        started.container.signal(Signal::KILL).await;
        assert_eq!(started.finish().await.0, Exit::Signal(9));
    }
}

#[tokio::test]
async fn no_mount_is_left_on_the_machine() {
    let Some(mode) = namespaces().await else { return };
    let bench = Bench::new(mode);
    let started = bench.start("echo ready; exec sleep 600", |_| ()).await;
    started.has_written("ready").await;
    let root = started.directory.display().to_string();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&root), "{mounts}");
    // What the container wrote outside volumes can be looked at from here.
    started.container.signal(Signal::KILL).await;
    started.finish().await;
    assert!(started.directory.join("rootfs/etc/hosts").exists());
}
