//! Counters for `/metrics`, in Prometheus text format. Every series is named here and nowhere else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sls::breaker::Standing;

/// Label sets kept per metric; further ones are counted under `other`. Codes come from a server, which
/// must not be able to fill the memory. Source: guess.
const SERIES_MAX: usize = 500;

/// The metrics, with their label names and help.
const COUNTERS: [(Counter, &str, &[&str], &str); 7] = [
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
    (Counter::Events, "sls_operator_events_total", &["result"], "Writes of events, by result."),
    (
        Counter::WatchErrors,
        "sls_operator_watch_errors_total",
        &[],
        "Failures of the watch on AliyunLogConfigs; it is established again each time.",
    ),
];

/// Metrics that go up and down, with their label names and help.
const GAUGES: [(Gauge, &str, &[&str], &str); 2] = [
    (
        Gauge::Backend,
        "sls_operator_backend_circuit",
        &["endpoint"],
        "What goes to an endpoint of Log Service: 0 all requests, 1 one probe that is under way, 2 none until the next \
         probe.",
    ),
    (Gauge::Leader, "sls_operator_leader", &[], "1 while this operator leads or needs not to, else 0."),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gauge {
    Backend,
    Leader,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Counter {
    Reconciles,
    SlsCalls,
    Steps,
    Drift,
    StatusWrites,
    Events,
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

/// Values by the values of their labels.
type Series = BTreeMap<Vec<String>, u64>;

/// All counters of one operator.
#[derive(Default)]
pub struct Metrics {
    counts: Mutex<BTreeMap<Counter, Series>>,
    gauges: Mutex<BTreeMap<Gauge, Series>>,
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

    /// Counts a write of an event.
    pub fn event_written(&self, ok: bool) {
        self.count(Counter::Events, &[if ok { "ok" } else { "failed" }]);
    }

    /// Counts a failure of the watch.
    pub fn watch_failed(&self) {
        self.count(Counter::WatchErrors, &[]);
    }

    /// Everything, as Prometheus reads it.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let (counts, gauges) = (lock(&self.counts).clone(), lock(&self.gauges).clone());
        for (counter, name, labels, help) in COUNTERS {
            render(&mut out, (name, "counter", labels, help), counts.get(&counter));
        }
        for (gauge, name, labels, help) in GAUGES {
            render(&mut out, (name, "gauge", labels, help), gauges.get(&gauge));
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

    /// How an endpoint stands.
    pub fn backend(&self, endpoint: &str, standing: Standing) {
        let value = match standing {
            Standing::Closed => 0,
            Standing::HalfOpen => 1,
            Standing::Open => 2,
        };
        self.set(Gauge::Backend, &[endpoint], value);
    }

    /// Whether this operator leads.
    pub fn leads(&self, leads: bool) {
        self.set(Gauge::Leader, &[], u64::from(leads));
    }

    fn count(&self, counter: Counter, labels: &[&str]) {
        let mut counts = lock(&self.counts);
        *series(counts.entry(counter).or_default(), labels) += 1;
    }

    fn set(&self, gauge: Gauge, labels: &[&str], value: u64) {
        let mut gauges = lock(&self.gauges);
        *series(gauges.entry(gauge).or_default(), labels) = value;
    }
}

/// The value for `labels`, or that of all for which there is no room.
fn series<'a>(all: &'a mut Series, labels: &[&str]) -> &'a mut u64 {
    let mut key: Vec<String> = labels.iter().map(ToString::to_string).collect();
    if all.len() >= SERIES_MAX && !all.contains_key(&key) {
        key = labels.iter().map(|_| "other".to_owned()).collect();
    }
    all.entry(key).or_default()
}

fn render(
    out: &mut String,
    (name, kind, labels, help): (&str, &str, &[&str], &str),
    series: Option<&Series>,
) {
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (values, value) in series.into_iter().flatten() {
        let pairs: Vec<_> = labels
            .iter()
            .zip(values)
            .map(|(label, value)| format!("{label}=\"{}\"", escape(value)))
            .collect();
        let set = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        let _ = writeln!(out, "{name}{set} {value}");
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
