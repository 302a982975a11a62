//! The two AliyunLogConfig objects: as published (one of them damaged) and repaired.

use anyhow::Result;
use fixtures::{published, repaired};
use kube::ResourceExt;
use kube::api::DynamicObject;
use operator::webhook::configurations::VALIDATION_LABEL;
use serde_json::Value;

use super::{ACCESS_CONFIG, Context, ERROR_CONFIG};
use crate::eventually::{Look, eventually};
use crate::kubernetes;
use crate::report::{Check, Report};

/// Characters of a refusal that are shown.
const SHOWN_CHARS_MAX: usize = 200;

/// Applies the published access config where no webhook judges it: the object must say what is wrong with it, field by field,
/// in status, condition and event, and no config that drops every line may reach the service.
///
/// # Errors
/// The cluster or the service cannot be asked, or the operator says nothing.
pub async fn published_is_refused(ctx: &Context) -> Result<Report> {
    let object = ctx.config(published::CRD_ACCESS)?;
    kubernetes::label_namespace(&ctx.kube, &ctx.namespace, VALIDATION_LABEL, "disabled").await?;
    eventually("the published config to be stored", ctx.limit, async || {
        match ctx.apply(object.clone()).await {
            Ok(_) => Ok(Look::Done(())),
            // API servers see the label a moment later.
            Err(error) if is_denied(&error) => Ok(Look::Waiting(format!("{error:#}"))),
            Err(error) => Err(error),
        }
    })
    .await?;
    ctx.progress.step("the published access config is judged");
    let accepted = condition(ctx, &object, "Accepted", "False").await?;
    let status = get(ctx, &object).await?.data["status"].clone();
    let message = accepted["message"].as_str().unwrap_or_default().to_owned();
    let mut report = Report::default();

    // What the document's text is damaged in: a field, and a word of the complaint about it.
    let damage = [("regex", "11"), ("key", "10"), ("key[9]", "ser-agent"), ("logBeginRegex", ". *")];
    let unnamed: Vec<_> =
        damage.iter().filter(|(field, word)| !(message.contains(field) && message.contains(word))).collect();
    report.checks.push(Check::new(
        "the published config's status names each problem with its field",
        unnamed.is_empty(),
        if unnamed.is_empty() { message } else { format!("no word of {unnamed:?} in: {message}") },
    ));
    let legacy = status["statusCode"].as_i64();
    report.checks.push(Check::new(
        "its legacy statusCode is 400",
        legacy == Some(400),
        format!("{legacy:?}"),
    ));
    let name = object.name_any();
    let event = eventually("a warning event about the published config", ctx.limit, async || {
        let events = kubernetes::events(&ctx.kube, &ctx.namespace, &name).await?;
        Ok(match events.iter().find(|e| e.contains("regex")) {
            Some(event) => Look::Done(event.clone()),
            None => Look::Waiting(format!("{events:?}")),
        })
    })
    .await;
    report.checks.push(match event {
        Ok(event) => Check::new("an event says so too", true, event),
        Err(error) => Check::new("an event says so too", false, format!("{error:#}")),
    });
    let config = ctx.sls.config(ACCESS_CONFIG).await?;
    report.checks.push(Check::new(
        "no config that would drop every line reached the service",
        config.is_none(),
        if config.is_some() { "it is there" } else { "none" },
    ));
    ctx.progress.done("published access config: refused with reasons");
    Ok(report)
}

/// Applies the published access config where the webhook judges it: it is refused, with all that is wrong, and the
/// repaired one that is there stays.
///
/// # Errors
/// The cluster cannot be asked.
pub async fn published_is_denied(ctx: &Context) -> Result<Check> {
    let object = ctx.config(published::CRD_ACCESS)?;
    let before = get(ctx, &object).await?.metadata.generation;
    let outcome = ctx.apply(object.clone()).await;
    let after = get(ctx, &object).await?.metadata.generation;
    let told = match &outcome {
        Ok(_) => "it was accepted".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    let fields = ["regex", "key", "logBeginRegex"].map(|field| format!("inputDetail.{field}: "));
    let is_told = fields.iter().all(|field| told.contains(field));
    let denied = outcome.is_err_and(|error| is_denied(&error));
    let shown: String = told.chars().take(SHOWN_CHARS_MAX).collect();
    let title = "the published config is refused as it is applied, and the repaired one stays";
    Ok(Check::new(title, denied && is_told && before == after, shown))
}

/// Whether a webhook has refused it.
fn is_denied(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("denied the request")
}

/// Applies both repaired configs and checks what the operator made of them.
///
/// # Errors
/// The cluster or the service cannot be asked, or the configs do not become ready.
pub async fn repaired_become_ready(ctx: &Context) -> Result<Report> {
    let mut report = Report::default();
    for manifest in [repaired::CRD_ACCESS, repaired::CRD_ERROR] {
        let object = ctx.apply(ctx.config(manifest)?).await?;
        ctx.progress.step(format!("{} becomes ready", object.name_any()));
        let ready = condition(ctx, &object, "Ready", "True").await?;
        report.checks.push(Check::new(
            format!("{} is Ready", object.name_any()),
            true,
            ready["message"].as_str().unwrap_or_default(),
        ));
    }
    let group = &ctx.names.machine_group;
    for (config, logstore) in [(ACCESS_CONFIG, super::ACCESS_LOGSTORE), (ERROR_CONFIG, super::ERROR_LOGSTORE)]
    {
        let bound = ctx.sls.applied_configs(group).await?.iter().any(|name| name == config);
        let exists = ctx.sls.config(config).await?.is_some();
        let indexed = ctx.sls.has_index(logstore).await?;
        report.checks.push(Check::new(
            format!("{logstore} is indexed and its config is bound to {group}"),
            bound && exists && indexed,
            format!("config {exists}, bound {bound}, index {indexed}"),
        ));
    }
    ctx.progress.done("repaired configs: ready");
    Ok(report)
}

/// Waits for a condition of the object's present generation; returns the condition.
///
/// # Errors
/// Not in time; the message holds the status as last seen.
pub async fn condition(ctx: &Context, object: &DynamicObject, kind: &str, value: &str) -> Result<Value> {
    let what = format!("{}: condition {kind}={value}", object.name_any());
    eventually(what, ctx.limit, async || {
        let seen = get(ctx, object).await?;
        let generation = seen.metadata.generation;
        let conditions = seen.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|c| {
            c["type"] == kind && c["status"] == value && c["observedGeneration"].as_i64() == generation
        });
        Ok(match found {
            Some(condition) => Look::Done(condition.clone()),
            None => Look::Waiting(format!("generation {generation:?}, status {}", seen.data["status"])),
        })
    })
    .await
}

async fn get(ctx: &Context, object: &DynamicObject) -> Result<DynamicObject> {
    let api = kubernetes::dynamic(&ctx.kube, &ctx.namespace, &kubernetes::log_config_resource());
    Ok(api.get(&object.name_any()).await?)
}
