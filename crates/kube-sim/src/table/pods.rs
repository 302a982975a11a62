//! The columns of pods, whose status is a summary of many fields.

use jiff::Timestamp;
use serde_json::Value;

use super::{Column, age};
use crate::meta;

/// Columns after the name.
pub fn columns() -> Vec<Column> {
    let text = |name, compute| Column::computed(name, "string", "", 0, compute);
    let wide = |name, compute| Column::computed(name, "string", "", 1, compute);
    vec![
        text("Ready", |o, _| ready(o).into()),
        text("Status", |o, _| status(o).into()),
        text("Restarts", |o, now| restarts(o, now).into()),
        Column::age(),
        wide("IP", |o, _| or_none(meta::str_at(o, &["status", "podIP"]))),
        wide("Node", |o, _| or_none(meta::str_at(o, &["spec", "nodeName"]))),
        wide("Nominated Node", |o, _| or_none(meta::str_at(o, &["status", "nominatedNodeName"]))),
        wide("Readiness Gates", |_, _| "<none>".into()),
    ]
}

fn or_none(text: &str) -> Value {
    if text.is_empty() { "<none>".into() } else { text.into() }
}

fn statuses<'a>(pod: &'a Value, list: &str) -> Vec<&'a Value> {
    meta::at(pod, &["status", list]).and_then(Value::as_array).into_iter().flatten().collect()
}

fn is_true(value: &Value, field: &str) -> bool {
    value.get(field).and_then(Value::as_bool).unwrap_or(false)
}

fn ready(pod: &Value) -> String {
    let total = meta::at(pod, &["spec", "containers"]).and_then(Value::as_array).map_or(0, Vec::len);
    let ready = statuses(pod, "containerStatuses").into_iter().filter(|c| is_true(c, "ready")).count();
    format!("{ready}/{total}")
}

fn restarts(pod: &Value, now: Timestamp) -> String {
    let all = statuses(pod, "containerStatuses");
    let total: i64 = all.iter().filter_map(|c| c.get("restartCount")?.as_i64()).sum();
    let last = all
        .iter()
        .map(|c| meta::str_at(c, &["lastState", "terminated", "finishedAt"]))
        .max()
        .unwrap_or_default();
    if total > 0 && !last.is_empty() {
        format!("{total} ({} ago)", age::since(last, now))
    } else {
        total.to_string()
    }
}

/// The text for a terminated container.
fn terminated(state: &Value) -> String {
    let reason = meta::str_at(state, &["reason"]);
    if !reason.is_empty() {
        return reason.to_owned();
    }
    match state.get("signal").and_then(Value::as_i64).filter(|s| *s != 0) {
        Some(signal) => format!("Signal:{signal}"),
        None => format!("ExitCode:{}", state.get("exitCode").and_then(Value::as_i64).unwrap_or(0)),
    }
}

/// The one word that says what the pod is doing. Source: behaviour of
/// `kubectl get pods` for the states of init containers and containers.
pub fn status(pod: &Value) -> String {
    let phase = meta::str_at(pod, &["status", "phase"]);
    let mut reason = match meta::str_at(pod, &["status", "reason"]) {
        "" => phase.to_owned(),
        given => given.to_owned(),
    };
    let init = init_reason(pod);
    if let Some(text) = &init {
        reason.clone_from(text);
    }
    if init.is_none() {
        let mut running = false;
        for container in statuses(pod, "containerStatuses").into_iter().rev() {
            let waiting = meta::str_at(container, &["state", "waiting", "reason"]);
            if !waiting.is_empty() {
                waiting.clone_into(&mut reason);
            } else if let Some(state) = meta::at(container, &["state", "terminated"]) {
                reason = terminated(state);
            } else if is_true(container, "ready") && meta::at(container, &["state", "running"]).is_some() {
                running = true;
            }
        }
        if reason == "Completed" && running {
            let conditions = meta::at(pod, &["status", "conditions"]).and_then(Value::as_array);
            let ready = conditions
                .into_iter()
                .flatten()
                .any(|c| meta::str_at(c, &["type"]) == "Ready" && meta::str_at(c, &["status"]) == "True");
            reason = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if meta::is_deleting(pod) {
        let finished = matches!(phase, "Succeeded" | "Failed");
        if !finished {
            reason = if meta::str_at(pod, &["status", "reason"]) == "NodeLost" {
                "Unknown"
            } else {
                "Terminating"
            }
            .to_owned();
        }
    }
    reason
}

/// The text while init containers are not all done.
fn init_reason(pod: &Value) -> Option<String> {
    let total = meta::at(pod, &["spec", "initContainers"]).and_then(Value::as_array).map_or(0, Vec::len);
    for (index, container) in statuses(pod, "initContainerStatuses").into_iter().enumerate() {
        let state = meta::at(container, &["state", "terminated"]);
        if state.is_some_and(|s| s.get("exitCode").and_then(Value::as_i64) == Some(0)) {
            continue;
        }
        if let Some(state) = state {
            return Some(format!("Init:{}", terminated(state)));
        }
        let waiting = meta::str_at(container, &["state", "waiting", "reason"]);
        if !waiting.is_empty() && waiting != "PodInitializing" {
            return Some(format!("Init:{waiting}"));
        }
        return Some(format!("Init:{index}/{total}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(status_field: Value, expected: &str) {
        let pod = json!({"spec": {"containers": [{"name": "a"}], "initContainers": [{"name": "i"}]}, "status": status_field});
        assert_eq!(status(&pod), expected);
    }

    #[test]
    fn the_status_word_sums_up_the_containers() {
        check(json!({"phase": "Pending"}), "Pending");
        check(
            json!({"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}),
            "ContainerCreating",
        );
        check(
            json!({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}),
            "ExitCode:3",
        );
        check(
            json!({"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}),
            "Completed",
        );
        check(json!({"phase": "Pending", "initContainerStatuses": [{"state": {"running": {}}}]}), "Init:0/1");
    }
}
