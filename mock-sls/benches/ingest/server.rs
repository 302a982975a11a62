//! The server as a process of its own, what it uses, and a client of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use mock_sls::{DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET};
use sls_api::names::ProjectName;
use sls_api::ops::InLogstore;
use sls_api::ops::indexes::{CreateIndex, Index, IndexLine};
use sls_api::ops::logs::{CompressedLogs, GetLogs, GetLogsRequest, LogsReply, PutLogs};
use sls_api::ops::logstores::{CreateLogStore, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery};
use sls_client::{Client, ClientConfig};

/// Clock ticks per second in `/proc`. Source: Linux, `USER_HZ` on every architecture it runs on here.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server.
pub struct Server {
    child: Child,
    pub endpoint: String,
    /// From the start of the process to its first word, which says that it listens.
    pub start_time: Duration,
}

impl Server {
    /// Starts it on this folder.
    pub fn start(data: &Path) -> Result<Self> {
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_mock-sls"))
            .args(["serve", "--listen", "127.0.0.1:0", "-o", "json", "--quota", "projects=2000", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().context("no standard output")?).read_line(&mut line)?;
        let start_time = began.elapsed();
        let started: serde_json::Value = serde_json::from_str(&line).context("its first line")?;
        let endpoint = started["endpoint"].as_str().context("no endpoint")?.to_owned();
        Ok(Self { child, endpoint, start_time })
    }

    /// Processor time it has used so far, in the program and for it in the kernel, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // After the name, which is in brackets and may hold anything: field 3 is the first.
        let fields: Vec<&str> = stat.rsplit_once(')').context("no name")?.1.split_whitespace().collect();
        let ticks = |field: usize| -> Result<f64> { Ok(fields.get(field - 3).context("a field")?.parse()?) };
        Ok((ticks(14)? + ticks(15)?) / TICKS_PER_SECOND)
    }

    /// A line of its status in `/proc`, in MiB.
    pub fn memory_mib(&self, line: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let value =
            status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':')).context("no such line")?;
        Ok(value.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    /// Tells it to end and waits until it has.
    pub fn end(mut self) -> Result<()> {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status()?;
        anyhow::ensure!(kill.success() && self.child.wait()?.success(), "it does not end well");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client with a Logstore that has an index.
#[derive(Clone)]
pub struct Caller {
    pub client: Client,
    pub project: ProjectName,
    pub logstore: InLogstore,
}

impl Caller {
    pub fn new(server: &Server) -> Result<Self> {
        let key = AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
        let client = Client::new(ClientConfig::new(server.endpoint.parse()?, key))?;
        let logstore = InLogstore { logstore: "figures".parse()? };
        Ok(Self { client, project: "figures".parse()?, logstore })
    }

    /// Makes the project, the Logstore and its index.
    pub async fn prepare(&self) -> Result<()> {
        let name = Some(&self.project);
        let new = Json(NewProject::new(self.project.clone(), ""));
        self.client.send::<CreateProject>(name, &NoPath {}, &NoQuery {}, &new).await?;
        let settings = Json(LogstoreSettings::new(self.logstore.logstore.clone(), 30, 2));
        self.client.send::<CreateLogStore>(name, &NoPath {}, &NoQuery {}, &settings).await?;
        let line = IndexLine { token: vec![" ".to_owned()], ..IndexLine::default() };
        let index = Json(Index { line: Some(line), ..Index::default() });
        self.client.send::<CreateIndex>(name, &self.logstore, &NoQuery {}, &index).await?;
        Ok(())
    }

    pub async fn put(&self, body: &CompressedLogs) -> Result<()> {
        Ok(self.client.send::<PutLogs>(Some(&self.project), &self.logstore, &NoQuery {}, body).await?)
    }

    pub async fn query(&self, from: i64, to: i64, query: &str) -> Result<LogsReply> {
        let query = GetLogsRequest { from, to, query: query.to_owned(), ..Default::default() };
        let name = Some(&self.project);
        Ok(self.client.send::<GetLogs>(name, &self.logstore, &NoQuery {}, &Json(query)).await?.0)
    }
}
