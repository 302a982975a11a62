//! Figures of admission and of its audit, in Prometheus text format; a part of `/metrics`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::mutate::Became;

/// All figures; labels come from our own lists of words, so their number is bounded.
#[derive(Debug, Default)]
pub struct Figures {
    injections: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    judgements: Mutex<BTreeMap<&'static str, u64>>,
    expiry: Mutex<Option<i64>>,
    uninjected: Mutex<Option<BTreeMap<String, u64>>>,
}

impl Figures {
    pub(super) fn injection(&self, became: Became) {
        let key = match became {
            Became::Injected => ("injected", ""),
            Became::Unchanged => ("unchanged", ""),
            Became::Skipped(reason) => ("skipped", reason),
        };
        *lock(&self.injections).entry(key).or_default() += 1;
    }

    pub(super) fn not_ready(&self) {
        *lock(&self.injections).entry(("failed", "not_ready")).or_default() += 1;
    }

    pub(super) fn judged(&self, allowed: bool) {
        let result = if allowed { "allowed" } else { "denied" };
        *lock(&self.judgements).entry(result).or_default() += 1;
    }

    pub(super) fn expires(&self, unix: i64) {
        *lock(&self.expiry) = Some(unix);
    }

    /// Pods that ask for a sidecar and have none, by reason.
    pub(crate) fn uninjected(&self, by_reason: BTreeMap<String, u64>) {
        *lock(&self.uninjected) = Some(by_reason);
    }

    /// Everything, as Prometheus reads it.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let mut head = |name: &str, kind: &str, help: &str, lines: &[String]| {
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            for line in lines {
                let _ = writeln!(out, "{name}{line}");
            }
        };
        let injections = lock(&self.injections);
        let lines: Vec<String> = injections
            .iter()
            .map(|((result, reason), count)| format!("{{result=\"{result}\",reason=\"{reason}\"}} {count}"))
            .collect();
        head(
            "sls_operator_injections_total",
            "counter",
            "Pods that the webhook saw, by what became of them.",
            &lines,
        );
        let judgements = lock(&self.judgements);
        let lines: Vec<String> =
            judgements.iter().map(|(result, count)| format!("{{result=\"{result}\"}} {count}")).collect();
        let help = "AliyunLogConfigs that the webhook judged, by result.";
        head("sls_operator_admission_judgements_total", "counter", help, &lines);
        let lines: Vec<String> = lock(&self.expiry).iter().map(|unix| format!(" {unix}")).collect();
        let help = "Unix time at which the webhook's serving certificate expires.";
        head("sls_operator_webhook_certificate_expiry_seconds", "gauge", help, &lines);
        let uninjected = lock(&self.uninjected);
        let lines: Vec<String> = uninjected
            .iter()
            .flatten()
            .map(|(reason, count)| format!("{{reason=\"{reason}\"}} {count}"))
            .collect();
        let help = "Running Pods that ask for a sidecar and have none, by reason, at the last audit.";
        head("sls_operator_uninjected_pods", "gauge", help, &lines);
        out
    }
}

/// Figures are valid after any single statement, so a panic elsewhere does not spoil them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
