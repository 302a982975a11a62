//! Pipelines and the rows that they make of a few logs.

use expect_test::expect_file;
use proptest::prelude::*;
use serde_json::json;

use crate::query::{
    QueryError,
    answers::check_file,
    request::Page,
    spl::{Pipeline, SplError},
    testing::{Bed, index},
};

fn bed() -> Bed {
    let logs = [
        json!({"i": "1", "status": "200", "host": "api", "t": "GET /a 12", "j": "{\"a\":\"p\",\"b\":{\"c\":7},\"l\":[1,\"z\"],\"n\":null}", "kv": "x=1&y=2"}),
        json!({"i": "2", "status": "404", "host": "www", "t": "POST /b 7", "j": "nope", "csv": "p,\"q,r\",s"}),
        json!({"i": "3", "status": "abc", "host": "api", "list": "[\"u\",{\"v\":1}]"}),
    ];
    Bed::new(index(&["i"]), &logs)
}

fn rows(bed: &mut Bed, query: &str) -> String {
    match bed.run(query, Page { offset: 0, lines: 100, reverse: false }) {
        Ok(reply) => {
            let row = |row: &sls_api::ops::logs::Row| {
                let cells =
                    row.0.iter().filter(|(key, _)| !matches!(key.as_str(), "__time__" | "__source__"));
                cells.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
            };
            reply.data.iter().map(row).collect::<Vec<_>>().join("\n")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn pipelines_of_the_file_give_their_rows() {
    let mut bed = bed();
    check_file(include_str!("pipelines.txt"), expect_file!["pipelines.txt"], |query| rows(&mut bed, query));
}

#[test]
fn an_answer_says_that_it_was_scanned_and_can_be_paged() {
    let mut bed = bed();
    let page = Page { offset: 1, lines: 1, reverse: true };
    let reply = bed.run("* | project i", page).expect("rows");
    assert_eq!((reply.meta.mode, reply.meta.has_sql, reply.meta.count), (2, false, 1));
    assert_eq!(reply.meta.keys, ["i", "__time__"]);
    assert_eq!(reply.data[0].get("i"), Some("2"));
}

#[test]
fn pipelines_have_at_most_sixteen_commands_and_64_kib() {
    let long = |count| vec!["limit 5"; count].join(" | ");
    assert!(Pipeline::parse(&long(16)).is_ok());
    assert_eq!(Pipeline::parse(&long(17)).err(), Some(SplError::TooLong));
    let wide = format!("where i = '{}'", "x".repeat(64 * 1024));
    assert_eq!(Pipeline::parse(&wide).err(), Some(SplError::TooLong));
    let outcome = bed().run(&format!("* | {wide}"), Page { offset: 0, lines: 1, reverse: false });
    assert!(matches!(outcome, Err(QueryError::Pipeline(SplError::TooLong))));
}

/// Whether a pipeline over these logs is refused for its memory.
fn is_too_large(logs: &[serde_json::Value], query: &str) -> bool {
    let outcome = rows(&mut Bed::new(index(&["i"]), logs), query);
    outcome.contains("needs more than 512 MiB of memory")
}

#[test]
fn rows_that_grow_beyond_their_memory_are_refused() {
    let list = serde_json::to_string(&["e"; 10]).expect("a list");
    let wide = json!({"i": "1", "list": list, "text": "t".repeat(1 << 20)});
    let logs = vec![wide; 10];
    let twice = "* | expand-values -keep list as a | expand-values -keep list as b";
    assert!(is_too_large(&logs, twice));
    let copies: Vec<String> = (0..60).map(|n| format!("c{n} = text")).collect();
    assert!(is_too_large(&logs, &format!("* | project {}", copies.join(", "))));
    assert!(!is_too_large(&logs, "* | expand-values list | limit 1 | project list"));
}

#[test]
fn fields_that_other_logs_have_count_as_memory() {
    let fields = |n| json!({format!("a{n}"): "x", format!("b{n}"): "y"});
    let logs: Vec<_> = (0..3000).map(fields).collect();
    assert!(is_too_large(&logs, "* | limit 1"));
    let logs: Vec<_> = (0..3000).map(|n| json!({"j": fields(n).to_string()})).collect();
    assert!(is_too_large(&logs, "* | parse-json j | limit 1"));
}

#[test]
fn a_field_goes_where_its_exact_name_stands() {
    let logs = [json!({"Host": "a", "host": "b"}), json!({"HOST": "c"})];
    let mut bed = Bed::new(index(&["i"]), &logs);
    assert_eq!(
        rows(&mut bed, "* | project host, Host, HOST"),
        "host=b Host=a HOST=null\nhost=null Host=null HOST=c"
    );
    let twice = "* | project a = host, b = host, Host | project-rename c = a";
    assert_eq!(rows(&mut bed, twice), "c=b b=b Host=a\nc=null b=null Host=null");
}

#[test]
fn a_long_list_of_names_over_many_fields_is_worked_through() {
    let fields: serde_json::Map<_, _> = (0..4000).map(|n| (format!("f{n}"), json!("x"))).collect();
    let mut bed = Bed::new(index(&["i"]), &[json!(fields)]);
    let swapped = vec!["f0=f1,f1=f0"; 5000].join(",");
    // The first of them overwrites a field.
    let outcome = rows(&mut bed, &format!("* | project-rename {swapped} | project f1, f0, f2"));
    assert_eq!(outcome, "f1=x f0=null f2=x");
    let every = vec!["f*"; 100].join(",");
    assert_eq!(rows(&mut bed, &format!("* | project {every} | project f7")), "f7=x");
}

proptest! {
    /// Names of a few letters in both cases, so that they are often those of other columns.
    #[test]
    fn names_given_at_once_are_those_given_one_after_the_other(
        fields in prop::collection::btree_set("[a-cA-C]", 1..6),
        pairs in prop::collection::vec("[a-cA-C]=[a-cA-C]", 1..8),
    ) {
        let fields = fields.into_iter().map(|name| (name.clone(), json!(format!("value of {name}"))));
        let mut bed = Bed::new(index(&["i"]), &[json!(serde_json::Map::from_iter(fields))]);
        let at_once = format!("* | project-rename {}", pairs.join(", "));
        let one_by_one: Vec<String> = pairs.iter().map(|pair| format!("project-rename {pair}")).collect();
        prop_assert_eq!(rows(&mut bed, &at_once), rows(&mut bed, &format!("* | {}", one_by_one.join(" | "))));
    }

    #[test]
    fn any_pipeline_is_read_or_refused(text in r#"(where|extend|project|project-away|parse-json|parse-csv|parse-kv|expand-values|sort|limit|stats| by | as | desc|[a-z*=,|'"$.()<>0-9 -]){0,30}"#) {
        let mut bed = bed();
        if let Ok(pipeline) = Pipeline::parse(&text) {
            prop_assert!(pipeline.stages.len() <= 16);
            let _ = rows(&mut bed, &format!("* | {text}"));
        }
    }
}
