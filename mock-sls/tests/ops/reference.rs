//! The lists of operations that are made from the table: `docs/api.md`, `docs/openapi.json` and
//! the names of the tests in `src/operation_tests.txt`. `just api-table` writes them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use http::Request;
use mock_sls::Config;
use serde_json::Value;
use sls_api::ops::all_endpoints;

use super::bed::Bed;
use super::raw;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

async fn get(path: &str) -> Value {
    let bed = Bed::bare(Config::default()).await;
    let request = Request::get(path).header("host", "127.0.0.1").body(Vec::new()).unwrap();
    serde_json::from_slice(&raw::send(bed.server.addr(), request).await.body).unwrap()
}

/// Files below this folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The words of a text that could be names of operations.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Which test calls each operation: a test in Rust that names it, or else a transcript whose
/// answers name it, or else a file in which only helpers do.
fn tests() -> BTreeMap<String, String> {
    let names: Vec<&str> = all_endpoints().map(|endpoint| endpoint.name).collect();
    let mut found: BTreeMap<(u8, String), String> = BTreeMap::new();
    let mut add = |rank: u8, operation: &str, test: String| {
        if names.contains(&operation) {
            found.entry((rank, operation.to_owned())).or_insert(test);
        }
    };
    let folder = Path::new(CRATE).join("tests/ops");
    for file in files(&folder) {
        let path = file.strip_prefix(&folder).unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        if path.ends_with(".txt") {
            for line in text.lines() {
                if let Some(answer) = line.strip_prefix("  ") {
                    add(1, words(answer).next().unwrap_or_default(), path.to_owned());
                }
            }
            continue;
        }
        let module = path.trim_end_matches(".rs").replace('/', "::");
        let (mut is_test, mut test) = (false, None);
        for line in text.lines() {
            if line.starts_with("#[tokio::test") || line.starts_with("#[test]") {
                is_test = true;
            } else if let Some(rest) =
                line.trim_start_matches("pub ").trim_start_matches("async ").strip_prefix("fn ")
            {
                test = words(rest).next().filter(|_| is_test);
                is_test = false;
            } else if !line.starts_with("use ") && line.contains("::<") {
                for word in words(line) {
                    match test {
                        Some(test) => add(0, word, format!("{module}::{test}")),
                        None => add(2, word, module.clone()),
                    }
                }
            }
        }
    }
    let mut tests = BTreeMap::new();
    for ((_, operation), test) in found {
        tests.entry(operation).or_insert(test);
    }
    tests
}

#[test]
fn every_operation_has_a_test() {
    let tests = tests();
    let untested: Vec<&str> =
        all_endpoints().map(|endpoint| endpoint.name).filter(|name| !tests.contains_key(*name)).collect();
    assert!(
        untested.is_empty(),
        "no test calls {untested:?}: name them in a test of tests/ops or in a script below it"
    );
    let lines: String = tests.iter().fold(String::new(), |mut lines, (operation, test)| {
        writeln!(lines, "{operation} {test}").unwrap();
        lines
    });
    expect_file![format!("{CRATE}/src/operation_tests.txt")].assert_eq(&lines);
}

#[tokio::test]
async fn the_table_of_operations_is_up_to_date() {
    let table = get("/_mock/v1/operations").await;
    let operations = table["operations"].as_array().unwrap();
    assert_eq!(operations.len(), all_endpoints().count(), "every operation is served");
    let tests = tests();
    let mut page = String::from(
        "# Operations of mock-sls\n\nWritten by `just api-table` from the table of operations; a test compares.\n\n\
         *Tier*: A is needed by nearly everyone, B is common, C is rare. *Fidelity*: full is as the service as \
         far as known; partial says what differs; accepted is stored and returned, without effect.\n\
         A running emulator has the same as JSON, with counts of calls and errors, at \
         `/_mock/v1/operations`, and as OpenAPI at `/_mock/v1/openapi.json`.\n\n\
         | operation | request | tier | fidelity | known from | test |\n|---|---|---|---|---|---|\n",
    );
    for operation in operations {
        let text = |key: &str| operation[key].as_str().unwrap_or_default();
        let selector = match text("selector") {
            "" => String::new(),
            selector => format!("?{selector}"),
        };
        let account = if text("scope") == "account" { " (bare endpoint)" } else { "" };
        let fidelity = match text("difference") {
            "" => text("fidelity").to_owned(),
            difference => format!("{}: {difference}", text("fidelity")),
        };
        writeln!(
            page,
            "| {} | `{} {}{selector}`{account} | {} | {fidelity} | {}: {} | {} |",
            text("name"),
            text("method"),
            text("path"),
            text("tier"),
            text("knownFrom"),
            text("source"),
            tests.get(text("name")).map_or("", String::as_str),
        )
        .unwrap();
    }
    expect_file![format!("{CRATE}/../docs/api.md")].assert_eq(&page);
}

#[tokio::test]
async fn the_api_description_is_up_to_date_and_describes_every_operation() {
    let mut description = get("/_mock/v1/openapi.json").await;
    let paths = description["paths"].as_object_mut().unwrap();
    let mut ids: Vec<String> = Vec::new();
    for operation in paths.values_mut().flat_map(|path| path.as_object_mut().unwrap().values_mut()) {
        ids.push(operation["operationId"].as_str().unwrap().to_owned());
    }
    ids.sort();
    let mut names: Vec<String> = all_endpoints().map(|endpoint| endpoint.name.to_owned()).collect();
    names.sort();
    assert_eq!(ids, names);
    expect_file![format!("{CRATE}/../docs/openapi.json")].assert_eq(&one_operation_a_line(&description));
}

/// JSON with a line for each operation, so that a change of one shows as one.
fn one_operation_a_line(description: &Value) -> String {
    let mut text = String::from("{\n");
    for (key, value) in description.as_object().unwrap() {
        if key != "paths" {
            writeln!(text, "{}: {value},", Value::from(key.as_str())).unwrap();
        }
    }
    text.push_str("\"paths\": {\n");
    let paths = description["paths"].as_object().unwrap().iter().map(|(path, methods)| {
        let methods: Vec<String> = methods
            .as_object()
            .unwrap()
            .iter()
            .map(|(method, operation)| format!("  {}: {operation}", Value::from(method.as_str())))
            .collect();
        format!(" {}: {{\n{}\n }}", Value::from(path.as_str()), methods.join(",\n"))
    });
    text.push_str(&paths.collect::<Vec<_>>().join(",\n"));
    text.push_str("\n}\n}\n");
    text
}
