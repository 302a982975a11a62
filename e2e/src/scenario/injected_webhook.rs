//! The document's writer without a sidecar, and a label: the operator's webhook adds the rest when the Job's pod is
//! created. It also judges AliyunLogConfigs as they are applied.

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use operator::inject::{ASK_LABEL, INJECTED};
use serde_json::json;

use super::{Context, configs, injected_job, run_id};
use crate::eventually::{Look, eventually};
use crate::report::{Check, Report};

/// Waits until API servers call the webhook, then has a Job ask for its sidecar.
///
/// # Errors
/// The cluster or the service cannot be asked, or the Job does not complete.
pub async fn run(ctx: &Context, report: &mut Report) -> Result<()> {
    let run = run_id("webhook");
    let mark = injected(ctx, "the webhook to add a sidecar", "native@").await?;
    report.checks.push(Check::new("a dry run shows the sidecar", true, mark));
    injected_job::completes_with_all_lines(ctx, &run, injected_job::asking(ctx, &run)?, report).await?;
    report.checks.push(configs::published_is_denied(ctx).await?);
    Ok(())
}

/// Creates a pod that asks for a sidecar, without creating it, until it has one that says it was made by `by`; what it
/// says.
///
/// # Errors
/// Not in time, or the API server refuses the pod.
pub(super) async fn injected(ctx: &Context, what: &str, by: &str) -> Result<String> {
    let api: Api<Pod> = Api::namespaced(ctx.kube.clone(), &ctx.namespace);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "dry-run", "labels": {ASK_LABEL: "true"}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]},
    }))?;
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    eventually(what, ctx.limit, async || {
        let made = api.create(&dry_run, &pod).await?;
        let annotations = made.metadata.annotations.unwrap_or_default();
        Ok(match annotations.get(INJECTED) {
            Some(mark) if mark.starts_with(by) => Look::Done(mark.clone()),
            _ => Look::Waiting(format!("{annotations:?}")),
        })
    })
    .await
}
