//! What the engine counts for the topic `logtail_profile`, file by file and Logstore by Logstore.

mod data_rig;

use std::fs;
use std::time::{Duration, SystemTime};

use collector::engine::Limits;
use collector::engine::outbox::Outcome;
use collector::engine::profile::{Profile, Readings};
use collector::pipeline::{Parse, Pipeline, full_match};
use collector::ship::Trouble;
use data_rig::{Rig, simple, simple_on};

fn profile(rig: &mut Rig) -> Profile {
    let now = rig.now();
    rig.reader.as_mut().expect("a reader").profile(now)
}

#[test]
fn a_file_is_told_with_what_was_read_since_the_last_time() {
    let regex = full_match(r"(\d+)").expect("regex");
    let mut rig =
        Rig::running(Pipeline { parse: Parse::Regex { regex, keys: vec!["n".to_owned()] }, ..simple() });
    rig.append("a.log", "1\n2\nx\n3\n");
    rig.turns();
    let first = profile(&mut rig);
    let [file] = &first.files[..] else { panic!("{first:?}") };
    assert_eq!((file.path.to_str(), file.size, file.position), (Some("/logs/a.log"), 8, 8));
    assert_eq!((file.subject.project.as_str(), file.subject.config.as_str()), ("project-1", "p"));
    let Readings { bytes, matched, unmatched, not_of_regex, sample, .. } = &file.readings;
    assert_eq!((bytes, matched, unmatched, not_of_regex, sample.as_deref()), (&8, &3, &1, &1, Some("\"x\"")));
    assert!(file.readings.reads > 0 && file.read_at.elapsed().is_ok_and(|age| age < Duration::from_secs(60)));
    assert_eq!(first.stores[0].readings, file.readings);

    rig.append("a.log", "4\n5");
    rig.turns();
    let second = profile(&mut rig);
    let file = &second.files[0];
    assert_eq!((file.size, file.position), (11, 10), "what is no whole line is read, not handed over");
    assert_eq!((file.readings.bytes, file.readings.matched, file.readings.unmatched), (3, 1, 0));
}

#[test]
fn a_file_that_went_between_two_profiles_is_in_the_next_one_once() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "1\n");
    rig.values();
    fs::remove_file(rig.path("a.log")).expect("removed");
    rig.wait_ms(10_000);
    let told = profile(&mut rig);
    assert_eq!((told.files.len(), told.files[0].readings.bytes, told.stores[0].readings.bytes), (1, 2, 2));
    let then = profile(&mut rig);
    assert_eq!((then.files.len(), &then.stores[0].readings), (0, &Readings::default()));
}

#[test]
fn files_beyond_those_that_are_named_are_in_the_sums() {
    let mut rig = Rig::new();
    for n in 0..1_002 {
        rig.append(&format!("{n}.log"), "x\n");
    }
    rig.start(vec![simple_on(|input| input.file_pattern = "*.log".to_owned())]);
    rig.values();
    let told = profile(&mut rig);
    assert_eq!((told.files.len(), told.stores[0].readings.bytes), (1_000, 2 * 1_002));
}

#[test]
fn a_logstore_is_told_with_its_requests_and_those_that_wait() {
    let mut rig = Rig::new();
    rig.limits = Limits { lane_parcels_max: 1, ..Limits::default() };
    rig.start(vec![simple()]);
    rig.append("a.log", "1\n2\n");
    rig.wait_ms(100);
    let to = simple().destination;
    let reader = rig.reader.as_mut().expect("a reader");
    for trouble in [Trouble::Quota, Trouble::Unreachable, Trouble::Auth, Trouble::Unreachable] {
        reader.note_failure(&to, trouble, "");
    }
    let told = profile(&mut rig);
    let [store] = &told.stores[..] else { panic!("{told:?}") };
    assert_eq!((store.project.as_str(), store.logstore.as_str()), ("project-1", "store"));
    let sending = &store.sending;
    assert_eq!((sending.succeeded, sending.quota_errors, sending.network_errors), (0, 1, 2));
    assert!(sending.is_failing && store.is_blocked && store.succeeded_at.is_none());
    let (first, last) = store.unsent_since.expect("one waits");
    assert!(store.unsent == 1 && first == last && first <= SystemTime::now());

    let parcel = rig.carried.pop().expect("a request");
    let now = rig.now();
    rig.reader.as_mut().expect("a reader").settle(parcel.id, &Outcome::Refused { logs_lost: 1 }, now);
    rig.append("a.log", "3\n");
    rig.wait_ms(5_000);
    rig.take();
    let told = profile(&mut rig);
    let store = &told.stores[0];
    assert_eq!((store.sending.succeeded, store.sending.discarded, store.sending.quota_errors), (1, 1, 0));
    assert_eq!((store.unsent, store.unsent_since, store.is_blocked), (0, None, false));
    assert!(!store.sending.is_failing && store.succeeded_at.is_some_and(|at| at <= SystemTime::now()));
    assert_eq!(told.files[0].readings.refused, 1);
}
