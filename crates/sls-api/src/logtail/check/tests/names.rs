//! Names of fields.

use super::*;

#[test]
fn suspicious_key_names_are_warnings_and_unusable_ones_errors() {
    check(
        nginx(json!({"regex": "(.)(.)(.)(.)(.)(.)",
                     "key": ["a", "a", " b", "", "x,y", "__time__"]})),
        expect![[r#"
            Error key[1]: the name "a" is there twice: queries see only one of them; use another
            Warning key[2]: the name " b" contains a blank: remove it, or write '_'
            Error key[3]: is an empty name: name the field
            Warning key[4]: the name "x,y" contains a comma: write each name for itself
            Warning key[5]: the name "__time__" is reserved by the service: use another
        "#]],
    );
}

#[test]
fn a_name_that_is_suspicious_and_there_twice_is_an_error_too() {
    check(
        nginx(json!({"regex": "(.)(.)", "key": ["x y", "x y"]})),
        expect![[r#"
            Warning key[0]: the name "x y" contains a blank: remove it, or write '_'
            Error key[1]: the name "x y" is there twice: queries see only one of them; use another
        "#]],
    );
    check(json!({"logType": "delimiter_log", "separator": ",", "key": ["a", "_", "_"]}), expect![[""]]);
}

#[test]
fn the_text_of_an_event_needs_a_name_of_its_own() {
    let detail = nginx(json!({"regex": "(.)(.)", "key": ["a", "__raw__"], "enableRawLog": true}));
    let kept = |more: Value| with(detail.clone(), more);
    let tagged = |tag: &str| json!({"raw_log_tag": tag});
    check(
        kept(json!({})),
        expect![[r#"
            Error advanced.raw_log_tag: the text of an event would be sent as "__raw__", which is another field's name: give it one of its own
        "#]],
    );
    check(
        kept(json!({"advanced": tagged("a")})),
        expect![[r#"
            Error advanced.raw_log_tag: the text of an event would be sent as "a", which is another field's name: give it one of its own
        "#]],
    );
    check(
        kept(json!({"advanced": tagged("__raw_log__"), "discardUnmatch": false})),
        expect![[r#"
            Error advanced.raw_log_tag: the text of an event would be sent as "__raw_log__", which is another field's name: give it one of its own
        "#]],
    );
    check(
        kept(json!({"logType": "json_log", "key": null, "regex": null, "advanced": tagged("__raw_log__"),
            "discardUnmatch": false})),
        expect![[r#"
            Error advanced.raw_log_tag: the text of an event would be sent as "__raw_log__", which is another field's name: give it one of its own
        "#]],
    );
    check(
        kept(json!({"advanced": tagged(&"x".repeat(129))})),
        expect![[r#"
            Error advanced.raw_log_tag: is 129 bytes long: use at most 128
        "#]],
    );
    check(kept(json!({"advanced": tagged("__raw_log__")})), expect![[""]]);
    check(kept(json!({"advanced": tagged("line")})), expect![[""]]);
    check(kept(json!({"enableRawLog": false})), expect![[""]]);
    check(
        kept(json!({"key": ["a", "__raw_log__"], "discardUnmatch": false})),
        expect![[r#"
            Error key[1]: "__raw_log__" is the field of lines that do not match, which discardUnmatch: false keeps: use another
        "#]],
    );
}

#[test]
fn groups_and_keys_must_be_as_many() {
    check(
        nginx(json!({"regex": "(a)(b)"})),
        expect![[r#"
        Error key: regex has 2 capture groups but key is not set and names 1 (content), so no line can be parsed: name the others too, or write (?:…) for groups that are not fields
    "#]],
    );
    check(
        nginx(json!({"regex": "a", "key": ["x"]})),
        expect![[r#"
        Error key: regex has 0 capture groups but key names 1, so no line can be parsed: remove the surplus names, or put parentheses around what they name
    "#]],
    );
    check(
        nginx(json!({"key": ["x", "y"]})),
        expect![[r#"
        Error key: regex has 1 capture group but key names 2, so no line can be parsed: remove the surplus names, or put parentheses around what they name
    "#]],
    );
}
