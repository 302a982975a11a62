//! The console of a bed that is kept up.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use e2e::eventually::{Look, eventually};
use e2e::example;
use e2e::progress::Progress;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bed;

/// Longest wait for one thing to be shown.
const LIMIT: Duration = Duration::from_secs(120);

/// The answer to a browser, head and body.
async fn get(console: &str, path: &str) -> Result<String> {
    let authority = console.trim_start_matches("http://").trim_end_matches('/');
    let mut stream =
        TcpStream::connect(authority).await.with_context(|| format!("no console at {console}"))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Waits until a page shows all of this, and returns it.
async fn shows(console: &str, path: &str, parts: &[&str]) -> Result<String> {
    eventually(format!("{path} to show {parts:?}"), LIMIT, async || {
        let page = get(console, path).await?;
        Ok(match parts.iter().all(|part| page.contains(part)) {
            true => Look::Done(page),
            false => Look::Waiting(page),
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_shows_the_cluster_and_stays_where_it_is_when_the_service_restarts() -> Result<()> {
    let folder = bed::Folder::new();
    let options = e2e::bed::Options { console_port: Some(0), ..bed::options(&folder) };
    let bed = example::bring_up(options, 20, &Progress::silent()).await?;
    let console = bed.console_url().expect("a console");
    let pods = shows(&console, "/cluster", &["nginx-log-demo", "logtail", "liveness: exec", ">2/2<"]).await?;
    assert!(pods.starts_with("HTTP/1.1 200"), "{pods}");
    shows(&console, "/cluster/workloads", &["nginx-log-sidecar-deployment", "1 / 1"]).await?;
    shows(
        &console,
        "/cluster/configs?namespace=default",
        &["nginx-log-access-example", "MachineGroupsReady", "Synced"],
    )
    .await?;
    shows(&console, "/cluster/events", &["Started container"]).await?;
    let (_, name) = pods.split_once("/cluster/objects/pod/default/").expect("a link to the pod");
    let name = name.split('"').next().unwrap_or_default();
    shows(&console, &format!("/cluster/objects/pod/default/{name}"), &["kind: Pod", "PodScheduled"]).await?;
    shows(
        &console,
        &format!("/cluster/logs/default/{name}/logtail?lines=50"),
        &["connected to config server"],
    )
    .await?;
    shows(&console, "/testbed/journal?operation=PutLogs", &["nginx-access", "badge good\">200"]).await?;
    bed.stop_sls().await;
    assert!(get(&console, "/").await.is_err(), "the console goes with the emulator");
    bed.start_sls().await?;
    assert_eq!(bed.console_url().as_deref(), Some(console.as_str()));
    shows(&console, "/", &["k8s-nginx-sidecar-demo"]).await?;
    bed.shutdown().await;
    Ok(())
}

/// A bed that is kept up as a process, ended with the test.
struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn up_prints_where_the_console_is() -> Result<()> {
    let folder = bed::Folder::new();
    let mut up = Up(Command::new(env!("CARGO_BIN_EXE_e2e"))
        .args(["up", "-o", "json", "--root"])
        .arg(bed::options(&folder).root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?);
    let mut line = String::new();
    BufReader::new(up.0.stdout.as_mut().context("its output")?).read_line(&mut line)?;
    let told: Value = serde_json::from_str(&line)?;
    let console = told["console"].as_str().context("the console")?;
    assert!(get(console, "/cluster").await?.starts_with("HTTP/1.1 200"), "{told}");
    let signalled = Command::new("kill").args(["-INT", &up.0.id().to_string()]).status()?;
    assert!(signalled.success());
    assert!(up.0.wait()?.success());
    Ok(())
}
