//! A Pod that is about to be created → the same with its sidecar, or with the reason why it has none. Pure: what
//! `operator inject` does to files.

use serde_json::{Value, json};

use super::review::{Answer, Request};
use crate::crd::AliyunLogConfig;
use crate::inject::{self, INJECTED, Profile, SKIPPED, Skip, Workload};
use crate::text::cut;

/// Longest reason in the annotation, in bytes. Source: guess; the text says what to do.
const REASON_BYTES_MAX: usize = 512;

/// What became of a Pod, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    Injected,
    /// It has its sidecar already.
    Unchanged,
    /// For this reason.
    Skipped(&'static str),
}

/// Judges the Pod of `request`, with the AliyunLogConfigs of its namespace. A Pod is never refused: its work is worth
/// more than its logs.
pub fn mutate(
    request: &Request,
    configs: &[AliyunLogConfig],
    profile: &Profile,
    own_namespace: &str,
) -> (Answer, Became) {
    let mut pod = request.object.clone();
    let Some(mut workload) = Workload::of(&mut pod, Some(&request.namespace)) else {
        return (Answer::default(), Became::Skipped("malformed"));
    };
    let result = if request.namespace == own_namespace {
        Err(Skip::OperatorNamespace)
    } else {
        inject::inject(&mut workload, configs, profile)
    };
    match result {
        Ok(injected) => {
            unmark(&mut pod);
            let answer = Answer {
                patch: patch(&request.object, &pod),
                warnings: injected.warnings,
                ..Answer::default()
            };
            (answer, Became::Injected)
        }
        Err(Skip::AlreadyThere) if is_ours(&pod) => (Answer::default(), Became::Unchanged),
        // Whoever asked for that knows it.
        Err(skip @ (Skip::OptedOut | Skip::SystemNamespace | Skip::OperatorNamespace)) => {
            (Answer::default(), Became::Skipped(skip.reason()))
        }
        Err(skip) => {
            let told = format!("{}: {skip}", skip.reason());
            mark(&mut pod, &cut(&told, REASON_BYTES_MAX));
            let answer = Answer {
                patch: patch(&request.object, &pod),
                warnings: vec![format!("no sidecar for the logs: {told}")],
                ..Answer::default()
            };
            (answer, Became::Skipped(skip.reason()))
        }
    }
}

fn is_ours(pod: &Value) -> bool {
    pod.pointer("/metadata/annotations").is_some_and(|all| all.get(INJECTED).is_some())
}

fn mark(pod: &mut Value, reason: &str) {
    let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.insert(SKIPPED.to_owned(), reason.into());
    }
}

/// Takes away the reason that was true before, in the Pod from which this one was copied.
fn unmark(pod: &mut Value) {
    let annotations = pod.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    if let Some(annotations) = annotations {
        annotations.shift_remove(SKIPPED);
    }
}

/// From one to the other; nothing if they are the same.
fn patch(before: &Value, after: &Value) -> Option<Value> {
    let patch = json_patch::diff(before, after);
    (!patch.is_empty()).then(|| serde_json::to_value(patch).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inject::Form;

    fn profile() -> Profile {
        Profile {
            name: "test".to_owned(),
            image: "collector:1".to_owned(),
            config_path: "/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json".to_owned(),
            account_id: None,
            machine_group: None,
            form: Form::Native,
            probe_port: 7953,
            startup_seconds: 60,
        }
    }

    fn config() -> AliyunLogConfig {
        serde_json::from_value(json!({
            "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
            "metadata": {"name": "access", "namespace": "shop"},
            "spec": {"logstore": "logs", "machineGroups": ["nginx"], "logtailConfig": {"inputType": "file",
                "inputDetail": {"logType": "json_log", "logPath": "/var/log/nginx", "filePattern": "*.log"}}}
        }))
        .unwrap()
    }

    fn request(namespace: &str, metadata: Value) -> Request {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"containers": [{"name": "app", "image": "app:1"}]}});
        Request { namespace: namespace.to_owned(), object, ..Request::default() }
    }

    fn asked(request: &Request, configs: &[AliyunLogConfig]) -> (Value, Answer, Became) {
        let (answer, became) = mutate(request, configs, &profile(), "sls-system");
        let mut pod = request.object.clone();
        if let Some(patch) = &answer.patch {
            let patch: json_patch::Patch = serde_json::from_value(patch.clone()).unwrap();
            json_patch::patch(&mut pod, &patch).unwrap();
        }
        (pod, answer, became)
    }

    #[test]
    fn a_pod_gets_its_sidecar_once() {
        let first =
            request("shop", json!({"generateName": "web-", "annotations": {SKIPPED: "no_config: then"}}));
        let (pod, answer, became) = asked(&first, &[config()]);
        assert_eq!((became, answer.refused), (Became::Injected, None));
        assert_eq!(pod["spec"]["initContainers"][0]["name"], "logtail");
        assert_eq!(pod["metadata"]["annotations"].get(SKIPPED), None);
        let again = Request { namespace: "shop".to_owned(), object: pod.clone(), ..Request::default() };
        let (same, answer, became) = asked(&again, &[config()]);
        assert_eq!((same, answer, became), (pod, Answer::default(), Became::Unchanged));
    }

    #[test]
    fn a_pod_that_cannot_get_it_is_created_and_says_why() {
        let (pod, answer, became) = asked(&request("shop", json!({"name": "web"})), &[]);
        assert_eq!((became, &answer.refused), (Became::Skipped("no_config"), &None));
        let reason = pod["metadata"]["annotations"][SKIPPED].as_str().unwrap();
        assert!(reason.starts_with("no_config: there is no AliyunLogConfig in namespace shop"), "{reason}");
        assert!(answer.warnings[0].starts_with("no sidecar for the logs: no_config"), "{answer:?}");
        let again = Request { namespace: "shop".to_owned(), object: pod, ..Request::default() };
        assert_eq!(asked(&again, &[]).1.patch, None, "once is enough");
    }

    #[test]
    fn pods_of_the_cluster_and_of_the_operator_and_those_that_refuse_stay_as_they_are() {
        let refuses = json!({"name": "web", "labels": {inject::ASK_LABEL: "false"}});
        for (request, reason) in [
            (request("kube-system", json!({"name": "web"})), "system_namespace"),
            (request("sls-system", json!({"name": "web"})), "operator_namespace"),
            (request("shop", refuses), "opted_out"),
        ] {
            assert_eq!(asked(&request, &[config()]).1, Answer::default());
            assert_eq!(asked(&request, &[config()]).2, Became::Skipped(reason));
        }
    }

    #[test]
    fn a_sidecar_written_by_hand_is_left_and_told() {
        let mut by_hand = request("shop", json!({"name": "web"}));
        by_hand.object["spec"]["containers"][0]["name"] = json!("logtail");
        let (pod, _, became) = asked(&by_hand, &[config()]);
        assert_eq!(became, Became::Skipped("sidecar_already_exists"));
        assert_eq!(pod["spec"], by_hand.object["spec"]);
    }

    #[test]
    fn what_is_no_pod_is_let_through() {
        let nothing = Request::default();
        assert_eq!(mutate(&nothing, &[], &profile(), "x").0, Answer::default());
    }
}
