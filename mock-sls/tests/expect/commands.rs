//! The commands that ask a running emulator, as users and scripts run them.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use crate::bed::{Bed, LOGSTORE, PROJECT};

async fn run(bed: &Bed, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-sls"));
    command.args(args).env("MOCK_SLS_ENDPOINT", bed.server.endpoint()).output().await.unwrap()
}

pub async fn of_logstore(bed: &Bed, command: &[&str], args: &[&str]) -> (i32, String) {
    let output = run(bed, &[command, &["-p", PROJECT, "-l", LOGSTORE], args].concat()).await;
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

#[tokio::test]
async fn the_exit_code_says_how_an_expectation_ended() {
    let bed = Bed::start().await;
    bed.put(&["200 /a", "500 /b"]).await;
    for (args, code, told) in [
        (&["status:200", "--exactly", "1", "--stable", "1ms"][..], 0, "ok "),
        (&["--each", "status=200"], 1, "status is \"200\", but it is \"500\""),
        (&["status:404", "--within", "1ms"], 1, "1 log is missing"),
        (&["--exactly", "3", "--within", "1ms"], 4, "1 log is missing"),
        (&["a and"], 2, "QueryParseError"),
        (&["--exactly", "3", "--none"], 2, "cannot be used with"),
        (&["--within", "5"], 2, "use a number and a unit"),
        (&["* | select count(*) as n", "--rows", "[[2]]", "--stable", "1ms"], 0, "ok "),
        (&["--endpoint", "http://127.0.0.1:1"], 3, "no emulator answers at http://127.0.0.1:1"),
    ] {
        let (got, text) = of_logstore(&bed, &["expect"], args).await;
        assert_eq!(got, code, "{args:?}: {text}");
        assert!(text.contains(told), "{args:?}: {text}");
    }
}

#[tokio::test]
async fn verdicts_are_there_for_machines_too() {
    let bed = Bed::start().await;
    bed.put(&["200 /a"]).await;
    let (_, json) = of_logstore(&bed, &["expect"], &["-o", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["count"], 1);
    let (_, junit) = of_logstore(&bed, &["expect"], &["-o", "junit"]).await;
    assert!(junit.contains(r#"tests="1" failures="0""#), "{junit}");
    let (code, github) = of_logstore(&bed, &["expect"], &["--none", "-o", "github"]).await;
    assert_eq!(code, 1);
    assert!(github.starts_with("::error title="), "{github}");
}

#[tokio::test]
async fn a_golden_file_is_written_and_checked() {
    let bed = Bed::start().await;
    bed.put(&["200 /a", "500 /b"]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.jsonl");
    let file = file.to_str().unwrap();
    let (code, text) = of_logstore(
        &bed,
        &["golden", "update", file],
        &["--count", "2", "--stable", "1ms", "--normalize-time"],
    )
    .await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        "{\"__source__\":\"\",\"__time__\":\"<time>\",\"__topic__\":\"web\",\"status\":\"200\",\"url\":\"/a\"}\n\
         {\"__source__\":\"\",\"__time__\":\"<time>\",\"__topic__\":\"web\",\"status\":\"500\",\"url\":\"/b\"}\n"
    );
    let check = ["--stable", "1ms", "--normalize-time"];
    let (code, text) = of_logstore(&bed, &["golden", "check", file], &check).await;
    assert_eq!(code, 0, "{text}");
    bed.put(&["404 /c"]).await;
    let (code, text) = of_logstore(&bed, &["golden", "check", file], &check).await;
    assert_eq!(code, 1, "{text}");
    std::fs::write(file, "no log\n").unwrap();
    let (code, text) = of_logstore(&bed, &["golden", "check", file], &check).await;
    assert_eq!(code, 2);
    assert!(text.contains("access.jsonl line 1: not a log"), "{text}");
}

#[tokio::test]
async fn a_file_of_expectations_is_verified() {
    let bed = Bed::start().await;
    bed.put(&["200 /before"]).await;
    let scope = run(&bed, &["scope", "mine"]).await;
    assert_eq!(String::from_utf8(scope.stdout).unwrap(), "mine\n");
    bed.put(&["200 /a"]).await;
    let folder = tempfile::tempdir().unwrap();
    let golden = r#"{"status":"200","url":"/a"}"#;
    std::fs::write(folder.path().join("a.jsonl"), golden).unwrap();
    let file = folder.path().join("expect.yaml");
    let yaml = |n: u32| {
        format!(
            "- {{name: counted, project: {PROJECT}, logstore: {LOGSTORE}, count: {{op: exactly, n: {n}}}, \
             stable_ms: 1, timeout_ms: 1}}\n\
             - name: golden\n  project: {PROJECT}\n  logstore: {LOGSTORE}\n  stable_ms: 1\n  \
             golden: {{file: a.jsonl, ignore: [__time__, __topic__, __source__]}}\n"
        )
    };
    let verify = async |n: u32| {
        std::fs::write(&file, yaml(n)).unwrap();
        let output = run(&bed, &["verify", file.to_str().unwrap(), "--scope", "mine"]).await;
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = verify(1).await;
    assert_eq!((code, text.lines().count()), (0, 2), "{text}");
    let (code, text) = verify(2).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("FAILED  counted") && text.contains("ok      golden"), "{text}");
    std::fs::write(
        &file,
        format!(
            "- {{project: {PROJECT}, logstore: {LOGSTORE}, stable_ms: 1}}\n\
             - account: {{project: {PROJECT}, logstore: {LOGSTORE}, within_ms: 1, stable_ms: 1}}\n  \
             ledger: [ledger.jsonl]\n"
        ),
    )
    .unwrap();
    let account = async |ledger: &str| {
        std::fs::write(folder.path().join("ledger.jsonl"), ledger).unwrap();
        let output = run(&bed, &["verify", file.to_str().unwrap(), "-o", "junit"]).await;
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    bed.put(&["200 /?run=r&src=s&seq=1"]).await;
    let (code, text) = account("{\"run\":\"r\",\"source\":\"s\",\"seq\":1}\n").await;
    assert_eq!(code, 1, "the first log is not of the ledger: {text}");
    assert!(text.contains("tests=\"2\" failures=\"1\""), "{text}");
    std::fs::write(&file, "- {project: p}\n").unwrap();
    let output = run(&bed, &["verify", file.to_str().unwrap()]).await;
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("expectation 1: missing field `logstore`"), "{text}");
}

#[tokio::test]
async fn a_query_is_explained() {
    let bed = Bed::start().await;
    bed.put(&["200 /a", "500 /b"]).await;
    let (code, text) = of_logstore(&bed, &["explain"], &["status:500 and url:a"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("search   status:500 and url:a\nfinds    0 of 2 logs\n"), "{text}");
    assert!(text.contains("does not hold: status:500 (it is \"200\")"), "{text}");
}
