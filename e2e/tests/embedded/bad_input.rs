//! What a user gets wrong, and what fails around the programs: each says what, where and what to
//! do; what can be put right later loses no line meanwhile.

use std::time::Duration;

use crate::bed;
use anyhow::Result;
use e2e::eventually::{Look, eventually};
use e2e::kubernetes;
use e2e::manifest::{self, SIDECAR, Tuning, WRITER};
use e2e::outage::Outage;
use e2e::scenario::verify::{self, Source};
use e2e::scenario::{ACCESS_LOGSTORE, Context, ERROR_LOGSTORE, configs, run_id};
use fixtures::repaired;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, LogParams};
use serde_json::json;

const LINES: u64 = 200;

/// The example's Job with one thing changed, under a run id of its own.
struct Trial {
    run: String,
    job: DynamicObject,
}

impl Trial {
    fn new(name: &str) -> Self {
        let run = run_id(name);
        let mut job = kubernetes::parse(repaired::SIDECAR_JOB).expect("the job");
        let tuning = Tuning {
            run: Some(run.clone()),
            total_count: Some(LINES),
            logs_per_sec: 200,
            probe_seconds: Some(1),
            outage: None,
        };
        manifest::tune(&mut job, &tuning).expect("tuned");
        Self { run, job }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        manifest::set_sidecar_env(&mut self.job, name, value).expect("env");
        self
    }

    /// Applies the Job and returns the name of its pod once its sidecar has been started.
    async fn start(&self, ctx: &Context) -> Result<String> {
        kubernetes::apply(&ctx.kube, &ctx.namespace, self.job.clone()).await?;
        let selector = format!("job-name={}", self.job.name_any());
        eventually("the sidecar to be started", ctx.limit, async || {
            let pods = kubernetes::pods(&ctx.kube, &ctx.namespace, &selector).await?;
            let Some(pod) = pods.first() else { return Ok(Look::Waiting("no pod".into())) };
            let statuses = pod.status.clone().and_then(|s| s.container_statuses).unwrap_or_default();
            let state = statuses.into_iter().find(|s| s.name == SIDECAR).and_then(|s| s.state);
            Ok(match state {
                Some(state) if state.running.is_some() || state.terminated.is_some() => {
                    Look::Done(pod.name_any())
                }
                _ => Look::Waiting(kubernetes::describe(pod)),
            })
        })
        .await
    }

    /// Waits for the writer's end and checks every line.
    async fn every_line_arrives(&self, ctx: &Context, pod: &str) -> Result<()> {
        let log = kubernetes::log_to_end(&ctx.kube, &ctx.namespace, pod, WRITER).await?;
        let pod = Api::<Pod>::namespaced(ctx.kube.clone(), &ctx.namespace).get(pod).await?;
        let mut report = verify::all_lines(ctx, &self.run, &[Source::new(&pod, &log)?]).await?;
        report.judge();
        assert!(report.ok, "{}", report.to_text());
        Ok(())
    }
}

/// Waits until the sidecar's log holds all of `words` in one line.
async fn sidecar_says(ctx: &Context, pod: &str, words: &[&str]) -> Result<String> {
    let api: Api<Pod> = Api::namespaced(ctx.kube.clone(), &ctx.namespace);
    let params = LogParams { container: Some(SIDECAR.to_owned()), ..LogParams::default() };
    eventually(format!("{words:?} in the sidecar's log"), ctx.limit, async || {
        let log = api.logs(pod, &params).await?;
        Ok(match log.lines().find(|line| words.iter().all(|word| line.contains(word))) {
            Some(line) => Look::Done(line.to_owned()),
            None => Look::Waiting(log),
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_machine_group_id_is_named_and_its_lines_arrive_once_the_group_exists() -> Result<()> {
    let folder = bed::Folder::new();
    let (bed, ctx) = bed::start(bed::options(&folder)).await;
    configs::repaired_become_ready(&ctx).await?;
    let trial = Trial::new("late").env("ALIYUN_LOGTAIL_USER_DEFINED_ID", "late-group");
    let pod = trial.start(&ctx).await?;
    sidecar_says(&ctx, &pod, &["late-group", "machine group"]).await?;
    for text in [repaired::CRD_ACCESS, repaired::CRD_ERROR] {
        let mut object = kubernetes::parse(text)?;
        object.data["spec"]["machineGroups"] = json!(["nginx-log-sidecar", "late-group"]);
        kubernetes::apply(&ctx.kube, &ctx.namespace, object).await?;
    }
    trial.every_line_arrives(&ctx, &pod).await?;
    bed.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_id_that_is_not_the_accounts_is_refused_by_name() -> Result<()> {
    let folder = bed::Folder::new();
    let (bed, ctx) = bed::start(bed::options(&folder)).await;
    configs::repaired_become_ready(&ctx).await?;
    let trial = Trial::new("ram").env("ALIYUN_LOGTAIL_USER_ID", "2000000000000002");
    let pod = trial.start(&ctx).await?;
    sidecar_says(&ctx, &pod, &["2000000000000002", "RAM", "ALIYUN_LOGTAIL_USER_ID"]).await?;
    assert_eq!(ctx.sls.count(ACCESS_LOGSTORE, &trial.run).await?, 0);
    bed.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_two_groups_claim_is_reported_with_both_names_and_no_line_comes_twice() -> Result<()> {
    let folder = bed::Folder::new();
    let (bed, ctx) = bed::start(bed::options(&folder)).await;
    configs::repaired_become_ready(&ctx).await?;
    ctx.sls.create_machine_group("second-group", "nginx-log-sidecar").await?;
    let trial = Trial::new("twice");
    let pod = trial.start(&ctx).await?;
    sidecar_says(&ctx, &pod, &["nginx-log-sidecar", "second-group"]).await?;
    trial.every_line_arrives(&ctx, &pod).await?;
    bed.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_config_path_ends_or_explains_itself() -> Result<()> {
    let folder = bed::Folder::new();
    let (bed, ctx) = bed::start(bed::options(&folder)).await;
    let cases = [
        // No such region: named, with what to do.
        ("region", "/etc/ilogtail/conf/mars-north-1/ilogtail_config.json", &["mars-north-1"][..]),
        // A file that is not JSON: named, with the place.
        ("json", "/etc/passwd", &["/etc/passwd", "JSON"][..]),
        // A region whose file the image lacks: derived from the path, and it says so.
        ("derived", "/etc/ilogtail/conf/cn-shanghai/ilogtail_config.json", &["cn-shanghai"][..]),
    ];
    for (name, path, words) in cases {
        let mut trial = Trial::new(name).env("ALIYUN_LOGTAIL_CONFIG", path);
        trial.job.metadata.name = Some(format!("job-{name}"));
        let pod = trial.start(&ctx).await?;
        sidecar_says(&ctx, &pod, words).await?;
    }
    bed.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_for_a_deleted_logstore_wait_until_it_is_there_again() -> Result<()> {
    let folder = bed::Folder::new();
    let (bed, ctx) = bed::start(bed::options(&folder)).await;
    configs::repaired_become_ready(&ctx).await?;
    ctx.sls.delete_logstore(ERROR_LOGSTORE).await?;
    let trial = Trial::new("gone");
    let pod = trial.start(&ctx).await?;
    sidecar_says(&ctx, &pod, &["LogStoreNotExist", ERROR_LOGSTORE]).await?;
    ctx.sls.create_logstore(ERROR_LOGSTORE).await?;
    trial.every_line_arrives(&ctx, &pod).await?;
    bed.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_at_the_start_and_in_the_middle_costs_no_line() -> Result<()> {
    let folder = bed::Folder::new();
    let mut options = bed::options(&folder);
    options.without_sls = true;
    let (bed, ctx) = bed::start(options).await;
    for text in [repaired::CRD_ACCESS, repaired::CRD_ERROR] {
        kubernetes::apply(&ctx.kube, &ctx.namespace, kubernetes::parse(text)?).await?;
    }
    let trial = Trial::new("down");
    let pod = trial.start(&ctx).await?;
    sidecar_says(&ctx, &pod, &["127.0.0.1"]).await?;
    bed.start_sls().await?;
    configs::repaired_become_ready(&ctx).await?;
    trial.every_line_arrives(&ctx, &pod).await?;

    let mut trial = Trial::new("middle");
    trial.job.metadata.name = Some("job-middle".to_owned());
    let pod = trial.start(&ctx).await?;
    bed.stop_sls().await;
    kubernetes::log_to_end(&ctx.kube, &ctx.namespace, &pod, WRITER).await?;
    tokio::time::sleep(Duration::from_secs(2)).await; // the outage outlasts the writer
    bed.start_sls().await?;
    trial.every_line_arrives(&ctx, &pod).await?;
    bed.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_told_to_stop_while_the_service_is_away_delivers_once_it_is_back() -> Result<()> {
    let folder = bed::Folder::new();
    let (bed, ctx) = bed::start(bed::options(&folder)).await;
    configs::repaired_become_ready(&ctx).await?;
    let ctx = ctx.with_outage(Some(&Outage::new(Duration::from_secs(10))));
    let mut trial = Trial::new("stopped");
    let tuning = Tuning {
        run: Some(trial.run.clone()),
        total_count: Some(1_000_000),
        logs_per_sec: 200,
        probe_seconds: Some(1),
        outage: ctx.away(),
    };
    manifest::tune(&mut trial.job, &tuning)?;
    let name = trial.start(&ctx).await?;
    ctx.sls.at_least(ACCESS_LOGSTORE, &trial.run, 1, ctx.limit).await?;
    let pods: Api<Pod> = Api::namespaced(ctx.kube.clone(), &ctx.namespace);
    let pod = pods.get(&name).await?;
    bed.stop_sls().await;
    let log = kubernetes::log_to_end(&ctx.kube, &ctx.namespace, &name, WRITER);
    // The Job would make another pod for a deleted one.
    let (log, deleted) = tokio::join!(log, kubernetes::delete(&ctx.kube, &ctx.namespace, &trial.job));
    deleted?;
    let source = Source::new(&pod, &log?)?;
    bed.start_sls().await?;
    let mut report = verify::all_lines(&ctx, &trial.run, &[source]).await?;
    report.judge();
    assert!(report.ok, "{}", report.to_text());
    bed.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_regex_that_does_not_compile_is_named_in_the_object() -> Result<()> {
    let folder = bed::Folder::new();
    let (bed, ctx) = bed::start(bed::options(&folder)).await;
    let mut object = kubernetes::parse(repaired::CRD_ACCESS)?;
    object.data["spec"]["logtailConfig"]["inputDetail"]["regex"] = json!(r"(\S+");
    let object = kubernetes::apply(&ctx.kube, &ctx.namespace, object).await?;
    let accepted = configs::condition(&ctx, &object, "Accepted", "False").await?;
    let message = accepted["message"].as_str().unwrap_or_default();
    assert!(message.contains("regex") && message.contains("unclosed group"), "{message}");
    bed.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_killed_in_the_middle_goes_on_after_its_restart() -> Result<()> {
    let folder = bed::Folder::new();
    let (bed, ctx) = bed::start(bed::options(&folder)).await;
    for text in [repaired::CRD_ACCESS, repaired::CRD_ERROR] {
        kubernetes::apply(&ctx.kube, &ctx.namespace, kubernetes::parse(text)?).await?;
    }
    bed.restart_operator().await?;
    configs::repaired_become_ready(&ctx).await?;
    bed.shutdown().await;
    Ok(())
}
