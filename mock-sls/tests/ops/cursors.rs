use expect_test::expect;
use mock_sls::clock::Clock;
use mock_sls::{Auth, Config};
use percent_encoding::NON_ALPHANUMERIC;
use prost::Message;
use sls_api::NoQuery;
use sls_api::log_group::{Content, LogGroupList};
use sls_api::ops::cursors::{decode_cursor, encode_cursor};
use sls_api::ops::logs::PutLogs;

use super::bed::{Bed, logstore};
use super::logs;
use super::raw::{self, Answer};

const NANOSECONDS: i64 = 1_000_000_000;

/// A Logstore of one shard that received `a`, `b` and `c` in the seconds 100, 200 and 300
/// after the shard was made.
struct Shard {
    bed: Bed,
    made: i64,
}

impl Shard {
    async fn start() -> Self {
        let made = jiff::Timestamp::now().as_second();
        let at = |second: i64| jiff::Timestamp::from_second(made + second).unwrap();
        let clock = Clock::manual(at(0));
        let bed = Bed::bare(Config { clock: clock.clone(), auth: Auth::Off, ..Config::default() }).await;
        bed.create_project().await;
        bed.create_logstore("ls", 1).await;
        for (second, text) in [(100, "a"), (200, "b"), (300, "c")] {
            clock.set(at(second));
            logs::put(&bed, text).await;
        }
        Self { bed, made }
    }

    async fn get(&self, query: &str, accept: &str) -> Answer {
        let request = http::Request::get(format!("/logstores/ls/shards/0?{query}"))
            .header("host", "proj-a.localhost")
            .header("accept-encoding", accept)
            .body(Vec::new())
            .unwrap();
        raw::send(self.bed.server.addr(), request).await
    }

    /// The cursor for `from`, in seconds after the shard was made.
    async fn cursor(&self, from: &str) -> String {
        let answer = self.get(&format!("type=cursor&from={from}"), "").await;
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        body["cursor"].as_str().unwrap().to_owned()
    }

    async fn second_of_cursor(&self, from: &str) -> i64 {
        decode_cursor(&self.cursor(from).await).unwrap() / NANOSECONDS - self.made
    }
}

#[tokio::test]
async fn a_cursor_is_the_first_group_received_at_or_after_a_time() {
    let shard = Shard::start().await;
    let at = async |second: i64| shard.second_of_cursor(&(shard.made + second).to_string()).await;
    assert_eq!(shard.second_of_cursor("begin").await, 100);
    assert_eq!(at(0).await, 100);
    assert_eq!(at(100).await, 100);
    assert_eq!(at(101).await, 200);
    assert_eq!(at(300).await, 300);
    let end = shard.cursor("end").await;
    assert_eq!(shard.cursor(&(shard.made + 301).to_string()).await, end);
    assert_eq!(decode_cursor(&end), Some((shard.made + 300) * NANOSECONDS + 1));
}

#[tokio::test]
async fn the_time_of_a_cursor_is_its_receive_time() {
    let shard = Shard::start().await;
    let cursor = shard.cursor("begin").await;
    let answer = shard.get(&format!("type=cursor_time&cursor={}", escaped(&cursor)), "").await;
    assert_eq!(answer.text(), format!(r#"{{"cursor_time":{}}}"#, shard.made + 100));
}

fn escaped(cursor: &str) -> String {
    cursor.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F")
}

#[tokio::test]
async fn a_pull_has_every_header_that_sdks_need() {
    let shard = Shard::start().await;
    let begin = escaped(&shard.cursor("begin").await);
    let answer = shard.get(&format!("type=logs&cursor={begin}&count=2"), "lz4").await;
    assert_eq!(answer.header("content-type"), "application/x-protobuf");
    assert_eq!(answer.header("x-log-count"), "2");
    assert_eq!(answer.header("x-log-compresstype"), "lz4");
    let raw_bytes: usize = answer.header("x-log-bodyrawsize").parse().unwrap();
    assert!(raw_bytes > 0);
    let last = (shard.made + 200) * NANOSECONDS;
    assert_eq!(answer.header("x-log-read-last-cursor"), last.to_string());
    assert_eq!(answer.header("x-log-cursor"), encode_cursor(last + 1));
    assert_eq!(answer.header("x-log-cursor-time"), (shard.made + 200).to_string());
    assert_eq!(answer.header("x-log-end-of-cursor"), "");
}

#[tokio::test]
async fn pulls_go_on_where_the_last_one_ended() {
    let shard = Shard::start().await;
    let mut cursor = shard.cursor("begin").await;
    let mut seen = Vec::new();
    for accept in ["", "lz4", "zstd", "gzip, deflate"] {
        let answer = shard.get(&format!("type=log&cursor={}&count=1", escaped(&cursor)), accept).await;
        cursor = answer.header("x-log-cursor").to_owned();
        seen.push(format!(
            "{} time={} {:?} end={:?}",
            answer.header("x-log-count"),
            !answer.header("x-log-cursor-time").is_empty(),
            answer.header("x-log-compresstype"),
            answer.header("x-log-end-of-cursor")
        ));
    }
    expect![[r#"
        1 time=true "" end=""
        1 time=true "lz4" end=""
        1 time=true "zstd" end="1"
        0 time=false "" end="1""#]]
    .assert_eq(&seen.join("\n"));
    assert_eq!(cursor, shard.cursor("end").await);
}

#[tokio::test]
async fn a_pull_stops_before_its_end_cursor_in_either_spelling() {
    let shard = Shard::start().await;
    let begin = escaped(&shard.cursor("begin").await);
    let end = escaped(&shard.cursor(&(shard.made + 300).to_string()).await);
    for name in ["end_cursor", "endCursor"] {
        let answer = shard.get(&format!("type=logs&cursor={begin}&{name}={end}&count=100"), "").await;
        assert_eq!(answer.header("x-log-count"), "2", "{name}");
    }
}

#[tokio::test]
async fn nothing_to_read_is_an_empty_answer_with_the_same_cursor() {
    let shard = Shard::start().await;
    let end = shard.cursor("end").await;
    let answer = shard.get(&format!("type=logs&cursor={}", escaped(&end)), "lz4").await;
    assert_eq!(answer.status.as_u16(), 200);
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("x-log-count"), "0");
    assert_eq!(answer.header("x-log-bodyrawsize"), "0");
    assert_eq!(answer.header("x-log-cursor"), end);
}

#[tokio::test]
async fn head_answers_the_headers_of_a_pull() {
    let shard = Shard::start().await;
    let begin = escaped(&shard.cursor("begin").await);
    let request = http::Request::head(format!("/logstores/ls/shards/0?type=log&cursor={begin}"))
        .header("host", "proj-a.localhost")
        .body(Vec::new())
        .unwrap();
    let answer = raw::send(shard.bed.server.addr(), request).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-log-count")), (200, "3"));
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn bad_positions_are_refused_by_name() {
    let shard = Shard::start().await;
    let error = async |target: &str| {
        let request = http::Request::get(target).header("host", "proj-a.localhost").body(Vec::new()).unwrap();
        let answer = raw::send(shard.bed.server.addr(), request).await;
        format!("{} {}", answer.status.as_u16(), answer.text())
    };
    expect![[r#"400 {"errorCode":"ParameterInvalid","errorMessage":"Parameter From is not valid."}"#]]
        .assert_eq(&error("/logstores/ls/shards/0?type=cursor&from=yesterday").await);
    expect![[r#"400 {"errorCode":"ParameterInvalid","errorMessage":"Invalid cursor nonsense"}"#]]
        .assert_eq(&error("/logstores/ls/shards/0?type=log&cursor=nonsense").await);
    expect![[r#"400 {"errorCode":"InvalidCursor","errorMessage":"Invalid cursor LTE="}"#]]
        .assert_eq(&error("/logstores/ls/shards/0?type=log&cursor=LTE%3D").await);
    expect![[r#"400 {"errorCode":"ShardNotExist","errorMessage":"shard 7 does not exist"}"#]]
        .assert_eq(&error("/logstores/ls/shards/7?type=cursor&from=begin").await);
    expect![[r#"400 {"errorCode":"NotSupported","errorMessage":"GET /logstores/{logstore}/shards/{shard} with type=nonsense is not an operation of this emulator; GET /_mock/v1/operations lists what is"}"#]]
        .assert_eq(&error("/logstores/ls/shards/0?type=nonsense").await);
}

#[tokio::test]
async fn cursors_grow_also_when_the_clock_stands_or_goes_back() {
    let shard = Shard::start().await;
    let before = decode_cursor(&shard.cursor("end").await).unwrap();
    for _ in 0..2 {
        shard.bed.send::<PutLogs>(&logstore("ls"), &NoQuery {}, &logs::body("d")).await.unwrap();
    }
    assert_eq!(decode_cursor(&shard.cursor("end").await), Some(before + 2));
}

#[tokio::test]
async fn a_query_leaves_logs_out_and_the_cursor_goes_behind_them() {
    let shard = Shard::start().await;
    let begin = escaped(&shard.cursor("begin").await);
    let answer = shard.get(&format!("type=logs&cursor={begin}&count=2&query=content:b"), "lz4").await;
    let headers =
        ["x-log-count", "x-log-rawdatacount", "x-log-rawdatalines", "x-log-resultlines", "x-log-failedlines"];
    assert_eq!(headers.map(|name| answer.header(name).to_owned()), ["1", "2", "2", "1", "0"]);
    assert!(answer.header("x-log-rawdatasize").parse::<u64>().unwrap() > 0);
    assert_eq!(answer.header("x-log-cursor"), encode_cursor((shard.made + 200) * NANOSECONDS + 1));

    let next = escaped(answer.header("x-log-cursor"));
    let answer = shard.get(&format!("type=logs&cursor={next}&query=content:b"), "lz4").await;
    assert_eq!((answer.header("x-log-count"), answer.header("x-log-end-of-cursor")), ("0", "1"));
    assert_eq!(answer.header("x-log-cursor"), shard.cursor("end").await);
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn a_query_may_go_on_with_a_pipeline_but_not_with_sql() {
    let shard = Shard::start().await;
    let begin = escaped(&shard.cursor("begin").await);
    let encoded = |text: &str| percent_encoding::utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let piped = encoded("* | where content = 'b' | extend content = upper(content)");
    let answer = shard.get(&format!("type=logs&cursor={begin}&count=2&query={piped}"), "").await;
    assert_eq!(answer.status.as_u16(), 200);
    let counts = ["x-log-count", "x-log-rawdatalines", "x-log-resultlines"];
    assert_eq!(counts.map(|name| answer.header(name).to_owned()), ["1", "2", "1"]);
    let list = LogGroupList::decode(&*answer.body).expect("a list of groups");
    assert_eq!(list.log_groups[0].logs[0].contents[0], Content::new("content", "B"));

    for refused in ["* | select content", "* | where content = 1", "* | where (", "* | nonsense"] {
        let query = encoded(refused);
        let answer = shard.get(&format!("type=logs&cursor={begin}&query={query}"), "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.error_code().as_str()),
            (400, "ParameterInvalid"),
            "{refused}"
        );
    }
}
