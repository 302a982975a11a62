//! Counters for `/metrics`, in Prometheus text format. Every series is named here and nowhere else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Label sets kept per metric; further ones are counted under `other`. Codes come from a server, which
/// must not be able to fill the memory. Source: guess.
const SERIES_MAX: usize = 500;

/// The metrics, with their label names and help.
const COUNTERS: [(Counter, &str, &[&str], &str); 6] = [
    (
        Counter::Reconciles,
        "sls_operator_reconciles_total",
        &["result"],
        "Looks at an object, by what came of it.",
    ),
    (
        Counter::SlsCalls,
        "sls_operator_sls_calls_total",
        &["operation", "code"],
        "Calls to Log Service, by operation and error code; code OK for success.",
    ),
    (Counter::Steps, "sls_operator_changes_total", &["step"], "Changes made to Log Service, by step."),
    (
        Counter::Drift,
        "sls_operator_drift_corrected_total",
        &["step"],
        "Changes that put right what somebody else had changed, by step.",
    ),
    (
        Counter::StatusWrites,
        "sls_operator_status_writes_total",
        &["result"],
        "Writes of an object's status, by result.",
    ),
    (
        Counter::WatchErrors,
        "sls_operator_watch_errors_total",
        &[],
        "Failures of the watch on AliyunLogConfigs; it is established again each time.",
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Counter {
    Reconciles,
    SlsCalls,
    Steps,
    Drift,
    StatusWrites,
    WatchErrors,
}

/// What came of a look at an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    Accepted,
    Synced,
    Paused,
    Invalid,
    Conflict,
    Failed,
    Deleted,
    NotDeleted,
    KubernetesError,
}

impl Looked {
    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Synced => "synced",
            Self::Paused => "paused",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
            Self::NotDeleted => "not_deleted",
            Self::KubernetesError => "kubernetes_error",
        }
    }
}

/// All counters of one operator.
#[derive(Default)]
pub struct Metrics {
    counts: Mutex<BTreeMap<Counter, BTreeMap<Vec<String>, u64>>>,
    seconds: Mutex<(u64, Duration)>,
}

impl Metrics {
    /// Counts a look at an object.
    pub fn looked(&self, result: Looked, took: Duration) {
        self.count(Counter::Reconciles, &[result.name()]);
        let mut seconds = lock(&self.seconds);
        seconds.0 += 1;
        seconds.1 += took;
    }

    /// Counts a call to Log Service.
    pub fn sls_call(&self, operation: &str, code: &str) {
        self.count(Counter::SlsCalls, &[operation, code]);
    }

    /// Counts a change made to Log Service.
    pub fn changed(&self, step: &str, drift: bool) {
        self.count(Counter::Steps, &[step]);
        if drift {
            self.count(Counter::Drift, &[step]);
        }
    }

    /// Counts a write of a status.
    pub fn status_written(&self, ok: bool) {
        self.count(Counter::StatusWrites, &[if ok { "ok" } else { "failed" }]);
    }

    /// Counts a failure of the watch.
    pub fn watch_failed(&self) {
        self.count(Counter::WatchErrors, &[]);
    }

    /// Everything, as Prometheus reads it.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let counts = lock(&self.counts);
        for (counter, name, labels, help) in COUNTERS {
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n");
            for (values, count) in counts.get(&counter).into_iter().flatten() {
                let pairs: Vec<_> = labels
                    .iter()
                    .zip(values)
                    .map(|(label, value)| format!("{label}=\"{}\"", escape(value)))
                    .collect();
                let set = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
                let _ = writeln!(out, "{name}{set} {count}");
            }
        }
        let (count, sum) = *lock(&self.seconds);
        let name = "sls_operator_reconcile_seconds";
        let _ = write!(out, "# HELP {name} Time taken by looks at an object.\n# TYPE {name} summary\n");
        let _ = write!(out, "{name}_sum {}\n{name}_count {count}\n", sum.as_secs_f64());
        let name = "sls_operator_build_info";
        let _ = write!(out, "# HELP {name} Version of the operator.\n# TYPE {name} gauge\n");
        let _ = writeln!(out, "{name}{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        out
    }

    fn count(&self, counter: Counter, labels: &[&str]) {
        let mut counts = lock(&self.counts);
        let series = counts.entry(counter).or_default();
        let key: Vec<String> = labels.iter().map(ToString::to_string).collect();
        let key = if series.len() < SERIES_MAX || series.contains_key(&key) {
            key
        } else {
            labels.iter().map(|_| "other".to_owned()).collect()
        };
        *series.entry(key).or_default() += 1;
    }
}

/// Counters are valid after any single statement, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_appear_with_their_labels() {
        let metrics = Metrics::default();
        metrics.sls_call("GetConfig", "OK");
        metrics.sls_call("GetConfig", "OK");
        metrics.sls_call("GetConfig", "quo\"te");
        let text = metrics.render();
        assert!(
            text.contains("sls_operator_sls_calls_total{operation=\"GetConfig\",code=\"OK\"} 2\n"),
            "{text}"
        );
        assert!(text.contains("code=\"quo\\\"te\"} 1\n"), "{text}");
    }

    #[test]
    fn a_server_that_invents_codes_does_not_fill_the_memory() {
        let metrics = Metrics::default();
        for n in 0..2 * SERIES_MAX {
            metrics.sls_call("GetConfig", &format!("Code{n}"));
        }
        assert!(metrics.render().lines().count() < SERIES_MAX + 40);
    }
}
