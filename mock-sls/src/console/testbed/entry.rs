//! One request of the journal with what it sent.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use sls_expect::journal::Entry;

use super::journal::{millis, outcome, place};
use super::{decoded, logs_link};
use crate::console::Console;
use crate::console::page::{Link, Page, time};
use crate::console::place::At;
use crate::console::problem::Problem;
use crate::console::shown::{value, visible};
use crate::console::visit::Visit;
use crate::journal::Sent;

/// Seconds around a write within which its logs are looked for: their times are of the writer's clock.
const AROUND_S: i64 = 900;

#[derive(Deserialize)]
pub(super) struct Numbered {
    seq: u64,
}

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(Numbered { seq }): At<Numbered>,
) -> Result<Response, Problem> {
    let found = console.app.journal.one(seq);
    let (entry, sent) = found.ok_or_else(|| {
        Problem::missing(format!(
            "request {seq} is not in the journal: it remembers the last ones only, and none from before a restart"
        ))
    })?;
    let operation = entry.operation.as_deref().unwrap_or(visit.t("Unknown operation", "未知操作"));
    // Unpacking some MB takes a moment that others should not wait for.
    let body = match sent.clone() {
        Some(sent) => {
            let name = entry.operation.clone().unwrap_or_default();
            let read = tokio::task::spawn_blocking(move || decoded::read(&name, &sent)).await;
            Some(read.map_err(|_| Problem::bad("the body cannot be shown"))?)
        }
        None => None,
    };
    let page = Page::new(&visit, format!("{operation} · {seq}"))
        .style("bed.css")
        .place([Link::new("/testbed/journal", visit.t("Request journal", "请求日志"))])
        .body(html! {
            (facts(&visit, &entry))
            @if let Some(sent) = sent.as_ref().filter(|sent| !sent.query.is_empty()) { (parameters(&visit, sent)) }
            h2 { (visit.t("Body", "请求体")) }
            @match body {
                None => (lost(&visit)),
                Some(body) => (body.shown(&visit, entry.bytes_in)),
            }
        });
    Ok(page.into_response())
}

fn facts(visit: &Visit, entry: &Entry) -> Markup {
    html! {
        dl.facts.card {
            dt { (visit.t("Request", "请求")) } dd { code { (entry.method) " " bdi { (visible(&entry.path)) } } }
            dt { (visit.t("Arrived", "到达时间")) } dd { (time(entry.time_ms.div_euclid(1_000))) }
            dt { (visit.t("Answer", "应答")) } dd { (outcome(visit, entry)) }
            @if let Some(message) = &entry.error_message {
                dt { (visit.t("Message", "错误信息")) } dd { (value(visit, message)) }
            }
            dt { (visit.t("Took", "耗时")) } dd { (millis(entry.micros)) " ms" }
            @if entry.project.is_some() {
                dt { (visit.t("Project / Logstore", "项目 / 日志库")) } dd { (place(entry)) }
            }
            @if let Some(shard) = entry.shard { dt { (visit.t("Shard", "分区")) } dd { (shard) } }
            dt { (visit.t("Client", "客户端")) } dd { (entry.client) }
            @if let Some(agent) = &entry.user_agent { dt { "User-Agent" } dd { (value(visit, agent)) } }
            dt { (visit.t("Bytes in, out", "请求、应答字节")) } dd { (entry.bytes_in) ", " (entry.bytes_out) }
            dt { (visit.t("Request id", "请求 ID")) } dd { code { (entry.request_id) } }
            @if !entry.faults.is_empty() {
                dt { (visit.t("Faults that acted", "触发的故障")) }
                dd { @for fault in &entry.faults { a.badge.warn href="/testbed/faults" { (fault) } " " } }
            }
            @if let Some(wrote) = &entry.wrote {
                dt { (visit.t("Wrote", "写入")) }
                dd {
                    (wrote.logs) " " (visit.t("logs in", "条日志，")) " " (wrote.groups) " "
                    (visit.t("groups", "个日志组")) ", " (wrote.raw_bytes) " " (visit.t("bytes unpacked", "字节（解压后）"))
                    @if !wrote.topic.is_empty() { ", " (visit.t("topic", "主题")) " " bdi { (visible(&wrote.topic)) } }
                    @if let (Some(project), Some(logstore)) = (&entry.project, &entry.logstore) {
                        @let at = entry.time_ms.div_euclid(1_000);
                        " · " a href=(logs_link(project, logstore, "*", Some((at - AROUND_S, at + AROUND_S)))) {
                            (visit.t("Logs of that time", "查看该时段的日志"))
                        }
                    }
                }
            }
        }
    }
}

fn parameters(visit: &Visit, sent: &Sent) -> Markup {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&sent.query).unwrap_or_default();
    html! {
        h2 { (visit.t("Parameters", "请求参数")) }
        div.scroll tabindex="0" { table {
            thead { tr { th { (visit.t("Name", "名称")) } th { (visit.t("Value", "值")) } } }
            tbody { @for (name, text) in &pairs {
                tr { th scope="row" { bdi { (visible(name)) } } td.wrap { (value(visit, text)) } }
            } }
        } }
    }
}

fn lost(visit: &Visit) -> Markup {
    html! { p.quiet-text { (visit.t(
        "What this request sent is no longer kept: the journal keeps the last 16 MiB of bodies.",
        "此请求的内容已不再保留：请求日志只保留最近 16 MiB 的请求体。",
    )) } }
}
