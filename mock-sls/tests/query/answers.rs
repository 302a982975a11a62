//! Answers of the query operations: both forms, histograms, parameters, and abandoned queries.

use std::time::Duration;

use expect_test::expect;
use mock_sls::Config;
use mock_sls::{IpPlaces, SqlSettings};
use serde_json::json;
use sls_api::log_group::{Content, Log, LogGroup, LogTag};
use sls_api::ops::InLogstore;
use sls_api::ops::logs::{
    ContextLogs, ContextQuery, GetContextLogs, GetHistogramsOfIndex, GetLogsQuery, GetLogsRequest, GetLogsV1,
    GetProjectLogs, HistogramQuery, ListTopics, LogsRows, Progress, ProjectLogsQuery, Topics, TopicsQuery,
};
use sls_api::{Json, NoPath};
use sls_client::ClientError;

use crate::bed::Bed;

const START: i64 = 1_700_000_000;

async fn bed_with_logs(count: u32) -> (Bed, InLogstore) {
    let bed = Bed::start().await;
    let logstore = bed.create_logstore("answers").await;
    let keys = json!({"n": {"type": "long", "doc_value": true}});
    let index = json!({"line": {"token": [" ", ","]}, "keys": keys});
    bed.create_index(&logstore, &serde_json::from_value(index).expect("a valid index")).await;
    bed.put(&logstore, &group(0..count)).await;
    (bed, logstore)
}

fn group(numbers: std::ops::Range<u32>) -> LogGroup {
    let log = |n: u32| Log {
        time: START as u32 + n,
        contents: vec![Content::new("n", n.to_string()), Content::new("text", vec![b'a', b' ', 0xff])],
        time_ns: (n % 2 == 1).then_some(5),
    };
    LogGroup {
        logs: numbers.map(log).collect(),
        topic: Some("t".to_owned()),
        source: Some("10.0.0.1".to_owned()),
        log_tags: vec![LogTag { key: "k".to_owned(), value: "v".to_owned() }],
        ..LogGroup::default()
    }
}

fn request(query: &str) -> GetLogsRequest {
    GetLogsRequest { from: START, to: START + 3600, query: query.to_owned(), ..GetLogsRequest::default() }
}

fn shown<T>(outcome: Result<T, ClientError>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(ClientError::Api { status, code, message, .. }) => format!("{status} {code}: {message}"),
        Err(other) => other.to_string(),
    }
}

#[tokio::test]
async fn both_forms_give_the_same_rows_and_statistics() {
    let (bed, logstore) = bed_with_logs(2).await;
    let third = bed.get_logs(&logstore, request("a")).await.expect("logs");
    expect![[r#"
        [
          {
            "n": "0",
            "text": "a �",
            "__topic__": "t",
            "__source__": "10.0.0.1",
            "__tag__:k": "v",
            "__time__": "1700000000"
          },
          {
            "n": "1",
            "text": "a �",
            "__topic__": "t",
            "__source__": "10.0.0.1",
            "__tag__:k": "v",
            "__time__": "1700000001",
            "__time_ns_part__": "5"
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&third.data).expect("rows are JSON"));
    let meta = &third.meta;
    assert_eq!(
        (meta.progress, meta.count, meta.processed_rows, meta.has_sql),
        (Progress::Complete, 2, 2, false)
    );
    assert_eq!((meta.where_query.as_str(), meta.telementry_type.as_str()), ("a", "logging"));

    let query =
        GetLogsQuery { from: START, to: START + 3600, query: "a".to_owned(), ..GetLogsQuery::default() };
    let first = bed.send::<GetLogsV1>(&logstore, &query, &()).await.expect("logs").0;
    assert_eq!(first.data, third.data);
    assert_eq!((first.meta.progress, first.meta.count), (Progress::Complete, 2));
}

#[tokio::test]
async fn rows_of_sql_name_their_columns_in_order() {
    let (bed, logstore) = bed_with_logs(3).await;
    let reply = bed.get_logs(&logstore, request("* | select n as z, n * 2.0 as a order by n desc")).await;
    let reply = reply.expect("rows");
    assert_eq!(reply.meta.keys, ["z", "a"]);
    assert_eq!(reply.meta.column_types, ["bigint", "double"]);
    assert!(reply.meta.has_sql);
    let row = serde_json::to_string(&reply.data[0]).expect("a row is JSON");
    assert_eq!(row, r#"{"z":"2","a":"4.0","__source__":"","__time__":"1700000000"}"#);
}

#[tokio::test]
async fn histograms_are_the_same_under_both_paths() {
    let (bed, logstore) = bed_with_logs(100).await;
    let query = HistogramQuery {
        from: START + 10,
        to: START + 95,
        query: "n >= 20".to_owned(),
        interval: Some(30),
        ..HistogramQuery::default()
    };
    let one = bed.histograms(&logstore, query.clone()).await.expect("a histogram");
    let buckets: Vec<_> = one.buckets.iter().map(|b| (b.from - START, b.to - START, b.count)).collect();
    assert_eq!(buckets, [(10, 40, 20), (40, 70, 30), (70, 95, 25)]);
    let other = bed.send::<GetHistogramsOfIndex>(&logstore, &query, &()).await.expect("a histogram");
    assert_eq!(one, other);
    let analysed =
        bed.histograms(&logstore, HistogramQuery { query: "* | select n".to_owned(), ..query }).await;
    assert!(shown(analysed).starts_with("400 ParameterInvalid"));
}

#[tokio::test]
async fn pages_end_with_an_empty_one() {
    let (bed, logstore) = bed_with_logs(230).await;
    for reverse in [false, true] {
        let mut found = Vec::new();
        loop {
            let offset = Some(found.len() as i64);
            let page = GetLogsRequest { offset, reverse: Some(reverse), ..request("*") };
            let reply = bed.get_logs(&logstore, page).await.expect("a page");
            if reply.data.is_empty() {
                break;
            }
            found.extend(reply.data.iter().map(|row| row.get("n").and_then(|n| n.parse::<u32>().ok())));
        }
        let mut expected: Vec<_> = (0..230).map(Some).collect();
        if reverse {
            expected.reverse();
        }
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn wrong_parameters_are_refused_with_the_codes_that_clients_know() {
    let (bed, logstore) = bed_with_logs(1).await;
    let bare = bed.create_logstore("no-index").await;
    let missing = InLogstore { logstore: "missing".parse().expect("a valid name") };
    let histogram = HistogramQuery { from: START, to: START + 1, ..HistogramQuery::default() };
    let outcomes = [
        shown(bed.get_logs(&bare, request("*")).await),
        shown(bed.histograms(&bare, histogram.clone()).await),
        shown(bed.get_logs(&missing, request("*")).await),
        shown(bed.histograms(&missing, histogram.clone()).await),
        shown(bed.get_logs(&logstore, GetLogsRequest { to: START, ..request("*") }).await),
        shown(bed.histograms(&logstore, HistogramQuery { to: START - 1, ..histogram.clone() }).await),
        shown(bed.get_logs(&logstore, GetLogsRequest { from: -5, ..request("*") }).await),
        shown(bed.get_logs(&logstore, GetLogsRequest { line: Some(-1), ..request("*") }).await),
        shown(bed.get_logs(&logstore, GetLogsRequest { offset: Some(2_000_000), ..request("*") }).await),
        shown(bed.get_logs(&logstore, GetLogsRequest { topic: Some("t".to_owned()), ..request("a") }).await),
    ];
    expect![[r#"
        400 IndexConfigNotExist: logstore without index config
        400 IndexConfigNotExist: logstore without index config
        404 LogStoreNotExist: logstore missing does not exist
        404 LogStoreNotExist: logstore missing does not exist
        400 InvalidTimeRange: The time range [1700000000, 1700000000) is empty: from must be less than to.
        400 InvalidTimeRange: The time range [1700000000, 1699999999) is empty: from must be less than to.
        400 ParameterInvalid: The parameter from must be a positive integer
        400 ParameterInvalid: limit expression is required
        400 ParameterInvalid: reading data with pagination only allow reading max 1000000
        ok"#]]
    .assert_eq(&outcomes.join("\n"));
}

#[tokio::test]
async fn a_log_is_found_right_after_it_was_taken() {
    let (bed, logstore) = bed_with_logs(0).await;
    for n in 0..100 {
        bed.put(&logstore, &group(n..n + 1)).await;
        let reply = bed.get_logs(&logstore, request(&format!("n = {n}"))).await.expect("logs");
        assert_eq!(reply.meta.count, 1, "log {n}");
    }
}

#[tokio::test]
async fn a_topic_limits_the_search() {
    let (bed, logstore) = bed_with_logs(3).await;
    let other = LogGroup { topic: Some("u".to_owned()), ..group(3..5) };
    bed.put(&logstore, &other).await;
    for (topic, count) in [("", 5), ("t", 3), ("u", 2), ("v", 0)] {
        let of_topic = GetLogsRequest { topic: Some(topic.to_owned()), ..request("*") };
        let reply = bed.get_logs(&logstore, of_topic).await.expect("logs");
        assert_eq!(reply.meta.count, count, "{topic}");
    }
}

/// Every reader of the server is kept busy by queries that would take hours. If these went on
/// after their clients left, the last query would find no reader.
#[tokio::test]
async fn queries_of_clients_that_went_away_make_room() {
    let (bed, logstore) = bed_with_logs(300).await;
    let endless = request("* | select count(*) from log a, log b, log c, log d where a.n + b.n + c.n = d.n");
    for _ in 0..8 {
        let query = bed.get_logs(&logstore, endless.clone());
        let _gave_up = tokio::time::timeout(Duration::from_millis(100), query).await;
    }
    let reply = bed.get_logs(&logstore, request("* | select count(*) as c")).await.expect("rows");
    assert_eq!(reply.data[0].get("c"), Some("300"));
}

/// A group of the pack `AB-sequence` with one log a second.
fn pack(sequence: &str, numbers: std::ops::Range<u32>) -> LogGroup {
    let pack_id = LogTag { key: "__pack_id__".to_owned(), value: format!("AB-{sequence}") };
    LogGroup { log_tags: vec![pack_id], ..group(numbers) }
}

fn numbers(context: &ContextLogs) -> Vec<&str> {
    context.logs.iter().filter_map(|row| row.get("n")).collect()
}

#[tokio::test]
async fn context_follows_the_packs_of_one_writer_for_a_day_either_way() {
    let (bed, logstore) = bed_with_logs(0).await;
    // The second pack arrives first, and its sequence is larger only when read as hex.
    let day = 24 * 60 * 60;
    for (sequence, numbers) in [("10", 6..9), ("9", 3..6), ("11", day + 7..day + 9)] {
        bed.put(&logstore, &pack(sequence, numbers)).await;
    }
    bed.put(&logstore, &group(0..9)).await;
    let found = bed.get_logs(&logstore, request("n = 6 | with_pack_meta")).await.expect("logs");
    let of_pack = found.data.iter().find(|row| row.get("__tag__:__pack_id__").is_some()).expect("a pack");
    let query = |back_lines, forward_lines| ContextQuery {
        pack_id: "AB-10".to_owned(),
        pack_meta: of_pack.get("__pack_meta__").expect("the field").to_owned(),
        back_lines,
        forward_lines,
    };
    let Json(context) = bed.send::<GetContextLogs>(&logstore, &query(2, 100), &()).await.expect("context");
    assert_eq!(numbers(&context), ["4", "5", "6", "7", "8"], "the last pack is more than a day later");
    assert_eq!((context.total_lines, context.back_lines, context.forward_lines), (5, 2, 2));
    let Json(context) = bed.send::<GetContextLogs>(&logstore, &query(0, 1), &()).await.expect("context");
    assert_eq!(numbers(&context), ["6", "7"]);
    let Json(alone) = bed.send::<GetContextLogs>(&logstore, &query(1, 0), &()).await.expect("context");
    let meta = alone.logs[0].get("__pack_meta__").expect("the field").to_owned();
    assert_eq!(numbers(&alone), ["5", "6"]);

    for (wrong, why) in [
        (query(0, 0), "no line at all"),
        (query(-1, 5), "fewer than none"),
        (query(5, 101), "too many"),
        (ContextQuery { pack_id: "AB-11".to_owned(), ..query(1, 1) }, "another pack"),
        (ContextQuery { pack_id: "AB".to_owned(), ..query(1, 1) }, "no pack id"),
        (ContextQuery { pack_meta: meta, ..query(1, 1) }, "a log of another pack"),
        (ContextQuery { pack_meta: "0|x|1|0".to_owned(), ..query(1, 1) }, "no cursor"),
        (ContextQuery { pack_meta: "0|MTA=|1|0".to_owned(), ..query(1, 1) }, "a cursor of nothing"),
    ] {
        let refused = shown(bed.send::<GetContextLogs>(&logstore, &wrong, &()).await);
        assert!(refused.starts_with("400 InvalidParameter: "), "{why}: {refused}");
    }
}

#[tokio::test]
async fn a_log_without_neighbours_has_no_context() {
    let (bed, logstore) = bed_with_logs(0).await;
    bed.put(&logstore, &pack("0", 0..1)).await;
    let found = bed.get_logs(&logstore, request("* | with_pack_meta")).await.expect("logs");
    let query = ContextQuery {
        pack_id: "AB-0".to_owned(),
        pack_meta: found.data[0].get("__pack_meta__").expect("the field").to_owned(),
        back_lines: 5,
        forward_lines: 5,
    };
    let Json(context) = bed.send::<GetContextLogs>(&logstore, &query, &()).await.expect("context");
    assert_eq!(context, ContextLogs::default());
}

#[tokio::test]
async fn sql_on_a_project_names_its_logstore() {
    let (bed, _) = bed_with_logs(5).await;
    let run = async |sql: &str| {
        let query = ProjectLogsQuery { query: sql.to_owned(), power_sql: None };
        bed.send::<GetProjectLogs>(&NoPath {}, &query, &()).await
    };
    let sql = format!("select count(*) as c, max(n) as m from answers where __time__ < {}", START + 3);
    let LogsRows(reply) = run(&sql).await.expect("rows");
    assert_eq!((reply.data[0].get("c"), reply.data[0].get("m")), (Some("3"), Some("2")));
    expect!["404 LogStoreNotExist: logstore missing does not exist"]
        .assert_eq(&shown(run("select 1 as one from missing").await));
    expect![
        "400 ParameterInvalid: the statement names no Logstore: select ... from LOGSTORE where __time__ > ..."
    ]
    .assert_eq(&shown(run("select 1 as one").await));
}

#[tokio::test]
async fn topics_are_listed_in_pages() {
    let (bed, logstore) = bed_with_logs(1).await;
    for topic in ["b", "", "b", "a"] {
        bed.put(&logstore, &LogGroup { topic: Some(topic.to_owned()), ..group(0..1) }).await;
    }
    let list = async |token: &str, line| {
        let query = TopicsQuery { token: token.to_owned(), line };
        let Topics { topics, next_token } =
            bed.send::<ListTopics>(&logstore, &query, &()).await.expect("topics");
        (topics.join(","), next_token)
    };
    assert_eq!(list("", None).await, (",a,b,t".to_owned(), String::new()));
    assert_eq!(list("", Some(2)).await, (",a".to_owned(), "b".to_owned()));
    assert_eq!(list("b", Some(2)).await, ("b,t".to_owned(), String::new()));
}

#[tokio::test]
async fn the_logs_of_another_logstore_can_be_joined() {
    let (bed, logstore) = bed_with_logs(3).await;
    let other = bed.create_logstore("others").await;
    let keys = json!({"m": {"type": "long", "doc_value": true}, "name": {"type": "text", "doc_value": true, "token": []}});
    bed.create_index(&other, &serde_json::from_value(json!({"keys": keys})).expect("a valid index")).await;
    let log = |m: &str, name: &str| Log {
        time: START as u32,
        contents: vec![Content::new("m", m.to_owned()), Content::new("name", name.to_owned())],
        time_ns: None,
    };
    let late = Log { time: START as u32 + 7200, ..log("1", "too late") };
    bed.put(&other, &LogGroup { logs: vec![log("1", "one"), log("2", "two"), late], ..LogGroup::default() })
        .await;
    let query = "n > 0 | select a.n, b.name from log a left join others b on a.n = b.m order by a.n";
    let reply = bed.get_logs(&logstore, request(query)).await.expect("rows");
    let rows: Vec<_> = reply.data.iter().map(|row| (row.get("n"), row.get("name"))).collect();
    assert_eq!(rows, [(Some("1"), Some("one")), (Some("2"), Some("two"))]);
    let outcome = bed.get_logs(&logstore, request("* | select 1 from nobody")).await;
    assert!(shown(outcome).contains("logstore nobody does not exist"));
}

#[tokio::test]
async fn a_pipeline_gives_rows_over_http() {
    let (bed, logstore) = bed_with_logs(3).await;
    let reply =
        bed.get_logs(&logstore, request("* | where n <> '1' | extend m = cast(n as bigint) * 2 | project m"));
    let reply = reply.await.expect("rows");
    let found: Vec<_> = reply.data.iter().map(|row| row.get("m").unwrap_or("?")).collect();
    assert_eq!(found, ["0", "4"]);
    assert_eq!((reply.meta.mode, reply.meta.has_sql), (2, false));
    let refused = bed.get_logs(&logstore, request("* | where n > 1")).await;
    assert!(shown(refused).starts_with("400 ParameterInvalid: ErrorType:SemanticError"));
}

#[tokio::test]
async fn times_and_places_are_those_that_the_server_is_told() {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(-3));
    let places = IpPlaces::parse("cidr,city,city_code\n192.0.2.0/24,杭州市,330100").expect("a valid file");
    let sql = SqlSettings { zone, places: places.into() };
    let bed = Bed::with(Config { sql, ..Config::default() }).await;
    let logstore = bed.create_logstore("zoned").await;
    let index = json!({"keys": {"n": {"type": "long", "doc_value": true}}});
    bed.create_index(&logstore, &serde_json::from_value(index).expect("a valid index")).await;
    let query = "* | select from_unixtime(0) as t, current_timezone() as z, cast('1970-01-01' as timestamp) as u, \
                 ip_to_city('192.0.2.7') as c, ip_to_city('192.0.2.7', 'en') as e, ip_to_city('8.8.8.8') as n";
    let reply = bed.get_logs(&logstore, request(query)).await.expect("rows");
    assert!(reply.data.is_empty());
    bed.put(&logstore, &group(0..1)).await;
    let reply = bed.get_logs(&logstore, request(query)).await.expect("rows");
    let found = ["t", "z", "u", "c", "e", "n"].map(|name| reply.data[0].get(name).unwrap_or("?"));
    assert_eq!(found, ["1969-12-31 21:00:00.000", "-03", "1970-01-01 00:00:00.000", "杭州市", "330100", ""]);
}
