//! `mock-sls faults` and `mock-sls journal` against a running server.

use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::bed::Bed;

fn command(endpoint: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-sls"));
    command.args(args).env("MOCK_SLS_ENDPOINT", endpoint).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Exit code and what was printed, the errors last.
async fn run(bed: &Bed, args: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = command(&bed.server.endpoint(), args).output().await.unwrap();
    let text = [stdout, stderr].concat();
    (status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn faults_are_added_shown_and_removed() {
    let bed = Bed::start().await;
    let short = ["faults", "add", "error=503", "--name", "down", "--operation", "write", "--times", "1"];
    assert_eq!(run(&bed, &short).await, (0, "down\n".to_owned()));
    let json =
        r#"[{"what": {"hang": {}}, "when": {"nth": 99}}, {"what": {"reset": "after"}, "when": {"nth": 99}}]"#;
    assert_eq!(run(&bed, &["faults", "add", json]).await, (0, "fault-2\nfault-3\n".to_owned()));
    assert_eq!(bed.put().await.status(), 503);
    let (code, table) = run(&bed, &["faults", "list"]).await;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(code, 0);
    assert_eq!(lines[1][..4], ["down", "1", "1", "over"]);
    assert_eq!(lines[1][4..], [r#"{"error":{"status":503}}"#, "when", r#"{"operation":"write"}"#]);
    let (_, listed) = run(&bed, &["faults", "list", "-o", "json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["faults"][0]["times_left"], json!(0));
    assert_eq!(run(&bed, &["faults", "remove", "down"]).await, (0, String::new()));
    let (code, told) = run(&bed, &["faults", "remove", "down"]).await;
    assert_eq!((code, told.as_str()), (1, "mock-sls: there is no fault of the name \"down\"\n"));
    assert_eq!(run(&bed, &["faults", "remove", "--all"]).await.0, 0);
    assert!(bed.server.faults().is_empty());
}

#[tokio::test]
async fn a_fault_comes_from_a_file_as_well() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faults.json");
    std::fs::write(&file, r#"{"name": "filed", "what": {"quota": "write"}}"#).unwrap();
    let named = format!("@{}", file.display());
    assert_eq!(run(&bed, &["faults", "add", &named]).await, (0, "filed\n".to_owned()));
    let (code, told) = run(&bed, &["faults", "add", &named, "--times", "1"]).await;
    assert!(code == 2 && told.contains("options go with KIND=VALUE"), "{told}");
}

#[tokio::test]
async fn wrong_arguments_refusals_and_a_server_that_is_not_there_have_exit_codes_of_their_own() {
    let bed = Bed::start().await;
    for (args, code, why) in [
        (&["faults", "add", "rest=after"][..], 2, "do you mean reset?"),
        (&["faults", "add", "hang", "--operation", "PutLog"], 2, "do you mean PutLogs?"),
        (&["faults", "add", "{"], 2, "not JSON"),
        (&["faults", "add", r#"{"what": {"hang": 0}}"#], 1, "max_ms 0"),
        (&["faults", "remove"], 2, "required"),
        (&["journal", "--status", "many"], 2, "use a number"),
        (&["journal", "--endpoint", "ftp://x"], 2, "use http://HOST:PORT"),
    ] {
        let (got, told) = run(&bed, args).await;
        assert!(got == code && told.contains(why), "{args:?}: {got} {told}");
    }
    let endpoint = bed.server.endpoint();
    bed.server.shutdown().await;
    let Output { status, stderr, .. } = command(&endpoint, &["journal"]).output().await.unwrap();
    let told = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(3));
    assert!(told.starts_with(&format!("mock-sls: no emulator answers at {endpoint}: ")), "{told}");
}

#[tokio::test]
async fn the_journal_is_a_table_or_json_and_can_be_cleared() {
    let bed = Bed::start().await;
    bed.fault(json!({ "name": "full", "what": { "quota": "write" }, "times": 1 }));
    bed.put().await;
    bed.put().await;
    let (code, table) = run(&bed, &["journal", "--operation", "write"]).await;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!((code, lines.len()), (0, 3));
    assert!(lines[0].trim_start().starts_with("SEQ"));
    assert!(lines[1].contains(" 403 ") && lines[1].contains("PutLogs") && lines[1].contains("proj-a/ls"));
    assert!(lines[1].ends_with("WriteQuotaExceed: Write quota is exceeded.; fault full"), "{}", lines[1]);
    assert!(lines[2].contains(" 200 ") && lines[2].ends_with("1 log"), "{}", lines[2]);
    let (_, json) = run(&bed, &["journal", "--status", "403", "-o", "json"]).await;
    let entry: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(entry["faults"], json!(["full"]));
    assert_eq!(run(&bed, &["journal", "--clear"]).await, (0, String::new()));
    assert_eq!(run(&bed, &["journal", "-o", "json"]).await, (0, String::new()));
}

#[tokio::test]
async fn who_follows_the_journal_sees_what_comes() {
    let bed = Bed::start().await;
    bed.put().await;
    let args = ["journal", "--follow", "--operation", "write", "-o", "json"];
    let mut following = command(&bed.server.endpoint(), &args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = async || -> Value {
        let line = tokio::time::timeout(super::bed::HANG, lines.next_line()).await.expect("a line");
        serde_json::from_str(&line.unwrap().unwrap()).unwrap()
    };
    let first = next().await["seq"].as_u64().unwrap();
    for number in 1..=2 {
        bed.put().await;
        assert_eq!(next().await["seq"], json!(first + number));
    }
    following.kill().await.unwrap();
}
