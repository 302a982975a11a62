//! Log Service is away, and many objects want something of it.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use operator::crd::AliyunLogConfigStatus;
use serde_json::json;
use sls_expect::journal::Filter;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Objects that wait for the same service; set otherwise by OPERATOR_OBJECTS.
const OBJECTS: usize = 150;
/// Below the emulator's quota.
const CONFIGS_A_PROJECT: usize = 100;

/// Something that takes connections in place of Log Service, and counts them.
struct Impostor {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Impostor {
    /// Every connection gets `answer`; an empty one is closed at once.
    async fn start(listen: SocketAddr, answer: &'static str) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let into = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                into.fetch_add(1, Ordering::Relaxed);
                if !answer.is_empty() {
                    tokio::spawn(reply(stream, answer));
                }
            }
        });
        Self { address, connections, task }
    }

    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// How many connections there were so far.
    fn count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn reply(mut stream: TcpStream, answer: &str) {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head).await;
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn address_of(bed: &Bed) -> SocketAddr {
    bed.endpoint().strip_prefix("http://").unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_objects_ask_a_dead_service_five_times_a_second_at_most_and_are_all_ready_when_it_comes() {
    let count = std::env::var("OPERATOR_OBJECTS").map_or(OBJECTS, |text| text.parse().unwrap());
    let names: Vec<String> = (0..count).map(|n| format!("config-{n}")).collect();
    let mut bed = Bed::with(Options { mock: false, operator: false, ..Options::default() }).await;
    for (n, name) in names.iter().enumerate() {
        let project = format!("project-{}", n / CONFIGS_A_PROJECT);
        bed.apply_value(object(name, |object| object["spec"]["project"] = json!(project))).await;
    }
    let dead = Impostor::start(address_of(&bed), "").await;
    let dead_since = Instant::now();
    bed.start_operator();
    for name in &names {
        bed.not_ready(name, "BackendUnavailable").await;
    }
    let circuit = format!("sls_operator_backend_circuit{{endpoint=\"{}\"}}", bed.endpoint());
    assert!(bed.metric(&circuit) >= 1, "{}", bed.metrics.render());
    let held = bed.status("config-0", "an object that waits", |status| status.last_error.is_some()).await;
    assert!(held.last_error.unwrap().next_retry_time.is_some());
    let waiting = names.iter().map(|name| bed.get(name));
    let held = futures::future::join_all(waiting).await.into_iter().filter(|cr| {
        let message = cr.status.as_ref().and_then(|status| status.status.as_deref()).unwrap_or_default();
        message.contains("every object that waits for it is looked at once it answers")
    });
    assert!(held.count() >= count - 10, "most objects were not sent for");
    // Some probes more.
    let probes = dead.count() + 3;
    eventually("probes", || async {
        let seen = dead.count();
        (seen >= probes).then_some(()).ok_or_else(|| format!("{seen} of {probes}"))
    })
    .await;
    // Five at first, and then one a second; counted over all the time, since here nothing is on time to the second.
    let (asked, seconds) = (dead.count(), dead_since.elapsed().as_secs());
    assert!(asked <= 5 + usize::try_from(seconds).unwrap() + 1, "{asked} connections in {seconds} s");

    dead.stop().await;
    bed.start_mock().await;
    for name in &names {
        bed.ready(name).await;
    }
    assert_eq!(bed.metric(&circuit), 0);
    // They came one after the other, not all at once.
    let filter = Filter { operation: Some("GetLogStore".into()), limit: Some(10_000), ..Filter::default() };
    let journal = bed.mock.as_ref().unwrap().journal(&filter).await.unwrap();
    let times: Vec<i64> = journal.entries.iter().map(|entry| entry.time_ms).collect();
    let took_ms = times.iter().max().unwrap() - times.iter().min().unwrap();
    assert!(took_ms >= i64::try_from(count).unwrap() * 20 / 2, "all within {took_ms} ms");
}

#[tokio::test]
async fn a_dead_endpoint_of_one_object_holds_up_no_other() {
    let bed = Bed::start().await;
    let dead = Impostor::start(SocketAddr::from(([127, 0, 0, 1], 0)), "").await;
    let endpoint = format!("http://{}", dead.address);
    for n in 0..8 {
        let name = format!("lost-{n}");
        bed.apply_value(object(&name, |object| object["spec"]["endpoint"] = json!(endpoint))).await;
    }
    bed.not_ready("lost-0", "BackendUnavailable").await;
    bed.apply_value(object("config", |_| {})).await;
    bed.ready("config").await;
    dead.stop().await;
}

/// How long the object waits, as its status says.
async fn wait_of(bed: &Bed, server: &Impostor, code: i32) -> (Duration, AliyunLogConfigStatus) {
    let endpoint = format!("http://{}", server.address);
    let name = format!("config-{code}");
    let before = Timestamp::now();
    bed.apply_value(object(&name, |object| object["spec"]["endpoint"] = json!(endpoint))).await;
    let status = bed.status(&name, "told", |status| status.status_code == Some(code)).await;
    let next = status.last_error.as_ref().and_then(|error| error.next_retry_time.clone()).unwrap().0;
    (Duration::try_from(next.duration_since(before)).unwrap(), status)
}

#[tokio::test]
async fn each_class_of_errors_has_its_wait() {
    let bed = Bed::start().await;
    let busy =
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Impostor::start(anywhere, busy).await;
    let (wait, _) = wait_of(&bed, &server, 429).await;
    assert!(wait >= Duration::from_secs(29), "{wait:?}");

    let forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 47\r\nConnection: close\r\n\r\n\
        {\"errorCode\":\"PolicyDenied\",\"errorMessage\":\"x\"}";
    let server = Impostor::start(anywhere, forbidden).await;
    let (wait, status) = wait_of(&bed, &server, 403).await;
    assert!(wait >= Duration::from_secs(53), "{wait:?}");
    assert!(is(&status, "Ready", "False", "PolicyDenied"));
    assert!(status.status.unwrap().contains("check the operator's credentials"));
    // However often it is tried, one event.
    bed.look_again("config-403").await;
    let failed = |events: &[k8s_openapi::api::events::v1::Event]| {
        events.iter().filter(|event| event.reason.as_deref() == Some("SyncFailed")).count()
    };
    assert_eq!(failed(&bed.events("config-403").await), 1);
}
