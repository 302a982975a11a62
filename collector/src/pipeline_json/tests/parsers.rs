//! Configs of the modes other than simple and regex, and of times.

use super::*;
use crate::pipeline::{PreciseTime, TimeUnit, Unmatched};

fn with(processors: Value) -> Value {
    let mut config = valid();
    config["processors"] = processors;
    config
}

fn pipeline(processors: Value) -> Pipeline {
    parse("c", 7, with(processors).to_string().as_bytes(), &instance()).unwrap().pipeline.unwrap()
}

#[test]
fn parsers_of_each_mode_become_pipelines() {
    let time = json!({"Type": "processor_timestamp_native", "SourceKey": "t", "SourceFormat": "%s"});
    let json = pipeline(json!([{"Type": "processor_parse_json_native", "KeepingSourceWhenParseFail": true,
        "KeepingSourceWhenParseSucceed": true, "RenamedSourceKey": "__raw__", "CopingRawLog": true}, time]));
    assert!(matches!(json.parse, Parse::Json) && matches!(json.time, TimeRule::Field { .. }));
    assert_eq!((json.unmatched, json.raw_key.as_deref()), (Unmatched::KeepRaw, Some("__raw__")));
    let delimiter = pipeline(json!([{"Type": "processor_parse_delimiter_native", "Separator": "\\t",
        "Keys": ["t", "_", "_"], "AllowingShortenedFields": false, "OverflowedFieldsTreatment": "keep"}, time]));
    let Parse::Delimiter(found) = delimiter.parse else { panic!("{:?}", delimiter.parse) };
    assert_eq!((found.separator.as_str(), found.quote, found.allows_fewer), ("\t", Some(b'"'), false));
    let apsara = pipeline(json!([{"Type": "processor_parse_apsara_native", "SourceKey": "content",
        "Timezone": "GMT-03:30", "KeepingSourceWhenParseSucceed": true}]));
    assert!(matches!(apsara.parse, Parse::Apsara { offset_seconds: Some(-12_600) }), "{:?}", apsara.parse);
    assert_eq!((apsara.unmatched, apsara.raw_key.as_deref()), (Unmatched::Discard, Some("content")));
}

#[test]
fn what_is_wrong_with_a_delimiter_is_named() {
    check(
        &with(json!([{"Type": "processor_parse_delimiter_native", "Separator": "<--->",
        "Quote": "''", "OverflowedFieldsTreatment": "drop", "Keys": ["_", "_"]}])),
        expect![[r#"
            processors[0].Separator: has 5 bytes, at most 4: write only the text between two columns
            processors[0].Keys: names no column that is sent; list the names of the columns
            processors[0].OverflowedFieldsTreatment: "drop" is not known; use extend, keep or discard"#]],
    );
    check(
        &with(json!([{"Type": "processor_parse_delimiter_native", "Separator": "||", "Quote": "'",
        "Keys": ["a", "_", "a", "", "_", "k".repeat(129)]}])),
        expect![[r#"
            processors[0].Keys[2]: "a" is named twice; give every one its own key
            processors[0].Keys[3]: must not be empty
            processors[0].Keys[5]: has 129 bytes, at most 128; give it a shorter name"#]],
    );
}

#[test]
fn a_wrong_zone_of_apsara_times_is_a_problem() {
    check(
        &with(json!([{"Type": "processor_parse_apsara_native", "Timezone": "Asia/Shanghai"}])),
        expect![[r#"processors[0].Timezone: "Asia/Shanghai" is not a zone like GMT+08:00 or GMT-03:30"#]],
    );
}

#[test]
fn filters_masks_and_times_may_name_fields_that_only_events_name() {
    let steps = |key: &str| {
        json!([{}, {"Type": "processor_timestamp_native", "SourceKey": key, "SourceFormat": "%s"},
        {"Type": "processor_filter_regex_native", "Include": {key: ".*"}},
        {"Type": "processor_desensitize_native", "SourceKey": key, "Method": "md5", "ReplacedContentPattern": ".+"}])
    };
    let found = |parser: Value, key: &str| {
        let mut processors = steps(key);
        processors[0] = parser;
        match parse("c", 7, with(processors).to_string().as_bytes(), &instance()) {
            Ok(accepted) => {
                assert_eq!(accepted.notice_text(), "");
                accepted.pipeline.unwrap().steps.len()
            }
            Err(invalid) => panic!("{invalid}"),
        }
    };
    assert_eq!(found(json!({"Type": "processor_parse_json_native"}), "any"), 2);
    assert_eq!(found(json!({"Type": "processor_parse_apsara_native"}), "any"), 2);
    let delimiter = |overflow: &str| {
        json!({"Type": "processor_parse_delimiter_native", "Separator": ",", "Keys": ["a", "_"],
        "OverflowedFieldsTreatment": overflow})
    };
    assert_eq!(found(delimiter("extend"), "__column7__"), 2);
    assert_eq!(found(delimiter("keep"), "__column2__"), 2);
    for (overflow, key) in
        [("extend", "__column1__"), ("keep", "__column3__"), ("discard", "__column2__"), ("extend", "_")]
    {
        let mut processors = steps(key);
        processors[0] = delimiter(overflow);
        let error = parse("c", 7, with(processors).to_string().as_bytes(), &instance()).unwrap_err();
        assert_eq!(error.0.len(), 2, "{error}");
    }
}

#[test]
fn names_of_columns_and_of_what_is_added_must_differ() {
    let mut config = with(json!([
        {"Type": "processor_parse_delimiter_native", "Separator": ",", "Keys": ["_", "__raw_log__", "a"],
         "KeepingSourceWhenParseFail": true, "KeepingSourceWhenParseSucceed": true, "RenamedSourceKey": "a"},
        {"Type": "processor_timestamp_native", "SourceKey": "a", "SourceFormat": "%s",
         "PreciseTimestampKey": "a"}]));
    config["inputs"][0]["AppendingLogPositionMeta"] = json!(true);
    check(
        &config,
        expect![[r#"
        processors[0].Keys[1]: "__raw_log__" is the key of events that do not match too; give the column a name of its own
        processors[0].RenamedSourceKey: "a" is one of Keys too; give the source a name of its own
        processors[1].PreciseTimestampKey: "a" is one of Keys too; give the time a name of its own"#]],
    );
}

#[test]
fn times_have_a_year_and_a_precise_field_where_the_config_says_so() {
    let time = |more: Value| {
        let mut time =
            json!({"Type": "processor_timestamp_native", "SourceKey": "t", "SourceFormat": "%b %d"});
        time.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([{"Type": "processor_parse_json_native"}, time])
    };
    let found =
        pipeline(time(json!({"SourceYear": 2020, "PreciseTimestampKey": "p", "PreciseTimestampUnit": "us"})));
    let precise = Some(PreciseTime { key: "p".to_owned(), unit: TimeUnit::Microseconds });
    let TimeRule::Field { year, precise: found, .. } = found.time else { panic!("{:?}", found.time) };
    assert_eq!((year, found), (Some(2020), precise));
    let none = pipeline(time(json!({"SourceYear": -1})));
    assert!(matches!(none.time, TimeRule::Field { year: None, precise: None, .. }), "{:?}", none.time);
    check(
        &with(time(json!({"SourceYear": 20, "PreciseTimestampKey": "p", "PreciseTimestampUnit": "s"}))),
        expect![[r#"
            processors[1].SourceYear: must be 1970 to 2105: times of logs are such
            processors[1].PreciseTimestampUnit: "s" is not known; use ms, us or ns"#]],
    );
}

#[test]
fn times_of_collection_have_nanoseconds_if_the_config_says_so() {
    let mut config = valid();
    config["global"] = json!({"EnableTimestampNanosecond": true});
    let accepted = parse("c", 7, config.to_string().as_bytes(), &instance()).unwrap();
    assert_eq!(accepted.notice_text(), "");
    assert!(accepted.pipeline.unwrap().collected_nanos);
    let accepted = parse("c", 7, valid().to_string().as_bytes(), &instance()).unwrap();
    assert!(!accepted.pipeline.unwrap().collected_nanos);
}
