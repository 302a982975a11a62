//! Parts of objects that several kinds have: conditions, what their containers do, how they are probed.

use maud::{Markup, html};
use serde_json::Value;

use super::{items, number, text, time};
use crate::console::shown::{value, visible};
use crate::console::visit::Visit;

/// Conditions for which it is bad to be true.
const BAD_IF_TRUE: [&str; 6] =
    ["Failed", "FailureTarget", "ReplicaFailure", "Degraded", "Stalled", "DisruptionTarget"];

/// The conditions of an object with their reasons and what they tell.
pub(super) fn conditions(visit: &Visit, object: &Value) -> Markup {
    let all = items(object, "/status/conditions");
    html! { @if !all.is_empty() {
        div.scroll { table {
            caption { (visit.t("Conditions", "状态条件")) }
            thead { tr {
                th { (visit.t("Condition", "条件")) } th { (visit.t("Status", "状态")) } th { (visit.t("Reason", "原因")) }
                th { (visit.t("Message", "信息")) } th { (visit.t("Since", "自")) }
            } }
            tbody { @for condition in all { tr {
                th scope="row" { (visible(text(condition, "/type"))) }
                td { (badge(condition)) }
                td { (visible(text(condition, "/reason"))) }
                td.wrap { (value(visit, text(condition, "/message"))) }
                td.nowrap { (time(text(condition, "/lastTransitionTime"))) }
            } } }
        } }
    } }
}

/// The status of a condition.
pub(super) fn badge(condition: &Value) -> Markup {
    let bad_if_true = BAD_IF_TRUE.contains(&text(condition, "/type"));
    let class = match (text(condition, "/status"), bad_if_true) {
        ("True", false) | ("False", true) => "badge good",
        ("True", true) | ("False", false) => "badge bad",
        _ => "badge",
    };
    html! { span class=(class) { (visible(text(condition, "/status"))) } }
}

/// What an object says is wrong with it: messages of conditions that do not hold, and the operator's last failure.
pub(super) fn problems(object: &Value) -> Vec<String> {
    let told = items(object, "/status/conditions").iter().filter_map(|condition| {
        let bad_if_true = BAD_IF_TRUE.contains(&text(condition, "/type"));
        let bad = matches!((text(condition, "/status"), bad_if_true), ("False", false) | ("True", true));
        let message = text(condition, "/message");
        (bad && !message.is_empty()).then(|| format!("{}: {message}", text(condition, "/type")))
    });
    let failure = object.pointer("/status/lastError").map(|error| {
        format!("{} {}: {}", text(error, "/step"), text(error, "/code"), text(error, "/message"))
    });
    let mut all: Vec<String> = told.chain(failure).collect();
    // Conditions that follow from another repeat its message.
    let mut seen = std::collections::HashSet::new();
    all.retain(|told| {
        seen.insert(told.split_once(": ").map_or(told.clone(), |(_, message)| message.to_owned()))
    });
    all
}

/// The containers of a pod: those that come first, sidecars among them, and the others.
pub(super) fn containers(pod: &Value) -> Vec<(&Value, Option<&Value>)> {
    [("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")]
        .into_iter()
        .flat_map(|(specs, statuses)| {
            let statuses = items(pod, &format!("/status/{statuses}"));
            items(pod, &format!("/spec/{specs}")).iter().map(move |spec| {
                let name = text(spec, "/name");
                (spec, statuses.iter().find(|status| text(status, "/name") == name))
            })
        })
        .collect()
}

/// What a container does, or why it does not.
pub(super) fn state(visit: &Visit, status: Option<&Value>) -> Markup {
    let Some(status) = status else { return html! { span.badge { (visit.t("not started", "未启动")) } } };
    html! { (one_state(visit, status, "state")) }
}

/// How the instance before ended, if there was one.
pub(super) fn last_state(visit: &Visit, status: Option<&Value>) -> Markup {
    html! { @if let Some(status) = status { (one_state(visit, status, "lastState")) } }
}

fn one_state(visit: &Visit, status: &Value, which: &str) -> Markup {
    let at = |part: &str| format!("/{which}/{part}");
    html! {
        @if status.pointer(&at("running")).is_some() {
            @let ready = status.get("ready").and_then(Value::as_bool).unwrap_or_default();
            span.badge.good { (visit.t("running", "运行中")) }
            @if !ready { " " span.badge.warn { (visit.t("not ready", "未就绪")) } }
            " " span.hint { (time(text(status, &at("running/startedAt")))) }
        } @else if let Some(ended) = status.pointer(&at("terminated")) {
            @let code = number(ended, "/exitCode");
            span.badge.good[code == 0].bad[code != 0] {
                (visit.t("ended", "已结束")) " " (visit.t("with", "退出码")) " " (code)
            }
            " " (visible(text(ended, "/reason"))) " " span.hint { (time(text(ended, "/finishedAt"))) }
            @if !text(ended, "/message").is_empty() { div.hint { (value(visit, text(ended, "/message"))) } }
        } @else if let Some(waiting) = status.pointer(&at("waiting")) {
            span.badge.warn { (visit.t("waiting", "等待中")) } " " (visible(text(waiting, "/reason")))
            @if !text(waiting, "/message").is_empty() { div.hint { (value(visit, text(waiting, "/message"))) } }
        }
    }
}

/// The probes of a container, a line each.
pub(super) fn probes(spec: &Value) -> Vec<String> {
    [("startup", "startupProbe"), ("readiness", "readinessProbe"), ("liveness", "livenessProbe")]
        .into_iter()
        .filter_map(|(name, field)| Some(format!("{name}: {}", probe(spec.get(field)?))))
        .collect()
}

/// What a probe does and how often, as `kubectl describe` says it.
fn probe(probe: &Value) -> String {
    let port = |at: &str| probe.pointer(at).map(|port| port.to_string().replace('"', "")).unwrap_or_default();
    let what = if let Some(command) = probe.pointer("/exec/command").and_then(Value::as_array) {
        let words: Vec<&str> = command.iter().filter_map(Value::as_str).collect();
        format!("exec {}", words.join(" "))
    } else if probe.get("httpGet").is_some() {
        format!("GET :{}{}", port("/httpGet/port"), text(probe, "/httpGet/path"))
    } else if probe.get("tcpSocket").is_some() {
        format!("TCP :{}", port("/tcpSocket/port"))
    } else if probe.get("grpc").is_some() {
        format!("gRPC :{}", port("/grpc/port"))
    } else {
        "?".to_owned()
    };
    // Defaults of Kubernetes where the object says nothing.
    let or = |field: &str, default: i64| probe.get(field).and_then(Value::as_i64).unwrap_or(default);
    format!(
        "{what} (delay {} s, every {} s, timeout {} s, fails after {})",
        or("initialDelaySeconds", 0),
        or("periodSeconds", 10),
        or("timeoutSeconds", 1),
        or("failureThreshold", 3)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn probes_are_told_with_their_defaults() {
        let spec = json!({
            "livenessProbe": {"exec": {"command": ["/etc/init.d/ilogtaild", "status"]}, "periodSeconds": 30},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
        });
        assert_eq!(
            probes(&spec),
            [
                "readiness: GET :http/ready (delay 0 s, every 10 s, timeout 1 s, fails after 3)",
                "liveness: exec /etc/init.d/ilogtaild status (delay 0 s, every 30 s, timeout 1 s, fails after 3)",
            ]
        );
        assert!(probes(&Value::Null).is_empty());
    }

    #[test]
    fn an_object_tells_each_problem_once() {
        let object = json!({"status": {
            "conditions": [
                {"type": "Accepted", "status": "False", "message": "11 groups"},
                {"type": "Ready", "status": "False", "message": "11 groups"},
                {"type": "Bound", "status": "Unknown", "message": "later"},
                {"type": "Failed", "status": "True", "message": "too often"},
            ],
            "lastError": {"step": "CreateConfig", "code": "Busy", "message": "no"},
        }});
        let all = ["Accepted: 11 groups", "Failed: too often", "CreateConfig Busy: no"];
        assert_eq!(problems(&object), all);
    }
}
