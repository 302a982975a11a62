//! `docs/assertions.md`: its examples are parts of tests that run, and it leaves no member out.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use sls_api::ops::logs::Row;
use sls_expect::golden::Difference;
use sls_expect::verdict::{Miss, Moment, Near, TermHits, Violation};
use sls_expect::{Condition, Count, Ending, Expectation, Explanation, Golden, Verdict};

/// The examples of the document: the file that a link in the line before each names, and its text.
fn examples(document: &str) -> Vec<(&str, String)> {
    let mut examples = Vec::new();
    let mut lines = document.lines();
    let mut before = "";
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if let Some((_, rest)) = before.split_once("](../")
                && let Some((file, _)) = rest.split_once(')')
            {
                examples.push((file, unindented(&code.join("\n"))));
            }
        }
        if !line.is_empty() {
            before = line;
        }
    }
    examples
}

fn unindented(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_examples_are_parts_of_tests_in_every_language() {
    let document = read("docs/assertions.md");
    let examples = examples(&document);
    for (file, example) in &examples {
        assert!(unindented(&read(file)).contains(example), "this is not in {file}:\n{example}");
    }
    let endings: BTreeSet<&str> =
        examples.iter().filter_map(|(file, _)| file.rsplit_once('.')).map(|(_, ending)| ending).collect();
    assert_eq!(endings, BTreeSet::from(["go", "java", "js", "py", "rs", "sh"]));
}

#[test]
fn every_member_of_question_and_answer_is_described() {
    let document = read("docs/assertions.md");
    // Whole literals, so that a further member does not compile without a place here.
    let asked = Expectation {
        name: Some(String::new()),
        project: String::new(),
        logstore: String::new(),
        query: String::new(),
        scope: Some(String::new()),
        from: Some(1),
        to: Some(2),
        count: Some(Count::Between { n: 1, max: 2 }),
        timeout_ms: Some(1),
        stable_ms: Some(1),
        each: vec![Condition {
            field: Some(String::new()),
            tag: Some(String::new()),
            equals: Some(String::new()),
            not_equals: Some(String::new()),
            matches: Some(String::new()),
            one_of: Some(Vec::new()),
            present: Some(true),
        }],
        all_have: vec![String::new()],
        fields_exactly: Some(Vec::new()),
        golden: Some(Golden {
            logs: Vec::new(),
            ignore: Some(Vec::new()),
            normalize_time: true,
            unordered: true,
        }),
        rows: Some(Vec::new()),
        logs: true,
    };
    let log = Row::default();
    let explanation = Explanation {
        why: String::new(),
        timeline: vec![Moment { ms: 1, count: 1 }],
        violations: vec![Violation { log: log.clone(), wrong: Vec::new() }],
        violating: 1,
        differences: vec![Difference::Differs { number: 1, columns: Vec::new() }],
        different: 1,
        terms: vec![TermHits { term: String::new(), hits: 1 }],
        nearest: vec![Near {
            log: log.clone(),
            misses: vec![Miss { term: String::new(), found: Some(String::new()) }],
        }],
        last: vec![log.clone()],
        hints: vec![String::new()],
        curl: "curl".to_owned(),
    };
    let told = Verdict {
        name: String::new(),
        ok: false,
        ending: Ending::TimedOut,
        expected: String::new(),
        count: 1,
        elapsed_ms: 1,
        logs: vec![log],
        explanation: Some(Box::new(explanation)),
    };
    let (asked, told) = (serde_json::to_value(asked).unwrap(), serde_json::to_value(told).unwrap());
    let mut names = BTreeSet::from(["text".to_owned()]);
    for value in [&asked, &told] {
        members(value, &mut names);
    }
    for name in names {
        let described = document.contains(&format!("`{name}`")) || document.contains(&format!("\"{name}\""));
        assert!(described, "docs/assertions.md says nothing of {name}");
    }
}

fn members(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                names.insert(name.clone());
                members(value, names);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| members(value, names)),
        _ => {}
    }
}
