//! Everything that a server, a network and a clock can do to a request, and what becomes of the logs. The ledger: each
//! line arrives, once (twice only where a server took it and its answer was lost), and in its order.

mod data_support;

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::time::Duration;

use collector::engine::Engine;
use collector::pipeline::{Destination, Pipeline, Shards};
use data_support::{Bench, Fault, destination, eventually, far, simple};

/// How long requests of impatient clients may take: longer than any that is answered here at once.
const SHORT: Duration = Duration::from_secs(2);

fn lines(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| format!("line {i}")).collect()
}

fn text(range: std::ops::Range<usize>) -> String {
    lines(range).iter().map(|l| format!("{l}\n")).collect()
}

fn exactly_once() -> Pipeline {
    Pipeline { shards: Shards::ExactlyOnce(NonZeroU16::MIN), ..simple() }
}

fn every_log() -> Pipeline {
    let mut pipeline = simple();
    pipeline.input.file_pattern = "*.log".to_owned();
    pipeline
}

#[tokio::test]
async fn whatever_the_server_refuses_that_may_be_cured_is_sent_again_in_order_and_once() {
    use Fault::{Portal, Refuse, Reset};
    let faults = [
        Refuse(500, "InternalServerError"),
        Refuse(502, "BadGateway"),
        Refuse(503, "ServerBusy"),
        Refuse(504, "GatewayTimeout"),
        Refuse(408, "RequestTimeout"),
        Refuse(429, "TooManyRequests"),
        Refuse(403, "WriteQuotaExceed"),
        Refuse(403, "ShardWriteQuotaExceed"),
        Refuse(403, "ProjectForbidden"),
        Refuse(401, "Unauthorized"),
        Refuse(401, "SignatureNotMatch"),
        Refuse(404, "ProjectNotExist"),
        Refuse(404, "LogStoreNotExist"),
        Refuse(400, "ParameterInvalid"),
        Refuse(405, "MethodNotSupported"),
        Refuse(301, "Moved"),
        Refuse(204, "NoContent"),
        Reset,
        Portal,
    ];
    // Each on its own: after several in a row one waits long for the next try.
    let mut tests = tokio::task::JoinSet::new();
    for fault in faults {
        tests.spawn(async move {
            let bench = Bench::new().await;
            bench.sink.fail_next([fault; 2]);
            let engine = bench.start(vec![simple()]);
            bench.append("a.log", &text(0..10));
            let named = eventually(|| engine.status().pipelines.first()?.last_error.clone()).await;
            let named = named.unwrap_or_else(|| panic!("{fault:?}: no word of it"));
            assert!(named.contains("project-1/store"), "{fault:?}: {named}");
            bench.append("a.log", &text(10..20));
            assert_eq!(bench.sink.wait_for(20).await, lines(0..20), "{fault:?}");
            let report = engine.drain(far()).await;
            assert!(report.is_complete, "{fault:?}: {report}");
            assert_eq!((report.account.lines.sent, report.account.lines.refused), (20, 0), "{fault:?}");
            assert_eq!(bench.sink.logs(), 20, "{fault:?}");
        });
    }
    tests.join_all().await;
}

#[tokio::test]
async fn a_server_that_never_answers_or_never_ends_to_answer_is_left_after_a_while() {
    for fault in [Fault::Hang, Fault::Drip] {
        let bench = Bench::new().await;
        bench.sink.fail_next([fault]);
        let engine = bench.start_that_waits(SHORT, vec![simple()]);
        bench.append("a.log", &text(0..10));
        let named = eventually(|| engine.status().pipelines.first()?.last_error.clone()).await;
        assert!(named.as_ref().is_some_and(|named| named.contains("no answer from")), "{fault:?}: {named:?}");
        assert_eq!(bench.sink.wait_for(10).await, lines(0..10), "{fault:?}");
        assert!(engine.drain(far()).await.is_complete);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_costs_one_repetition_and_none_where_logs_are_numbered() {
    for fault in [Fault::TakeAndDrop, Fault::TakeAndReset] {
        for (pipeline, times) in [(simple(), 2), (exactly_once(), 1)] {
            let bench = Bench::new().await;
            bench.sink.fail_next([fault]);
            let engine = bench.start(vec![pipeline]);
            bench.append("a.log", &text(0..10));
            bench.sink.wait_for(10 * times).await;
            bench.append("a.log", &text(10..20));
            let expected = [vec![lines(0..10); times].concat(), lines(10..20)].concat();
            assert_eq!(bench.sink.wait_for(expected.len()).await, expected, "{fault:?}");
            assert!(engine.drain(far()).await.is_complete);
            assert_eq!(bench.sink.logs(), expected.len());
        }
    }
}

/// One poisoned file: its requests are refused again and again, as those to a shard over its quota, or with logs that
/// the server does not like.
#[tokio::test]
async fn a_request_that_is_refused_again_and_again_holds_up_no_other_file_of_its_logstore() {
    const ROUNDS: usize = 3;
    for fault in [Fault::Refuse(403, "ShardWriteQuotaExceed"), Fault::Refuse(400, "ParameterInvalid")] {
        let bench = Bench::new().await;
        bench.sink.poison(Some(("poison", fault)));
        let names = vec!["__path__".to_owned()];
        let mut config = bench.config();
        config.limits.linger = Duration::from_millis(20); // the link is busy all the time
        let engine = Engine::start(config, bench.sink.clients()).expect("the engine starts");
        engine.apply(vec![Pipeline { shards: Shards::ByTags(names), ..every_log() }]);
        bench.append("poisoned.log", "poison 1\n");
        eventually(|| (bench.sink.requests() > 0).then_some(())).await.expect("a request");
        bench.append("poisoned.log", "poison 2\n");
        for n in 0..ROUNDS {
            for file in 0..3 {
                bench.append(&format!("{file}.log"), &format!("{file} line {n}\n"));
            }
            bench.sink.wait_for(3 * (n + 1)).await;
        }
        bench.sink.poison(None);
        let all = bench.sink.wait_for(3 * ROUNDS + 2).await;
        let of = |part: &str| all.iter().filter(|line| line.contains(part)).cloned().collect::<Vec<_>>();
        assert_eq!(of("poison"), ["poison 1", "poison 2"]);
        for file in 0..3 {
            assert_eq!(
                of(&format!("{file} line")),
                (0..ROUNDS).map(|n| format!("{file} line {n}")).collect::<Vec<_>>()
            );
        }
        assert!(engine.drain(far()).await.is_complete);
    }
}

/// The time is virtual; the sockets are real.
#[tokio::test(start_paused = true)]
async fn answers_may_take_up_to_half_a_minute_and_what_comes_too_late_is_waited_for_longer() {
    let key = sls_api::sign::AccessKey::new("id", "secret");
    let usual = sls_client::ClientConfig::new("http://example.test".parse().expect("an endpoint"), key);
    for (ms, copies_max) in [(100, 1), (1_000, 1), (5_000, 1), (14_000, 1), (16_000, 2), (30_000, 3)] {
        for pipeline in [simple(), exactly_once()] {
            let bench = Bench::new().await;
            bench.sink.fail_always(Some(Fault::Late(Duration::from_millis(ms))));
            let copies_max = if pipeline.shards.keys() > 0 { 1 } else { copies_max };
            let engine = bench.start_that_waits(usual.request_timeout, vec![pipeline]);
            let sent = || {
                let status = engine.status();
                let counters = status.pipelines.first().map(|p| p.counters.clone()).unwrap_or_default();
                counters.iter().find(|(name, _)| *name == "logs_sent").map_or(0, |(_, n)| *n)
            };
            bench.append("a.log", &text(0..10));
            eventually_in_virtual_time(|| (sent() == 10).then_some(())).await;
            let copies = bench.sink.logs() / 10;
            assert!((1..=copies_max).contains(&copies), "{ms} ms: {copies} copies");
            bench.append("a.log", &text(10..20));
            eventually_in_virtual_time(|| (sent() == 20).then_some(())).await;
            let expected = [vec![lines(0..10); copies].concat(), lines(10..20)].concat();
            assert_eq!(bench.sink.values("store", "content"), expected, "{ms} ms");
        }
    }
}

/// As [`eventually`], which has real patience, while virtual time runs on.
async fn eventually_in_virtual_time<T>(mut f: impl FnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(value) = f() {
            return value;
        }
        assert!(begun.elapsed() < data_support::PATIENCE, "it never happened");
        tokio::time::sleep(Duration::from_millis(100)).await;
        // The reader's thread lives in real time.
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[tokio::test]
async fn a_clock_that_is_twenty_minutes_off_is_corrected_for_signatures_whenever_it_steps() {
    let bench = Bench::new().await;
    let engine = bench.start(vec![simple()]);
    let mut written = 0;
    // Right, ahead, right again (somebody set the clock), behind, and a day off.
    for ahead in [0, 20 * 60, 0, -20 * 60, 86_400] {
        bench.sink.set_clock_ahead(ahead);
        let before = bench.sink.requests();
        bench.append("a.log", &text(written..written + 10));
        written += 10;
        assert_eq!(bench.sink.wait_for(written).await, lines(0..written), "{ahead} s");
        let refused = bench.sink.requests() - before - 1;
        assert_eq!(refused, usize::from(written > 10), "{ahead} s: corrected by the first answer");
    }
    assert!(engine.drain(far()).await.is_complete);
    assert_eq!(bench.sink.logs(), written);
}

/// An authority, and what makes servers whose certificates it signed.
struct Authority {
    pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { pem, issuer: rcgen::Issuer::new(params, key) }
    }

    /// A server of this name, whose certificate is good to the end of this year.
    fn server(&self, name: &str, year: i32) -> tokio_rustls::TlsAcceptor {
        use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = tokio_rustls::rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a server");
        tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config))
    }
}

#[tokio::test]
async fn a_certificate_that_is_bad_is_named_with_the_reason_and_logs_wait_until_it_is_good() {
    let (ours, other) = (Authority::new("ours"), Authority::new("another"));
    let bench = Bench::new().await;
    let endpoint = format!("https://127.0.0.1:{}", bench.sink.port());
    let pem = ours.pem.clone();
    let clients = move |_: &Destination| {
        let key = sls_api::sign::AccessKey::new("id", "secret");
        let mut config = sls_client::ClientConfig::new(endpoint.parse().map_err(|e| format!("{e}"))?, key);
        config.authorities =
            Some(sls_client::Authorities::from_pem(pem.as_bytes()).map_err(|e| e.to_string())?);
        sls_client::Client::new(config).map_err(|e| e.to_string())
    };
    bench.sink.set_tls(ours.server("127.0.0.1", 2020));
    let engine = Engine::start(bench.config(), clients).expect("the engine starts");
    engine.apply(vec![simple()]);
    bench.append("a.log", &text(0..10));
    // Trouble of one kind is said once in the status; each time in the alarms.
    let board = engine.board();
    let said = async |part: &str| {
        let mut said = || board.alarms.take().into_iter().map(|a| a.message).find(|m| m.contains(part));
        eventually(&mut said).await.unwrap_or_else(|| panic!("nobody says {part}"))
    };
    let expired = said("certificate expired").await;
    assert!(expired.contains("127.0.0.1") && expired.contains("project-1/store"), "{expired}");
    bench.sink.set_tls(other.server("127.0.0.1", 2100));
    said("UnknownIssuer").await;
    bench.sink.set_tls(ours.server("elsewhere.test", 2100));
    said("elsewhere.test").await;
    assert_eq!(bench.sink.logs(), 0);
    bench.append("a.log", &text(10..20));
    bench.sink.set_tls(ours.server("127.0.0.1", 2100));
    assert_eq!(bench.sink.wait_for(20).await, lines(0..20));
    assert!(engine.drain(far()).await.is_complete);
    assert_eq!(bench.sink.logs(), 20);
}

#[tokio::test]
async fn an_endpoint_whose_name_is_not_known_is_named_and_another_config_mends_it() {
    let bench = Bench::new().await;
    let sink = bench.sink.clone();
    let clients = move |destination: &Destination| {
        let endpoint = destination.endpoint.clone().unwrap_or_else(|| sink.endpoint());
        let endpoint = endpoint.parse().map_err(|e| format!("{e}"))?;
        let key = sls_api::sign::AccessKey::new("id", "secret");
        sls_client::Client::new(sls_client::ClientConfig::new(endpoint, key)).map_err(|e| e.to_string())
    };
    let engine = Engine::start(bench.config(), clients).expect("the engine starts");
    let nowhere =
        Destination { endpoint: Some("http://no-such-host.invalid".to_owned()), ..destination("store") };
    engine.apply(vec![Pipeline { destination: nowhere, ..simple() }]);
    bench.append("a.log", &text(0..10));
    let named =
        eventually(|| engine.status().pipelines.first()?.last_error.clone()).await.expect("a message");
    assert!(named.contains("cannot reach") && named.contains("no-such-host.invalid"), "{named}");
    assert!(named.contains("check the endpoint"), "{named}");
    engine.apply(vec![Pipeline { version: 2, ..simple() }]);
    bench.append("a.log", &text(10..20));
    let all: BTreeSet<String> = bench.sink.wait_for(20).await.into_iter().collect();
    assert_eq!(all, lines(0..20).into_iter().collect(), "also what was on its way to the wrong place");
    assert!(engine.drain(far()).await.is_complete);
    assert_eq!(bench.sink.logs(), 20);
}

#[tokio::test]
async fn a_logstore_whose_name_was_wrong_keeps_nothing_once_the_config_is_corrected() {
    for right in [simple(), exactly_once()] {
        let bench = Bench::new().await;
        for wrong in ["wrong", "wrong-too"] {
            bench.sink.fail_logstore(wrong, Some(Fault::Refuse(404, "LogStoreNotExist")));
        }
        let wrong = |version, name| Pipeline { version, destination: destination(name), ..right.clone() };
        let engine = bench.start(vec![wrong(1, "wrong")]);
        for (n, name) in ["wrong", "wrong-too"].into_iter().enumerate() {
            engine.apply(vec![wrong(n as i64 + 1, name)]);
            let before = bench.sink.bad_requests();
            bench.append("a.log", &text(10 * n..10 * n + 10));
            let names_it =
                || engine.status().pipelines.first()?.last_error.clone().filter(|e| e.contains(name));
            eventually(names_it).await.expect("the wrong name");
            eventually(|| (bench.sink.bad_requests() > before + 1).then_some(())).await.expect("requests");
        }
        engine.apply(vec![Pipeline { version: 3, ..right }]);
        bench.append("a.log", &text(20..30));
        let all: BTreeSet<String> = bench.sink.wait_for(30).await.into_iter().collect();
        assert_eq!(all, lines(0..30).into_iter().collect());
        assert!(engine.drain(far()).await.is_complete);
        assert_eq!(bench.sink.logs(), 30);
    }
}

/// What was delivered to a Logstore stays there, and what was read for it goes there, whatever the config says later.
#[tokio::test]
async fn a_logstore_that_worked_gets_what_was_read_for_it_when_it_works_again() {
    let bench = Bench::new().await;
    let engine = bench.start(vec![simple()]);
    bench.append("a.log", &text(0..10));
    bench.sink.wait_for(10).await;
    bench.sink.fail_logstore("store", Some(Fault::Refuse(503, "ServerBusy")));
    bench.append("a.log", &text(10..20));
    eventually(|| (bench.sink.bad_requests() > 1).then_some(())).await.expect("requests");
    engine.apply(vec![Pipeline { version: 2, destination: destination("other"), ..simple() }]);
    bench.append("a.log", &text(20..30));
    let other = eventually(|| Some(bench.sink.values("other", "content")).filter(|v| v.len() == 10)).await;
    assert_eq!(other.expect("the new ones"), lines(20..30));
    bench.sink.fail_logstore("store", None);
    assert_eq!(bench.sink.wait_for(20).await, lines(0..20));
    assert!(engine.drain(far()).await.is_complete);
}
