//! What several scenarios write with: the example's Job, and its Deployment whose pods come and go.
//! Each writer's log is followed from its start, since it is gone with the pod.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use fixtures::repaired;
use k8s_openapi::api::apps::v1::Deployment as DeploymentObject;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::json;
use tokio::task::JoinHandle;

use super::verify::{self, Source};
use super::{ACCESS_LOGSTORE, Context, run_id};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::manifest::{self, Tuning, WRITER};
use crate::outage::Writer;
use crate::report::Report;

/// Lines a pod must have delivered before something is done to it, so that this cuts a live stream.
pub const LINES_BEFORE_STEP: u64 = 20;

/// The example's Job, running.
pub struct Job {
    object: DynamicObject,
    pub pod: Pod,
    writer: Option<Writer>,
}

impl Job {
    /// Applies the Job with `lines` lines of each log, all with this run id, and waits until its pod has
    /// been started.
    ///
    /// # Errors
    /// The cluster cannot be asked, or the pod does not run.
    pub async fn start(ctx: &Context, run: &str, lines: u64, per_second: u32) -> Result<Self> {
        Self::apply(ctx, Self::tuned(ctx, run, lines, per_second)?).await
    }

    /// The Job that [`Job::start`] applies, for who changes more of it.
    ///
    /// # Errors
    /// The manifest lacks what is to be changed.
    pub fn tuned(ctx: &Context, run: &str, lines: u64, per_second: u32) -> Result<DynamicObject> {
        let mut object = ctx.workload(repaired::SIDECAR_JOB)?;
        let tuning = Tuning {
            run: Some(run.to_owned()),
            total_count: Some(lines),
            logs_per_sec: per_second,
            probe_seconds: None,
            outage: ctx.away(),
        };
        manifest::tune(&mut object, &tuning)?;
        Ok(object)
    }

    /// Applies the Job and waits as [`Job::start`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn apply(ctx: &Context, object: DynamicObject) -> Result<Self> {
        ctx.apply(object.clone()).await?;
        let selector = format!("job-name={}", object.name_any());
        let pod = eventually("the Job's pod to run", ctx.limit, async || {
            let pods = kubernetes::pods(&ctx.kube, &ctx.namespace, &selector).await?;
            let Some(pod) = pods.first() else { return Ok(Look::Waiting("no pod".into())) };
            let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
            Ok(match phase {
                Some("Running" | "Succeeded" | "Failed") => Look::Done(pod.clone()),
                _ => Look::Waiting(kubernetes::describe(pod)),
            })
        })
        .await?;
        Ok(Self { object, pod, writer: ctx.writer() })
    }

    pub fn name(&self) -> String {
        self.object.name_any()
    }

    /// Waits for the writer's end and returns what it says it wrote.
    ///
    /// # Errors
    /// It does not end, or does not say.
    pub async fn written(&self, ctx: &Context) -> Result<Source> {
        let name = self.pod.name_any();
        let log = kubernetes::log_to_end(&ctx.kube, &ctx.namespace, &name, WRITER);
        let log = tokio::time::timeout(ctx.limit, log).await.with_context(|| {
            format!("the writer of {name} did not end within {} s", ctx.limit.as_secs())
        })??;
        self.writer.iter().for_each(Writer::end);
        let pod = Api::<Pod>::namespaced(ctx.kube.clone(), &ctx.namespace).get(&name).await?;
        Source::new(&pod, &log)
    }

    /// Waits for the writer's end and checks every line.
    ///
    /// # Errors
    /// As [`Job::written`], and [`verify::all_lines`].
    pub async fn every_line(&self, ctx: &Context) -> Result<Report> {
        let source = self.written(ctx).await?;
        let run = source.summary.run.clone();
        verify::all_lines(ctx, &run, &[source]).await
    }

    /// Deletes the Job, and with it its pod.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn delete(&self, ctx: &Context) -> Result<()> {
        kubernetes::delete(&ctx.kube, &ctx.namespace, &self.object).await
    }
}

/// The example's Deployment, and the writers seen in it so far.
pub struct Deployment {
    pub object: DynamicObject,
    pub run: String,
    name: String,
    writers: Writers,
}

impl Deployment {
    /// Makes it, not yet applied: it may be changed before.
    ///
    /// # Errors
    /// The manifest is not what it was.
    pub fn new(ctx: &Context, run: &str, per_second: u32) -> Result<Self> {
        let run = run_id(run);
        let mut object = ctx.workload(repaired::SIDECAR_DEPLOYMENT)?;
        let tuning = Tuning {
            run: Some(run.clone()),
            total_count: None,
            logs_per_sec: per_second,
            probe_seconds: None,
            outage: ctx.away(),
        };
        manifest::tune(&mut object, &tuning)?;
        let name = object.name_any();
        Ok(Self { object, run, name, writers: Writers::default() })
    }

    /// Applies it with so many replicas and waits until each has delivered its first lines.
    ///
    /// # Errors
    /// Not in time, or the cluster cannot be asked.
    pub async fn start(&mut self, ctx: &Context, replicas: usize) -> Result<Vec<Pod>> {
        self.object.data["spec"]["replicas"] = json!(replicas);
        ctx.apply(self.object.clone()).await?;
        self.writing(ctx, replicas).await
    }

    /// Scales it and waits as [`Deployment::start`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn scale(&mut self, ctx: &Context, replicas: usize) -> Result<Vec<Pod>> {
        ctx.progress.step(format!("{}: {replicas} replicas", self.name));
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        self.api(ctx)
            .patch_scale(&self.name, &PatchParams::default(), &patch)
            .await
            .context("cannot scale")?;
        self.writing(ctx, replicas).await
    }

    /// Patches the object, as `kubectl patch --type=merge` does.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn patch(&self, ctx: &Context, patch: serde_json::Value) -> Result<()> {
        self.api(ctx).patch(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Waits until `replicas` ready pods are there and no other, and each has delivered its first lines.
    ///
    /// # Errors
    /// Not in time, or the cluster cannot be asked.
    pub async fn writing(&mut self, ctx: &Context, replicas: usize) -> Result<Vec<Pod>> {
        let selector = format!("app={}", self.name);
        let pods = kubernetes::wait_ready(&ctx.kube, &ctx.namespace, &selector, replicas, ctx.limit).await?;
        self.writers.follow(ctx, &pods);
        for pod in &pods {
            self.wait_for_lines(ctx, &pod.name_any(), LINES_BEFORE_STEP).await?;
        }
        Ok(pods)
    }

    /// Waits until the service has so many access lines of the pod.
    ///
    /// # Errors
    /// Not in time.
    pub async fn wait_for_lines(&self, ctx: &Context, pod: &str, lines: u64) -> Result<()> {
        ctx.sls.at_least(ACCESS_LOGSTORE, &self.search(pod), lines, ctx.limit).await?;
        Ok(())
    }

    /// Access lines of the pod that the service has.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn count(&self, ctx: &Context, pod: &str) -> Result<u64> {
        ctx.sls.count(ACCESS_LOGSTORE, &self.search(pod)).await
    }

    fn search(&self, pod: &str) -> String {
        format!("{} and {pod}", self.run)
    }

    /// Ends all pods, then checks every line of every writer; `repeated` lines of each writer may have
    /// come twice. Deletes the object.
    ///
    /// # Errors
    /// Not in time, or the cluster or the service cannot be asked.
    pub async fn finish(mut self, ctx: &Context, repeated: u64) -> Result<(Report, usize)> {
        self.scale(ctx, 0).await?;
        let sources = std::mem::take(&mut self.writers).finish(ctx).await?;
        let report = verify::lines_at_least_once(ctx, &self.run, &sources, repeated).await?;
        kubernetes::delete(&ctx.kube, &ctx.namespace, &self.object).await?;
        Ok((report, sources.len()))
    }

    fn api(&self, ctx: &Context) -> Api<DeploymentObject> {
        Api::namespaced(ctx.kube.clone(), &ctx.namespace)
    }
}

/// The writers seen so far, by pod.
#[derive(Default)]
pub struct Writers {
    logs: BTreeMap<String, (Pod, JoinHandle<Result<String>>)>,
}

impl Writers {
    /// Follows the logs of the pods that are new.
    pub fn follow(&mut self, ctx: &Context, pods: &[Pod]) {
        for pod in pods {
            let name = pod.name_any();
            if self.logs.contains_key(&name) {
                continue;
            }
            let (kube, namespace, pod_name) = (ctx.kube.clone(), ctx.namespace.clone(), name.clone());
            let writer = ctx.writer();
            let log = tokio::spawn(async move {
                let log = kubernetes::log_to_end(&kube, &namespace, &pod_name, WRITER).await;
                drop(writer);
                log
            });
            self.logs.insert(name, (pod.clone(), log));
        }
    }

    /// What each says it wrote, once it has ended.
    ///
    /// # Errors
    /// One does not end, or does not say.
    pub async fn finish(self, ctx: &Context) -> Result<Vec<Source>> {
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
