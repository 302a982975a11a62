//! Runs `fixtures/query-cases.json`, whose header says how. `pending-cases.txt` lists the cases
//! that do not pass yet; it may only shrink.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use file::*;
use sls_api::Json;
use sls_api::log_group::{Content, Log, LogGroup, LogTag};
use sls_api::ops::InLogstore;
use sls_api::ops::logs::{
    ContextLogs, ContextQuery, GetContextLogs, GetLogsRequest, HistogramQuery, Histograms, LogsReply,
    Progress,
};
use sls_client::ClientError;

use crate::bed::Bed;

const PENDING: &str = include_str!("pending-cases.txt");

/// The shape of the file.
mod file {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use sls_api::ops::indexes::Index;

    pub const FILE: &str = include_str!("../../../fixtures/query-cases.json");

    #[derive(Deserialize)]
    pub struct Suite {
        pub format: Format,
        pub indexes: BTreeMap<String, Option<Index>>,
        pub datasets: BTreeMap<String, Dataset>,
        pub cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    pub struct Format {
        pub t0: u32,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    pub enum Dataset {
        Logs(Vec<TestLog>),
        /// A rule in words; there is one, see `generated`.
        Rule {
            generate: String,
        },
    }

    #[derive(Deserialize, Clone)]
    pub struct TestLog {
        pub id: String,
        pub time: u32,
        pub topic: String,
        pub source: String,
        #[serde(default)]
        pub tags: BTreeMap<String, String>,
        pub contents: serde_json::Map<String, serde_json::Value>,
    }

    #[derive(Deserialize)]
    pub struct Case {
        pub id: String,
        #[serde(default)]
        pub api: Option<String>,
        pub index: String,
        pub logs: String,
        pub query: String,
        pub from: i64,
        pub to: i64,
        pub line: Option<i64>,
        pub offset: Option<i64>,
        pub reverse: Option<bool>,
        #[serde(default)]
        pub pre_index: Vec<String>,
        #[serde(default)]
        pub back_lines: i64,
        #[serde(default)]
        pub forward_lines: i64,
        pub expect: Expected,
    }

    #[derive(Deserialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    pub enum Expected {
        Logs {
            rids: Vec<String>,
            #[serde(default)]
            ordered: bool,
            #[serde(default)]
            extra_fields: Vec<String>,
        },
        Rows {
            rows: Vec<BTreeMap<String, String>>,
            #[serde(default)]
            ordered: bool,
            #[serde(default)]
            float_tolerance: f64,
        },
        Error {
            status: u16,
            code: String,
            #[serde(default)]
            message_contains: String,
        },
        Histogram {
            total: u64,
        },
        Context {
            total_lines: i64,
            back_lines: i64,
            forward_lines: i64,
            rids: Vec<String>,
            index_numbers: Vec<String>,
        },
    }
}

#[tokio::test]
async fn every_case_but_the_pending_ones_passes() {
    let suite: Suite = serde_json::from_str(FILE).expect("the cases are valid");
    let bed = Bed::start().await;
    let mut failures = BTreeMap::new();
    for case in &suite.cases {
        let outcome = run(&bed, &suite, case).await;
        if let Err(problem) = outcome {
            failures.insert(case.id.as_str(), problem);
        }
    }
    let failed: BTreeSet<&str> = failures.keys().copied().collect();
    let pending: BTreeSet<&str> = PENDING.lines().filter(|line| !line.is_empty()).collect();
    let details: Vec<String> =
        failed.difference(&pending).map(|id| format!("{id}: {}", failures[id])).collect();
    assert!(details.is_empty(), "cases that should pass:\n{}", details.join("\n"));
    let passed: Vec<_> = pending.difference(&failed).collect();
    assert!(passed.is_empty(), "these pass now, take them out of pending-cases.txt: {passed:?}");
}

async fn run(bed: &Bed, suite: &Suite, case: &Case) -> Result<(), String> {
    let logstore = bed.create_logstore(&format!("case-{}", case.id)).await;
    let logs = match &suite.datasets[&case.logs] {
        Dataset::Logs(logs) => logs.clone(),
        Dataset::Rule { generate } => generated(generate, suite.format.t0),
    };
    let (before, after): (Vec<_>, Vec<_>) =
        logs.into_iter().partition(|log| case.pre_index.contains(&log.id));
    put(bed, &logstore, &before).await;
    if let Some(index) = &suite.indexes[&case.index] {
        bed.create_index(&logstore, index).await;
    }
    put(bed, &logstore, &after).await;
    match case.api.as_deref() {
        None => check(&case.expect, bed.get_logs(&logstore, request(case)).await),
        Some("histogram") => {
            let query = HistogramQuery {
                from: case.from,
                to: case.to,
                query: case.query.clone(),
                ..Default::default()
            };
            let answer = bed.histograms(&logstore, query).await.map_err(|error| error.to_string())?;
            check_histogram(case, &answer)
        }
        Some("context") => {
            let answer = context(bed, &logstore, case).await.map_err(|error| error.to_string())?;
            check_context(&case.expect, &answer)
        }
        Some(other) => Err(format!("no operation for {other}")),
    }
}

/// The context of the first log that the case's query finds.
async fn context(bed: &Bed, logstore: &InLogstore, case: &Case) -> Result<ContextLogs, ClientError> {
    let found = bed.get_logs(logstore, request(case)).await?;
    let field = |name| found.data[0].get(name).expect("a log with its pack").to_owned();
    let query = ContextQuery {
        pack_id: field("__tag__:__pack_id__"),
        pack_meta: field("__pack_meta__"),
        back_lines: case.back_lines,
        forward_lines: case.forward_lines,
    };
    bed.send::<GetContextLogs>(logstore, &query, &()).await.map(|Json(answer)| answer)
}

fn check_context(expected: &Expected, answer: &ContextLogs) -> Result<(), String> {
    let Expected::Context { total_lines, back_lines, forward_lines, rids, index_numbers } = expected else {
        return Err("not an answer of GetContextLogs".to_owned());
    };
    let column = |name| -> Vec<&str> { answer.logs.iter().map(|row| row.get(name).unwrap_or("?")).collect() };
    let counts = (answer.total_lines, answer.back_lines, answer.forward_lines);
    let same = counts == (*total_lines, *back_lines, *forward_lines)
        && column("rid") == *rids
        && column("__index_number__") == *index_numbers
        && answer.progress == Progress::Complete;
    if same { Ok(()) } else { Err(format!("another context: {answer:?}")) }
}

fn request(case: &Case) -> GetLogsRequest {
    GetLogsRequest {
        from: case.from,
        to: case.to,
        query: case.query.clone(),
        line: case.line,
        offset: case.offset,
        reverse: case.reverse,
        ..GetLogsRequest::default()
    }
}

async fn put(bed: &Bed, logstore: &InLogstore, logs: &[TestLog]) {
    for group in groups(logs) {
        bed.put(logstore, &group).await;
    }
}

/// One group per distinct topic, source and tags, in order of appearance.
fn groups(logs: &[TestLog]) -> Vec<LogGroup> {
    let mut groups: Vec<LogGroup> = Vec::new();
    let mut known = HashMap::new();
    for log in logs {
        let at = *known.entry((&log.topic, &log.source, &log.tags)).or_insert(groups.len());
        if at == groups.len() {
            let tags = log.tags.iter().map(|(key, value)| LogTag { key: key.clone(), value: value.clone() });
            groups.push(LogGroup {
                topic: Some(log.topic.clone()),
                source: Some(log.source.clone()),
                log_tags: tags.collect(),
                ..LogGroup::default()
            });
        }
        let contents = log.contents.iter().map(|(key, value)| {
            Content::new(key.clone(), value.as_str().expect("every value is a text").to_owned())
        });
        groups[at].logs.push(Log { time: log.time, contents: contents.collect(), time_ns: None });
    }
    groups
}

fn generated(rule: &str, t0: u32) -> Vec<TestLog> {
    assert!(rule.starts_with("for i in 0..250: id=b%03d, time=t0+i,"), "a new rule: {rule}");
    (0..250u32)
        .map(|i| {
            let id = format!("b{i:03}");
            let level = if i % 5 == 0 { "ERROR" } else { "INFO" };
            let contents = serde_json::json!({"rid": id, "n": i.to_string(), "level": level});
            TestLog {
                id,
                time: t0 + i,
                topic: String::new(),
                source: "10.0.0.1".to_owned(),
                tags: BTreeMap::new(),
                contents: contents.as_object().cloned().unwrap_or_default(),
            }
        })
        .collect()
}

fn check(expected: &Expected, outcome: Result<LogsReply, ClientError>) -> Result<(), String> {
    match (expected, outcome) {
        (
            Expected::Error { status, code, message_contains },
            Err(ClientError::Api { status: got, code: got_code, message, .. }),
        ) => {
            let contains = message.to_lowercase().contains(&message_contains.to_lowercase());
            match got == *status && got_code == *code && contains {
                true => Ok(()),
                false => Err(format!("another error: {got} {got_code} {message}")),
            }
        }
        (Expected::Error { .. }, Ok(reply)) => Err(format!("no error but {:?}", reply.data)),
        (_, Err(error)) => Err(error.to_string()),
        (Expected::Logs { rids, ordered, extra_fields }, Ok(reply)) => {
            check_logs(&reply, rids, *ordered, extra_fields)
        }
        (Expected::Rows { rows, ordered, float_tolerance }, Ok(reply)) => {
            check_rows(&reply, rows, *ordered, *float_tolerance)
        }
        (Expected::Histogram { .. } | Expected::Context { .. }, Ok(_)) => {
            Err("not an answer of GetLogs".to_owned())
        }
    }
}

fn check_logs(
    reply: &LogsReply,
    rids: &[String],
    ordered: bool,
    extra_fields: &[String],
) -> Result<(), String> {
    let mut found: Vec<&str> = reply.data.iter().map(|row| row.get("rid").unwrap_or("?")).collect();
    let mut wanted: Vec<&str> = rids.iter().map(String::as_str).collect();
    if !ordered {
        found.sort_unstable();
        wanted.sort_unstable();
    }
    if found != wanted || reply.meta.count != wanted.len() as u64 {
        return Err(format!("found {found:?}, count {}, wanted {wanted:?}", reply.meta.count));
    }
    let missing = extra_fields.iter().find(|field| reply.data.iter().any(|row| row.get(field).is_none()));
    missing.map_or(Ok(()), |field| Err(format!("a row has no {field}")))
}

fn check_rows(
    reply: &LogsReply,
    rows: &[BTreeMap<String, String>],
    ordered: bool,
    tolerance: f64,
) -> Result<(), String> {
    let extra = |name: &str| {
        matches!(name, "__time__" | "__source__") && rows.iter().all(|row| !row.contains_key(name))
    };
    let mut found: Vec<BTreeMap<&str, &str>> = reply
        .data
        .iter()
        .map(|row| row.0.iter().map(|(k, v)| (k.as_str(), v.as_str())).filter(|(k, _)| !extra(k)).collect())
        .collect();
    let mut wanted: Vec<BTreeMap<&str, &str>> =
        rows.iter().map(|row| row.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()).collect();
    if !ordered {
        found.sort_unstable();
        wanted.sort_unstable();
    }
    let same_row = |(a, b): (&BTreeMap<&str, &str>, &BTreeMap<&str, &str>)| {
        a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.0 == y.0 && same_value(x.1, y.1, tolerance))
    };
    match found.len() == wanted.len() && found.iter().zip(&wanted).all(same_row) {
        true => Ok(()),
        false => Err(format!("found {found:?}, wanted {wanted:?}")),
    }
}

fn same_value(a: &str, b: &str, tolerance: f64) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() <= tolerance;
    a == b || (tolerance > 0.0 && matches!((a.parse(), b.parse()), (Ok(a), Ok(b)) if close(a, b)))
}

fn check_histogram(case: &Case, answer: &Histograms) -> Result<(), String> {
    let Expected::Histogram { total } = case.expect else {
        return Err("the case expects no histogram".to_owned());
    };
    let sum: u64 = answer.buckets.iter().map(|bucket| bucket.count).sum();
    let first = answer.buckets.first().map(|bucket| bucket.from);
    let last = answer.buckets.last().map(|bucket| bucket.to);
    let contiguous = answer.buckets.windows(2).all(|pair| pair[0].to == pair[1].from);
    let right = sum == total && answer.count == total && contiguous;
    match right && first == Some(case.from) && last == Some(case.to) {
        true => Ok(()),
        false => Err(format!("{answer:?}")),
    }
}
