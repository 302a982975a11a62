//! Searches against a model: a naive evaluator that splits every value into its words must find
//! the same logs as the matcher, whose search in place and early ruling-out it knows nothing of.

use std::ops::ControlFlow;

use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

use super::{
    expr::{Glyph, Number, SearchExpr, Test, Text},
    log_view::GroupView,
    matcher::{Matcher, Options},
    parse,
    summary::Summary,
    testing::{Bed, config},
};

/// Fields of the test logs with their delimiters; `e` has no index of its own.
const FIELDS: [(&str, &str); 3] = [("a", " ,"), ("b", ""), ("c", " .")];
const LINE: &str = " ;";

fn bed(logs: &[Value], line: bool) -> Bed {
    let tokens = |delimiters: &str| delimiters.chars().map(String::from).collect::<Vec<_>>();
    let mut keys = serde_json::Map::new();
    for (name, delimiters) in FIELDS {
        let sensitive = name == "c";
        keys.insert(
            name.to_owned(),
            json!({"type": "text", "token": tokens(delimiters), "caseSensitive": sensitive}),
        );
    }
    keys.insert("i".to_owned(), json!({"type": "long"}));
    let mut index = json!({"keys": keys});
    if line {
        index["line"] = json!({"token": tokens(LINE)});
    }
    Bed::new(config(index), logs)
}

fn holds(expr: &SearchExpr, log: &Value, line: bool) -> bool {
    match expr {
        SearchExpr::All => true,
        SearchExpr::And(parts) => parts.iter().all(|part| holds(part, log, line)),
        SearchExpr::Or(parts) => parts.iter().any(|part| holds(part, log, line)),
        SearchExpr::Not(part) => !holds(part, log, line),
        SearchExpr::FullText(text) => full_text(text, log, line),
        SearchExpr::Field(key, test) => log.get(key.as_str()).is_some_and(|value| {
            let value = value.as_str().unwrap_or_default();
            match test {
                Test::Present => true,
                Test::Empty => value.is_empty(),
                Test::Within(range) => value.parse().is_ok_and(|n| range.contains(Number::Long(n))),
                Test::Text(text) => {
                    words_of(text, key.as_str()).iter().all(|word| has(value, word, key.as_str()))
                }
            }
        }),
    }
}

fn full_text(text: &Text, log: &Value, line: bool) -> bool {
    let mut ways: Vec<&str> = FIELDS.map(|(name, _)| name).to_vec();
    if line {
        ways.push("e");
    }
    let fields = || log.as_object().into_iter().flatten().filter(|(name, _)| ways.contains(&name.as_str()));
    // Found if the words that one way of cutting makes are in fields that are cut into the same.
    ways.iter().any(|way| {
        let words = words_of(text, way);
        words.iter().all(|word| {
            let in_values = fields().any(|(name, value)| {
                words_of(text, name) == words && has(value.as_str().unwrap_or_default(), word, name)
            });
            let names = log.as_object().into_iter().flatten().map(|(name, _)| name);
            in_values
                || (line
                    && words_of(text, "e") == words
                    && names.into_iter().any(|name| has(name, word, "e")))
        })
    })
}

fn delimiters(field: &str) -> &'static str {
    FIELDS.iter().find(|(name, _)| *name == field).map_or(LINE, |(_, delimiters)| delimiters)
}

fn words_of(text: &Text, field: &str) -> Vec<Vec<Glyph>> {
    let glyphs = match text {
        Text::Bare(glyphs) => glyphs.clone(),
        Text::Quoted(text) | Text::Phrase(text) => text.chars().map(Glyph::Char).collect(),
    };
    let is_delimiter = |glyph: &Glyph| matches!(glyph, Glyph::Char(c) if delimiters(field).contains(*c));
    let words = glyphs.split(is_delimiter).filter(|word| word.iter().any(|glyph| *glyph != Glyph::AnyRun));
    words.map(<[Glyph]>::to_vec).collect()
}

fn has(value: &str, word: &[Glyph], field: &str) -> bool {
    let fold = |text: &str| if field == "c" { text.to_owned() } else { text.to_lowercase() };
    let wanted: Vec<Glyph> = word
        .iter()
        .flat_map(|glyph| match glyph {
            Glyph::Char(c) => fold(&c.to_string()).chars().map(Glyph::Char).collect(),
            other => vec![*other],
        })
        .collect();
    let words = value.split(|c| delimiters(field).contains(c)).filter(|word| !word.is_empty());
    words.map(|word| fold(word).chars().collect::<Vec<_>>()).any(|word| is_like(&word, &wanted))
}

fn is_like(word: &[char], wanted: &[Glyph]) -> bool {
    match (wanted, word) {
        ([], _) => word.is_empty(),
        ([Glyph::AnyRun, after @ ..], _) => (0..=word.len()).any(|at| is_like(&word[at..], after)),
        ([Glyph::AnyOne, after @ ..], [_, rest @ ..]) => is_like(rest, after),
        ([Glyph::Char(c), after @ ..], [first, rest @ ..]) => c == first && is_like(rest, after),
        _ => false,
    }
}

fn search() -> impl Strategy<Value = String> {
    let word = r"[abX][abX.;,]{0,2}[*?]?[ab]{0,1}";
    let quoted = r"[abX .;,*]{1,5}".prop_map(|text| format!("\"{text}\""));
    let text = prop_oneof![3 => word.prop_map(String::from), 1 => quoted];
    let term = prop_oneof![
        4 => text.clone(),
        4 => ("[abc]", text).prop_map(|(field, text)| format!("{field}:{text}")),
        1 => "[abc]:\\*",
        1 => "[abc]:\"\"",
        1 => "i (>|<|>=) [0-9]",
    ];
    term.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|parts| parts.join(" ")),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

fn logs() -> impl Strategy<Value = Vec<Value>> {
    let value = "[abX .;,*é]{0,7}";
    let log = prop::collection::btree_map("[abce]", value, 0..4);
    prop::collection::vec(log, 1..6).prop_map(|logs| {
        logs.into_iter()
            .enumerate()
            .map(|(i, mut log)| {
                log.insert("i".to_owned(), i.to_string());
                json!(log)
            })
            .collect()
    })
}

/// Cases of an ordinary run of the tests. Own choice: about a second each; `just differential` runs very many.
const MATCHER_CASES: u32 = 100;
const SUMMARY_CASES: u32 = 400;
/// Searches of a case of the matcher, over the same logs: what it takes to make these is most of a case with one.
const SEARCHES: usize = 8;

/// So many cases, or what proptest's own environment variable says.
fn run_with(cases: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(cases),
    }
}

proptest! {
    #![proptest_config(run_with(MATCHER_CASES))]

    #[test]
    fn the_matcher_finds_what_the_model_finds(
        logs in logs(), searches in prop::collection::vec(search(), SEARCHES), line in any::<bool>(),
    ) {
        // The first search keeps a summary of the logs, which those after it use.
        let mut bed = bed(&logs, line);
        for search in searches {
            let Ok(expr) = parse::parse(&search) else { continue };
            let found = bed.found(&search);
            if found.starts_with("ErrorType:") {
                continue;
            }
            let expected: Vec<String> =
                logs.iter().enumerate().filter(|(_, log)| holds(&expr, log, line)).map(|(i, _)| i.to_string()).collect();
            prop_assert_eq!(found, expected.join(" "), "{}", search);
        }
    }
}

proptest! {
    #![proptest_config(run_with(SUMMARY_CASES))]

    #[test]
    fn a_summary_never_says_what_the_matcher_does_not(
        logs in logs(), search in search(), phrase in prop::option::of("[abX ]{1,4}"), line in any::<bool>(),
        values_max in prop_oneof![Just(0_usize), Just(1), Just(128)],
    ) {
        let search = phrase.map_or(search.clone(), |phrase| format!("({search}) or #\"{phrase}\""));
        let Ok(expr) = parse::parse(&search) else { return Ok(()) };
        let bed = bed(&logs, line);
        let index = bed.indexes.map(|indexes| indexes.current).unwrap_or_default();
        let Ok(matcher) = Matcher::new(&expr, &index, Options::default()) else { return Ok(()) };
        let raw = bed.groups[0].0.encode_to_vec();
        let summary = Summary::with_values(&raw, values_max).unwrap().expect("a summary");
        let verdict = matcher.judge(&summary);
        let walk = GroupView::parse(&raw).unwrap().for_each(|_| true, |row, log| {
            let (found, sure, possible) =
                (matcher.matches(log), verdict.sure.has(row), verdict.possible.has(row));
            match (found || !sure) && (possible || !found) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(format!("log {row}: found {found}, sure {sure}, possible {possible}")),
            }
        });
        prop_assert_eq!(walk, Ok(ControlFlow::Continue(())));
    }
}
