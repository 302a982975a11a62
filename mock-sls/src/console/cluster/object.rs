//! One object: what is wrong with it, its conditions, containers, pods and events, and its YAML.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::api::{Cluster, Failure};
use super::kinds::{EVENTS, Kind, PODS};
use super::pods::{self, log_page, phase};
use super::status::{conditions, containers, last_state, probes, problems, state};
use super::{answer, events, number, place, text};
use crate::console::Console;
use crate::console::page::Page;
use crate::console::place::At;
use crate::console::shown::{value, visible};
use crate::console::visit::Visit;

/// Stands for a value that is not shown.
const HIDDEN: &str = "(hidden by the console)";
/// Parts of the names of environment variables whose values are not shown.
const SECRET_NAMES: [&str; 5] = ["SECRET", "PASSWORD", "TOKEN", "ACCESS_KEY", "CREDENTIAL"];
/// Annotation in which kubectl keeps the whole object a second time.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/cluster/objects/{kind}/{namespace}/{name}", get(show))
}

#[derive(Deserialize)]
struct Named {
    kind: String,
    namespace: String,
    name: String,
}

async fn show(State(console): State<Arc<Console>>, visit: Visit, At(named): At<Named>) -> Response {
    let page = page(&console, &visit, &named).await;
    answer(&visit, page)
}

async fn page<'v>(console: &Console, visit: &'v Visit, named: &Named) -> Result<Page<'v>, Failure> {
    let Named { kind, namespace, name } = named;
    let cluster = console.cluster()?;
    let kind =
        Kind::named(kind).ok_or_else(|| Failure::Missing(format!("there is no kind {kind:?} here")))?;
    let within = kind.namespaced.then_some(namespace.as_str());
    let mut object = cluster.get(kind, within, name).await?;
    let happened = about(cluster, kind, within, name).await?;
    let owned = owned(cluster, kind, within, &object).await?;
    let told = problems(&object);
    let parts = html! {
        div #object data-live="" {
            @for problem in &told { div.notice.bad { p { (value(visit, problem)) } } }
            @if kind == &PODS { p { (phase(visit, &object)) } (pod_containers(visit, &object)) }
            (conditions(visit, &object))
            @if let Some(pods) = &owned { h2 { (visit.t("Pods", "容器组")) } (pods::table(visit, pods)) }
            h2 { (visit.t("Events", "事件")) }
            (events::table(visit, &happened))
        }
    };
    hide(&mut object);
    let yaml = serde_saphyr::to_string(&object).unwrap_or_else(|error| error.to_string());
    Ok(Page::new(visit, format!("{} {name}", kind.kind))
        .place(place(visit))
        .style("bed.css")
        .script("live.js")
        .wide()
        .body(html! {
            @if kind.namespaced { p.quiet-text { (visit.t("Namespace ", "命名空间 ")) (visible(namespace)) } }
            (parts)
            h2 { "YAML" }
            p.hint { (visit.t(
                "Without managed fields, and without values of variables that look like secrets.",
                "不含 managedFields，疑似密钥的环境变量值已隐藏。",
            )) }
            pre.tall tabindex="0" { bdi { (visible(&yaml)) } }
        }))
}

/// The events about an object. Those of objects without a namespace are in `default`.
async fn about(
    cluster: &Cluster,
    kind: &Kind,
    namespace: Option<&str>,
    name: &str,
) -> Result<Vec<Value>, Failure> {
    let fields = format!("involvedObject.kind={},involvedObject.name={name}", kind.kind);
    Ok(cluster.select(&EVENTS, Some(namespace.unwrap_or("default")), &fields).await?.items)
}

/// The pods of a Job or Deployment, by its selector's labels.
async fn owned(
    cluster: &Cluster,
    kind: &Kind,
    namespace: Option<&str>,
    object: &Value,
) -> Result<Option<Vec<Value>>, Failure> {
    let Some(labels) = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object) else {
        return Ok(None);
    };
    if kind == &PODS || labels.is_empty() {
        return Ok(None);
    }
    let has = |pod: &Value| {
        labels
            .iter()
            .all(|(key, value)| pod.pointer("/metadata/labels").and_then(|it| it.get(key)) == Some(value))
    };
    let pods = cluster.list(&PODS, namespace).await?.items;
    Ok(Some(pods.into_iter().filter(has).collect()))
}

fn pod_containers(visit: &Visit, pod: &Value) -> Markup {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    html! { div.scroll { table {
        caption { (visit.t("Containers", "容器")) }
        thead { tr {
            th { (visit.t("Container", "容器")) } th { (visit.t("State", "状态")) } th { (visit.t("Before", "上一次")) }
            th.number { (visit.t("Restarts", "重启次数")) } th { (visit.t("Probes", "探针")) } th { (visit.t("Logs", "日志")) }
        } }
        tbody { @for (spec, status) in containers(pod) { tr {
            @let container = text(spec, "/name");
            @let restarts = status.map(|status| number(status, "/restartCount")).unwrap_or_default();
            @let log = log_page(namespace, name, container);
            th scope="row" { (visible(container)) div.hint { (visible(text(spec, "/image"))) } }
            td { (state(visit, status)) }
            td { (last_state(visit, status)) }
            td.number { (restarts) }
            td.wrap { @for probe in probes(spec) { div { (visible(&probe)) } } }
            td {
                a href=(log) { (visit.t("Log", "日志")) }
                @if restarts > 0 { " · " a href={ (log) "?previous=true" } { (visit.t("the one before", "上一次的日志")) } }
            }
        } } }
    } } }
}

/// Takes out what nobody reads, and what nobody should.
fn hide(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    hide_variables(object);
}

/// Hides the values of environment variables with names of secrets, wherever they are in the object.
fn hide_variables(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let name = members.get("name").and_then(Value::as_str).unwrap_or_default().to_ascii_uppercase();
            if SECRET_NAMES.iter().any(|part| name.contains(part))
                && let Some(text) = members.get_mut("value")
            {
                *text = HIDDEN.into();
            }
            members.values_mut().for_each(hide_variables);
        }
        Value::Array(all) => all.iter_mut().for_each(hide_variables),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::items;
    use super::*;

    #[test]
    fn values_of_secrets_and_what_nobody_reads_are_left_out() {
        let mut object = json!({
            "metadata": {"name": "p", "managedFields": [], "annotations": {LAST_APPLIED: "{}", "a": "b"}},
            "spec": {"containers": [{"name": "c", "env": [
                {"name": "ALIYUN_LOGTAIL_ACCESS_KEY_SECRET", "value": "hush"},
                {"name": "PLAIN", "value": "shown"},
            ]}]},
        });
        hide(&mut object);
        let text = object.to_string();
        assert!(
            !text.contains("hush") && !text.contains("managedFields") && !text.contains(LAST_APPLIED),
            "{text}"
        );
        assert_eq!(items(&object, "/spec/containers/0/env").len(), 2);
        assert!(text.contains("shown") && text.contains(HIDDEN), "{text}");
    }
}
