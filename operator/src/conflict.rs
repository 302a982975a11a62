//! Two objects that claim the same Logtail config: the older one has it. Pure; used by the reconciler.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt};

use crate::crd::{AliyunLogConfig, ClusterAliyunPipelineConfig, FINALIZER, Reconcile};
use crate::desired::Target;
use crate::validate::{Defaults, claims, pipeline_target, validate, validate_pipeline};

/// The object among `others` that owns `target` in place of `cr`, as namespace/name.
///
/// Older creation wins; Kubernetes knows it to the second only, so within one second the object that
/// holds the config already wins, then the smaller uid. An object that could not be applied and holds nothing (no
/// finalizer) does not count: an invalid object must not keep a valid one out.
pub fn winner<'a>(
    cr: &AliyunLogConfig,
    target: &Target,
    others: impl IntoIterator<Item = &'a AliyunLogConfig>,
    defaults: &Defaults,
) -> Option<String> {
    others
        .into_iter()
        .filter(|other| claims(other, target, defaults))
        .filter(|other| other.uid() != cr.uid() && age(other) < age(cr))
        .filter(|other| holds(*other) || (!is_deleting(*other) && validate(other, defaults).is_ok()))
        .min_by_key(|other| age(other))
        .map(|other| format!("{}/{}", other.namespace().unwrap_or_default(), other.name_any()))
}

/// The ClusterAliyunPipelineConfig that has `target` in place of `cr`, by name.
///
/// It has if it overrides, or held the config before `cr` was created; else `cr` keeps it out.
pub fn winning_pipeline(
    cr: &AliyunLogConfig,
    target: &Target,
    pipelines: &[&ClusterAliyunPipelineConfig],
    defaults: &Defaults,
) -> Option<String> {
    pipelines
        .iter()
        .filter(|pipeline| pipeline_target(pipeline).as_ref() == Some(target))
        .filter(|pipeline| holds(**pipeline) || is_wanted(pipeline, defaults))
        .find(|pipeline| pipeline_has(pipeline, cr))
        .map(|pipeline| format!("ClusterAliyunPipelineConfig {}", pipeline.name_any()))
}

/// The AliyunLogConfig that keeps `target` from `pipeline`, as namespace/name.
pub fn winning_classic(
    pipeline: &ClusterAliyunPipelineConfig,
    target: &Target,
    others: &[&AliyunLogConfig],
    defaults: &Defaults,
) -> Option<String> {
    others
        .iter()
        .filter(|other| claims(other, target, defaults) && !pipeline_has(pipeline, other))
        .filter(|other| holds(**other) || (!is_deleting(**other) && validate(other, defaults).is_ok()))
        .min_by_key(|other| age(other))
        .map(|other| {
            let namespace = other.namespace().unwrap_or_default();
            format!("AliyunLogConfig {namespace}/{}; or set enableUpgradeOverride", other.name_any())
        })
}

/// Whether it will be made.
fn is_wanted(pipeline: &ClusterAliyunPipelineConfig, defaults: &Defaults) -> bool {
    !is_deleting(pipeline)
        && Reconcile::of(pipeline.metadata.annotations.as_ref()) == Ok(Reconcile::Enabled)
        && validate_pipeline(pipeline, defaults).is_ok()
}

/// Between objects of the two kinds that claim the same config: the newer kind has it if it overrides, or held it first.
/// Within one second, that is the one that holds it.
fn pipeline_has(pipeline: &ClusterAliyunPipelineConfig, cr: &AliyunLogConfig) -> bool {
    let age = |time: Option<Time>, holds: bool| (time.map(|time| time.0), !holds);
    pipeline.spec.enable_upgrade_override == Some(true)
        || (holds(pipeline)
            && age(pipeline.creation_timestamp(), true) < age(cr.creation_timestamp(), holds(cr)))
}

/// Whether the object may have put something into Log Service.
pub fn holds(object: &impl Resource) -> bool {
    object.meta().finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// Whether the object is being deleted.
pub fn is_deleting(object: &impl Resource) -> bool {
    object.meta().deletion_timestamp.is_some()
}

/// Smaller is older.
fn age(cr: &AliyunLogConfig) -> (Option<jiff::Timestamp>, bool, Option<String>) {
    (cr.creation_timestamp().map(|time| time.0), !holds(cr), cr.uid())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validate::claimed_target;

    fn cr(name: &str, created: &str, more: serde_json::Value) -> AliyunLogConfig {
        let mut object = json!({
            "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
            "metadata": {"name": name, "namespace": "default", "uid": name, "creationTimestamp": created},
            "spec": {"project": "project-a", "logstore": "store", "machineGroups": ["group"],
                "logtailConfig": {"configName": "shared", "inputType": "file", "inputDetail": {
                    "logType": "common_reg_log", "logPath": "/var/log", "filePattern": "a.log"}}}
        });
        json_merge(&mut object, &more);
        serde_json::from_value(object).unwrap()
    }

    fn json_merge(into: &mut serde_json::Value, from: &serde_json::Value) {
        match from {
            serde_json::Value::Object(map) => {
                map.iter().for_each(|(key, value)| json_merge(&mut into[key], value))
            }
            value => *into = value.clone(),
        }
    }

    fn check(cr: &AliyunLogConfig, others: &[AliyunLogConfig]) -> Option<String> {
        let defaults = Defaults::default();
        let target = claimed_target(cr, &defaults).unwrap();
        winner(cr, &target, others, &defaults)
    }

    #[test]
    fn the_older_object_wins_whatever_the_order() {
        let old = cr("b", "2026-01-01T00:00:00Z", json!({}));
        let new = cr("a", "2026-01-02T00:00:00Z", json!({}));
        let all = [new.clone(), old.clone()];
        assert_eq!(check(&new, &all).as_deref(), Some("default/b"));
        assert_eq!(check(&old, &all), None);
    }

    #[test]
    fn of_two_objects_of_the_same_second_the_smaller_uid_wins() {
        let a = cr("a", "2026-01-01T00:00:00Z", json!({}));
        let b = cr("b", "2026-01-01T00:00:00Z", json!({}));
        assert_eq!(check(&b, &[a.clone(), b.clone()]).as_deref(), Some("default/a"));
        assert_eq!(check(&a, &[a.clone(), b]), None);
    }

    #[test]
    fn of_two_objects_of_the_same_second_the_one_that_holds_the_config_keeps_it() {
        let a = cr("a", "2026-01-01T00:00:00Z", json!({}));
        let b = cr("b", "2026-01-01T00:00:00Z", json!({"metadata": {"finalizers": [FINALIZER]}}));
        assert_eq!(check(&a, &[a.clone(), b.clone()]).as_deref(), Some("default/b"));
        assert_eq!(check(&b, &[a.clone(), b.clone()]), None);
    }

    #[test]
    fn another_project_or_name_is_no_conflict() {
        let old = cr("a", "2026-01-01T00:00:00Z", json!({"spec": {"project": "project-b"}}));
        let older =
            cr("c", "2025-01-01T00:00:00Z", json!({"spec": {"logtailConfig": {"configName": "mine"}}}));
        let new = cr("b", "2026-01-02T00:00:00Z", json!({}));
        assert_eq!(check(&new, &[old, older]), None);
    }

    #[test]
    fn an_invalid_object_counts_only_while_it_may_hold_something() {
        let invalid = json!({"spec": {"lifeCycle": 0}});
        let old = cr("a", "2026-01-01T00:00:00Z", invalid.clone());
        let mut holding = old.clone();
        holding.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        let new = cr("b", "2026-01-02T00:00:00Z", json!({}));
        assert_eq!(check(&new, &[old]), None);
        assert_eq!(check(&new, &[holding]).as_deref(), Some("default/a"));
    }

    #[test]
    fn an_object_that_is_being_deleted_keeps_the_name_until_it_is_gone() {
        let deleting =
            json!({"metadata": {"deletionTimestamp": "2026-01-03T00:00:00Z", "finalizers": [FINALIZER]}});
        let old = cr("a", "2026-01-01T00:00:00Z", deleting);
        let new = cr("b", "2026-01-02T00:00:00Z", json!({}));
        assert_eq!(check(&new, &[old]).as_deref(), Some("default/a"));
    }
}
