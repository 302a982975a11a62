//! What searches find, over a few logs in memory. The shared cases are in `tests/query`.

use expect_test::{Expect, expect};
use serde_json::json;

use super::{
    QueryError,
    histogram::{HistogramRequest, histograms},
    request::{Page, Window},
    source::Cancel,
    testing::{Bed, START, config, delimiters, index},
};

fn check(bed: &mut Bed, searches: &[&str], expected: Expect) {
    let shown: Vec<String> =
        searches.iter().map(|search| format!("{search} => {}", bed.found(search))).collect();
    expected.assert_eq(&shown.join("\n"));
}

fn bed() -> Bed {
    let logs = [
        json!({"i": "1", "t": "GET /a-b/c?x=1", "n": "10", "x": "0.5", "o": "alpha beta"}),
        json!({"i": "2", "t": "say \"hi\" *now* a:b", "n": "1.5", "x": "2e1", "o": "beta  gamma"}),
        json!({"i": "3", "t": "", "n": "-7", "x": "nan", "j": "{\"a\":\"deep word\",\"b\":{\"c\":5},\"z\":\"hidden\"}"}),
        json!({"i": "4", "n": "", "j": "{\"a\":true,\"b\":{\"c\":\"6\"}", "Source": "mine"}),
        json!({"i": "5", "t": "用户登录 Ärger", "o": "\u{0}"}),
    ];
    Bed::new(index(&["i", "t", "n", "x", "j"]), &logs)
}

#[test]
fn words_and_fields() {
    check(
        &mut bed(),
        &[
            "",
            "*",
            "not *",
            "get",
            "t:get and t:c",
            "t:GET/c",
            "a-b",
            "t:a",
            "b beta",
            "\"beta alpha\"",
            "o",
            "o:alpha",
            "al*a",
            "ÄRGER",
            "ärg*",
            "t:用户",
            "t:用户登录",
            "t:*",
            "not t:*",
            "t:\"\"",
            "t:\"*now*\"",
            "t:\\*now\\*",
            "\"a:b\"",
            "hi",
            "10",
            "not get not beta",
        ],
        expect![[r#"
             => 1 2 3 4 5
            * => 1 2 3 4 5
            not * => 
            get => 1
            t:get and t:c => 1
            t:GET/c => 1
            a-b => 1
            t:a => 2
            b beta => 2
            "beta alpha" => 1
            o => 1 2 5
            o:alpha => ErrorType:QueryParseError.ErrorMessage:key (o) is not config as key value config,if symbol : is in your log,please wrap : with quotation mark "
            al*a => 1
            ÄRGER => 5
            ärg* => 5
            t:用户 => 
            t:用户登录 => 5
            t:* => 1 2 3 5
            not t:* => 4
            t:"" => 3
            t:"*now*" => 2
            t:\*now\* => 2
            "a:b" => 2
            hi => 2
            10 => 
            not get not beta => 3 4 5"#]],
    );
}

#[test]
fn numbers() {
    check(
        &mut bed(),
        &[
            "n:10",
            "n=10",
            "n:\"10\"",
            "n >= -7",
            "n < 10",
            "n in [-7 10)",
            "n:[* 0]",
            "n:*",
            "not n > -100",
            "x > 1",
            "x in (0.5 20]",
            "x = 20",
            "n:a*",
            "n:abc",
            "t > 1",
            "t in [1 2]",
            "o = 1",
        ],
        expect![[r#"
            n:10 => 1
            n=10 => 1
            n:"10" => 1
            n >= -7 => 1 3
            n < 10 => 3
            n in [-7 10) => 3
            n:[* 0] => 3
            n:* => 1 2 3 4
            not n > -100 => 2 4 5
            x > 1 => 2
            x in (0.5 20] => 2
            x = 20 => 2
            n:a* => ErrorType:QueryParseError.ErrorMessage:key (n) is config as numberic column,a* is not a number; wildcards and words need a key of type text
            n:abc => ErrorType:QueryParseError.ErrorMessage:key (n) is config as numberic column,abc is not a number; wildcards and words need a key of type text
            t > 1 => ErrorType:QueryParseError.ErrorMessage:key (t) is not config as numberic column,please set the type of the key to long or double in the index
            t in [1 2] => ErrorType:QueryParseError.ErrorMessage:key (t) is not config as numberic column,please set the type of the key to long or double in the index
            o = 1 => ErrorType:QueryParseError.ErrorMessage:key (o) is not config as key value config,if symbol : is in your log,please wrap : with quotation mark ""#]],
    );
}

#[test]
fn json_leaves() {
    check(
        &mut bed(),
        &[
            "j.a:deep",
            "j.a:true",
            "j.b.c:5",
            "j.b.c > 4",
            "j.b.c = 6",
            "word",
            "hidden",
            "j:hidden",
            "j.z:hidden",
            "j.b:5",
            "j.a:*",
        ],
        expect![[r#"
            j.a:deep => 3
            j.a:true => 4
            j.b.c:5 => 3
            j.b.c > 4 => 3 4
            j.b.c = 6 => 4
            word => 3
            hidden => 
            j:hidden => 3
            j.z:hidden => ErrorType:QueryParseError.ErrorMessage:key (j.z) is not config as key value config,if symbol : is in your log,please wrap : with quotation mark "
            j.b:5 => ErrorType:QueryParseError.ErrorMessage:key (j.b) is not config as key value config,if symbol : is in your log,please wrap : with quotation mark "
            j.a:* => 3 4"#]],
    );
}

#[test]
fn reserved_fields() {
    check(
        &mut bed(),
        &[
            "__topic__:top",
            "__topic__:to*",
            "source:10.0.0.1 and i:1",
            "Source:mine",
            "__tag__:host:\"web 1\" i:1",
            "__tag__:host:web",
            "__tag__:host:web* i:1",
            "__tag__:nope:*",
            "__time__:5",
            "__time__ > 5",
            "top",
        ],
        expect![[r#"
            __topic__:top => 1 2 3 4 5
            __topic__:to* => 1 2 3 4 5
            source:10.0.0.1 and i:1 => 1
            Source:mine => ErrorType:QueryParseError.ErrorMessage:key (Source) is not config as key value config,if symbol : is in your log,please wrap : with quotation mark "
            __tag__:host:"web 1" i:1 => 1
            __tag__:host:web => 
            __tag__:host:web* i:1 => 1
            __tag__:nope:* => 
            __time__:5 => ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:9 to column:10,error near < : >
            __time__ > 5 => ErrorType:QueryParseError.ErrorMessage:syntax error error position is from column:10 to column:11,error near < > >
            top => "#]],
    );
}

#[test]
fn phrases_stand_as_written() {
    check(
        &mut bed(),
        &[
            "o:#\"alpha beta\"",
            "#\"beta gamma\"",
            "#\"beta  gamma\"",
            "#\"ALPHA b\"",
            "t:#\"user\" | select 1",
        ],
        expect![[r#"
            o:#"alpha beta" => ErrorType:QueryParseError.ErrorMessage:key (o) is not config as key value config,if symbol : is in your log,please wrap : with quotation mark "
            #"beta gamma" => 
            #"beta  gamma" => 2
            #"ALPHA b" => 
            t:#"user" | select 1 => ErrorType:QueryParseError.ErrorMessage:phrase search does not support analysis (| SELECT)"#]],
    );
    let mut bed = bed();
    let request = HistogramRequest {
        window: Window::new(i64::from(START), i64::from(START) + 60, None, None).unwrap(),
        topic: "",
        query: "#\"gamma beta\"",
        interval: 0,
    };
    let indexes = bed.indexes.clone();
    let counted = histograms(&request, indexes.as_ref(), &mut bed, &Cancel::default()).unwrap();
    assert_eq!((counted.count, counted.buckets.len()), (1, 60));
}

#[test]
fn field_names_can_be_left_to_field_search() {
    let mut bed = bed();
    bed.indexes.as_mut().unwrap().current =
        config(json!({"keys": {"t": {"type": "text", "token": delimiters(), "caseSensitive": true}}}));
    check(
        &mut bed,
        &["GET", "get", "beta", "o", "o:beta", "i:1", "t:GET"],
        expect![[r#"
        GET => 1
        get => 
        beta => 
        o => 
        o:beta => ErrorType:QueryParseError.ErrorMessage:key (o) is not config as key value config,if symbol : is in your log,please wrap : with quotation mark "
        i:1 => ErrorType:QueryParseError.ErrorMessage:key (i) is not config as key value config,if symbol : is in your log,please wrap : with quotation mark "
        t:GET => 1"#]],
    );
}

#[test]
fn logs_keep_the_index_they_were_written_under() {
    let mut bed = bed();
    let indexes = bed.indexes.as_mut().unwrap();
    indexes.earlier = vec![(2, config(json!({"keys": {"i": {"type": "text", "token": []}}})))];
    indexes.since = 3;
    for (generation, found) in [(1, ""), (2, "1 2 3 4 5"), (3, "1 2 3 4 5")] {
        bed.groups[0].1 = generation;
        assert_eq!(bed.found("*"), found, "{generation}");
    }
    bed.groups[0].1 = 2;
    assert_eq!(bed.rows("select i, n, x order by n limit 1"), "i=null n=null x=null");
    check(
        &mut bed,
        &["i:1", "t:get", "not t:get", "get", "n > 0"],
        expect![[r#"
        i:1 => 1
        t:get => 
        not t:get => 1 2 3 4 5
        get => 
        n > 0 => "#]],
    );
}

#[test]
fn pages_follow_time_in_both_directions_across_blocks() {
    let mut bed = Bed::new(index(&["i"]), &[]);
    let (template, _) = bed.groups.remove(0);
    // Blocks that overlap in time, and logs of one second that only differ in nanoseconds.
    for (block, times) in [[50u32, 10, 30], [20, 40, 60], [30, 30, 5]].iter().enumerate() {
        let mut group = template.clone();
        for (at, time) in times.iter().enumerate() {
            group.logs.push(sls_api::log_group::Log {
                time: START + time,
                contents: vec![sls_api::log_group::Content::new("i", format!("{block}{at}"))],
                time_ns: Some(9 - at as u32),
            });
        }
        bed.groups.push((group, 1));
    }
    let mut ids = |offset, lines, reverse| {
        let reply = bed.run("*", Page { offset, lines, reverse }).unwrap();
        reply.data.iter().map(|row| row.get("i").unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let all = "22 01 10 02 21 20 11 00 12";
    assert_eq!(ids(0, 100, false), all);
    let reversed: Vec<&str> = all.split(' ').rev().collect();
    assert_eq!(ids(0, 100, true), reversed.join(" "));
    for offset in 0..10 {
        let expected: Vec<&str> = all.split(' ').skip(offset).take(2).collect();
        assert_eq!(ids(offset as u64, 2, false), expected.join(" "));
        let expected: Vec<&str> = reversed.iter().copied().skip(offset).take(2).collect();
        assert_eq!(ids(offset as u64, 2, true), expected.join(" "));
    }
}

#[test]
fn a_cancelled_query_stops() {
    let mut bed = bed();
    let cancel = Cancel::default();
    cancel.cancel();
    let request = HistogramRequest {
        window: Window::new(0, i64::from(u32::MAX), None, None).unwrap(),
        topic: "",
        query: "",
        interval: 0,
    };
    let indexes = bed.indexes.clone();
    let outcome = histograms(&request, indexes.as_ref(), &mut bed, &cancel);
    assert_eq!(outcome, Err(QueryError::Cancelled));
}
