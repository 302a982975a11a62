//! Runs `fixtures/query-cases.json`, whose header says how, over HTTP: each case is a test with its
//! query as name, in brackets whether its expectation is stated somewhere or inferred.

#[path = "../query/bed.rs"]
mod bed;
mod file;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bed::Bed;
use file::{Case, Dataset, Expected, FILE, Suite, TestLog};
use libtest_mimic::{Arguments, Failed, Trial};
use sls_api::Json;
use sls_api::log_group::{Content, Log, LogGroup, LogTag};
use sls_api::ops::InLogstore;
use sls_api::ops::logs::{
    ContextLogs, ContextQuery, GetContextLogs, GetLogsRequest, HistogramQuery, Histograms, LogsReply,
    Progress,
};
use sls_client::ClientError;
use tokio::runtime::Runtime;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let suite: Arc<Suite> = Arc::new(serde_json::from_str(FILE).expect("the cases are valid"));
    let runtime = Runtime::new().expect("a runtime");
    let bed = Arc::new(runtime.block_on(Bed::start()));
    let runtime = Arc::new(runtime);
    let trials = suite.cases.iter().map(|case| {
        let (suite, runtime, bed, case) = (suite.clone(), runtime.clone(), bed.clone(), case.clone());
        let name = format!("{}: {}", case.id, shortened(&case.query));
        // Expectations that nobody has stated are told apart from those of documents and SDKs.
        let kind = if case.confidence == "inferred" { "inferred" } else { "stated" };
        Trial::test(name, move || runtime.block_on(run(&bed, &suite, &case)).map_err(Failed::from))
            .with_kind(kind)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// A query as part of a name: on one line, and not too long.
fn shortened(query: &str) -> String {
    let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(NAME_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Characters of a query in a test's name.
const NAME_CHARS_MAX: usize = 80;

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
