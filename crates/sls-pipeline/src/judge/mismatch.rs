//! Where a text and a regex part: the longest beginning of the regex that some beginning of the text matches.

use std::time::Instant;

use regex_syntax::ast::{self, Ast};

use crate::pipeline::{Units, full_match_of};

/// Characters of the regex that are shown from the place on where it does not match.
const SHOWN_CHARS: usize = 16;

/// Levels of groups that are looked into. Source: own choice.
const DEPTH_MAX: usize = 8;

/// Where matching stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Bytes of the text that still match.
    pub text_offset: usize,
    /// Column in the regex of what does not match there, from 1; none if the text goes on after its end.
    pub pattern_column: Option<usize>,
    /// The regex from there on, shortened.
    pub pattern_rest: String,
}

/// Finds the place for a regex made by [`full_match`] that does not match `text`. None where it cannot be told:
/// beginnings of a valid regex are valid too, but for the rarest syntax. Nor is it told after the deadline; a
/// beginning that is being tried then is tried to its end.
pub fn place(full: &str, text: &[u8], deadline: Instant) -> Option<Place> {
    let pattern = full.strip_prefix(r"\A(?:")?.strip_suffix(r")\z")?;
    let ast = ast::parse::Parser::new().parse(pattern).ok()?;
    let mut cuts = vec![Cut { at: 0, open: 0 }];
    collect(&ast, 0, &mut cuts);
    // A beginning is read as the whole is: of itself it may be one of bytes where the whole is one of characters.
    let units = units_of(pattern);
    // Whether a beginning matches can only change once, from yes to no.
    let matches = |cut: &Cut| matched_bytes(pattern, units, *cut, text);
    let mut known = 0;
    let mut end = cuts.len();
    let mut text_offset = 0;
    while end - known > 1 {
        if Instant::now() >= deadline {
            return None;
        }
        let middle = known + (end - known) / 2;
        match matches(cuts.get(middle)?)? {
            Some(bytes) => (known, text_offset) = (middle, bytes),
            None => end = middle,
        }
    }
    let rest = pattern.get(cuts.get(known)?.at..)?;
    let is_at_end = known + 1 == cuts.len();
    let column = pattern.get(..cuts.get(known)?.at)?.chars().count() + 1;
    Some(Place {
        text_offset,
        pattern_column: (!is_at_end).then_some(column),
        pattern_rest: rest.chars().take(SHOWN_CHARS).collect(),
    })
}

/// A place where the pattern can be cut, with so many groups that are open there.
#[derive(Debug, Clone, Copy)]
struct Cut {
    at: usize,
    open: usize,
}

/// The ends of the parts that follow each other, also inside of groups.
fn collect(ast: &Ast, open: usize, cuts: &mut Vec<Cut>) {
    match ast {
        Ast::Concat(concat) => concat.asts.iter().for_each(|part| collect(part, open, cuts)),
        Ast::Group(group) if open < DEPTH_MAX && !matches!(*group.ast, Ast::Alternation(_)) => {
            collect(&group.ast, open + 1, cuts);
            cuts.push(Cut { at: group.span.end.offset, open });
        }
        Ast::Empty(_) => {}
        part => cuts.push(Cut { at: part.span().end.offset, open }),
    }
}

/// The units in which [`crate::pipeline::full_match`] reads the pattern.
fn units_of(pattern: &str) -> Units {
    if full_match_of(pattern, Units::Bytes).is_ok() { Units::Bytes } else { Units::Characters }
}

/// How far the pattern up to `cut` matches, from the begin of the text; `None` outside if it does not compile,
/// inside if it does not match.
fn matched_bytes(pattern: &str, units: Units, cut: Cut, text: &[u8]) -> Option<Option<usize>> {
    let beginning = pattern.get(..cut.at)?;
    let closing = ")".repeat(cut.open);
    let regex = full_match_of(&format!("({beginning}{closing})(?s-u:.*)"), units).ok()?;
    Some(regex.captures(text).map(|groups| groups.get(1).map_or(0, |group| group.end())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::pipeline::full_match;

    /// Expressions of a few parts, grouped at will.
    fn any_pattern() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "a", "é", r"\d+", ".*", "[^é]*", "(a|é)", r"\b", "(?:1a)?", "^", "$", "(?i:A)", "b{2}",
        ]);
        let parts = prop::collection::vec((part, 0..4u8), 1..7);
        parts.prop_map(|parts| {
            let grouped = parts.into_iter().map(|(part, group)| match group {
                0 => format!("({part}"),
                1 => format!("{part})"),
                _ => part.to_owned(),
            });
            grouped.collect()
        })
    }

    proptest! {
        #[test]
        fn some_beginning_of_the_regex_matches_up_to_the_place_and_none_that_is_longer(
            pattern in any_pattern(), text in "[aé1b ]{0,6}"
        ) {
            let full = match full_match(&pattern) {
                Ok(full) if !full.is_match(text.as_bytes()) => full,
                _ => return Ok(()),
            };
            let place = place(full.as_str(), text.as_bytes(), later()).expect("a place");
            let ast = ast::parse::Parser::new().parse(&pattern).expect("it compiles");
            let mut cuts = Vec::new();
            collect(&ast, 0, &mut cuts);
            let units = units_of(&pattern);
            let matches = |cut: &&Cut| {
                matched_bytes(&pattern, units, **cut, text.as_bytes()).expect("it compiles").is_some()
            };
            let longest = cuts.iter().filter(matches).map(|cut| cut.at).max().unwrap_or_default();
            let column = pattern[..longest].chars().count() + 1;
            let is_whole = longest == pattern.len();
            prop_assert_eq!(place.pattern_column, (!is_whole).then_some(column));
        }
    }

    /// A time that no test here comes to.
    fn later() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    fn check(pattern: &str, text: &str, expected: Expect) {
        let full = full_match(pattern).expect("regex");
        assert!(!full.is_match(text.as_bytes()), "it matches");
        let place = place(full.as_str(), text.as_bytes(), later()).expect("a place");
        let Place { text_offset, pattern_column, pattern_rest } = place;
        let (good, bad) = text.split_at(text_offset);
        let column = pattern_column.map(|column| column.to_string()).unwrap_or_default();
        expected.assert_eq(&format!("{good}|{bad}  {column} {pattern_rest}"));
    }

    #[test]
    fn the_place_is_where_the_longest_matching_beginning_ends() {
        check(r"(\S+) (\d+) (.*)", "one two three", expect![[r#"one |two three  7 (\d+) (.*)"#]]);
        check(
            r#"(\S+)\s\[([^\]]+)\]\s"(\w+)""#,
            r#"10.0.0.1 [now] GET "#,
            expect![[r#"10.0.0.1 [now] |GET   22 "(\w+)""#]],
        );
        check(r"(\d+)", "12 apples", expect!["12| apples   "]);
        check("abc", "xyz", expect!["|xyz  1 abc"]);
        check("abc", "", expect!["|  1 abc"]);
    }

    #[test]
    fn groups_are_looked_into_but_not_what_is_one_of_several_or_repeated() {
        check(r"((\d+)-(\d+)) x", "12:34 x", expect![[r#"12|:34 x  7 -(\d+)) x"#]]);
        check(r"a(b|c)d", "axd", expect!["a|xd  2 (b|c)d"]);
        check(r"a(?:b-){2}c", "ab-bc", expect!["a|b-bc  2 (?:b-){2}c"]);
        check(r"a|b", "c", expect!["|c  1 a|b"]);
        check(r"(?i)ab(?-i:c)d", "ABCd", expect!["AB|Cd  7 (?-i:c)d"]);
    }

    #[test]
    fn no_place_is_looked_for_after_the_deadline() {
        let full = full_match(r"(\d+) (\d+)").expect("regex");
        assert_eq!(place(full.as_str(), b"1 x", Instant::now()), None);
    }

    #[test]
    fn text_that_is_no_utf8_and_classes_that_need_unicode_work() {
        check(r"([一-龥]+) (\d+)", "日本 x", expect![[r#"日本 |x  10 (\d+)"#]]);
        check(r"\bé[^é]", "éé", expect!["é|é  4 [^é]"]);
        let full = full_match(r"(\S+) (\d+)").unwrap();
        let place = place(full.as_str(), b"\xff\xfe x", later()).unwrap();
        assert_eq!(place.text_offset, 3);
    }

    #[test]
    fn the_access_log_of_a_generator_parts_from_the_documents_regex_after_the_address() {
        check(
            r#"\[([^\]]+)\]\s(\S+)\s-\s-\s"(\S+)\s(\S+)\s(\S+)"\s(\S+).*"#,
            r#"10.0.0.1 - - [2018-11-13T17:05:09Z] "POST /a HTTP/2.0" 204 0"#,
            expect![[r#"|10.0.0.1 - - [2018-11-13T17:05:09Z] "POST /a HTTP/2.0" 204 0  1 \[([^\]]+)\]\s(\"#]],
        );
    }
}
