//! An object of either kind that is about to be stored: what the controller would refuse later is refused now. Pure.
//!
//! Nothing here stands in the way of a deletion: an object that is being deleted may change as it will, and so may one
//! whose spec stays as it is, since its finalizer must go.

use serde_json::{Value, json};

use super::review::{Answer, Request};
use crate::crd::{AliyunLogConfig, ClusterAliyunPipelineConfig};
use crate::kind::ConfigKind;
use crate::validate::{Defaults, SpecProblem, Warning};

/// Judges the object of `request`.
pub fn judge(request: &Request, defaults: &Defaults) -> Answer {
    match request.object.get("kind").and_then(Value::as_str) {
        Some(ClusterAliyunPipelineConfig::KIND) => judge_as::<ClusterAliyunPipelineConfig>(request, defaults),
        _ => judge_as::<AliyunLogConfig>(request, defaults),
    }
}

fn judge_as<K: ConfigKind>(request: &Request, defaults: &Defaults) -> Answer {
    let is_deleting =
        request.object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null());
    if is_deleting || request.object.is_null() {
        return Answer::default();
    }
    let cr: K = match serde_json::from_value(request.object.clone()) {
        Ok(cr) => cr,
        Err(_) if is_unchanged(request) => return Answer::default(),
        Err(error) => {
            return refused::<K>(
                request,
                &[("spec".to_owned(), format!("the object cannot be read: {error}"))],
            );
        }
    };
    let (problems, warnings) = match cr.judge(defaults) {
        Ok(valid) => (Vec::new(), valid.warnings),
        Err(refused) => (refused.problems, refused.warnings),
    };
    let problem = |one: &SpecProblem| (one.field(), one.to_string());
    let problems: Vec<(String, String)> = problems.iter().map(problem).collect();
    let warning = |one: &Warning| format!("{}: {one}", one.field());
    let mut warnings: Vec<String> = warnings.iter().map(warning).collect();
    if !problems.is_empty() && is_unchanged(request) {
        warnings.splice(0..0, problems.iter().map(|(field, message)| format!("{field}: {message}")));
        return Answer { warnings, ..Answer::default() };
    }
    if problems.is_empty() {
        return Answer { warnings, ..Answer::default() };
    }
    Answer { warnings, ..refused::<K>(request, &problems) }
}

fn is_unchanged(request: &Request) -> bool {
    !request.old_object.is_null() && request.old_object.get("spec") == request.object.get("spec")
}

fn refused<K: ConfigKind>(request: &Request, problems: &[(String, String)]) -> Answer {
    let texts: Vec<String> = problems.iter().map(|(field, message)| format!("{field}: {message}")).collect();
    let cause = |(field, message): &(String, String)| json!({"reason": "FieldValueInvalid", "field": field, "message": message});
    let causes: Vec<Value> = problems.iter().map(cause).collect();
    let status = json!({
        "status": "Failure", "code": 422, "reason": "Invalid", "message": texts.join("; "),
        "details": {"group": K::group(&()), "kind": K::KIND, "name": request.name, "causes": causes},
    });
    Answer { refused: Some(status), ..Answer::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(regex: &str) -> Value {
        json!({
            "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
            "metadata": {"name": "access", "namespace": "shop"},
            "spec": {"project": "project-a", "logstore": "logs", "machineGroups": ["nginx"], "logtailConfig": {
                "configName": "other", "inputType": "file", "inputDetail": {
                    "logType": "common_reg_log", "logPath": "/var/log", "filePattern": "a.log", "regex": regex,
                    "key": ["a"]}}}
        })
    }

    fn judged(object: Value, old_object: Value) -> Answer {
        judge(&Request { object, old_object, ..Request::default() }, &Defaults::default())
    }

    #[test]
    fn a_valid_object_is_let_through_with_its_warnings() {
        let answer = judged(object("(.*)"), Value::Null);
        assert_eq!(answer.refused, None);
        assert!(
            answer.warnings[0].starts_with("spec.logtailConfig.configName: \"other\" differs"),
            "{answer:?}"
        );
    }

    #[test]
    fn what_the_controller_would_refuse_is_refused_with_all_its_problems() {
        let status = judged(object("(.*) (.*)"), Value::Null).refused.unwrap();
        assert_eq!((&status["code"], &status["reason"]), (&json!(422), &json!("Invalid")));
        let field = status["details"]["causes"][0]["field"].as_str().unwrap();
        assert!(status["message"].as_str().unwrap().starts_with(field), "{status}");
        let status = judged(json!({"spec": 1}), Value::Null).refused.unwrap();
        assert!(status["message"].as_str().unwrap().contains("cannot be read"));
    }

    #[test]
    fn an_object_of_the_newer_kind_is_judged_as_one() {
        let pipeline = json!({
            "apiVersion": "telemetry.alibabacloud.com/v1alpha1", "kind": "ClusterAliyunPipelineConfig",
            "metadata": {"name": "access"},
            "spec": {"project": {"name": "UPPER"}, "config": {"inputs": [], "flushers": []}},
        });
        let status = judged(pipeline, Value::Null).refused.unwrap();
        assert_eq!(status["details"]["kind"], "ClusterAliyunPipelineConfig");
        let message = status["message"].as_str().unwrap();
        assert!(message.contains("spec.project.name: "), "{message}");
    }

    #[test]
    fn an_invalid_object_may_lose_its_finalizer() {
        let bad = object("(.*) (.*)");
        let unchanged = judged(bad.clone(), bad.clone());
        assert_eq!(unchanged.refused, None);
        assert!(!unchanged.warnings.is_empty());
        let mut deleted = object("((");
        deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(judged(deleted, bad), Answer::default());
        assert_eq!(judged(Value::Null, Value::Null), Answer::default());
        assert_eq!(judged(json!({"spec": 1}), json!({"spec": 1})), Answer::default());
    }
}
