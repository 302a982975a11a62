//! What one would write first: a `String` a line, a library that parses it, message objects, lz4.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use collector::engine::reader::Now;
use collector::pipeline::{Delimiter, Parse, Pipeline};
use prost::Message;
use sls_api::codec::{Compression, compress};
use sls_api::log_group::{Content, Log, LogGroup};

/// CPU time for all lines of `log`.
pub fn run(log: &Path, pipeline: &Pipeline, cpu: impl Fn() -> Duration) -> Duration {
    let started = cpu();
    let contents = parser(&pipeline.parse);
    let mut group = LogGroup::default();
    let mut text = 0;
    let mut body = Vec::new();
    for line in BufReader::new(fs::File::open(log).expect("open")).lines() {
        let line = line.expect("read");
        text += line.len();
        let contents = contents(&line);
        group.logs.push(Log { time: Now::real().unix_seconds() as u32, contents, time_ns: None });
        if text > 512 * 1024 {
            body.clear();
            compress(&group.encode_to_vec(), Compression::Lz4, &mut body).expect("compress");
            std::hint::black_box(&body);
            (text, group) = (0, LogGroup::default());
        }
    }
    cpu() - started
}

type Contents = Box<dyn Fn(&str) -> Vec<Content>>;

fn parser(parse: &Parse) -> Contents {
    match parse {
        Parse::Simple { .. } => Box::new(|line| vec![Content::new("content", line.to_owned())]),
        Parse::Regex { regex, keys } => {
            let regex = regex::Regex::new(regex.as_str()).expect("the expression");
            let keys = keys.clone();
            Box::new(move |line| match regex.captures(line) {
                Some(found) => {
                    let keys = keys.iter().enumerate();
                    keys.map(|(i, key)| Content::new(key.as_str(), found[i + 1].to_owned())).collect()
                }
                None => vec![Content::new("__raw_log__", line.to_owned())],
            })
        }
        Parse::Json => Box::new(|line| {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(line).expect("an object");
            let text = |value: serde_json::Value| match value {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            object.into_iter().map(|(key, value)| Content::new(key, text(value))).collect()
        }),
        Parse::Delimiter(Delimiter { keys, .. }) => {
            let keys = keys.clone();
            Box::new(move |line| {
                let columns = unquoted(line);
                keys.iter().zip(columns).map(|(key, column)| Content::new(key.as_str(), column)).collect()
            })
        }
        Parse::Apsara { .. } => Box::new(apsara),
    }
}

fn unquoted(line: &str) -> Vec<String> {
    let mut columns = vec![String::new()];
    let mut chars = line.chars().peekable();
    let mut is_quoted = false;
    while let Some(char) = chars.next() {
        let column = columns.last_mut().expect("there is always one");
        match char {
            '"' if is_quoted && chars.peek() == Some(&'"') => column.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => columns.push(String::new()),
            other => column.push(other),
        }
    }
    columns
}

fn apsara(line: &str) -> Vec<Content> {
    let mut parts = line.split('\t');
    let time = parts.next().unwrap_or_default().trim_matches(['[', ']']);
    let time: jiff::civil::DateTime = time.parse().expect("a time");
    let micros = time.to_zoned(jiff::tz::TimeZone::UTC).expect("a time").timestamp().as_microsecond();
    let mut contents = Vec::new();
    for (key, part) in ["__LEVEL__", "__THREAD__"].into_iter().zip(&mut parts) {
        contents.push(Content::new(key, part.trim_matches(['[', ']']).to_owned()));
    }
    let place = parts.next().unwrap_or_default().trim_matches(['[', ']']);
    let (file, number) = place.split_once(':').unwrap_or((place, ""));
    contents.extend([Content::new("__FILE__", file.to_owned()), Content::new("__LINE__", number.to_owned())]);
    let pairs = parts.filter_map(|part| part.split_once(':'));
    contents.extend(pairs.map(|(key, value)| Content::new(key, value.to_owned())));
    contents.push(Content::new("microtime", micros.to_string()));
    contents
}
