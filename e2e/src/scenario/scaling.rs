//! The pair as a Deployment, scaled 1 → 3 → 1 → 0 while it writes: the last line of every replica
//! arrives, also of those that are told to stop in the middle of a line's life.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use fixtures::repaired;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::task::JoinHandle;

use super::verify::{self, Source};
use super::{ACCESS_LOGSTORE, Context, run_id};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::manifest::{self, Tuning, WRITER};
use crate::report::{Check, Report};

/// Lines a replica must have delivered before the next step, so that each step cuts a live stream.
const LINES_BEFORE_STEP: u64 = 20;

/// Scales 1 → 3 → 1 → 0 and checks every line of every replica.
///
/// # Errors
/// The cluster or the service cannot be asked, or a step does not happen in time.
pub async fn run(ctx: &Context, per_second: u32) -> Result<Report> {
    let run = run_id("scale");
    let mut deployment = kubernetes::parse(repaired::SIDECAR_DEPLOYMENT)?;
    let tuning = Tuning {
        run: run.clone(),
        total_count: None,
        logs_per_sec: per_second,
        probe_seconds: 1,
        outage: ctx.outage,
    };
    manifest::tune(&mut deployment, &tuning)?;
    let name = deployment.name_any();
    let selector = format!("app={name}");
    ctx.apply(deployment.clone()).await?;

    let mut writers = Writers::default();
    let mut steps = Vec::new();
    for replicas in [1, 3, 1] {
        ctx.progress.step(format!("{name}: {replicas} replicas"));
        scale(&ctx.kube, &ctx.namespace, &name, replicas).await?;
        let pods = kubernetes::wait_ready(&ctx.kube, &ctx.namespace, &selector, replicas, ctx.limit).await?;
        writers.follow(ctx, &pods);
        for pod in &pods {
            wait_for_lines(ctx, &run, &pod.name_any()).await?;
        }
        steps.push(replicas.to_string());
    }
    scale(&ctx.kube, &ctx.namespace, &name, 0).await?;
    kubernetes::wait_ready(&ctx.kube, &ctx.namespace, &selector, 0, ctx.limit).await?;

    let sources = writers.finish(ctx).await?;
    let mut report = verify::all_lines(ctx, &run, &sources).await?;
    report.checks.push(Check::new(
        "the Deployment scaled while writing",
        sources.len() == 3,
        format!("{} → 0 replicas, {} writers", steps.join(" → "), sources.len()),
    ));
    kubernetes::delete(&ctx.kube, &ctx.namespace, &deployment).await?;
    ctx.progress.done("Deployment: scaled 1 → 3 → 1 → 0, lines of all replicas checked");
    Ok(report)
}

async fn scale(client: &Client, namespace: &str, name: &str, replicas: usize) -> Result<()> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    api.patch_scale(name, &PatchParams::default(), &patch).await.context("cannot scale")?;
    Ok(())
}

async fn wait_for_lines(ctx: &Context, run: &str, pod: &str) -> Result<()> {
    let query = format!("{run} and {pod}");
    eventually(format!("first lines of {pod}"), ctx.limit, async || {
        let count = ctx.sls.count(ACCESS_LOGSTORE, &query).await?;
        Ok(if count >= LINES_BEFORE_STEP { Look::Done(()) } else { Look::Waiting(format!("{count} lines")) })
    })
    .await
}

/// The writers seen so far; each one's log is followed from the start, since it is gone with the
/// pod.
#[derive(Default)]
struct Writers {
    logs: BTreeMap<String, (Pod, JoinHandle<Result<String>>)>,
}

impl Writers {
    fn follow(&mut self, ctx: &Context, pods: &[Pod]) {
        for pod in pods {
            let name = pod.name_any();
            if self.logs.contains_key(&name) {
                continue;
            }
            let (kube, namespace, pod_name) = (ctx.kube.clone(), ctx.namespace.clone(), name.clone());
            let log =
                tokio::spawn(
                    async move { kubernetes::log_to_end(&kube, &namespace, &pod_name, WRITER).await },
                );
            self.logs.insert(name, (pod.clone(), log));
        }
    }

    async fn finish(self, ctx: &Context) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        for (name, (pod, log)) in self.logs {
            let log = tokio::time::timeout(ctx.limit, log)
                .await
                .with_context(|| format!("the log of {name} did not end"))???;
            sources.push(Source::new(&pod, &log)?);
        }
        Ok(sources)
    }
}
