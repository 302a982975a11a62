//! The cluster that the emulator is a part of, as its API server tells: pods, workloads, the objects of the operator,
//! events and logs of containers. Nothing is changed there. Only where [`Settings::cluster`](super::Settings::cluster)
//! names such a server.

mod api;
mod configs;
mod events;
mod kinds;
mod logs;
mod object;
mod pods;
mod status;
mod workloads;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

pub(super) use self::api::Cluster;
use self::api::{Failure, List};
use super::Console;
use super::page::{Link, Page};
use super::shown::visible;
use super::visit::Visit;

/// The routes of this folder.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .merge(pods::routes())
        .merge(workloads::routes())
        .merge(configs::routes())
        .merge(events::routes())
        .merge(object::routes())
        .merge(logs::routes())
}

impl Console {
    /// The cluster, if there is one.
    fn cluster(&self) -> Result<&Cluster, Failure> {
        self.cluster.as_ref().ok_or(Failure::Unset)
    }
}

/// Which namespace; all without one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    namespace: String,
}

impl Wanted {
    fn namespace(&self) -> Option<&str> {
        Some(self.namespace.trim()).filter(|name| !name.is_empty())
    }
}

/// A page of a list, for one namespace or all.
async fn listed<'v>(
    cluster: &Cluster,
    visit: &'v Visit,
    wanted: &Wanted,
    title: &str,
) -> Result<Page<'v>, Failure> {
    let names: Vec<String> = cluster
        .list(&kinds::NAMESPACES, None)
        .await?
        .items
        .iter()
        .map(|it| text(it, "/metadata/name").to_owned())
        .collect();
    let to = |path: &str| match wanted.namespace() {
        Some(name) => format!("{path}?namespace={name}"),
        None => path.to_owned(),
    };
    let page = Page::new(visit, title)
        .tabs([
            Link::new(to("/cluster"), visit.t("Pods", "容器组")),
            Link::new(to("/cluster/workloads"), visit.t("Jobs, Deployments", "工作负载")),
            Link::new(to("/cluster/configs"), visit.t("Log configs", "日志采集配置")),
            Link::new(to("/cluster/events"), visit.t("Events", "事件")),
        ])
        .style("bed.css")
        .script("live.js")
        .wide();
    let chosen = wanted.namespace().unwrap_or_default();
    let form = html! {
        form.row.namespace method="get" action=(visit.path()) {
            label for="namespace" { (visit.t("Namespace", "命名空间")) }
            select #namespace name="namespace" {
                option value="" { (visit.t("all", "全部")) }
                @for name in &names { option value=(name) selected[name == chosen] { (name) } }
            }
            button type="submit" { (visit.t("Show", "查看")) }
        }
    };
    Ok(page.body(form))
}

/// The page, or one that says why there is none.
fn answer(visit: &Visit, outcome: Result<Page<'_>, Failure>) -> Response {
    match outcome {
        Ok(page) => page.into_response(),
        Err(failure) => {
            let status = failure.status();
            let title = match status {
                StatusCode::NOT_FOUND => visit.t("Not found", "未找到"),
                _ => visit.t("The cluster does not answer", "集群无应答"),
            };
            let page = Page::new(visit, title).place(place(visit)).body(html! {
                div.notice.bad role="alert" { p { (visible(&failure.to_string())) } }
                p.row { a.button href=(visit.here) { (visit.t("Try again", "重试")) } }
            });
            (status, page).into_response()
        }
    }
}

fn place(visit: &Visit) -> [Link; 1] {
    [Link::new("/cluster", visit.t("Cluster", "集群"))]
}

/// That a list goes on, if it does.
fn rest(visit: &Visit, list: &List) -> Markup {
    html! { @if list.goes_on {
        p.hint { (visit.t("There are more, which are not shown: choose a namespace.", "还有更多未显示：请选择命名空间。")) }
    } }
}

/// The text at a JSON pointer; empty if there is none.
fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a JSON pointer; 0 if there is none.
fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The list at a JSON pointer; empty if there is none.
fn items<'v>(object: &'v Value, pointer: &str) -> &'v [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A time as Kubernetes writes it.
fn time(text: &str) -> Markup {
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => super::page::time(time.as_second()),
        Err(_) => html! { (visible(text)) },
    }
}
