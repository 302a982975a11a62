//! The grammar, as searches and the trees they make.

use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

/// A short form of the tree: `(and a (or b c))`.
fn sketch(expr: &SearchExpr) -> String {
    let list = |name: &str, parts: &[SearchExpr]| {
        let parts: Vec<String> = parts.iter().map(sketch).collect();
        format!("({name} {})", parts.join(" "))
    };
    match expr {
        SearchExpr::All => "*".to_owned(),
        SearchExpr::And(parts) => list("and", parts),
        SearchExpr::Or(parts) => list("or", parts),
        SearchExpr::Not(part) => format!("(not {})", sketch(part)),
        SearchExpr::FullText(text) => format!("{text}"),
        SearchExpr::Field(key, test) => format!("{}{}", key.as_str(), sketch_test(test)),
    }
}

fn sketch_test(test: &Test) -> String {
    let number = |n: &Number| match n {
        Number::Long(n) => n.to_string(),
        Number::Double(x) => x.to_string(),
    };
    match test {
        Test::Present => ":present".to_owned(),
        Test::Empty => ":empty".to_owned(),
        Test::Text(Text::Bare(glyphs)) => {
            format!(":{}", glyphs.iter().map(Glyph::to_string).collect::<String>())
        }
        Test::Text(Text::Quoted(text)) => format!(":{text:?}"),
        Test::Text(Text::Phrase(text)) => format!(":#{text:?}"),
        Test::Within(range) => {
            let low = match &range.low {
                Bound::Open => "(*".to_owned(),
                Bound::Inclusive(n) => format!("[{}", number(n)),
                Bound::Exclusive(n) => format!("({}", number(n)),
            };
            let high = match &range.high {
                Bound::Open => "*)".to_owned(),
                Bound::Inclusive(n) => format!("{}]", number(n)),
                Bound::Exclusive(n) => format!("{})", number(n)),
            };
            format!(" in {low} {high}")
        }
    }
}

fn check(searches: &[&str], expected: Expect) {
    let lines: Vec<String> = searches
        .iter()
        .map(|search| match parse(search) {
            Ok(expr) => sketch(&expr),
            Err(error) => format!("error: {error}"),
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn and_binds_tighter_than_or_and_not_takes_one_operand() {
    check(
        &[
            "",
            "*",
            "a b or c AND d",
            "level:error not msg:timeout or level:warn",
            "not (a or b) c",
            "a and not not b",
        ],
        expect![[r#"
            *
            *
            (or (and a b) (and c d))
            (or (and level:error (not msg:timeout)) level:warn)
            (and (not (or a b)) c)
            (and a (not (not b)))"#]],
    );
}

#[test]
fn fields_take_words_texts_presence_and_numbers() {
    check(
        &[
            r#"k:v k : "v w" "file info":x k:#"a b""#,
            r#"k:* not k:"" "#,
            "status>=400 latency = -1.5 t<3",
            "s in [200 299] s in (1,2) s:[* 5) s in [1, 2]",
            "__tag__:__hostname__:web* \"__tag__:a\":b __tag__:\"x y\":*",
            "source:10.0.0.1 info.param.name : p",
            "in in and k in [1 2] in",
            "in (a)",
        ],
        expect![[r#"
            (and k:v k:"v w" file info:x k:#"a b")
            (and k:present (not k:empty))
            (and status in [400 *) latency in [-1.5 -1.5] t in (* 3))
            (and s in [200 299] s in (1 2) s in (* 5) s in [1 2])
            (and __tag__:__hostname__:web* __tag__:a:b __tag__:x y:present)
            (and __source__:10.0.0.1 info.param.name:p)
            (and in in k in [1 2] in)
            (and in a)"#]],
    );
}

#[test]
fn errors_name_the_place() {
    check(
        &[
            "(request_method:GET",
            "time:12:30",
            "a and",
            "or b",
            "a)",
            "k>x",
            "k:",
            "s in [1 x]",
            "s in [1 2 3]",
            "host:*example.com",
            "?a",
            "__tag__:",
            r#"a not #"b c""#,
            r#"#"a*""#,
        ],
        expect![[r#"
            error: ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:20 to column:20,error near < end of query >
            error: ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:8 to column:9,error near < : >
            error: ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:6 to column:6,error near < end of query >
            error: ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:1 to column:3,error near < or >
            error: ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:2 to column:3,error near < ) >
            error: ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:3 to column:4,error near < x >
            error: ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:3 to column:3,error near < end of query >
            error: ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:9 to column:10,error near < x >
            error: ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:12 to column:13,error near < ] >
            error: ErrorType:QueryParseError.ErrorMessage:only support * or ? in the middle or end of the query: *example.com
            error: ErrorType:QueryParseError.ErrorMessage:only support * or ? in the middle or end of the query: ?a
            error: ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:9 to column:9,error near < end of query >
            error: ErrorType:QueryParseError.ErrorMessage:phrase search does not support not
            error: ErrorType:QueryParseError.ErrorMessage:phrase search does not support wildcards"#]],
    );
}

#[test]
fn conditions_and_nesting_are_bounded() {
    let many = vec!["x"; 31].join(" or ");
    assert_eq!(parse(&many), Err(QueryError::TooManyConditions { count: 31, max: 30 }));
    assert!(parse(&vec!["x"; 30].join(" ")).is_ok());
    let deep = format!("{}x{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(parse(&deep), Err(QueryError::TooDeep { max: NESTING_MAX }));
    let negated = format!("{}x", "not ".repeat(100_000));
    assert_eq!(parse(&negated), Err(QueryError::TooDeep { max: NESTING_MAX }));
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(search in r##"([a-z*?:()\[\]"#<>=\\ .,登|0-9-]|and|or|not|in| ){0,40}"##) {
        let _ = parse(&search);
    }
}
