//! The program itself: command line, signals, endpoints, and no secret anywhere.

mod support;

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use support::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

const OPERATOR: &str = env!("CARGO_BIN_EXE_operator");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/k8s");
const ERROR: &str = "nginx-log-error-example";

async fn call(args: &[&str]) -> Output {
    let mut command = Command::new(OPERATOR);
    command.args(args).env_remove("ALICLOUD_ACCESS_KEY_ID").env_remove("ALICLOUD_ACCESS_KEY_SECRET");
    command.output().await.unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn validate_judges_files_and_says_so_by_its_exit_code() {
    let repaired = call(&["validate", "-f", &format!("{FIXTURES}/repaired/crd-access.yaml")]).await;
    assert_eq!(repaired.status.code(), Some(0), "{}", stdout(&repaired));

    let published =
        call(&["validate", "-f", &format!("{FIXTURES}/published/crd-access.yaml"), "-o", "json"]).await;
    assert_eq!(published.status.code(), Some(1));
    let report: Value = serde_json::from_str(&stdout(&published)).unwrap();
    assert_eq!(report["ok"], false);
    let fields: Vec<_> = report["objects"][0]["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["field"].as_str().unwrap().to_owned())
        .collect();
    for field in ["regex", "key", "logBeginRegex"] {
        let path = format!("spec.logtailConfig.inputDetail.{field}");
        assert!(fields.iter().any(|one| one.starts_with(&path)), "{path} is not in {fields:?}");
    }

    let missing = call(&["validate", "-f", "/no/such/file.yaml"]).await;
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("/no/such/file.yaml"), "{}", stderr(&missing));
}

#[tokio::test]
async fn crd_prints_the_definitions() {
    let classic = include_str!("../crd/aliyunlogconfig.yaml");
    let pipeline = include_str!("../crd/clusteraliyunpipelineconfig.yaml");
    let printed = call(&["crd"]).await;
    assert_eq!(printed.status.code(), Some(0));
    assert_eq!(stdout(&printed), format!("{classic}---\n{pipeline}"));
    assert_eq!(stdout(&call(&["crd", "--kind", "clusteraliyunpipelineconfig"]).await), pipeline);
}

#[tokio::test]
async fn a_start_that_cannot_work_says_what_to_give() {
    let cases: [(&[&str], &str); 4] = [
        (&["run"], "--sls-endpoint"),
        (&["run", "--sls-endpoint", "http://127.0.0.1:1"], "--credentials-file"),
        (&["run", "--sls-endpoint", "http://127.0.0.1:1", "--credentials-file", "/no/such"], "/no/such"),
        (&["run", "--sls-endpoint", "http://127.0.0.1:1", "--resync", "soon"], "30s"),
    ];
    for (args, expected) in cases {
        let output = call(args).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(expected), "{args:?}: {}", stderr(&output));
    }
}

/// Starts the program as the bed's operator, logging everything to a pipe.
fn start(bed: &Bed, kubeconfig: &Path) -> Child {
    let watched = bed.apiserver.watched();
    Command::new(OPERATOR)
        .args(["run", "--region", mock_sls::DEFAULT_REGION, "--listen", "127.0.0.1:0"])
        .args(["--sls-endpoint", &bed.endpoint()])
        .arg("--credentials-file")
        .arg(bed.credentials_path())
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(watched.iter().flat_map(|namespace| ["--namespace", namespace]))
        .env("RUST_LOG", "trace")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Answer of the operator's own server: status line and body.
async fn http_get(address: &str, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_program_works_answers_ends_on_sigterm_and_never_shows_a_secret() {
    let bed = Bed::with(Options { operator: false, ..Options::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    bed.apiserver.write_kubeconfig(&kubeconfig);
    let mut child = start(&bed, &kubeconfig);

    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut log = String::new();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("the program says where it listens");
        log.push_str(&line);
        if let Some((_, rest)) = line.split_once("address=") {
            break rest.split_whitespace().next().unwrap().to_owned();
        }
    };
    let rest = tokio::spawn(async move {
        while let Some(line) = lines.next_line().await.unwrap() {
            log.push_str(&line);
            log.push('\n');
        }
        log
    });

    bed.apply(PUBLISHED_ERROR).await;
    bed.ready(ERROR).await;
    bed.apply(PUBLISHED_ACCESS).await;
    bed.not_ready("nginx-log-access-example", "InvalidSpec").await;
    assert!(http_get(&address, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(http_get(&address, "/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = http_get(&address, "/metrics").await;
    assert!(
        metrics.contains("sls_operator_sls_calls_total{operation=\"CreateConfig\",code=\"OK\"} 1"),
        "{metrics}"
    );

    let pid = rustix::process::Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = tokio::time::timeout(HANG, child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0));

    let log = rest.await.unwrap();
    assert!(log.contains("SIGTERM"), "{log}");
    let objects =
        serde_json::to_string(&bed.untyped().list(&Default::default()).await.unwrap().items).unwrap();
    let mut events = bed.events(ERROR).await;
    events.extend(bed.events("nginx-log-access-example").await);
    let events = serde_json::to_string(&events).unwrap();
    for (place, text) in [("log", &log), ("metrics", &metrics), ("objects", &objects), ("events", &events)] {
        assert!(!text.contains(mock_sls::DEFAULT_ACCESS_KEY_SECRET), "a secret is in the {place}");
    }
}
