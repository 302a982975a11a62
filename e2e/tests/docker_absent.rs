//! The Docker bed on a machine without Docker, and with options of other beds: runs everywhere.

use std::process::{Command, Output};

fn e2e(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_e2e"));
    command.args(args).env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command.output().expect("e2e runs")
}

#[test]
fn without_an_engine_the_run_fails_at_once_and_says_how_to_start_one() {
    let output = e2e(&["--bed", "docker", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    let error = report["errors"][0].as_str().expect("an error");
    assert!(
        error.starts_with("no Docker engine answers at unix:///nonexistent/docker.sock: nothing is there"),
        "{error}"
    );
    assert!(error.contains("systemctl start docker"), "{error}");
    assert!(report["evidence"].is_null(), "nothing was made, so there is nothing to look at");
}

#[test]
fn what_is_kept_is_not_spoken_of_where_nothing_was_made() {
    let root = tempfile::tempdir().expect("a folder");
    let output = e2e(&["--bed", "docker", "--keep", "--root", root.path().to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("remove") && !said.contains("keeping"), "{said}");
}

#[test]
fn an_option_of_another_bed_is_wrong_usage() {
    let output = e2e(&["--bed", "docker", "--isolation", "prefix"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--isolation means nothing with --bed docker"), "{said}");
}
