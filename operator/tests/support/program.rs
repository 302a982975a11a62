//! The operator as a program of its own, against a bed.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::{Bed, HANG, eventually};

pub const OPERATOR: &str = env!("CARGO_BIN_EXE_operator");

/// A running `operator run`; killed when dropped.
pub struct Program {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Program {
    /// Starts it as the bed's operator, with everything logged.
    pub async fn start(bed: &Bed, args: &[&str]) -> Self {
        Self::named(bed, "operator", args).await
    }

    /// Starts it in a Pod of this name, as it thinks.
    pub async fn named(bed: &Bed, name: &str, args: &[&str]) -> Self {
        Self::spawn(bed, name, &bed.endpoint(), args).await
    }

    /// Starts it for another Log Service than the bed's.
    pub async fn start_at(bed: &Bed, endpoint: &str, args: &[&str]) -> Self {
        Self::spawn(bed, "operator", endpoint, args).await
    }

    async fn spawn(bed: &Bed, name: &str, endpoint: &str, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        bed.apiserver.write_operator_kubeconfig(&kubeconfig);
        let watched = bed.apiserver.watched();
        let mut child = Command::new(OPERATOR)
            .args(["run", "--region", mock_sls::DEFAULT_REGION, "--listen", "127.0.0.1:0"])
            .args(["--sls-endpoint", endpoint])
            .arg("--credentials-file")
            .arg(bed.credentials_path())
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .args(watched.iter().flat_map(|namespace| ["--namespace", namespace]))
            .args(args)
            .env("RUST_LOG", "trace")
            .env("POD_NAME", name)
            .env_remove("POD_NAMESPACE")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&log);
        let reader = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut log = into.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let address = eventually("the program says where it listens", || async {
            let log = log.lock().unwrap();
            let rest =
                log.split_once("serving /healthz, /readyz and /metrics address=").map(|(_, rest)| rest);
            let address = rest.and_then(|rest| rest.split_whitespace().next());
            address.map(str::to_owned).ok_or_else(|| log.clone())
        })
        .await;
        Self { child, address, log, reader, _folder: folder }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; how it ended, and all that it logged.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let status = tokio::time::timeout(HANG, self.child.wait()).await.expect("it ends").unwrap();
        tokio::time::timeout(HANG, &mut self.reader).await.expect("its log ends").unwrap();
        let log = self.log();
        (status, log)
    }

    /// Answer of its own server: status line and body.
    pub async fn http_get(&self, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(&self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
