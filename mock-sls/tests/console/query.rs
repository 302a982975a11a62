//! The query page of a Logstore.

mod bed;

use std::time::Duration;

use bed::{Bed, NOW};
use http::StatusCode;
use hyper::body::Bytes;
use serde_json::{Value, json};

/// Bytes that the first page of a Logstore may have.
const PAGE_BYTES_MAX: usize = 150 * 1_000;
/// Longer than anything here may take; ends a test that hangs.
const HANG: Duration = Duration::from_secs(60);

fn text(text: &str) -> Bytes {
    Bytes::from(text.to_owned())
}

/// Logs of one field, a second apart, the last of them `ago` seconds before now.
fn numbered(count: u32, ago: u32) -> Vec<(u32, Vec<(&'static str, Bytes)>)> {
    (0..count).map(|number| (ago + count - 1 - number, vec![("n", text(&number.to_string()))])).collect()
}

#[tokio::test]
async fn logs_are_shown_with_what_leads_on() {
    let bed = Bed::start().await;
    bed.logstore("app", json!({ "status": "long" })).await;
    bed.put(
        "app",
        &[(30, vec![("status", text("200")), ("path", text("/a"))]), (5, vec![("status", text("502"))])],
    )
    .await;
    let page = bed.get("app").await;
    assert_eq!(page.status, StatusCode::OK);
    page.has("<span id=\"found\">2</span>")
        .has("<bdi>502</bdi>")
        .has("<b>status</b>: <bdi>200</bdi>")
        .has("__tag__:__path__")
        .has("/var/log/app.log");
    let (newest, oldest) = (page.text.find("<bdi>502"), page.text.find("<bdi>200"));
    assert!(newest < oldest, "the newest log is first");
    let reversed = bed.get("app?order=asc&q=status+in+[100+999]").await;
    assert!(reversed.text.find("<bdi>502") > reversed.text.find("<bdi>200"));

    let alone = page.link("/log?at=");
    bed.follow(&alone).await.has("502").has("__tag__:__path__").has_not("<bdi>200");
    let context = bed.follow(&page.link("/context?")).await;
    assert_eq!(context.status, StatusCode::OK);
    context.has("<bdi>502").has("<bdi>200").has("aria-current=\"true\"");

    // A bar of the histogram shows its part of the time.
    let bar = page.text.split("name=\"zoom\" value=\"").find(|bar| bar.contains("data-count=\"1\""));
    let part = bar.and_then(|bar| bar.split('"').next()).expect("a bar with a log");
    bed.get(&format!("app?zoom={part}")).await.has("<span id=\"found\">1</span>");
}

#[tokio::test]
async fn pages_follow_each_other() {
    let bed = Bed::start().await;
    bed.logstore("app", json!({})).await;
    bed.put("app", &numbered(45, 10)).await;
    let first = bed.get("app").await;
    first.has("<bdi>44</bdi>").has("<bdi>25</bdi>").has_not("<bdi>24</bdi>").has("1–20 / 45");
    let third = bed.follow(&bed.follow(&first.link("offset=20")).await.link("offset=40")).await;
    third.has("41–45 / 45").has("<bdi>0</bdi>").has_not("<bdi>5</bdi>").has_not("rel=\"next\"");
    let all = bed.get("app?range=all&size=100").await;
    all.has("1–45 / 45");
    // The time is narrowed to where logs are.
    let counted = bed.json("app/histogram?range=all").await.json();
    let buckets = counted["buckets"].as_array().expect("buckets");
    assert_eq!(counted["count"], 45);
    assert!(buckets[0][0].as_i64() > Some(i64::from(NOW) - 3_600), "{counted}");
}

#[tokio::test]
async fn what_is_wrong_in_a_query_is_marked() {
    let bed = Bed::start().await;
    bed.logstore("app", json!({ "status": "long" })).await;
    let refused = bed.get("app?q=status:1+and+%E9%94%99%3C:2").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    refused.has("ParameterInvalid").has("status:1 and 错").has("<mark>:</mark>");
    for (query, from, to) in [
        ("a and )", 6, 7),
        ("nope:1", 0, 4),
        ("status:x", 0, 6),
        ("* | select nope", 11, 15),
        (" * | select count(*), nope(1)", 22, 26),
    ] {
        let asked = serde_urlencoded::to_string([("q", query)]).expect("a query");
        let error = bed.json(&format!("app/check?{asked}")).await.json()["error"].clone();
        // Blanks around a query are not part of it.
        let cut = query.len() - query.trim_start().len();
        assert_eq!(
            (&error["from"], &error["to"]),
            (&json!(from - cut), &json!(to - cut)),
            "{query}: {error}"
        );
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
    }
    assert_eq!(bed.json("app/check?q=status:1+%7C+select+count(*)").await.json(), json!({ "error": null }));
}

#[tokio::test]
async fn hostile_logs_are_shown_and_do_nothing() {
    let bed = Bed::start().await;
    bed.logstore("app", json!({})).await;
    let long = "x".repeat(1_000_000);
    bed.put(
        "app",
        &[
            (9, vec![("m", text("<script>alert(1)</script>")), ("<b>", text("v"))]),
            (8, vec![("m", text("a\0b\u{1b}[31m")), ("rtl", text("\u{202e}gpj.exe"))]),
            (7, vec![("m", text(&long))]),
            (6, vec![("m", text(&"\0<".repeat(500_000)))]),
            (5, vec![("m", Bytes::from_static(b"\xff\xfe"))]),
        ],
    )
    .await;
    let many: Vec<(String, Bytes)> = (0..500).map(|at| (format!("field{at}"), text("value"))).collect();
    bed.put("app", &[(4, many.iter().map(|(name, value)| (name.as_str(), value.clone())).collect())]).await;
    for view in ["raw", "table&col=m&col=rtl", "table&size=100&col=m&col=rtl"] {
        let page = bed.get(&format!("app?view={view}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.len() < PAGE_BYTES_MAX, "{view}: {} bytes", page.text.len());
        page.has("&lt;script&gt;alert(1)")
            .has_not("<script>")
            .has("␀")
            .has("␛")
            .has("U+202E")
            .has_not("\u{202e}")
            .has_not("\0");
    }
    bed.get("app").await.has("show all (977 KiB)").has("further fields").has("&lt;b&gt;");
}

#[tokio::test]
async fn a_cut_value_is_whole_on_the_page_of_its_log() {
    let bed = Bed::start().await;
    bed.logstore("app", json!({})).await;
    let long = "y".repeat(1_000_000);
    bed.put("app", &[(7, vec![("m", text(&long))])]).await;
    let page = bed.get("app").await;
    page.has_not(&long);
    let link = page.link("/log?at=");
    bed.follow(&link).await.has(&long);
    let answer = bed.json(link.trim_start_matches("/projects/shop/logstores/")).await.json();
    assert_eq!(answer["log"]["m"], long.as_str());
}

#[tokio::test]
async fn any_page_of_many_long_logs_is_small() {
    let bed = Bed::start().await;
    let index = (0..40).map(|at| (format!("some_field_{at}"), json!("text"))).collect();
    bed.logstore("app", Value::Object(index)).await;
    let fields: Vec<(String, Bytes)> =
        (0..40).map(|at| (format!("some_field_{at}"), text(&"<&> ".repeat(100)))).collect();
    let log: Vec<(&str, Bytes)> = fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let logs: Vec<_> = (0..120).map(|ago| (ago, log.clone())).collect();
    bed.put("app", &logs).await;
    for fields in ["", "size=50", "size=100", "size=100&view=table", "q=*+%7C+select+*+limit+1000"] {
        let page = bed.get(&format!("app?{fields}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.len() < PAGE_BYTES_MAX, "{fields}: {} bytes", page.text.len());
    }
}

#[tokio::test]
async fn where_nothing_is_the_page_says_what_to_do() {
    let bed = Bed::start().await;
    bed.logstore_without_index("raw").await;
    bed.logstore("app", json!({})).await;
    bed.get("raw").await.has("/projects/shop/logstores/raw/index").has("has no index");
    bed.get("app").await.has("No log in this time range").has("LogClient").has("127.0.0.1:");
    for (path, status) in [
        ("nope", StatusCode::NOT_FOUND),
        ("app?size=1000", StatusCode::BAD_REQUEST),
        ("app?range=fixed&from=9&to=5", StatusCode::BAD_REQUEST),
        ("app/log?at=x", StatusCode::BAD_REQUEST),
        ("app/log?at=0%7CMQ%3D%3D%7C1%7C0", StatusCode::NOT_FOUND),
        ("app/context?pack_id=x&pack_meta=y", StatusCode::BAD_REQUEST),
        ("app/export?format=xml", StatusCode::BAD_REQUEST),
        ("app/export?q=)", StatusCode::BAD_REQUEST),
        ("app/tail?q=*+%7C+select+1", StatusCode::BAD_REQUEST),
        ("app?view=tail&q=)", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(bed.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn rows_of_sql_are_a_table() {
    let bed = Bed::start().await;
    bed.logstore("app", json!({ "n": "long" })).await;
    bed.put("app", &numbered(30, 10)).await;
    let page =
        bed.get("app?q=n+%3C+10+%7C+select+n+%25+2+as+odd,+count(*)+as+c+group+by+odd+order+by+odd").await;
    page.has("<table id=\"answer\">")
        .has("<bdi>odd</bdi>")
        .has("<td class=\"number\"><bdi>5</bdi>")
        .has("<span id=\"found\">10</span>");
}

#[tokio::test]
async fn exports_hold_every_log_once_and_in_order() {
    let bed = Bed::start().await;
    bed.logstore("app", json!({ "n": "long" })).await;
    // More than a page of one second, in groups, and some around it.
    let same: Vec<(u32, Vec<(&str, Bytes)>)> =
        (0..130).map(|n| (50, vec![("n", text(&(n + 100).to_string()))])).collect();
    bed.put("app", &numbered(100, 60)).await;
    for group in same.chunks(30) {
        bed.put("app", group).await;
    }
    bed.put("app", &[(3, vec![("n", text("230")), ("late", text("=x"))])]).await;
    let numbers = |lines: &str| -> Vec<u32> {
        let number = |line: &str| serde_json::from_str::<Value>(line).ok()?["n"].as_str()?.parse().ok();
        lines.lines().map(|line| number(line).expect("a number")).collect()
    };
    let ascending = bed.get("app/export?format=jsonl&order=asc").await;
    assert_eq!(numbers(&ascending.text), (0..=230).collect::<Vec<_>>());
    let mut descending = numbers(&bed.get("app/export?format=jsonl").await.text);
    descending.sort_unstable();
    assert_eq!(descending, (0..=230).collect::<Vec<_>>());

    let csv = bed.get("app/export?format=csv&order=asc&q=n+%3E+228").await.text;
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("__time__,n,late") || lines[0].starts_with("__time__,n,"), "{csv}");
    assert!(csv.contains("'=x"), "{csv}");
    let chosen = bed.get("app/export?format=csv&order=asc&q=n+%3E+228&col=n").await.text;
    assert_eq!(chosen, format!("__time__,n\r\n{},229\r\n{},230\r\n", NOW - 50, NOW - 3));
    let sql = bed.get("app/export?format=csv&q=*+%7C+select+count(*)+as+c").await.text;
    assert_eq!(sql, "c\r\n231\r\n");
}

#[tokio::test]
async fn a_tail_shows_what_comes_and_counts_the_rest() {
    let bed = Bed::start().await;
    bed.logstore("app", json!({ "n": "long" })).await;
    bed.put("app", &numbered(5, 10)).await;
    let follow = async {
        let mut tail = bed.stream("app/tail?q=n+%3E+100").await;
        assert_eq!(tail.line().await, json!({ "seen": 0, "logs": [] }));
        bed.put("app", &[(0, vec![("n", text("7"))]), (0, vec![("n", text("700"))])]).await;
        let line = tail.line().await;
        assert_eq!((&line["seen"], &line["logs"][0]["fields"][0]), (&json!(1), &json!(["n", "700"])));
        let place = line["logs"][0]["page"].as_str().expect("the page of the log");
        bed.follow(place).await.has("700");
        let many: Vec<_> = (0..1_000).map(|n| (0, vec![("n", text(&(n + 1_000).to_string()))])).collect();
        bed.put("app", &many).await;
        let (mut seen, mut shown) = (0, 0);
        while seen < 1_000 {
            let line = tail.line().await;
            seen += line["seen"].as_u64().expect("a number");
            shown += line["logs"].as_array().expect("logs").len();
        }
        assert!(seen == 1_000 && (1..=100).contains(&shown), "{seen} seen, {shown} shown");
    };
    tokio::time::timeout(HANG, follow).await.expect("it does not hang");
}

#[tokio::test]
async fn queries_are_kept_under_names() {
    let bed = Bed::start().await;
    bed.logstore("app", json!({})).await;
    let back = "/projects/shop/logstores/app?q=error";
    let form = [("name", "all-errors"), ("q", "error | select 1"), ("back", back)];
    let saved = bed.post("app/searches", &form).await;
    assert_eq!((saved.status, saved.location.as_str()), (StatusCode::SEE_OTHER, back));
    bed.get("app").await.has("all-errors");
    let opened = bed.get("app/searches/all-errors").await;
    assert_eq!(opened.location, "/projects/shop/logstores/app?q=error+%7C+select+1");
    assert_eq!(bed.post("app/searches", &form).await.status, StatusCode::BAD_REQUEST);
    let again = [("name", "all-errors"), ("q", "warn"), ("replace", "yes"), ("back", "https://elsewhere/")];
    assert_eq!(bed.post("app/searches", &again).await.location, "/");
    assert_eq!(bed.get("app/searches/all-errors").await.location, "/projects/shop/logstores/app?q=warn");
    bed.post("app/searches/all-errors/delete", &[("back", back)]).await;
    assert_eq!(bed.get("app/searches/all-errors").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        bed.post("app/searches", &[("name", "a/b"), ("q", ""), ("back", "")]).await.status,
        StatusCode::BAD_REQUEST
    );
}
