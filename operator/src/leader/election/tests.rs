use super::*;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn wall(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn election(identity: &str) -> Election {
    Election::new(identity.to_owned(), Timing::default())
}

/// What the server makes of a write: a new version.
fn stored(turn: Turn, version: u32) -> Lease {
    let (Turn::Create(mut lease) | Turn::Write(mut lease)) = turn else { panic!("nothing is written") };
    lease.metadata.resource_version = Some(version.to_string());
    lease
}

fn spec(lease: &Lease) -> &LeaseSpec {
    lease.spec.as_ref().unwrap()
}

#[test]
fn the_first_makes_the_lease_and_renews_it() {
    let now = Instant::now();
    let mut one = election("one");
    let lease = stored(one.turn(None, now, wall(100)), 1);
    assert_eq!(holder(&lease), Some("one"));
    assert_eq!(spec(&lease).lease_duration_seconds, Some(15));
    let renewed = stored(one.turn(Some(&lease), now + seconds(2), wall(102)), 2);
    assert_eq!(spec(&renewed).acquire_time, Some(micros(wall(100))));
    assert_eq!(spec(&renewed).renew_time, Some(micros(wall(102))));
    assert_eq!(spec(&renewed).lease_transitions, Some(0));
}

#[test]
fn a_lease_that_nobody_renews_is_taken_after_its_duration() {
    let now = Instant::now();
    let lease = stored(election("one").turn(None, now, wall(100)), 1);
    let mut two = election("two");
    assert_eq!(two.turn(Some(&lease), now, wall(100)), Turn::Wait);
    assert_eq!(two.turn(Some(&lease), now + seconds(14), wall(114)), Turn::Wait);
    let taken = stored(two.turn(Some(&lease), now + seconds(15), wall(115)), 2);
    assert_eq!((holder(&taken), spec(&taken).lease_transitions), (Some("two"), Some(1)));
}

#[test]
fn a_lease_that_is_renewed_is_never_taken_whatever_the_clocks_say() {
    for skew in [-30, 0, 30, 100_000] {
        let start = Instant::now();
        let mut one = election("one");
        let mut two = election("two");
        let mut lease = stored(one.turn(None, start, wall(1_000_000)), 0);
        for n in 1..100 {
            let (now, second) = (start + seconds(2 * n), 1_000_000 + 2 * i64::try_from(n).unwrap());
            lease = stored(one.turn(Some(&lease), now, wall(second)), u32::try_from(n).unwrap());
            assert_eq!(two.turn(Some(&lease), now, wall(second + skew)), Turn::Wait, "{skew}");
        }
    }
}

#[test]
fn a_lease_that_ran_out_long_ago_is_watched_for_its_whole_duration_first() {
    let now = Instant::now();
    let lease = stored(election("one").turn(None, now, wall(100)), 1);
    let mut two = election("two");
    let later = now + seconds(1000);
    assert_eq!(two.turn(Some(&lease), later, wall(1_000_000)), Turn::Wait);
    assert!(matches!(two.turn(Some(&lease), later + seconds(15), wall(0)), Turn::Write(_)));
}

#[test]
fn the_holder_s_own_duration_counts() {
    let now = Instant::now();
    let slow = Timing { lease_duration: seconds(60), ..Timing::default() };
    let lease = stored(Election::new("one".into(), slow).turn(None, now, wall(100)), 1);
    let mut two = election("two");
    assert_eq!(two.turn(Some(&lease), now, wall(100)), Turn::Wait);
    assert_eq!(two.turn(Some(&lease), now + seconds(59), wall(159)), Turn::Wait);
    assert!(matches!(two.turn(Some(&lease), now + seconds(60), wall(160)), Turn::Write(_)));
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let now = Instant::now();
    let mut one = election("one");
    let lease = stored(one.turn(None, now, wall(100)), 1);
    let mut two = election("two");
    assert_eq!(two.turn(Some(&lease), now, wall(100)), Turn::Wait);
    assert_eq!(two.released(&lease, wall(101)), None);
    let released = one.released(&lease, wall(101)).unwrap();
    let taken = stored(two.turn(Some(&released), now, wall(101)), 3);
    assert_eq!((holder(&taken), spec(&taken).lease_duration_seconds), (Some("two"), Some(15)));
}

#[test]
fn a_lease_that_somebody_made_by_hand_without_a_holder_is_taken() {
    let lease = Lease::default();
    assert!(matches!(election("one").turn(Some(&lease), Instant::now(), wall(100)), Turn::Write(_)));
}
