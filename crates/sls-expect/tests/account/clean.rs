use fastrand::Rng;
use sls_expect::account::{AtMost, Demands};

use super::stream::Stream;

const ALL: Demands = Demands {
    exactly_once: true,
    at_least_once: true,
    loss_at_most: Some(0),
    duplicates_at_most: Some(AtMost::Logs(0)),
    in_order_per_source: true,
    in_time: true,
    latency_p99_below_ms: Some(500),
};

#[test]
fn nothing_is_wrong_with_a_thousand_clean_runs() {
    for seed in 0..1_000 {
        let mut random = Rng::with_seed(seed);
        let (sources, logs) = (random.usize(1..6), random.usize(1..300));
        let accounting = Stream::new(&mut random, sources, logs).account();
        assert_eq!(ALL.judge(&accounting), Ok(()), "seed {seed}: {}", accounting.text());
        let [sent, received, unique] = [accounting.sent, accounting.received, accounting.unique];
        assert_eq!(
            [sent, received, unique, accounting.unchecked],
            [logs as u64, logs as u64, logs as u64, 0]
        );
        assert_eq!(accounting.latency.unwrap().max_ms, 400);
    }
}
