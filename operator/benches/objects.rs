//! The operator with many objects: `cargo bench -p operator --bench objects`, or `-- 200` for fewer.
//!
//! The program itself, a process of its own, against kube-sim and mock-sls in this one. Prints how long all objects
//! take to be Ready from a cold start and with how many calls of Log Service, its memory, what an idle resync reads,
//! how soon an applied object is Ready, and what a backend that is dead gets. Figures, not a test; Linux only (it
//! reads /proc).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::api::{Api, ListParams, PostParams};
use kube::{Client, ResourceExt};
use mock_sls::{DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, MockSls};
use operator::crd::AliyunLogConfig;
use serde_json::json;

/// Objects, unless the command line says otherwise.
const OBJECTS_DEFAULT: usize = 1_000;
/// Configs of one project. Source: limits document; the emulator holds to it.
const CONFIGS_A_PROJECT: usize = 100;
/// Objects applied one after the other while the others rest.
const APPLIED: usize = 50;
/// How often all objects are looked at while the idle resync is measured, and for how long that is.
const RESYNC: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(30);
/// How long a dead backend is offered to the operator.
const DEAD: Duration = Duration::from_secs(15);
/// A guard against hanging.
const HANG: Duration = Duration::from_secs(600);

fn main() {
    // The variable is for a run of all benchmarks, which share their arguments.
    let set = std::env::var("BENCH_OBJECTS").ok();
    let given = std::env::args().skip(1).chain(set);
    let count = given.into_iter().find_map(|arg| arg.parse().ok()).unwrap_or(OBJECTS_DEFAULT);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(count));
}

async fn run(count: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let sls = MockSls::start(mock_sls::Config {
        data: mock_sls::Data::Dir(folder.path().join("sls")),
        ..mock_sls::Config::default()
    })
    .await
    .expect("mock-sls starts");
    let kube_sim = kube_sim::KubeSim::start(kube_sim::Config::default()).await.expect("kube-sim starts");
    let kubeconfig = folder.path().join("kubeconfig");
    kube_sim.write_kubeconfig(&kubeconfig).expect("written");
    let config = kube::Config::from_custom_kubeconfig(
        serde_saphyr::from_str(&kube_sim.kubeconfig()).expect("a kubeconfig"),
        &kube::config::KubeConfigOptions::default(),
    )
    .await
    .expect("a config");
    let client = Client::try_from(config).expect("a client");
    let definitions = Api::all(client.clone());
    definitions.create(&PostParams::default(), &operator::crd::crd()).await.expect("the CRD");
    let objects: Api<AliyunLogConfig> = Api::namespaced(client, "default");
    futures::stream::iter(0..count)
        .for_each_concurrent(16, |n| {
            let objects = &objects;
            async move {
                objects.create(&PostParams::default(), &object(n)).await.expect("created");
            }
        })
        .await;

    // Dead first: nothing was ever answered, so everything has to be tried.
    dead(count, &kubeconfig, folder.path().join("credentials")).await;

    let mut operator = Operator::start(&format!("http://{}", sls.addr()), &kubeconfig, "1h", folder.path());
    let start = Instant::now();
    wait_for_ready(&objects, count).await;
    let calls = operator.calls().await;
    let total: u64 = calls.values().sum();
    println!(
        "figure: {count} objects ready after {:.1} s from a cold start (goal 30 s for 1,000); {:.1} calls of Log Service an object \
         (goal 8), {:.1} cpu-ms an object, {:.0} MiB resident (goal 64)",
        start.elapsed().as_secs_f64(),
        total as f64 / count as f64,
        operator.cpu_seconds() * 1000.0 / count as f64,
        operator.resident_mib(),
    );
    println!("calls: {calls:?}");

    let mut took = Vec::new();
    for n in count..count + APPLIED {
        let start = Instant::now();
        objects.create(&PostParams::default(), &object(n)).await.expect("created");
        let name = object(n).name_any();
        loop {
            let found = objects.get(&name).await.expect("read");
            if is_ready(&found) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        took.push(start.elapsed());
    }
    took.sort();
    let at = |part: usize| took[(took.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    println!(
        "figure: an applied object is ready after {:.0} ms (p50, goal 300), {:.0} ms (p99)",
        at(50),
        at(99)
    );
    operator.stop();

    let all = count + APPLIED;
    let resync = format!("{}s", RESYNC.as_secs());
    let mut operator =
        Operator::start(&format!("http://{}", sls.addr()), &kubeconfig, &resync, folder.path());
    // The first look of a new process reads everything.
    tokio::time::sleep(RESYNC * 2).await;
    let (before, cpu) = (operator.calls().await, operator.cpu_seconds());
    tokio::time::sleep(IDLE).await;
    let after = operator.calls().await;
    let reads: u64 = after.values().sum::<u64>() - before.values().sum::<u64>();
    let rounds = IDLE.as_secs_f64() / RESYNC.as_secs_f64();
    println!(
        "figure: {:.2} reads an object and idle resync (goal 1), {:.2} cpu-ms, {:.0} MiB resident (goal 64)",
        reads as f64 / all as f64 / rounds,
        (operator.cpu_seconds() - cpu) * 1000.0 / all as f64 / rounds,
        operator.resident_mib(),
    );
    operator.stop();
    kube_sim.shutdown().await;
    sls.shutdown().await;
}

/// Offers a backend that takes connections and answers nothing but the end of them.
async fn dead(count: usize, kubeconfig: &std::path::Path, folder: PathBuf) {
    std::fs::create_dir_all(&folder).expect("a folder");
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let address = listener.local_addr().expect("its address");
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            counter.fetch_add(1, Ordering::Relaxed);
            drop(connection);
        }
    });
    let mut operator = Operator::start(&format!("http://{address}"), kubeconfig, "1h", &folder);
    tokio::time::sleep(DEAD).await;
    let requests = taken.load(Ordering::Relaxed);
    println!(
        "figure: a dead backend gets {:.1} requests/s of an operator with {count} objects (goal 5)",
        requests as f64 / DEAD.as_secs_f64()
    );
    operator.stop();
}

fn object(n: usize) -> AliyunLogConfig {
    serde_json::from_value(json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1",
        "kind": "AliyunLogConfig",
        "metadata": {"name": format!("config-{n}"), "namespace": "default"},
        "spec": {
            "project": format!("project-{}", n / CONFIGS_A_PROJECT), "logstore": format!("logs-{n}"),
            "machineGroups": ["group-a"],
            "logtailConfig": {"inputType": "file", "inputDetail": {
                "logType": "common_reg_log", "logPath": format!("/var/log/app-{n}"), "filePattern": "*.log",
                "regex": "(\\S+) (\\S+) (.*)", "key": ["time", "level", "message"],
            }},
        },
    }))
    .expect("an object")
}

fn is_ready(object: &AliyunLogConfig) -> bool {
    let conditions = object.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

async fn wait_for_ready(objects: &Api<AliyunLogConfig>, count: usize) {
    let start = Instant::now();
    loop {
        let listed = objects.list(&ListParams::default()).await.expect("listed");
        if listed.iter().filter(|object| is_ready(object)).count() == count {
            return;
        }
        assert!(start.elapsed() < HANG, "not all objects became ready");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The program.
struct Operator {
    child: Child,
    address: String,
}

impl Operator {
    fn start(endpoint: &str, kubeconfig: &std::path::Path, resync: &str, folder: &std::path::Path) -> Self {
        let credentials = folder.join("credentials.json");
        let text =
            json!({"accessKeyId": DEFAULT_ACCESS_KEY_ID, "accessKeySecret": DEFAULT_ACCESS_KEY_SECRET});
        std::fs::write(&credentials, text.to_string()).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_operator"))
            .args(["run", "--listen", "127.0.0.1:0", "--sls-endpoint", endpoint, "--resync", resync])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--credentials-file")
            .arg(&credentials)
            .env("RUST_LOG", "operator=info")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("address=")?.1.split_whitespace().next()?.to_owned()))
            .expect("it says where it listens");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, address }
    }

    /// Calls of Log Service by operation, as /metrics counts them.
    async fn calls(&self) -> BTreeMap<String, u64> {
        let address = self.address.clone();
        let text = tokio::task::spawn_blocking(move || {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect(address).expect("it listens");
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n")
                .expect("asked");
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("answered");
            text
        })
        .await
        .expect("joined");
        let mut calls = BTreeMap::new();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix("sls_operator_sls_calls_total{operation=\"") else { continue };
            let (Some((name, _)), Some((_, number))) = (rest.split_once('"'), rest.rsplit_once(' ')) else {
                continue;
            };
            *calls.entry(name.to_owned()).or_default() += number.parse::<u64>().unwrap_or_default();
        }
        calls
    }

    fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    }

    fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it lives");
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap_or_default()).sum();
        // The kernel shows times to programs in hundredths of a second.
        ticks / 100.0
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.stop();
    }
}
