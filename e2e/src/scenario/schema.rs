//! What users see of the kind: its fields with their meaning (`kubectl explain`) and the columns of
//! `kubectl get`, asked for as kubectl asks, so that no kubectl is needed; where the bed has one, it is
//! run as well.

use anyhow::{Context as _, Result};
use fixtures::repaired;
use kube::ResourceExt;
use kube::client::Client;
use serde_json::Value;

use super::Context;
use crate::bed::Bed;
use crate::kubernetes::{GROUP, KIND, PLURAL, VERSION};
use crate::report::{Check, Report};

/// Fields of the spec that the document's manifests use.
const FIELDS: [&str; 4] = ["project", "logstore", "machineGroups", "logtailConfig"];
/// Columns of `kubectl get`, and those that `-o wide` adds. Source: own choice, see the operator's CRD.
const COLUMNS: [&str; 7] = ["Name", "Project", "Logstore", "Config", "Ready", "Reason", "Age"];
const WIDE_COLUMNS: [&str; 3] = ["Code", "Groups", "Synced"];
/// What kubectl accepts when it prints a table. Source: Kubernetes API concepts, "Receiving resources
/// as Tables".
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// Checks fields and columns, with the example's two configs there and ready.
///
/// # Errors
/// The API server does not answer, or kubectl fails.
pub async fn run(ctx: &Context, bed: &impl Bed, report: &mut Report) -> Result<()> {
    report.checks.push(explained(&ctx.kube).await?);
    report.checks.extend(table(ctx).await?);
    report.checks.extend(real_kubectl(ctx, bed).await?);
    ctx.progress.done("schema: fields and columns checked");
    Ok(())
}

/// Every field of the spec has a description in the OpenAPI document.
async fn explained(client: &Client) -> Result<Check> {
    let index = get(client, "/openapi/v3", "application/json").await?;
    let path = &index["paths"][format!("apis/{GROUP}/{VERSION}")]["serverRelativeURL"];
    let path = path.as_str().context("the OpenAPI index does not list the kind's group")?;
    let document = get(client, path, "application/json").await?;
    let schemas = document["components"]["schemas"].as_object().context("the document has no schemas")?;
    let schema = schemas.values().find(|schema| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] == KIND))
    });
    let fields =
        schema.with_context(|| format!("no schema is {KIND}'s"))?["properties"]["spec"]["properties"]
            .as_object()
            .context("the spec has no fields")?;
    let missing: Vec<&str> = FIELDS.into_iter().filter(|field| !fields.contains_key(*field)).collect();
    let silent: Vec<&String> = fields
        .iter()
        .filter(|(_, field)| field["description"].as_str().is_none_or(str::is_empty))
        .map(|(name, _)| name)
        .collect();
    Ok(Check::new(
        "kubectl explain has every field of the spec with its meaning",
        missing.is_empty() && silent.is_empty(),
        format!("{} fields; missing {missing:?}, without description {silent:?}", fields.len()),
    ))
}

/// The columns, and what stands in them for the example's ready access config.
async fn table(ctx: &Context) -> Result<Vec<Check>> {
    let path = format!("/apis/{GROUP}/{VERSION}/namespaces/{}/{PLURAL}", ctx.namespace);
    let table = get(&ctx.kube, &path, TABLE).await?;
    let empty = Vec::new();
    let columns = table["columnDefinitions"].as_array().unwrap_or(&empty);
    let named = |wide: bool| -> Vec<&str> {
        let shown = columns.iter().filter(|column| (column["priority"].as_i64() > Some(0)) == wide);
        shown.filter_map(|column| column["name"].as_str()).collect()
    };
    let (narrow, wide) = (named(false), named(true));
    let name = ctx.config(repaired::CRD_ACCESS)?.name_any();
    let rows = table["rows"].as_array().unwrap_or(&empty);
    let row = rows.iter().find(|row| row["cells"][0] == name.as_str());
    let cell = |column: &str| -> Option<&Value> {
        let at = columns.iter().position(|definition| definition["name"] == column)?;
        row?["cells"].get(at)
    };
    let seen = [cell("Project"), cell("Logstore"), cell("Ready"), cell("Code")];
    let ok = cell("Project").is_some_and(|value| *value == ctx.names.project.as_str())
        && cell("Logstore").is_some_and(|value| value == super::ACCESS_LOGSTORE)
        && cell("Ready").is_some_and(|value| value == "True")
        && cell("Code").is_some_and(|value| *value == 200);
    Ok(vec![
        Check::new(
            "kubectl get has the kind's columns, and more of them with -o wide",
            narrow == COLUMNS && wide == WIDE_COLUMNS,
            format!("{narrow:?}, wide {wide:?}"),
        ),
        Check::new("the columns of a ready config say so", ok, format!("{name}: {seen:?}")),
    ])
}

/// The same from the real kubectl.
async fn real_kubectl(ctx: &Context, bed: &impl Bed) -> Result<Option<Check>> {
    let path = format!("{}.spec", KIND.to_lowercase());
    let Some(explained) = bed.kubectl(&["explain", &path]).await? else { return Ok(None) };
    let got = bed.kubectl(&["-n", &ctx.namespace, "get", PLURAL]).await?.unwrap_or_default();
    let unexplained: Vec<&str> = FIELDS.into_iter().filter(|field| !explained.contains(field)).collect();
    let header: Vec<&str> = got.lines().next().unwrap_or_default().split_whitespace().collect();
    let columns = COLUMNS.map(str::to_uppercase);
    Ok(Some(Check::new(
        "the real kubectl explains the fields and prints the columns",
        unexplained.is_empty() && header == columns,
        format!("not explained {unexplained:?}; {}", header.join(" ")),
    )))
}

async fn get(client: &Client, path: &str, accept: &str) -> Result<Value> {
    let request = http::Request::get(path).header(http::header::ACCEPT, accept).body(Vec::new())?;
    let text = client.request_text(request).await.with_context(|| format!("cannot get {path}"))?;
    serde_json::from_str(&text).with_context(|| format!("the answer to {path} is not JSON"))
}
