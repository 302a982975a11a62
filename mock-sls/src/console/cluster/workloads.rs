//! Jobs and Deployments.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use serde_json::Value;

use super::kinds::{DEPLOYMENTS, JOBS, Kind};
use super::status::{badge, problems};
use super::{Wanted, answer, items, listed, number, rest, text, time};
use crate::console::Console;
use crate::console::page::empty;
use crate::console::place::Asked;
use crate::console::shown::visible;
use crate::console::visit::Visit;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/cluster/workloads", get(list))
}

async fn list(State(console): State<Arc<Console>>, visit: Visit, Asked(wanted): Asked<Wanted>) -> Response {
    let page = async {
        let cluster = console.cluster()?;
        let page = listed(cluster, &visit, &wanted, visit.t("Jobs and Deployments", "工作负载")).await?;
        let jobs = cluster.list(&JOBS, wanted.namespace()).await?;
        let deployments = cluster.list(&DEPLOYMENTS, wanted.namespace()).await?;
        Ok(page.and(html! {
            div #workloads data-live="" {
                h2 { (visit.t("Jobs", "任务")) }
                (table(&visit, &JOBS, &jobs.items, &job))
                (rest(&visit, &jobs))
                h2 { (visit.t("Deployments", "无状态部署")) }
                (table(&visit, &DEPLOYMENTS, &deployments.items, &deployment))
                (rest(&visit, &deployments))
            }
        }))
    };
    let page = page.await;
    answer(&visit, page)
}

/// A row for each object; `standing` says how it stands.
fn table(
    visit: &Visit,
    kind: &Kind,
    objects: &[Value],
    standing: &dyn Fn(&Visit, &Value) -> Markup,
) -> Markup {
    if objects.is_empty() {
        return empty(visit.t("None.", "没有。"));
    }
    html! { div.scroll { table {
        thead { tr {
            th { (visit.t("Name", "名称")) } th { (visit.t("Standing", "进度")) } th { (visit.t("Conditions", "状态条件")) }
            th { (visit.t("Problems", "问题")) } th { (visit.t("Created", "创建时间")) }
        } }
        tbody { @for object in objects { tr {
            @let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
            th scope="row" { a href=(kind.page(namespace, name)) { (visible(name)) } div.hint { (visible(namespace)) } }
            td { (standing(visit, object)) }
            td { @for condition in items(object, "/status/conditions") {
                div { (visible(text(condition, "/type"))) " " (badge(condition)) }
            } }
            td.wrap { @for problem in problems(object) { div { (visible(&problem)) } } }
            td.nowrap { (time(text(object, "/metadata/creationTimestamp"))) }
        } } }
    } } }
}

fn job(visit: &Visit, job: &Value) -> Markup {
    let wanted = job.pointer("/spec/completions").and_then(Value::as_i64).unwrap_or(1);
    html! {
        (number(job, "/status/succeeded")) " / " (wanted) " " (visit.t("completed", "已完成"))
        @for (count, name) in [("active", visit.t("active", "运行中")), ("failed", visit.t("failed", "失败"))] {
            @let count = number(job, &format!("/status/{count}"));
            @if count > 0 { div { (count) " " (name) } }
        }
    }
}

fn deployment(visit: &Visit, deployment: &Value) -> Markup {
    let wanted = deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    html! {
        (number(deployment, "/status/readyReplicas")) " / " (wanted) " " (visit.t("ready", "就绪"))
        div.hint {
            (number(deployment, "/status/updatedReplicas")) " " (visit.t("up to date", "已更新")) ", "
            (number(deployment, "/status/availableReplicas")) " " (visit.t("available", "可用"))
        }
    }
}
