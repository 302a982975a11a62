use expect_test::{Expect, expect};

use super::*;
use crate::pipeline::{full_match, mask_regex};

fn filter(rules: &[(&str, &str)]) -> Step {
    Step::all_of(rules.iter().map(|(key, regex)| ((*key).to_owned(), full_match(regex).expect("regex"))))
}

fn mask(key: &str, before: &str, replaced: &str, all: bool, by: MaskBy) -> Step {
    let regex = mask_regex(before, replaced).expect("regex");
    Step::Mask(Mask { key: key.to_owned(), regex, all, by })
}

fn stars() -> MaskBy {
    MaskBy::Text("***".to_owned())
}

/// Shapes an event whose fields `a`, `b`, … are the parts of `event` between commas.
fn shaped(shaper: &mut Shaper, event: &[u8]) -> String {
    let keys: Vec<Key> = ["a", "b", "c"].map(Key::new).into();
    let mut spans: Vec<Span> = Vec::new();
    let mut start = 0;
    for part in event.split(|byte| *byte == b',') {
        spans.push((start, start + part.len() as u32));
        start += part.len() as u32 + 1;
    }
    let fields = Fields { keys: &keys[..spans.len()], spans: &spans, ..Fields::default() };
    let said = Some(Stamp { seconds: 9, nanos: Some(1_234_567) });
    let times = Times { said, collected: Stamp { seconds: 100, nanos: None } };
    match shaper.shape(event, fields, 77, times) {
        None => "held back".to_owned(),
        Some(shaped) => {
            let pairs = shaped.pairs().map(|(k, v)| format!("{}={:?}", k.name(), String::from_utf8_lossy(v)));
            pairs.collect::<Vec<_>>().join(" ")
        }
    }
}

fn check(steps: Vec<Step>, event: impl AsRef<[u8]>, expected: Expect) {
    let mut shaper = Shaper::of(&steps, []);
    let first = shaped(&mut shaper, event.as_ref());
    expected.assert_eq(&first);
    shaped(&mut shaper, b"x,\xff,z");
    assert_eq!(shaped(&mut shaper, event.as_ref()), first, "the same again after another event");
}

#[test]
fn a_filter_lets_events_through_whose_fields_all_match_as_a_whole() {
    let rules = [("a", r"\d+"), ("b", "GET|PUT")];
    check(vec![filter(&rules)], "12,GET", expect![[r#"a="12" b="GET""#]]);
    check(vec![filter(&rules)], "12,GETS", expect!["held back"]);
    check(vec![filter(&rules)], "x12,GET", expect!["held back"]);
    check(vec![filter(&rules)], "12", expect!["held back"]);
    check(vec![filter(&[("a", ".*")]), filter(&[("b", "PUT")])], "12,GET", expect!["held back"]);
}

#[test]
fn a_condition_sees_the_values_that_earlier_steps_made() {
    let field = |key: &str, regex: &str| Condition::Field(key.to_owned(), full_match(regex).expect("regex"));
    let condition = Condition::Any(vec![
        field("a", r"\d+"),
        Condition::Not(Box::new(Condition::All(vec![field("b", "x")]))),
    ]);
    let steps =
        || vec![mask("b", "", "y", true, MaskBy::Text("x".to_owned())), Step::Filter(condition.clone())];
    check(steps(), "1,y", expect![[r#"a="1" b="x""#]]);
    check(steps(), "z,y", expect!["held back"]);
    check(steps(), "z,z", expect![[r#"a="z" b="z""#]]);
    check(steps(), "z", expect![[r#"a="z""#]]);
}

#[test]
fn a_span_of_time_is_about_the_log_or_a_field() {
    let span = |key: Option<&str>, unit_nanos, from, to| {
        vec![Step::Span(TimeSpan { key: key.map(str::to_owned), unit_nanos, from, to })]
    };
    check(span(None, 1_000_000_000, 9, 9), "x", expect![[r#"a="x""#]]);
    check(span(None, 1_000_000_000, 10, i64::MAX), "x", expect!["held back"]);
    check(span(None, 1_000_000, 9002, 9002), "x", expect!["held back"]);
    check(span(None, 1, 0, 9_001_234_567), "x", expect![[r#"a="x""#]]);
    let of_b = || span(Some("b"), 1_000_000, 5, 7);
    check(of_b(), "x,5", expect![[r#"a="x" b="5""#]]);
    check(of_b(), "x,8", expect!["held back"]);
    check(of_b(), "x,-8", expect!["held back"]);
    check(of_b(), "x,8 o'clock", expect![[r#"a="x" b="8 o'clock""#]]);
    check(of_b(), "x", expect![[r#"a="x""#]]);
}

#[test]
fn a_log_without_a_time_of_its_own_has_that_of_collection() {
    let stamp = |seconds| Stamp { seconds, nanos: None };
    assert_eq!(Times { said: None, collected: stamp(100) }.of_log(), stamp(100));
    assert_eq!(Times { said: Some(stamp(9)), collected: stamp(100) }.of_log(), stamp(9));
}

#[test]
fn a_mask_replaces_what_follows_the_first_pattern() {
    let one = |all, by| vec![mask("a", "pw=", "[^;]+", all, by)];
    check(one(true, stars()), "u=1;pw=x;pw=yy;,pw=z", expect![[r#"a="u=1;pw=***;pw=***;" b="pw=z""#]]);
    check(one(false, stars()), "u=1;pw=x;pw=yy;", expect![[r#"a="u=1;pw=***;pw=yy;""#]]);
    check(one(true, stars()), "u=1", expect![[r#"a="u=1""#]]);
    check(
        one(true, MaskBy::Md5),
        "u=1;pw=abc;x",
        expect![[r#"a="u=1;pw=900150983CD24FB0D6963F7D28E17F72;x""#]],
    );
    check(vec![mask("b", "", "日+", true, stars())], "日,1日日2", expect![[r#"a="日" b="1***2""#]]);
    check(
        vec![mask("a", "(x|y)=", "a|b", true, stars())],
        "x=a y=b z=a",
        expect![[r#"a="x=*** y=*** z=a""#]],
    );
}

#[test]
fn a_mask_without_a_match_copies_nothing() {
    let Step::Mask(mask) = mask("a", "pw=", "x", true, stars()) else { panic!("a mask") };
    let (mut groups, mut draft) = (mask.regex.capture_locations(), Vec::new());
    assert!(!replace(&mask, &mut groups, b"u=1;pw=yy", &mut draft));
    assert_eq!(draft, b"");
    assert!(replace(&mask, &mut groups, b"u=1;pw=x;", &mut draft));
    assert_eq!(draft, b"u=1;pw=***;");
}

#[test]
fn a_pattern_that_matches_nothing_at_all_ends_all_the_same() {
    check(vec![mask("a", "", "x*", true, MaskBy::Text("-".to_owned()))], "axb", expect![[r#"a="-a-b-""#]]);
}

#[test]
fn masks_are_about_characters_not_their_bytes() {
    let dot = |before, replaced, all| vec![mask("a", before, replaced, all, stars())];
    check(dot("", ".", true), "密码", expect![[r#"a="******""#]]);
    check(dot("", ".", false), "密码", expect![[r#"a="***码""#]]);
    check(dot("密", ".{2}", true), "密码甲乙密", expect![[r#"a="密***乙密""#]]);
    check(dot("", "[^密]", true), "密码", expect![[r#"a="密***""#]]);
    check(dot("", "x*", true), "密x码", expect![[r#"a="***密***码***""#]]);
    check(dot("", ".", true), b"\xffa\n\xe6", expect![[r#"a="�***\n�""#]]);
}

#[test]
fn steps_see_what_earlier_ones_made() {
    let steps = vec![
        mask("a", "", r"\d", true, MaskBy::Text("#".to_owned())),
        mask("a", "#", "b", true, MaskBy::Text("!".to_owned())),
        filter(&[("a", "#!#")]),
    ];
    check(steps, "1b2", expect![[r##"a="#!#""##]]);
}

#[test]
fn bytes_that_are_no_text_become_blanks_one_each() {
    check(
        vec![Step::BlankNonUtf8],
        b"ok,a\xff\xfeb\xe6\x97,\xe6\x97\xa5",
        expect![[r#"a="ok" b="a  b  " c="日""#]],
    );
}

#[test]
fn the_event_and_its_place_follow_the_fields() {
    let steps = || vec![mask("a", "", ".+", true, stars())];
    let show = |extras: &[(&str, What)]| shaped(&mut Shaper::of(&steps(), extras.iter().copied()), b"1,2");
    let (raw, offset, time) = (What::Event, What::Offset, What::Time);
    expect![[r#"a="***" b="2" __raw__="1,2""#]].assert_eq(&show(&[("__raw__", raw)]));
    expect![[r#"a="***" b="2" __file_offset__="77""#]].assert_eq(&show(&[(OFFSET_KEY, offset)]));
    expect![[r#"a="***" b="2" line="1,2" at="77""#]].assert_eq(&show(&[("line", raw), ("at", offset)]));
    expect![[r#"a="***" b="2" ms="9001" us="9001234" ns="9001234567""#]].assert_eq(&show(&[
        ("ms", time(TimeUnit::Milliseconds)),
        ("us", time(TimeUnit::Microseconds)),
        ("ns", time(TimeUnit::Nanoseconds)),
    ]));
}

#[test]
fn a_field_of_the_event_goes_before_one_of_its_name_that_would_be_added() {
    let mut shaper = Shaper::of(&[], [("b", What::Event), ("c", What::Offset)]);
    assert_eq!(shaped(&mut shaper, b"1,2"), r#"a="1" b="2" c="77""#);
    assert_eq!(shaped(&mut shaper, b"1"), r#"a="1" b="1" c="77""#);
    assert_eq!(shaped(&mut shaper, b"1,2,3"), r#"a="1" b="2" c="3""#);
}
