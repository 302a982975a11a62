//! From files to a server over HTTP: delivery, failures of the server, drain and restart.

mod data_support;

use std::fs;
use std::time::{Duration, Instant};

use collector::pipeline::{
    Delimiter, Multiline, Overflow, Parse, Shards, TimeRule, TopicRule, Unmatched, full_match,
};
use data_support::{Bench, Fault, destination, eventually, far, regex, simple};
use sls_api::sign::md5_hex;

fn lines(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| format!("line {i}")).collect()
}

fn text(range: std::ops::Range<usize>) -> String {
    lines(range).iter().map(|l| format!("{l}\n")).collect()
}

#[tokio::test]
async fn lines_written_before_and_after_the_start_arrive_once_and_in_order() {
    let bench = Bench::new().await;
    bench.append("a.log", &text(0..100));
    let engine = bench.start(vec![simple()]);
    bench.sink.wait_for(100).await;
    for i in 100..200 {
        bench.append("a.log", &text(i..i + 1));
    }
    assert_eq!(bench.sink.wait_for(200).await, lines(0..200));
    let report = engine.drain(far()).await;
    assert!(report.is_complete, "{report}");
    assert_eq!(report.account.lines.sent, 200);
}

#[tokio::test]
async fn a_file_that_grows_all_the_time_is_read_once_in_a_pause_whatever_is_acknowledged_meanwhile() {
    use std::sync::atomic::Ordering;
    let bench = Bench::new().await;
    let engine = bench.start(vec![simple()]);
    engine.ready().await;
    bench.append("a.log", "begin\n");
    bench.sink.wait_for(1).await;
    let board = engine.board();
    let reads = || board.gauges.blocks_read.load(Ordering::Relaxed);
    let (begun, reads_before, requests_before) = (Instant::now(), reads(), bench.sink.requests());
    for line in 0..300 {
        bench.append("a.log", &format!("line {line}\n"));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.sink.wait_for(301).await;
    let (reads, requests) = (reads() - reads_before, bench.sink.requests() - requests_before);
    let pauses = begun.elapsed().as_millis() as u64 / 80;
    assert!(reads <= pauses + 3, "{reads} reads in {pauses} pauses");
    assert!(requests > 1, "nothing was acknowledged meanwhile");
}

#[tokio::test]
async fn a_file_that_appears_in_a_pause_is_read_though_the_end_comes_at_once() {
    for round in 0..10 {
        let bench = Bench::new().await;
        let mut pipeline = simple();
        pipeline.input.file_pattern = "*.log".to_owned();
        let engine = bench.start(vec![pipeline]);
        engine.ready().await;
        bench.append("a.log", "begin\n");
        bench.sink.wait_for(1).await;
        bench.append("a.log", "a change, after which there is a pause\n");
        tokio::time::sleep(Duration::from_millis(3 * round)).await;
        bench.append("b.log", "in the pause\n");
        let report = engine.stop(far()).await;
        assert!(report.is_complete, "{report}");
        assert_eq!(report.account.lines.sent, 3, "after {} ms", 3 * round);
    }
}

#[tokio::test]
async fn a_group_says_where_its_logs_come_from() {
    let bench = Bench::new().await;
    let pipeline = collector::pipeline::Pipeline {
        topic: TopicRule::Path(full_match("/logs/(.*)[.]log").expect("regex")),
        ..simple()
    };
    let _engine = bench.start(vec![pipeline]);
    bench.append("a.log", "x\n");
    bench.sink.wait_for(1).await;
    let groups = bench.sink.groups();
    let tag = |key: &str| groups[0].log_tags.iter().find(|t| t.key == key).map(|t| t.value.as_str());
    assert_eq!(tag("__path__"), Some("/logs/a.log"));
    assert_eq!(tag("__hostname__"), Some("pod-1"));
    assert_eq!(tag("_unset_"), Some(""));
    assert!(tag("__pack_id__").is_some_and(|id| id.ends_with("-0")));
    assert_eq!(groups[0].topic.as_deref(), Some("a"));
    assert_eq!(groups[0].source.as_deref(), Some("10.0.0.9"));
}

#[tokio::test]
async fn logs_of_each_file_go_to_the_shard_of_its_tags() {
    let bench = Bench::new().await;
    let names = ["_pod_name_", "__path__"].map(str::to_owned).to_vec();
    let mut pipeline = collector::pipeline::Pipeline { shards: Shards::ByTags(names), ..simple() };
    pipeline.input.file_pattern = "*.log".to_owned();
    let engine = bench.start(vec![pipeline]);
    bench.append("a.log", "x\n");
    bench.append("b.log", "y\n");
    bench.sink.wait_for(2).await;
    let mut keys = bench.sink.keys();
    keys.sort();
    let key = |path: &str| Some(md5_hex(format!("pod-1_{path}").as_bytes()));
    let mut expected = [key("/logs/a.log"), key("/logs/b.log")];
    expected.sort();
    assert_eq!(keys, expected);
    assert!(engine.drain(far()).await.is_complete);
}

#[tokio::test]
async fn a_regex_makes_fields_and_the_time() {
    let bench = Bench::new().await;
    let pipeline = collector::pipeline::Pipeline {
        time: TimeRule::Field {
            key: "time".to_owned(),
            format: "%d/%b/%Y:%H:%M:%S".to_owned(),
            offset_seconds: Some(8 * 3600),
            year: None,
            precise: None,
        },
        unmatched: Unmatched::KeepRaw,
        ..regex(r#"\[([^\]]+)\] (\S+) "([^"]*)""#, &["time", "ip", "request"])
    };
    let engine = bench.start(vec![pipeline]);
    bench.append(
        "a.log",
        "[13/Nov/2018:17:05:09] 10.0.0.1 \"GET /\"\nsomething else\n[x] 10.0.0.2 \"PUT /\"\n",
    );
    let all = eventually(|| Some(bench.sink.values("store", "request")).filter(|v| v.len() == 2)).await;
    assert_eq!(all.expect("two requests"), ["GET /", "PUT /"]);
    assert_eq!(bench.sink.values("store", "__raw_log__"), ["something else"]);
    let logs: Vec<_> = bench.sink.groups().into_iter().flat_map(|g| g.logs).collect();
    assert_eq!(logs[0].time, 1_542_099_909);
    assert!(logs[2].time > 1_700_000_000, "the time of collection");
    let status = &engine.status().pipelines[0];
    let error = status.last_error.clone().unwrap_or_default();
    assert!(error.contains("something else") && error.contains("/logs/a.log"), "{error}");
}

#[tokio::test]
async fn json_members_become_fields_and_the_time() {
    let bench = Bench::new().await;
    let pipeline = collector::pipeline::Pipeline {
        parse: Parse::Json,
        time: TimeRule::Field {
            key: "t".to_owned(),
            format: "%s".to_owned(),
            offset_seconds: None,
            year: None,
            precise: None,
        },
        unmatched: Unmatched::KeepRaw,
        ..simple()
    };
    let _engine = bench.start(vec![pipeline]);
    bench.append(
        "a.log",
        "{\"m\":\"a\\nb\",\"t\":1542099909}\r\n{\"t\":\"1542099910\",\"m\":{\"x\": 1}}\nno JSON\n",
    );
    let raw = eventually(|| Some(bench.sink.values("store", "__raw_log__")).filter(|v| !v.is_empty())).await;
    assert_eq!(raw.expect("the last line"), ["no JSON"]);
    assert_eq!(bench.sink.values("store", "m"), ["a\nb", "{\"x\": 1}"]);
    let times: Vec<_> = bench.sink.groups().into_iter().flat_map(|g| g.logs).map(|l| l.time).collect();
    assert_eq!(times.get(..2), Some(&[1_542_099_909, 1_542_099_910][..]));
}

#[tokio::test]
async fn columns_become_fields_and_other_lines_are_dropped() {
    let bench = Bench::new().await;
    let delimiter = Delimiter {
        separator: ",".to_owned(),
        quote: Some(b'"'),
        keys: vec!["a".to_owned(), "b".to_owned()],
        allows_fewer: false,
        overflow: Overflow::Extend,
    };
    let pipeline = collector::pipeline::Pipeline { parse: Parse::Delimiter(delimiter), ..simple() };
    let _engine = bench.start(vec![pipeline]);
    bench.append("a.log", "1,\"x \"\"y\"\"\"\r\nshort\n2,z,more\n");
    let b = eventually(|| Some(bench.sink.values("store", "b")).filter(|v| v.len() == 2)).await;
    assert_eq!(b.expect("two lines"), ["x \"y\"", "z"]);
    assert_eq!(bench.sink.values("store", "__column2__"), ["more"]);
    assert!(bench.sink.values("store", "__raw_log__").is_empty());
}

#[tokio::test]
async fn a_server_in_trouble_costs_nothing() {
    let bench = Bench::new().await;
    bench.sink.fail_next([
        Fault::Refuse(404, "ProjectNotExist"),
        Fault::Refuse(404, "LogStoreNotExist"),
        Fault::Refuse(401, "Unauthorized"),
        Fault::Refuse(403, "WriteQuotaExceed"),
        Fault::Refuse(500, "InternalServerError"),
        Fault::Hang,
    ]);
    let engine = bench.start_that_waits(Duration::from_millis(500), vec![simple()]);
    bench.append("a.log", &text(0..10));
    let named =
        eventually(|| engine.status().pipelines.first()?.last_error.clone()).await.expect("a message");
    assert!(named.contains("ProjectNotExist") && named.contains("project-1/store"), "{named}");
    assert_eq!(bench.sink.wait_for(10).await, lines(0..10));
    let fine = eventually(|| engine.status().pipelines[0].last_error.is_none().then_some(())).await;
    assert!(fine.is_some(), "{:?}", engine.status());
}

#[tokio::test]
async fn an_answer_that_was_lost_means_the_same_request_again_and_nothing_else() {
    let bench = Bench::new().await;
    bench.sink.fail_next([Fault::TakeAndDrop]);
    let engine = bench.start(vec![simple()]);
    bench.append("a.log", &text(0..10));
    bench.sink.wait_for(20).await;
    bench.append("a.log", &text(10..20));
    let expected = [lines(0..10), lines(0..10), lines(10..20)].concat();
    assert_eq!(bench.sink.wait_for(30).await, expected);
    assert!(engine.drain(far()).await.is_complete);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_divided() {
    let bench = Bench::new().await;
    bench.sink.refuse_above(3);
    let engine = bench.start(vec![simple()]);
    bench.append("a.log", &text(0..100));
    assert_eq!(bench.sink.wait_for(100).await, lines(0..100));
    assert!(engine.drain(far()).await.is_complete);
}

#[tokio::test]
async fn content_that_the_server_cannot_read_is_given_up_and_counted() {
    let bench = Bench::new().await;
    bench.sink.fail_next([Fault::Refuse(400, "PostBodyInvalid"); 5]);
    let engine = bench.start(vec![simple()]);
    bench.append("a.log", &text(0..10));
    let dropped = eventually(|| {
        let status = engine.status();
        let counters = &status.pipelines.first()?.counters;
        counters.iter().find(|(name, n)| *name == "logs_dropped" && *n == 10).map(|_| ())
    });
    assert!(dropped.await.is_some());
    bench.append("a.log", &text(10..20));
    assert_eq!(bench.sink.wait_for(10).await, lines(10..20));
}

#[tokio::test]
async fn a_drain_sends_the_unterminated_last_line_once_the_writer_is_gone() {
    let bench = Bench::new().await;
    let engine = bench.start(vec![simple()]);
    let mut writer = fs::File::create(bench.log("a.log")).expect("create");
    let write = |writer: &mut fs::File, text: &str| {
        std::io::Write::write_all(writer, text.as_bytes()).expect("write")
    };
    write(&mut writer, "one\ntw");
    bench.sink.wait_for(1).await;
    let draining = async { engine.drain(far()).await };
    let writing = async {
        tokio::time::sleep(Duration::from_millis(300)).await; // the drain has begun meanwhile
        write(&mut writer, "o\nlast");
        drop(writer);
    };
    let (report, ()) = tokio::join!(draining, writing);
    assert!(report.is_complete, "{report}");
    assert_eq!(bench.sink.values("store", "content"), ["one", "two", "last"]);
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline_and_accounts_for_what_remains() {
    let bench = Bench::new().await;
    bench.sink.fail_always(Some(Fault::Refuse(503, "ServerBusy")));
    let engine = bench.start(vec![simple()]);
    bench.append("a.log", &text(0..10));
    eventually(|| (bench.sink.requests() > 0).then_some(())).await.expect("a request");
    let report = engine.drain(Instant::now() + Duration::from_millis(500)).await;
    assert!(!report.is_complete);
    assert_eq!((report.account.lines.unacknowledged, report.account.bytes.unread), (10, 0));
}

#[tokio::test]
async fn a_restart_goes_on_where_the_server_acknowledged() {
    let bench = Bench::new().await;
    let engine = bench.start(vec![simple()]);
    bench.append("a.log", &text(0..10));
    bench.append("a.log", "half a ");
    bench.sink.wait_for(10).await;
    assert!(engine.stop(far()).await.is_complete);
    drop(engine);
    fs::rename(bench.log("a.log"), bench.log("a.log.1")).expect("rename");
    bench.append("a.log.1", "line\n");
    bench.append("a.log", &text(11..20));
    let engine = bench.start(vec![simple()]);
    let mut all = bench.sink.wait_for(20).await;
    let mut expected = lines(0..20);
    expected[10] = "half a line".to_owned();
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
    assert!(engine.drain(far()).await.is_complete);
}

#[tokio::test]
async fn a_killed_engine_sends_again_only_what_was_not_acknowledged() {
    let bench = Bench::new().await;
    let engine = bench.start(vec![simple()]);
    bench.append("a.log", &text(0..10));
    bench.sink.wait_for(10).await;
    // The acknowledgement is on disk within a second.
    let saved = eventually(|| {
        let file = fs::read_to_string(bench.dir.path().join("state/file_check_point")).ok()?;
        file.contains("\"position\":70,").then_some(())
    });
    assert!(saved.await.is_some());
    bench.sink.fail_always(Some(Fault::Hang));
    bench.append("a.log", &text(10..20));
    eventually(|| (bench.sink.requests() > 1).then_some(())).await.expect("a request");
    drop(engine);
    bench.sink.fail_always(None);
    let _engine = bench.start(vec![simple()]);
    assert_eq!(bench.sink.wait_for(20).await, lines(0..20));
}

#[tokio::test]
async fn several_pipelines_read_one_file_and_one_failing_logstore_holds_up_no_other() {
    let bench = Bench::new().await;
    let other = collector::pipeline::Pipeline {
        name: "other".to_owned(),
        destination: destination("other"),
        multiline: Multiline::begin(full_match("line .*").expect("regex")),
        ..simple()
    };
    let engine = bench.start(vec![simple(), other]);
    bench.append("a.log", "line 0\n\tat A\nline 1\n");
    bench.sink.wait_for(3).await;
    assert!(engine.drain(far()).await.is_complete);
    assert_eq!(bench.sink.values("store", "content"), ["line 0", "\tat A", "line 1"]);
    assert_eq!(bench.sink.values("other", "content"), ["line 0\n\tat A", "line 1"]);
}

#[tokio::test]
async fn many_slow_files_share_requests() {
    const FILES: usize = 200;
    let bench = Bench::new().await;
    let mut pipeline = simple();
    pipeline.input.file_pattern = "*.log".to_owned();
    let engine = bench.start(vec![pipeline]);
    for round in 0..5 {
        for file in 0..FILES {
            bench.append(&format!("{file}.log"), &format!("{file}/{round}\n"));
        }
    }
    let values = bench.sink.wait_for(5 * FILES).await;
    assert!(bench.sink.requests() < 5 * FILES / 4, "{} requests", bench.sink.requests());
    for file in 0..FILES {
        let prefix = format!("{file}/");
        let of_file: Vec<&String> = values.iter().filter(|v| v.starts_with(&prefix)).collect();
        let expected: Vec<String> = (0..5).map(|round| format!("{file}/{round}")).collect();
        assert_eq!(of_file, expected.iter().collect::<Vec<_>>());
    }
    bench.sink.refuse_above(1);
    bench.append("1.log", "a\nb\nc\n");
    bench.append("2.log", "d\n");
    assert_eq!(bench.sink.wait_for(5 * FILES + 4).await.len(), 5 * FILES + 4);
    assert!(engine.drain(far()).await.is_complete);
}

#[tokio::test]
async fn a_directory_that_comes_later_is_found() {
    let bench = Bench::new().await;
    fs::remove_dir(bench.root().join("logs")).expect("rmdir");
    let engine = bench.start(vec![simple()]);
    eventually(|| (engine.status().pipelines.len() == 1).then_some(())).await.expect("applied");
    fs::create_dir(bench.root().join("logs")).expect("mkdir");
    bench.append("a.log", "x\n");
    assert_eq!(bench.sink.wait_for(1).await, ["x"]);
}

#[tokio::test]
async fn a_new_version_of_a_pipeline_goes_on_without_loss_or_repetition() {
    let bench = Bench::new().await;
    let engine = bench.start(vec![simple()]);
    bench.append("a.log", &text(0..10));
    bench.sink.wait_for(10).await;
    let changed = collector::pipeline::Pipeline { version: 2, destination: destination("other"), ..simple() };
    engine.apply(vec![changed]);
    bench.append("a.log", &text(10..20));
    let found = eventually(|| (bench.sink.values("other", "content").len() == 10).then_some(())).await;
    assert!(found.is_some());
    assert_eq!(bench.sink.values("other", "content"), lines(10..20));
    engine.apply(vec![]);
    bench.append("a.log", &text(20..30));
    eventually(|| engine.status().pipelines.is_empty().then_some(())).await.expect("removed");
    engine.apply(vec![simple()]);
    assert_eq!(bench.sink.wait_for(20).await, [lines(0..10), lines(20..30)].concat());
}
