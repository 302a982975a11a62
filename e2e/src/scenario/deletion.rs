//! Deleting a config object takes its config away and leaves the logs.

use anyhow::Result;
use fixtures::repaired;
use kube::ResourceExt;

use super::{Context, ERROR_CONFIG, ERROR_LOGSTORE, MACHINE_GROUP};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::report::{Check, Report};

/// Deletes the error config: the finalizer lets it go only when the service has forgotten it.
///
/// # Errors
/// The cluster or the service cannot be asked, or the object stays.
pub async fn removes_the_config_and_keeps_the_logs(ctx: &Context) -> Result<Report> {
    let object = kubernetes::parse(repaired::CRD_ERROR)?;
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
    let bound = ctx.sls.applied_configs(MACHINE_GROUP).await?.iter().any(|name| name == ERROR_CONFIG);
    let logs = ctx.sls.count(ERROR_LOGSTORE, "*").await?;
    let ok = !finalizers.is_empty() && !config && !bound && logs > 0;
    let mut report = Report::default();
    report.checks.push(Check::new(
        "deleting a config object removes its config and keeps the logs",
        ok,
        format!("finalizers {finalizers:?}, config left {config}, bound {bound}, {logs} logs kept"),
    ));
    ctx.progress.done("deleted config: gone from the service, logs kept");
    Ok(report)
}
