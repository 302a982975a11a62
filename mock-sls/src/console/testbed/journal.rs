//! The journal as a table that is narrowed by what its filter knows, and by time, fault and outcome.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use sls_api::ops::all_endpoints;
use sls_expect::journal::{Entry, Filter};

use super::{entry, page};
use crate::console::Console;
use crate::console::forms::done;
use crate::console::page::{act, empty, time};
use crate::console::place::Asked;
use crate::console::problem::Problem;
use crate::console::shown::visible;
use crate::console::visit::Visit;
use crate::journal::Record;

/// Entries that are shown unless the visitor wants another number of them, and the numbers he may choose.
const SHOWN: usize = 100;
const SHOWN_CHOICES: [usize; 4] = [50, SHOWN, 500, 2_000];

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/testbed/journal", get(list))
        .route("/testbed/journal/clear", post(clear))
        .route("/testbed/journal/{seq}", get(entry::show))
}

/// What the form of the page sends; an empty field does not matter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    operation: String,
    project: String,
    logstore: String,
    status: String,
    error_code: String,
    client: String,
    fault: String,
    from: String,
    to: String,
    limit: String,
}

impl Wanted {
    fn filter(&self) -> Result<Filter, Problem> {
        let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        // The status of those that failed in any way is the only one that the filter does not know.
        let status = filled(&self.status).filter(|status| status != "failed");
        let limit = match self.limit.trim() {
            "" => SHOWN,
            text => text.parse().map_err(|_| Problem::bad(format!("limit: {text:?} is no number")))?,
        };
        Ok(Filter {
            operation: filled(&self.operation),
            project: filled(&self.project),
            logstore: filled(&self.logstore),
            status,
            error_code: filled(&self.error_code),
            client: filled(&self.client),
            limit: Some(limit),
            ..Filter::default()
        })
    }

    /// Whether any of the fields has something that are folded at first.
    fn uses_more(&self) -> bool {
        let plain = self.limit.is_empty() || self.limit == SHOWN.to_string();
        !plain
            || [&self.error_code, &self.client, &self.fault, &self.from, &self.to]
                .iter()
                .any(|it| !it.is_empty())
    }

    /// What of a request the filter does not look at.
    fn also(&self) -> Result<impl Fn(&Record) -> bool + use<>, Problem> {
        let (from, to) = (moment("from", &self.from)?, moment("to", &self.to)?);
        let failed = self.status.trim() == "failed";
        let fault = self.fault.trim().to_owned();
        Ok(move |record: &Record| {
            from.is_none_or(|from| record.time >= from)
                && to.is_none_or(|to| record.time <= to)
                && (!failed || record.lost || record.status.is_none_or(|status| status >= 400))
                && match fault.as_str() {
                    "" => true,
                    "*" => !record.faults.is_empty(),
                    name => record.faults.iter().any(|acted| **acted == *name),
                }
        })
    }
}

/// A time as `2026-01-31T09:05`, with or without seconds, in UTC, as fields for times have it; or with a zone.
fn moment(name: &str, text: &str) -> Result<Option<Timestamp>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let civil = || text.parse::<jiff::civil::DateTime>().ok()?.in_tz("UTC").ok();
    let parsed = text.parse().ok().or_else(|| civil().map(|time| time.timestamp()));
    let why = || format!("{name}: {text:?} is no time; write it as 2026-01-31T09:05:00, in UTC");
    parsed.map(Some).ok_or_else(|| Problem::bad(why()))
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let found = console.app.journal.last(&wanted.filter()?, wanted.also()?);
    let found = found.map_err(|bad| Problem::bad(bad.to_string()))?;
    let question = visit.t("Forget all requests so far?", "清除目前的全部请求记录？");
    let cleared = visit.t("Forget all", "全部清除");
    let body = html! {
        (form(&visit, &wanted))
        div.spread {
            p.quiet-text { (visit.t(
                "The newest first. Calls of this console and of /_mock/v1 are not in it.",
                "最新的在最前。控制台自身的调用和 /_mock/v1 不计入。",
            )) }
            (act(&visit, "/testbed/journal/clear", &[], cleared, Some(question)))
        }
        div #journal data-live="" { (table(&visit, &found)) }
    };
    let page = page(&visit, visit.t("Request journal", "请求日志")).wide().body(body);
    Ok(page.into_response())
}

fn form(visit: &Visit, wanted: &Wanted) -> Markup {
    let text = |name: &str, label: &str, value: &str, list: Option<&str>| {
        html! { div.field {
            label for={ "f-" (name) } { (label) }
            input id={ "f-" (name) } name=(name) value=(value) list=[list] autocomplete="off";
        } }
    };
    let statuses = [
        ("", visit.t("any", "全部")),
        ("200", "200"),
        ("failed", visit.t("failed or lost", "失败或丢失")),
        ("4xx", "4xx"),
        ("5xx", "5xx"),
        ("none", visit.t("no answer", "无应答")),
    ];
    let other = !statuses.iter().any(|(value, _)| *value == wanted.status);
    html! {
        form.card method="get" action="/testbed/journal" role="search" {
            div.fields {
                (text("operation", visit.t("Operation", "操作"), &wanted.operation, Some("operations")))
                (text("project", visit.t("Project", "项目"), &wanted.project, None))
                (text("logstore", visit.t("Logstore", "日志库"), &wanted.logstore, None))
                div.field {
                    label for="f-status" { (visit.t("Answer", "应答")) }
                    select #f-status name="status" {
                        @if other { option value=(wanted.status) selected { (wanted.status) } }
                        @for (value, label) in statuses {
                            option value=(value) selected[value == wanted.status] { (label) }
                        }
                    }
                }
            }
            details open[wanted.uses_more()] {
                summary { (visit.t("More filters", "更多条件")) }
                div.fields {
                    (text("error_code", visit.t("Error code", "错误码"), &wanted.error_code, None))
                    (text("client", visit.t("Client (address, with or without port)", "客户端（地址，可带端口）"), &wanted.client, None))
                    (text("fault", visit.t("Fault (name, * for any)", "故障（名称，* 表示任意）"), &wanted.fault, None))
                    div.field {
                        label for="f-from" { (visit.t("From (UTC)", "开始时间（UTC）")) }
                        input #f-from name="from" type="datetime-local" step="1" value=(wanted.from);
                    }
                    div.field {
                        label for="f-to" { (visit.t("To (UTC)", "结束时间（UTC）")) }
                        input #f-to name="to" type="datetime-local" step="1" value=(wanted.to);
                    }
                    div.field {
                        label for="f-limit" { (visit.t("At most", "最多显示")) }
                        select #f-limit name="limit" {
                            @for choice in SHOWN_CHOICES {
                                @let chosen = wanted.limit.parse().unwrap_or(SHOWN) == choice;
                                option value=(choice) selected[chosen] { (choice) }
                            }
                        }
                    }
                }
            }
            datalist #operations {
                @for name in ["write", "query", "pull"] { option value=(name) {} }
                @for endpoint in all_endpoints() { option value=(endpoint.name) {} }
            }
            div.actions {
                button.primary type="submit" { (visit.t("Show", "查询")) }
                a.button href="/testbed/journal" { (visit.t("All", "重置")) }
            }
        }
    }
}

fn table(visit: &Visit, found: &[Entry]) -> Markup {
    if found.is_empty() {
        return empty(visit.t("No such request is remembered.", "没有符合条件的请求记录。"));
    }
    html! {
        div.scroll { table {
            caption { (found.len()) " " (visit.t("requests", "个请求")) }
            thead { tr {
                th { (visit.t("No.", "序号")) } th { (visit.t("Time", "时间")) } th { (visit.t("Operation", "操作")) }
                th { (visit.t("Project / Logstore", "项目 / 日志库")) } th { (visit.t("Answer", "应答")) }
                th.number { (visit.t("Took ms", "耗时（毫秒）")) } th.number { (visit.t("Logs", "日志条数")) }
                th.number { (visit.t("Bytes in", "请求字节")) } th.number { (visit.t("Bytes out", "应答字节")) }
                th { (visit.t("Client", "客户端")) } th { (visit.t("Faults", "故障")) }
            } }
            tbody { @for entry in found.iter().rev() { (row(visit, entry)) } }
        } }
    }
}

fn row(visit: &Visit, entry: &Entry) -> Markup {
    html! { tr {
        td.nowrap { a href={ "/testbed/journal/" (entry.seq) } { (entry.seq) } }
        td.nowrap { (time(entry.time_ms.div_euclid(1_000))) }
        th scope="row" {
            a href={ "/testbed/journal/" (entry.seq) } {
                (entry.operation.as_deref().unwrap_or(visit.t("unknown", "未知")))
            }
            @if entry.operation.is_none() { div.hint { (entry.method) " " bdi { (visible(&entry.path)) } } }
        }
        td { (place(entry)) }
        td { (outcome(visit, entry)) }
        td.number { (millis(entry.micros)) }
        td.number { @if let Some(wrote) = &entry.wrote { (wrote.logs) } }
        td.number { (entry.bytes_in) }
        td.number { (entry.bytes_out) }
        td.nowrap { (entry.client) }
        td { @for fault in &entry.faults { span.badge.warn { (fault) } " " } }
    } }
}

/// Project and Logstore, linked where they lead somewhere.
pub(super) fn place(entry: &Entry) -> Markup {
    html! {
        @if let Some(project) = &entry.project {
            a href={ "/projects/" (project) } { (project) }
            @if let Some(logstore) = &entry.logstore {
                " / " a href={ "/projects/" (project) "/logstores/" (logstore) } { bdi { (logstore) } }
            }
        }
    }
}

/// Status and error code; also by words, since colours do not tell everybody.
pub(super) fn outcome(visit: &Visit, entry: &Entry) -> Markup {
    let class = match entry.status {
        Some(200) if !entry.lost => "badge good",
        Some(status) if status < 500 && !entry.lost => "badge warn",
        _ => "badge bad",
    };
    html! {
        span class=(class) {
            @match entry.status {
                Some(status) => (status),
                None => (visit.t("no answer", "无应答")),
            }
            @if entry.lost && entry.status.is_some() { ", " (visit.t("lost", "已丢失")) }
        }
        @if let Some(code) = &entry.error_code { " " bdi { (visible(code)) } }
    }
}

/// Milliseconds with three digits behind the point.
pub(super) fn millis(micros: u64) -> String {
    format!("{}.{:03}", micros / 1_000, micros % 1_000)
}

async fn clear(State(console): State<Arc<Console>>, visit: Visit) -> Response {
    console.app.journal.clear();
    done("/testbed/journal", visit.t("The journal is empty.", "请求日志已清空。"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_browsers_send_them_and_with_a_zone() {
        let at = |text| moment("from", text).unwrap().map(|time| time.to_string());
        assert_eq!(at("2026-01-31T09:05").as_deref(), Some("2026-01-31T09:05:00Z"));
        assert_eq!(at("2026-01-31T09:05:07").as_deref(), Some("2026-01-31T09:05:07Z"));
        assert_eq!(at("2026-01-31T09:05:07+08:00").as_deref(), Some("2026-01-31T01:05:07Z"));
        assert_eq!(at(" "), None);
        assert!(moment("to", "noon").unwrap_err().message.contains("to: \"noon\" is no time"));
    }

    #[test]
    fn microseconds_become_milliseconds() {
        assert_eq!([millis(7), millis(1_234_567)], ["0.007", "1234.567"]);
    }
}
