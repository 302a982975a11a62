//! The operator runs under the shipped ServiceAccount and roles. The API server is asked what that
//! account may do: what the operator needs, and nothing of a list of things that would be dangerous.
//! The operator's own log says whether it ever met a refusal.

use anyhow::{Context as _, Result};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

use super::{Context, configs};
use crate::bed::Bed;
use crate::kubernetes::{GROUP, PLURAL};
use crate::report::{Check, Report};

/// The shipped account and its namespace. Source: deploy/kustomize.
const NAMESPACE: &str = "sls-bed";
const ACCOUNT: &str = "sls-operator";
/// The newer kind of objects. Source: deploy/kustomize.
const NEWER_GROUP: &str = "telemetry.alibabacloud.com";
const NEWER_PLURAL: &str = "clusteraliyunpipelineconfigs";

/// What it must be able to do: verb, group, resource, subresource.
const ALLOWED: [[&str; 4]; 17] = [
    ["get", GROUP, PLURAL, ""],
    ["list", GROUP, PLURAL, ""],
    ["watch", GROUP, PLURAL, ""],
    ["patch", GROUP, PLURAL, ""],
    ["patch", GROUP, PLURAL, "status"],
    // One whose place an object of the newer kind has taken.
    ["delete", GROUP, PLURAL, ""],
    ["get", NEWER_GROUP, NEWER_PLURAL, ""],
    ["list", NEWER_GROUP, NEWER_PLURAL, ""],
    ["watch", NEWER_GROUP, NEWER_PLURAL, ""],
    ["patch", NEWER_GROUP, NEWER_PLURAL, ""],
    ["patch", NEWER_GROUP, NEWER_PLURAL, "status"],
    ["create", "events.k8s.io", "events", ""],
    ["patch", "events.k8s.io", "events", ""],
    ["list", "", "pods", ""],
    ["list", "", "namespaces", ""],
    ["get", "apps", "replicasets", ""],
    ["get", "batch", "jobs", ""],
];

/// What it must not be able to do.
const FORBIDDEN: [[&str; 4]; 24] = [
    ["create", GROUP, PLURAL, ""],
    ["update", GROUP, PLURAL, ""],
    ["deletecollection", GROUP, PLURAL, ""],
    ["create", NEWER_GROUP, NEWER_PLURAL, ""],
    ["update", NEWER_GROUP, NEWER_PLURAL, ""],
    ["delete", NEWER_GROUP, NEWER_PLURAL, ""],
    ["get", "", "secrets", ""],
    ["list", "", "secrets", ""],
    ["create", "", "secrets", ""],
    ["patch", "", "secrets", ""],
    ["get", "", "configmaps", ""],
    ["create", "", "pods", ""],
    ["patch", "", "pods", ""],
    ["create", "", "pods", "exec"],
    ["delete", "", "namespaces", ""],
    ["list", "", "nodes", ""],
    ["create", "", "serviceaccounts", "token"],
    ["impersonate", "", "users", ""],
    ["patch", "apps", "deployments", ""],
    ["create", "rbac.authorization.k8s.io", "clusterrolebindings", ""],
    ["escalate", "rbac.authorization.k8s.io", "clusterroles", ""],
    ["patch", "apiextensions.k8s.io", "customresourcedefinitions", ""],
    ["create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", ""],
    ["patch", "admissionregistration.k8s.io", "validatingwebhookconfigurations", ""],
];

/// Asks for both lists in the scenario's namespace and in the account's own, then has the operator work
/// and reads its log.
///
/// # Errors
/// The API server does not answer, or the operator's log cannot be read.
pub async fn run(ctx: &Context, bed: &impl Bed, report: &mut Report) -> Result<()> {
    let mut refused = Vec::new();
    for wanted in ALLOWED {
        if !may(ctx, &ctx.namespace, wanted).await? {
            refused.push(shown(wanted));
        }
    }
    report.checks.push(Check::new(
        "the operator's account may do what the operator needs",
        refused.is_empty(),
        format!("{} rights asked for, refused {refused:?}", ALLOWED.len()),
    ));
    let mut granted = Vec::new();
    for namespace in [ctx.namespace.as_str(), NAMESPACE] {
        for feared in FORBIDDEN {
            if may(ctx, namespace, feared).await? {
                granted.push(format!("{} in {namespace}", shown(feared)));
            }
        }
    }
    report.checks.push(Check::new(
        "it may do nothing that the operator does not need",
        granted.is_empty(),
        format!("{} rights asked for, granted {granted:?}", 2 * FORBIDDEN.len()),
    ));
    report.merge(configs::repaired_become_ready(ctx).await?);
    let log = bed.operator_log().await?;
    let complaint = log.lines().find(|line| is_refusal(line));
    report.checks.push(Check::new(
        "the operator never met a refusal",
        complaint.is_none() && !log.is_empty(),
        complaint.map_or_else(|| format!("none in {} lines of its log", log.lines().count()), str::to_owned),
    ));
    ctx.progress.done("roles: what the operator may and may not do checked");
    Ok(())
}

/// Whether a line of a log tells of a missing right. Events for objects of a namespace that is going are
/// "forbidden" too, whoever writes them.
fn is_refusal(line: &str) -> bool {
    line.to_lowercase().contains("forbidden") && !line.contains("because it is being terminated")
}

async fn may(
    ctx: &Context,
    namespace: &str,
    [verb, group, resource, subresource]: [&str; 4],
) -> Result<bool> {
    let text = |text: &str| Some(text.to_owned());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}")),
            groups: Some(vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{NAMESPACE}"),
                "system:authenticated".to_owned(),
            ]),
            resource_attributes: Some(ResourceAttributes {
                namespace: text(namespace),
                verb: text(verb),
                group: text(group),
                resource: text(resource),
                subresource: text(subresource),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(ctx.kube.clone());
    let answer = api.create(&PostParams::default(), &review).await.context("cannot review access")?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

fn shown([verb, group, resource, subresource]: [&str; 4]) -> String {
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    let subresource = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
    format!("{verb} {resource}{group}{subresource}")
}

#[cfg(test)]
mod tests {
    use super::is_refusal;

    #[test]
    fn a_namespace_that_is_going_refuses_nobodys_rights() {
        assert!(is_refusal(r#"events is forbidden: User "u" cannot create resource "events""#));
        assert!(is_refusal("HTTP 403 Forbidden"));
        assert!(!is_refusal(
            "is forbidden: unable to create new content in namespace n because it is being terminated"
        ));
        assert!(!is_refusal("reconciled"));
    }
}
