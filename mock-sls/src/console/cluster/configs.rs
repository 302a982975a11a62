//! The objects of the operator, with the columns that kubectl prints and what is wrong with them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use serde_json::Value;
use sls_api::names::{LogstoreName, ProjectName};

use super::api::{Cluster, Failure, Table};
use super::kinds::{Kind, LOG_CONFIGS, PIPELINE_CONFIGS};
use super::status::{badge, problems};
use super::{Wanted, answer, items, listed, text};
use crate::console::Console;
use crate::console::page::empty;
use crate::console::place::{Asked, InLogstore};
use crate::console::shown::{value, visible};
use crate::console::visit::Visit;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/cluster/configs", get(list))
}

async fn list(State(console): State<Arc<Console>>, visit: Visit, Asked(wanted): Asked<Wanted>) -> Response {
    let page = async {
        let cluster = console.cluster()?;
        let page = listed(cluster, &visit, &wanted, visit.t("Log configs", "日志采集配置")).await?;
        let classic = known(cluster, &LOG_CONFIGS, wanted.namespace()).await?;
        let pipelines = known(cluster, &PIPELINE_CONFIGS, None).await?;
        Ok(page.and(html! {
            div #configs data-live="" {
                h2 { "AliyunLogConfig" }
                (table(&visit, &LOG_CONFIGS, classic.as_ref()))
                h2 { "ClusterAliyunPipelineConfig" }
                (table(&visit, &PIPELINE_CONFIGS, pipelines.as_ref()))
            }
        }))
    };
    let page = page.await;
    answer(&visit, page)
}

/// The objects; nothing if the cluster does not know the kind.
async fn known(cluster: &Cluster, kind: &Kind, namespace: Option<&str>) -> Result<Option<Table>, Failure> {
    match cluster.table(kind, namespace).await {
        Ok(table) => Ok(Some(table)),
        Err(failure) if failure.is_missing() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn table(visit: &Visit, kind: &Kind, table: Option<&Table>) -> Markup {
    let Some(table) = table else {
        return empty(visit.t(
            "The cluster does not know this kind: its CRD is not installed.",
            "集群中没有此类型：尚未安装其 CRD。",
        ));
    };
    if table.rows.is_empty() {
        return empty(visit.t("None.", "没有。"));
    }
    html! {
        div.scroll { table {
            thead { tr {
                @for column in &table.columns { th { (visible(column)) } }
                th { (visit.t("Conditions", "状态条件")) } th { (visit.t("Problems", "问题")) }
            } }
            tbody { @for (cells, object) in &table.rows { (row(visit, kind, cells, object)) } }
        } }
        @if table.goes_on { p.hint { (visit.t("There are more, which are not shown.", "还有更多未显示。")) } }
    }
}

fn row(visit: &Visit, kind: &Kind, cells: &[Value], object: &Value) -> Markup {
    let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    html! { tr {
        @for (place, cell) in cells.iter().enumerate() {
            @if place == 0 {
                th scope="row" {
                    a href=(kind.page(namespace, name)) { (visible(name)) } div.hint { (visible(namespace)) }
                    @if let Some(logs) = logs(object) { div.hint { a href=(logs) { (visit.t("Its logs", "查看日志")) } } }
                }
            } @else {
                td { (shown(cell)) }
            }
        }
        td { @for condition in items(object, "/status/conditions") {
            div.nowrap { (visible(text(condition, "/type"))) " " (badge(condition)) }
        } }
        td.wrap { @for problem in problems(object) { div { (value(visit, &problem)) } } }
    } }
}

/// The query page of what an AliyunLogConfig has in Log Service, once it is there.
fn logs(object: &Value) -> Option<String> {
    let project: ProjectName = text(object, "/status/project").parse().ok()?;
    let logstore: LogstoreName = text(object, "/spec/logstore").parse().ok()?;
    Some(InLogstore { project, logstore }.path())
}

/// A cell as kubectl prints it.
fn shown(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => visible(text),
        other => visible(&other.to_string()),
    }
}
