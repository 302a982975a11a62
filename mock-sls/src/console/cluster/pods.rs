//! Pods with their containers.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use serde_json::Value;

use super::kinds::PODS;
use super::status::{containers, probes, state};
use super::{Wanted, answer, api, listed, number, rest, text, time};
use crate::console::Console;
use crate::console::page::empty;
use crate::console::place::Asked;
use crate::console::shown::visible;
use crate::console::visit::Visit;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/cluster", get(list))
}

async fn list(State(console): State<Arc<Console>>, visit: Visit, Asked(wanted): Asked<Wanted>) -> Response {
    let page = async {
        let cluster = console.cluster()?;
        let page = listed(cluster, &visit, &wanted, visit.t("Pods", "容器组")).await?;
        let pods = cluster.list(&PODS, wanted.namespace()).await?;
        Ok(page.and(html! {
            div #pods data-live="" {
                (table(&visit, &pods.items))
                (rest(&visit, &pods))
            }
        }))
    };
    let page = page.await;
    answer(&visit, page)
}

/// A row for each pod, and its containers in it.
pub(super) fn table(visit: &Visit, pods: &[Value]) -> Markup {
    if pods.is_empty() {
        return empty(visit.t("No pods.", "没有容器组。"));
    }
    html! { div.scroll { table {
        thead { tr {
            th { (visit.t("Pod", "容器组")) } th { (visit.t("Phase", "阶段")) } th.number { (visit.t("Ready", "就绪")) }
            th.number { (visit.t("Restarts", "重启次数")) } th { (visit.t("Containers", "容器")) } th { (visit.t("Created", "创建时间")) }
        } }
        tbody { @for pod in pods { (row(visit, pod)) } }
    } } }
}

fn row(visit: &Visit, pod: &Value) -> Markup {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let all = containers(pod);
    let ready = all.iter().filter(|(_, status)| is_ready(*status)).count();
    let restarts: i64 =
        all.iter().filter_map(|(_, status)| *status).map(|status| number(status, "/restartCount")).sum();
    html! { tr {
        th scope="row" { a href=(PODS.page(namespace, name)) { (visible(name)) } div.hint { (visible(namespace)) } }
        td { (phase(visit, pod)) }
        td.number { (ready) "/" (all.len()) }
        td.number { (restarts) }
        td { ul.plain { @for (spec, status) in &all { li {
            a href=(log_page(namespace, name, text(spec, "/name"))) { (visible(text(spec, "/name"))) } " "
            (state(visit, *status))
            @for probe in probes(spec) { div.hint { (visible(&probe)) } }
        } } } }
        td.nowrap { (time(text(pod, "/metadata/creationTimestamp"))) }
    } }
}

fn is_ready(status: Option<&Value>) -> bool {
    status.and_then(|status| status.get("ready")?.as_bool()).unwrap_or_default()
}

/// The phase of a pod, or that it is going.
pub(super) fn phase(visit: &Visit, pod: &Value) -> Markup {
    let phase = text(pod, "/status/phase");
    let class = match phase {
        "Running" | "Succeeded" => "badge good",
        "Failed" => "badge bad",
        _ => "badge warn",
    };
    html! {
        span class=(class) { (visible(phase)) }
        @if pod.pointer("/metadata/deletionTimestamp").is_some() { " " span.badge.warn { (visit.t("is ending", "终止中")) } }
        @if !text(pod, "/status/reason").is_empty() { " " (visible(text(pod, "/status/reason"))) }
    }
}

/// Where the log of a container is.
pub(super) fn log_page(namespace: &str, pod: &str, container: &str) -> String {
    let [namespace, pod, container] = [namespace, pod, container].map(api::escaped);
    format!("/cluster/logs/{namespace}/{pod}/{container}")
}
