//! The document's writer without a sidecar, which `operator inject` adds: as a native one it is there before the first
//! line and ends after the last, so that the Job completes as if it were not there.

use anyhow::{Context as _, Result, anyhow};
use fixtures::repaired;
use k8s_openapi::api::batch::v1::Job as JobObject;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DynamicObject;
use kube::{Api, ResourceExt};
use operator::crd::AliyunLogConfig;
use operator::inject::{self, Form, Profile, Workload};

use super::job_completes::completes;
use super::writers::Job;
use super::{Context, run_id, verify};
use crate::manifest::{self, SIDECAR, WRITER};
use crate::report::{Check, Report};

const LINES: u64 = 300;
const LINES_PER_SECOND: u32 = 100;
/// Region of the document's example, as in the path of the agent's configuration.
const REGION: &str = "cn-hangzhou-internet";
/// From the end of the writer to the end of the Job, in seconds; both are told in whole ones. Source: the goal of the
/// operator's specification, scenario 60.
const SECONDS_MAX: i64 = 5;
/// Longest wait of the application for the collector's first config, in seconds.
const STARTUP_SECONDS: u32 = 60;

/// The Job of the document without all that is about its sidecar, then with one.
///
/// # Errors
/// The cluster or the service cannot be asked, or the Job does not complete.
pub async fn run(ctx: &Context, report: &mut Report) -> Result<()> {
    let run = run_id("injected");
    let mut object = Job::tuned(ctx, &run, LINES, LINES_PER_SECOND)?;
    let image = manifest::without_sidecar(&mut object)?;
    let object = with_sidecar(ctx, object, image)?;
    completes_with_all_lines(ctx, &run, object, report).await
}

/// The document's Job without its sidecar, with a label that asks for one.
///
/// # Errors
/// The manifest lacks what is to be changed.
pub(super) fn asking(ctx: &Context, run: &str) -> Result<DynamicObject> {
    let mut object = Job::tuned(ctx, run, LINES, LINES_PER_SECOND)?;
    manifest::without_sidecar(&mut object)?;
    manifest::set_pod_label(&mut object, inject::ASK_LABEL, "true")?;
    Ok(object)
}

/// The Job, whose pod has a native sidecar or gets one, ends as if it had none, and every line is there.
///
/// # Errors
/// As [`run`].
pub(super) async fn completes_with_all_lines(
    ctx: &Context,
    run: &str,
    object: DynamicObject,
    report: &mut Report,
) -> Result<()> {
    let job = Job::apply(ctx, object).await?;
    let name = job.pod.name_any();
    ctx.progress.step(format!("{name} writes {LINES} access and error lines; a sidecar was added to it"));
    let source = job.written(ctx).await?;
    report.checks.push(completes(ctx, &job.name()).await);
    report.checks.extend(ended(ctx, &job.name(), &name).await?);
    report.merge(verify::all_lines(ctx, run, &[source]).await?);
    job.delete(ctx).await?;
    ctx.progress.done("Job with an added sidecar: completed, its lines checked");
    Ok(())
}

fn with_sidecar(ctx: &Context, object: DynamicObject, image: String) -> Result<DynamicObject> {
    let (configs, profile) = (configs(ctx)?, profile(image)?);
    let mut object = serde_json::to_value(object)?;
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.insert("namespace".to_owned(), ctx.namespace.as_str().into());
    }
    let mut workload =
        Workload::of(&mut object, Some(&ctx.namespace)).context("the manifest is no workload")?;
    inject::inject(&mut workload, &configs, &profile).map_err(|skip| anyhow!("{skip}"))?;
    Ok(serde_json::from_value(object)?)
}

/// The example's configs, as they are in the scenario's namespace.
///
/// # Errors
/// The manifests are no AliyunLogConfigs.
pub(super) fn configs(ctx: &Context) -> Result<[AliyunLogConfig; 2]> {
    let config = |manifest| -> Result<AliyunLogConfig> {
        let mut config = ctx.config(manifest)?;
        config.metadata.namespace = Some(ctx.namespace.clone());
        Ok(serde_json::from_value(serde_json::to_value(config)?)?)
    };
    Ok([config(repaired::CRD_ACCESS)?, config(repaired::CRD_ERROR)?])
}

/// What the sidecar is like, with this image.
///
/// # Errors
/// Never: process numbers have room in ports.
pub(super) fn profile(image: String) -> Result<Profile> {
    Ok(Profile {
        name: "e2e".to_owned(),
        image,
        config_path: format!("/etc/ilogtail/conf/{REGION}/ilogtail_config.json"),
        account_id: Some(mock_sls::DEFAULT_ACCOUNT_ID.to_owned()),
        machine_group: None,
        form: Form::Native,
        // Where pods have no addresses of their own, one that others do not use.
        probe_port: 20_000 + u16::try_from(std::process::id() % 10_000)?,
        startup_seconds: STARTUP_SECONDS,
    })
}

/// How long the Job took to complete after its writer, and what the sidecar says.
async fn ended(ctx: &Context, job: &str, pod: &str) -> Result<Vec<Check>> {
    let status = Api::<JobObject>::namespaced(ctx.kube.clone(), &ctx.namespace).get(job).await?.status;
    let pod =
        Api::<Pod>::namespaced(ctx.kube.clone(), &ctx.namespace).get(pod).await?.status.unwrap_or_default();
    let end = |statuses: Option<Vec<k8s_openapi::api::core::v1::ContainerStatus>>, name: &str| {
        let status = statuses.into_iter().flatten().find(|status| status.name == name)?;
        status.state?.terminated
    };
    let writer = end(pod.container_statuses, WRITER).and_then(|end| end.finished_at);
    let completed = status.and_then(|status| status.completion_time);
    let seconds = writer.zip(completed).map(|(from, to)| to.0.as_second() - from.0.as_second());
    let title = format!("the Job completes within {SECONDS_MAX} s of its writer");
    let shown = seconds.map_or("not completed".to_owned(), |seconds| format!("{seconds} s"));
    // While the service is away the sidecar waits for it.
    let is_in_time = seconds.is_some_and(|seconds| seconds <= SECONDS_MAX || ctx.away().is_some());
    let mut checks = vec![Check::new(title, is_in_time, shown)];

    let title = "the sidecar's termination message accounts for all lines";
    let end = end(pod.init_container_statuses, SIDECAR);
    let message = end.as_ref().and_then(|end| end.message.clone()).unwrap_or_default();
    let account = message.lines().next().unwrap_or_default();
    let wanted = format!("2 files, {} lines sent, 0 lost, 0 bytes unread", 2 * LINES);
    checks.push(Check::new(title, account == wanted, account));
    let code = end.map(|end| end.exit_code);
    checks.push(Check::new("the sidecar has ended with exit code 0", code == Some(0), format!("{code:?}")));
    Ok(checks)
}
