//! A new version of the pod template while the old one writes: every line of old and new replicas.

use std::collections::BTreeSet;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use super::Context;
use super::writers::Deployment;
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::report::{Check, Report};

const REPLICAS: usize = 2;
const LINES_PER_SECOND: u32 = 20;
/// What changes in the template: enough for Kubernetes to replace every pod.
const ANNOTATION: &str = "example.com/version";

/// Replaces all replicas and checks every line of both versions.
///
/// # Errors
/// The cluster or the service cannot be asked, or the update does not end in time.
pub async fn run(ctx: &Context, report: &mut Report) -> Result<()> {
    let mut deployment = Deployment::new(ctx, "roll", LINES_PER_SECOND)?;
    let before = names(&deployment.start(ctx, REPLICAS).await?);
    ctx.progress.step("a new version of the template");
    let template = json!({"template": {"metadata": {"annotations": {ANNOTATION: "2"}}}});
    deployment.patch(ctx, json!({"spec": template})).await?;
    let selector = format!("app={}", deployment.object.name_any());
    eventually("the first pod of the new version", ctx.limit, async || {
        let now = names(&kubernetes::pods(&ctx.kube, &ctx.namespace, &selector).await?);
        Ok(if now.is_subset(&before) { Look::Waiting(format!("{now:?}")) } else { Look::Done(()) })
    })
    .await?;
    // Exactly as many as asked for, all ready: the old ones are gone.
    let pods = deployment.writing(ctx, REPLICAS).await?;
    let versions: BTreeSet<Option<&String>> =
        pods.iter().map(|pod| pod.annotations().get(ANNOTATION)).collect();
    let replaced = names(&pods).is_disjoint(&before) && versions.len() == 1;
    let (lines, writers) = deployment.finish(ctx, 0).await?;
    report.merge(lines);
    report.checks.push(Check::new(
        "a changed template replaced every replica while they wrote",
        replaced && writers == 2 * REPLICAS,
        format!("{writers} writers, {REPLICAS} of each version"),
    ));
    ctx.progress.done("Deployment: updated, lines of old and new replicas checked");
    Ok(())
}

fn names(pods: &[Pod]) -> BTreeSet<String> {
    pods.iter().map(ResourceExt::name_any).collect()
}
