//! Deleting a config object takes its config away and leaves the logs.

use anyhow::Result;
use fixtures::repaired;
use kube::ResourceExt;
use sls_expect::{Count, Expectation};

use super::writers::Job;
use super::{Context, ERROR_CONFIG, ERROR_LOGSTORE, run_id};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::report::{Check, Report};

/// Lines of each log, which must stay.
const LINES: u64 = 100;

/// Collects a few lines, then deletes the error config: the finalizer lets it go only when the service
/// has forgotten it.
///
/// # Errors
/// The cluster or the service cannot be asked, or the object stays.
pub async fn run(ctx: &Context, report: &mut Report) -> Result<()> {
    let job = Job::start(ctx, &run_id("deletion"), LINES, 100).await?;
    report.merge(job.every_line(ctx).await?);
    job.delete(ctx).await?;
    let object = ctx.config(repaired::CRD_ERROR)?;
    let api = kubernetes::dynamic(&ctx.kube, &ctx.namespace, &kubernetes::log_config_resource());
    let finalizers = api.get(&object.name_any()).await?.finalizers().to_vec();
    kubernetes::delete(&ctx.kube, &ctx.namespace, &object).await?;
    ctx.progress.step(format!("{} goes", object.name_any()));
    eventually("the deleted object to be gone", ctx.limit, async || {
        Ok(match api.get_opt(&object.name_any()).await? {
            None => Look::Done(()),
            Some(seen) => Look::Waiting(format!("finalizers {:?}", seen.finalizers())),
        })
    })
    .await?;
    let config = ctx.sls.config(ERROR_CONFIG).await?.is_some();
    let bound =
        ctx.sls.applied_configs(&ctx.names.machine_group).await?.iter().any(|name| name == ERROR_CONFIG);
    let kept =
        Expectation { count: Some(Count::Exactly { n: LINES }), ..ctx.sls.expectation(ERROR_LOGSTORE, "*") };
    let kept = ctx.sls.verdict(&kept).await?;
    let ok = !finalizers.is_empty() && !config && !bound && kept.ok;
    report.checks.push(Check::new(
        "deleting a config object removes its config and keeps the logs",
        ok,
        format!("finalizers {finalizers:?}, config left {config}, bound {bound}, {} logs kept", kept.count),
    ));
    ctx.progress.done("deleted config: gone from the service, logs kept");
    Ok(())
}
