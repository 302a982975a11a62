//! What was received, held against a ledger.

use serde_json::Value;
use sls_api::log_group::{Content, Log, LogGroup, LogTag};

use crate::bed::{Bed, LOGSTORE, PROJECT};
use crate::commands::of_logstore;

/// Logs of a source, in a pack of this name, or of none if it is empty.
fn pack(name: &str, source: &str, seqs: &[u64]) -> LogGroup {
    let log = |seq: &u64| Log {
        time: 1_700_000_000,
        contents: vec![
            Content::new("status", (200 + seq % 2).to_string()),
            Content::new("url", format!("/?run=r&src={source}&seq={seq}")),
        ],
        time_ns: None,
    };
    let tag = LogTag { key: "__pack_id__".to_owned(), value: name.to_owned() };
    LogGroup {
        logs: seqs.iter().map(log).collect(),
        log_tags: Some(tag).filter(|_| !name.is_empty()).into_iter().collect(),
        ..LogGroup::default()
    }
}

fn range(source: &str, first: u64, last: u64) -> String {
    format!("{{\"run\":\"r\",\"source\":\"{source}\",\"first\":{first},\"last\":{last}}}\n")
}

/// Posts a ledger; `more` is further parameters.
async fn account(bed: &Bed, ledger: String, more: &str) -> (u16, Value) {
    bed.post_text(&format!("/_mock/v1/account?project={PROJECT}&logstore={LOGSTORE}{more}"), ledger).await
}

/// At once, since nothing more comes.
const NOW: &str = "&within_ms=0&stable_ms=0";

#[tokio::test]
async fn nothing_is_wrong_when_every_log_came_once_and_no_index_is_needed() {
    let bed = Bed::empty().await;
    bed.create_logstore().await;
    bed.put_group(&pack("A-0", "pod-1", &[1, 2, 3])).await;
    bed.put_group(&pack("B-0", "pod-2", &[1])).await;
    let ledger = range("pod-1", 1, 3) + &range("pod-2", 1, 1);
    let (status, answer) = account(&bed, ledger, "&stable_ms=0&exactly_once=true&in_order=true").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["ok"], &answer["ending"]), (&true.into(), &"passed".into()));
    let accounting = &answer["accounting"];
    assert_eq!((&accounting["sent"], &accounting["received"]), (&4.into(), &4.into()));
}

#[tokio::test]
async fn what_is_wrong_is_named_and_told_as_text() {
    let bed = Bed::start().await;
    bed.put_group(&pack("A-0", "pod-1", &[1, 2])).await;
    bed.put_group(&pack("A-0", "pod-1", &[1, 2])).await;
    bed.put_group(&pack("A-1", "pod-1", &[2, 5])).await;
    let same = pack("", "pod-2", &[1]);
    bed.put_group(&same).await;
    bed.put_group(&same).await;
    let ledger = range("pod-1", 1, 6) + &range("pod-2", 1, 1);
    let (status, answer) = account(&bed, ledger, NOW).await;
    assert_eq!((status, &answer["ending"]), (417, &"failed".into()), "{answer}");
    let duplicates = &answer["accounting"]["duplicates"];
    assert_eq!((&duplicates["retries"], &duplicates["read_twice"]), (&3.into(), &1.into()), "{answer}");
    let text = answer["text"].as_str().unwrap();
    let text = text.split_once(", after").unwrap().0.to_owned() + &text[text.find('\n').unwrap()..];
    expect_test::expect![[r#"
        FAILED  expect-tests/access
          not exactly once: logs that are missing: 3
          not exactly once: logs that came again: 4
          sent 7, received 8, 4 of those sent
            missing: 3 (did not come)
              pod-1: 3..=4, 6
            duplicates: 4 copies of 3 logs (3 in packs that were sent again, 1 in other packs)
              pod-1: 1 came 2 times: its pack was sent again
              pod-1: 2 came 3 times: read twice, or written twice
              pod-2: 1 came 2 times: its pack was sent again
            not compared: 8, the ledger has no contents for them
            by source (of 2 in all):
              pod-1: sent 6, received 6, 3 missing, 3 duplicates
              pod-2: sent 1, received 2, 1 duplicates
    "#]]
    .assert_eq(&text);
}

#[tokio::test]
async fn it_is_waited_for_what_is_missing_even_for_the_logstore() {
    let bed = Bed::empty().await;
    let writing = async {
        bed.create_logstore().await;
        for seq in 1..=5 {
            bed.put_group(&pack("", "pod-1", &[seq])).await;
        }
    };
    let (answer, ()) =
        tokio::join!(account(&bed, range("pod-1", 1, 5), "&within_ms=60000&stable_ms=0"), writing);
    assert_eq!(answer.0, 200, "{}", answer.1);
}

#[tokio::test]
async fn what_comes_behind_the_last_missing_one_counts_while_it_is_not_quiet() {
    let bed = Bed::start().await;
    bed.put_group(&pack("A-0", "pod-1", &[1])).await;
    let asking = account(&bed, range("pod-1", 1, 1), "&within_ms=60000&stable_ms=2000");
    let again = pack("A-1", "pod-1", &[1]);
    let ((status, answer), ()) = tokio::join!(asking, bed.put_group(&again));
    assert_eq!((status, &answer["accounting"]["duplicates"]["count"]), (417, &1.into()), "{answer}");
}

#[tokio::test]
async fn only_what_a_search_finds_counts_and_only_what_came_in_the_scope() {
    let bed = Bed::start().await;
    bed.put_group(&pack("A-0", "pod-1", &[1, 2, 3, 4])).await;
    let ledger = range("pod-1", 1, 1) + &range("pod-1", 3, 3);
    let (status, answer) = account(&bed, ledger, "&stable_ms=0&query=status:201").await;
    assert_eq!(
        (status, &answer["name"]),
        (200, &format!("{PROJECT}/{LOGSTORE}: status:201").into()),
        "{answer}"
    );
    bed.post("/_mock/v1/scopes?name=later", &Value::Null).await;
    bed.put_group(&pack("A-1", "pod-1", &[5])).await;
    let (status, answer) = account(&bed, range("pod-1", 5, 5), "&stable_ms=0&scope=later").await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_logstore_that_was_made_anew_is_counted_anew() {
    let bed = Bed::start().await;
    bed.put_group(&pack("A-0", "pod-1", &[1])).await;
    let asking = account(&bed, range("pod-1", 1, 2), "&within_ms=60000&stable_ms=0");
    let writing = async {
        bed.delete_logstore().await;
        bed.create_logstore().await;
        bed.put_group(&pack("A-0", "pod-1", &[1, 2])).await;
    };
    let ((status, answer), ()) = tokio::join!(asking, writing);
    assert_eq!((status, &answer["accounting"]["received"]), (200, &2.into()), "{answer}");
}

#[tokio::test]
async fn a_ledger_may_be_larger_than_other_bodies_and_one_that_is_none_is_refused() {
    let bed = Bed::start().await;
    let line = |seq: u64| {
        let check = "{\"bytes\":271,\"crc32\":3632233996}";
        format!(
            "{{\"run\":\"r\",\"source\":\"pod-1\",\"seq\":{seq},\"time\":1763905845678,\"line\":{check},\"values\":{check}}}\n"
        )
    };
    let ledger: String = (1..=80_000).map(line).collect();
    assert!(ledger.len() > 10 << 20);
    let (status, answer) = account(&bed, ledger.clone(), NOW).await;
    assert_eq!(
        (status, &answer["accounting"]["missing"]["count"]),
        (417, &80_000.into()),
        "{}",
        answer["text"]
    );
    let (status, answer) = account(&bed, "hello\n".to_owned() + &ledger, NOW).await;
    assert_eq!(status, 400);
    let told = answer["error"].as_str().unwrap();
    assert!(told.starts_with("ledger, line 1: expected value"), "{told}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_says_why() {
    let bed = Bed::start().await;
    for (more, told) in [
        ("&exactly=1", "unknown field `exactly`"),
        ("&within_ms=600001", "at most 600000 ms"),
        ("&seq_field=n", "give source_field and seq_field"),
        ("&duplicates_at_most=many", "neither a number of logs"),
        ("&query=*%7Cselect+1", "no SQL"),
        ("&scope=none", "there is no scope"),
    ] {
        let (status, answer) = account(&bed, range("pod-1", 1, 1), more).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(told), "{answer}");
    }
}

#[tokio::test]
async fn the_command_reads_ledgers_and_its_exit_code_says_how_it_ended() {
    let bed = Bed::start().await;
    bed.put_group(&pack("A-0", "pod-1", &[1, 2])).await;
    bed.put_group(&pack("B-0", "pod-2", &[2, 1, 1])).await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        format!("--ledger={}", dir.path().join(name).display())
    };
    // The first was left by a writer that was killed.
    let one = file("one", &(range("pod-1", 1, 2) + "{\"run\":\"r\""));
    let two = file("two", range("pod-2", 1, 2).trim_end());
    let more = file("more", &range("pod-3", 1, 9));
    let bad = file("bad", "{\"run\":\"r\",\"source\":\"s\"}\n");
    let now = ["--within=0s", "--stable=0s"];
    for (args, code, told) in [
        (&[one.as_str(), &two, "--at-least-once"][..], 0, "ok "),
        (&[&one, &two, "--loss-at-most=0", "--duplicates-at-most=1"], 0, "the last line ends in the middle"),
        (&[&one, &two], 1, "not exactly once: logs that came again: 1"),
        (&[&one, &two, "--in-order"], 1, "pod-2: 1 came after 2"),
        (&[&one, &two, &more, "--at-least-once"], 4, "pod-3: 1..=9"),
        (&[&one, &two, "--exactly-once", "-o", "json"], 1, "\"read_twice\":1"),
        (&[&one, &two, "--exactly-once", "-o", "junit"], 1, "failures=\"1\""),
        (&[&one, &two, "--exactly-once", "-o", "github"], 1, "::error title="),
        (&[&bad], 2, "ledger, line 1: a line has either"),
        (&[&two, &two], 2, "line 2: r/pod-2 1 is already in the ledger"),
        (&["--ledger=absent"], 2, "absent: "),
        (&[&one, "--duplicates-at-most=x"], 2, "neither a number of logs"),
        (&[&one, "--endpoint=http://127.0.0.1:1"], 3, "no emulator answers"),
    ] {
        let (got, text) = of_logstore(&bed, &["account"], &[args, &now].concat()).await;
        assert_eq!(got, code, "{args:?}: {text}");
        assert!(text.contains(told), "{args:?}: {text}");
    }
}

#[tokio::test]
async fn a_misspelt_logstore_is_told() {
    let bed = Bed::empty().await;
    let (status, answer) = account(&bed, range("pod-1", 1, 1), NOW).await;
    assert_eq!((status, &answer["ending"]), (417, &"failed".into()));
    assert!(answer["text"].as_str().unwrap().contains("logstore access does not exist"), "{answer}");
}
