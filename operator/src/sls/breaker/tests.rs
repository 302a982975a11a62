use super::*;
use proptest::prelude::*;

const CAP: Duration = Duration::from_secs(10);

fn failed() -> Outcome {
    Outcome::Failed { error: "refused".into(), retry_after: None }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A breaker that has just opened.
fn open(now: Instant) -> Breaker {
    let mut breaker = Breaker::new(CAP);
    for n in 1..=FAILURES_MAX {
        assert_eq!(breaker.admit(now), Admission::Alone);
        let change = breaker.record(true, failed(), now);
        assert_eq!(change, if n == FAILURES_MAX { Change::Opened } else { Change::Next });
    }
    breaker
}

#[test]
fn before_the_first_answer_requests_go_one_at_a_time() {
    let now = Instant::now();
    let mut breaker = Breaker::new(CAP);
    assert_eq!(breaker.admit(now), Admission::Alone);
    assert_eq!(breaker.admit(now), Admission::Wait(now + TURN_WAIT_MAX));
    let late = now + TURN_WAIT_MAX;
    assert_eq!(breaker.admit(late), Admission::Alone);
    assert_eq!(breaker.admit(late), Admission::Wait(late + TURN_WAIT_MAX));
    breaker.refuse();
    assert_eq!(breaker.record(true, Outcome::Answered, late), Change::Recovered);
    assert_eq!((breaker.admit(late), breaker.admit(late)), (Admission::Free, Admission::Free));
    assert_eq!(breaker.record(false, Outcome::Answered, late), Change::None);
}

#[test]
fn after_failures_in_a_row_only_probes_go_rarer_and_rarer() {
    let mut now = Instant::now();
    let mut breaker = open(now);
    for wait in [1, 2, 4, 8, 10, 10] {
        assert_eq!(breaker.standing(), Standing::Open);
        assert_eq!(breaker.admit(now), Admission::Refused(now + seconds(wait)));
        now += seconds(wait);
        assert!(breaker.wants_probe(now) && !breaker.wants_probe(now));
        assert_eq!(breaker.admit(now), Admission::Alone);
        assert_eq!(breaker.standing(), Standing::HalfOpen);
        assert!(matches!(breaker.admit(now), Admission::Refused(_)));
        assert_eq!(breaker.record(true, failed(), now), Change::Next);
    }
    now += CAP;
    assert_eq!(breaker.admit(now), Admission::Alone);
    assert_eq!(breaker.record(true, Outcome::Answered, now), Change::Recovered);
    assert_eq!((breaker.admit(now), breaker.standing()), (Admission::Free, Standing::Closed));
}

#[test]
fn a_probe_that_nobody_makes_is_asked_for_again() {
    let now = Instant::now();
    let mut breaker = open(now);
    assert!(!breaker.wants_probe(now));
    let due = now + PROBE_WAIT_MIN;
    assert_eq!(breaker.ask_at(), Some(due));
    assert!(breaker.wants_probe(due));
    assert_eq!(breaker.ask_at(), Some(due + ASK_AGAIN));
    assert!(breaker.wants_probe(due + ASK_AGAIN));
    // Its maker went away: the next may try at once.
    assert_eq!(breaker.admit(due), Admission::Alone);
    assert_eq!(breaker.record(true, Outcome::Abandoned, due), Change::Next);
    assert_eq!(breaker.admit(due), Admission::Alone);
}

#[test]
fn an_endpoint_that_asks_for_patience_gets_it_within_bounds() {
    let now = Instant::now();
    for (asked, wait) in [(30, 30), (100_000, 300)] {
        let mut breaker = open(now);
        let due = now + PROBE_WAIT_MIN;
        assert_eq!(breaker.admit(due), Admission::Alone);
        let outcome = Outcome::Failed { error: String::new(), retry_after: Some(seconds(asked)) };
        breaker.record(true, outcome, due);
        assert_eq!(breaker.admit(due), Admission::Refused(due + seconds(wait)));
    }
}

#[test]
fn a_late_failure_of_better_times_does_not_delay_the_next_probe() {
    let now = Instant::now();
    let mut breaker = open(now);
    assert_eq!(breaker.record(false, failed(), now + CAP), Change::None);
    assert_eq!(breaker.ask_at(), Some(now + PROBE_WAIT_MIN));
}

proptest! {
    /// However many ask however often: an endpoint that never answers gets at most 5 requests in any second.
    #[test]
    fn a_dead_endpoint_gets_at_most_five_requests_a_second(
        gaps in prop::collection::vec(0_u64..200, 1..400),
    ) {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(Duration::from_millis(100));
        let mut sent: Vec<Instant> = Vec::new();
        for gap in gaps {
            now += Duration::from_millis(gap);
            if breaker.admit(now) == Admission::Alone {
                sent.push(now);
                breaker.record(true, failed(), now);
            }
        }
        for start in &sent {
            let within = sent.iter().filter(|at| *start <= **at && at.duration_since(*start) < seconds(1));
            prop_assert!(within.count() <= 5);
        }
    }
}
