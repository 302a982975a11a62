//! The Docker bed against a Docker engine that holds the images: `just testcontainers` runs this.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use e2e::bed::docker::engine::Engine;
use e2e::bed::docker::{self, Made};
use e2e::example::Plan;
use e2e::progress::Progress;
use e2e::scenario::Load;
use rustix::process::{Pid, Signal, kill_process};
use testcontainers_mock_sls::testcontainers::bollard::Docker;
use testcontainers_mock_sls::testcontainers::bollard::query_parameters::{
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder,
};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// Longest wait for a run to end: a hang guard.
const HANG: Duration = Duration::from_secs(300);

/// Names of everything in Docker that the run `run` has made.
async fn things(docker: &Docker, run: &str) -> Vec<String> {
    let filter = HashMap::from([("label".to_owned(), vec![format!("sls-bed.run={run}")])]);
    let all = ListContainersOptionsBuilder::new().all(true).filters(&filter).build();
    let containers = docker.list_containers(Some(all)).await.expect("containers");
    let networks = ListNetworksOptionsBuilder::new().filters(&filter).build();
    let networks = docker.list_networks(Some(networks)).await.expect("networks");
    let volumes = ListVolumesOptionsBuilder::new().filters(&filter).build();
    let volumes = docker.list_volumes(Some(volumes)).await.expect("volumes").volumes;
    let containers = containers.into_iter().flat_map(|c| c.names.unwrap_or_default());
    let networks = networks.into_iter().filter_map(|n| n.name);
    containers.chain(networks).chain(volumes.into_iter().flatten().map(|v| v.name)).collect()
}

/// A run of the executable, read up to the moment at which its writer writes.
struct Running {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    run: String,
}

impl Running {
    async fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_e2e"))
            .args(["--bed", "docker", "--rate", "100", "--lines", "100000"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("e2e starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("standard error")).lines();
        let mut run = String::new();
        let mut said = Vec::new();
        while let Some(line) = stderr.next_line().await.expect("text") {
            if let Some((_, rest)) = line.split_once("starting the emulator (") {
                run = rest.trim_end_matches(')').to_owned();
            }
            if line.contains(" writes ") {
                return Self { child, stderr, run };
            }
            said.push(line);
        }
        panic!("the run ended early: {said:?} {:?}", child.wait_with_output().await);
    }

    /// Waits for the end; returns the exit code and standard output.
    async fn end(self) -> (Option<i32>, String) {
        let mut stderr = self.stderr;
        tokio::spawn(async move { while let Ok(Some(_)) = stderr.next_line().await {} });
        let output = tokio::time::timeout(HANG, self.child.wait_with_output()).await.expect("it hangs");
        let output = output.expect("e2e ends");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_arrives_through_an_outage_and_nothing_is_left_in_docker() {
    let root = tempfile::tempdir().expect("a folder");
    let options = docker::Options { sls_port: 0, root: root.path().to_owned(), keep: false };
    let made = Made::default();
    let plan = Plan {
        load: Load { lines: 300, per_second: 100 },
        outage: Some(Duration::from_secs(2)),
        scenarios: Vec::new(),
    };
    let report = docker::run(&options, &made, &plan, &Progress::silent()).await;
    assert!(report.ok, "{}", report.to_text());
    assert_eq!(report.streams.iter().map(|s| s.received).sum::<u64>(), 600);
    assert!(report.checks.iter().any(|c| c.name.contains("away while lines were written")));
    assert_eq!(made.removal(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_takes_away_what_it_made() {
    let docker = Engine::connect().await.expect("Docker").docker;
    let running = Running::start(&[]).await;
    let run = running.run.clone();
    assert!(things(&docker, &run).await.len() >= 6, "containers, network and volumes are there");
    let pid = running.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    kill_process(pid.expect("a process"), Signal::INT).expect("interrupted");
    assert_eq!(running.end().await.0, Some(130));
    assert_eq!(things(&docker, &run).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_in_docker_also_when_nobody_reads_what_is_said() {
    let docker = Engine::connect().await.expect("Docker").docker;
    let mut running = Running::start(&[]).await;
    drop((running.child.stdout.take(), running.stderr));
    let pid = running.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    kill_process(pid.expect("a process"), Signal::INT).expect("interrupted");
    let ended = tokio::time::timeout(HANG, running.child.wait()).await.expect("it hangs");
    assert_eq!(ended.expect("e2e ends").code(), Some(130));
    assert_eq!(things(&docker, &running.run).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_killed_fails_the_run_and_leaves_evidence_but_no_container() {
    let docker = Engine::connect().await.expect("Docker").docker;
    let root = tempfile::tempdir().expect("a folder");
    let folder = root.path().to_str().expect("a path");
    let running = Running::start(&["-o", "json", "--root", folder]).await;
    let run = running.run.clone();
    let signal = KillContainerOptionsBuilder::new().signal("KILL").build();
    docker.kill_container(&format!("{run}-nginx-log-demo"), Some(signal)).await.expect("killed");
    let (code, stdout) = running.end().await;
    assert_eq!(code, Some(1), "{stdout}");
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("a report");
    assert!(report["errors"][0].as_str().is_some_and(|e| e.contains("printed no summary")), "{stdout}");
    assert_eq!(report["evidence"].as_str().map(Path::new), Some(root.path()));
    for file in ["mock-sls.log", "logtail.log", "nginx-log-demo.log", "pod.log"] {
        assert!(root.path().join(format!("{run}-{file}")).exists(), "{file}");
    }
    let database = std::fs::read(root.path().join("mock-sls.sqlite")).expect("the database");
    assert!(database.starts_with(b"SQLite format 3"));
    assert_eq!(things(&docker, &run).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_before_anything_is_made() {
    let taken = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let options = docker::Options { sls_port: port, root: std::env::temp_dir(), keep: false };
    let made = Made::default();
    let plan = Plan { load: Load { lines: 1, per_second: 1 }, outage: None, scenarios: Vec::new() };
    let report = docker::run(&options, &made, &plan, &Progress::silent()).await;
    assert!(report.errors[0].starts_with(&format!("port {port} is in use")), "{:?}", report.errors);
    assert!(report.errors[0].contains("--sls-port"), "{:?}", report.errors);
    assert_eq!(report.errors.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_missing_is_named_with_the_command_that_makes_it() {
    let engine = Engine::connect().await.expect("Docker");
    let error = engine.must_have(["sls-bed/no-such-image:dev"]).await.expect_err("missing");
    assert_eq!(error.to_string(), "Docker has no image sls-bed/no-such-image:dev; make it with: just images");
}
