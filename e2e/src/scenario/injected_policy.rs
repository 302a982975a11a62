//! The document's writer without a sidecar, and a label: a MutatingAdmissionPolicy of `operator policy` adds the rest
//! inside of the API server.

use anyhow::{Result, anyhow};
use k8s_openapi::api::admissionregistration::v1::{MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use operator::policy::policy;
use operator::webhook::configurations::FailurePolicy;
use serde_json::Value;

use super::{Context, injected_job, injected_webhook, run_id};
use crate::bed::image::SIDECAR_IMAGE;
use crate::report::{Check, Report};

/// Installs the policy for the scenario's namespace, has a Job ask for its sidecar, and removes the policy.
///
/// # Errors
/// The cluster or the service cannot be asked, the policy is refused, or the Job does not complete.
pub async fn run(ctx: &Context, report: &mut Report) -> Result<()> {
    let profile = injected_job::profile(SIDECAR_IMAGE.to_owned())?;
    let profile = operator::inject::Profile { name: "policy".to_owned(), ..profile };
    let objects = policy(&ctx.namespace, &injected_job::configs(ctx)?, &profile, FailurePolicy::Fail)
        .map_err(|skip| anyhow!("{skip}"))?;
    let outcome = with_policy(ctx, &objects, report).await;
    // It is the cluster's, and does not go with the namespace.
    let removed = remove(ctx, &objects).await;
    outcome.and(removed)
}

async fn with_policy(ctx: &Context, [policy, binding]: &[Value; 2], report: &mut Report) -> Result<()> {
    let run = run_id("policy");
    let params = PatchParams::apply("sls-bed").force();
    let policies: Api<MutatingAdmissionPolicy> = Api::all(ctx.kube.clone());
    policies.patch(&name(policy), &params, &Patch::Apply(policy)).await?;
    let bindings: Api<MutatingAdmissionPolicyBinding> = Api::all(ctx.kube.clone());
    bindings.patch(&name(binding), &params, &Patch::Apply(binding)).await?;
    let mark = injected_webhook::injected(ctx, "the policy to add a sidecar", "policy@").await?;
    report.checks.push(Check::new("a dry run shows the sidecar", true, mark));
    injected_job::completes_with_all_lines(ctx, &run, injected_job::asking(ctx, &run)?, report).await
}

async fn remove(ctx: &Context, [policy, binding]: &[Value; 2]) -> Result<()> {
    let delete = DeleteParams::default();
    let policies: Api<MutatingAdmissionPolicy> = Api::all(ctx.kube.clone());
    let bindings: Api<MutatingAdmissionPolicyBinding> = Api::all(ctx.kube.clone());
    let outcomes = [
        bindings.delete(&name(binding), &delete).await.map(drop),
        policies.delete(&name(policy), &delete).await.map(drop),
    ];
    for outcome in outcomes {
        match outcome {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            other => other?,
        }
    }
    Ok(())
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}
