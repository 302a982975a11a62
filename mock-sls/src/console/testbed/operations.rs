//! The API table: every operation with how faithful it is and how often it was called, and the requests that none
//! answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use sls_api::operation::{Fidelity, Source};

use super::page;
use crate::console::Console;
use crate::console::page::empty;
use crate::console::place::Asked;
use crate::console::shown::visible;
use crate::console::visit::Visit;
use crate::reference;
use crate::route::Entry;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/testbed/operations", get(list))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    name: String,
    fidelity: String,
    tier: String,
    called: String,
}

impl Wanted {
    fn has(&self, entry: &Entry) -> bool {
        let endpoint = &entry.endpoint;
        let text = self.name.trim().to_ascii_lowercase();
        let named = [endpoint.name, endpoint.path].iter().any(|it| it.to_ascii_lowercase().contains(&text));
        named
            && (self.fidelity.is_empty() || self.fidelity == fidelity(&endpoint.fidelity).0)
            && (self.tier.is_empty() || self.tier == format!("{:?}", endpoint.tier))
            && (self.called.is_empty() || entry.calls.load(Ordering::Relaxed) > 0)
    }
}

/// How faithful: its name, and what differs.
fn fidelity(of: &Fidelity) -> (&'static str, Option<&'static str>) {
    match of {
        Fidelity::Full => ("full", None),
        Fidelity::Partial(what) => ("partial", Some(what)),
        Fidelity::Accepted => ("accepted", None),
    }
}

async fn list(State(console): State<Arc<Console>>, visit: Visit, Asked(wanted): Asked<Wanted>) -> Response {
    let all: Vec<&Entry> = console.app.operations.iter().flat_map(|group| &group.entries).collect();
    let mut found: Vec<&Entry> = all.iter().copied().filter(|entry| wanted.has(entry)).collect();
    found.sort_by_key(|entry| entry.endpoint.name);
    let unknown = console.app.unknown.counts();
    let described = format!("http://{}/_mock/v1/openapi.json", console.api);
    let body = html! {
        (form(&visit, &wanted))
        p.quiet-text {
            (found.len()) " / " (all.len()) " · "
            (visit.t("Calls of this console are not counted.", "控制台自身的调用不计数。")) " "
            (visit.t("The same as a document: ", "同内容文档：")) code { "docs/api.md" } ", "
            a href=(described) rel="noreferrer" { "openapi.json" }
        }
        @if found.is_empty() {
            (empty(visit.t("No such operation.", "没有符合条件的操作。")))
        } @else {
            div.scroll data-live="" #operations { table {
                thead { tr {
                    th { (visit.t("Operation", "操作")) } th { (visit.t("Tier", "级别")) } th { (visit.t("Fidelity", "保真度")) }
                    th.number { (visit.t("Calls", "调用次数")) } th.number { (visit.t("Errors", "错误次数")) }
                    th { (visit.t("Known from", "依据")) }
                } }
                tbody { @for entry in &found { (row(&visit, entry)) } }
            } }
        }
        h2 { (visit.t("Requests that no operation answered", "未被任何操作应答的请求")) }
        @if unknown.is_empty() {
            (empty(visit.t("None came.", "没有。")))
        } @else {
            div.scroll { table {
                thead { tr { th { (visit.t("Request", "请求")) } th.number { (visit.t("Times", "次数")) } } }
                tbody { @for (kind, count) in &unknown {
                    tr { th.wrap scope="row" { bdi { (visible(kind)) } } td.number { (count) } }
                } }
            } }
        }
    };
    page(&visit, visit.t("API table", "API 列表")).wide().body(body).into_response()
}

fn form(visit: &Visit, wanted: &Wanted) -> Markup {
    let select = |name: &str, label: &str, values: &[(&str, &str)], chosen: &str| {
        html! { div.field {
            label for={ "f-" (name) } { (label) }
            select id={ "f-" (name) } name=(name) {
                @for (value, text) in values { option value=(value) selected[*value == chosen] { (text) } }
            }
        } }
    };
    let any = visit.t("any", "全部");
    let fidelities = [
        ("", any),
        ("full", visit.t("full", "完整")),
        ("partial", visit.t("partial", "部分")),
        ("accepted", visit.t("accepted", "仅接受")),
    ];
    let tiers = [("", any), ("A", "A"), ("B", "B"), ("C", "C")];
    html! {
        form.card method="get" action="/testbed/operations" role="search" {
            div.fields {
                div.field {
                    label for="f-name" { (visit.t("Part of name or path", "名称或路径的一部分")) }
                    input #f-name type="search" name="name" value=(wanted.name);
                }
                (select("fidelity", visit.t("Fidelity", "保真度"), &fidelities, &wanted.fidelity))
                (select("tier", visit.t("Tier", "级别"), &tiers, &wanted.tier))
                (select("called", visit.t("Called", "调用"), &[("", any), ("1", visit.t("at least once", "至少一次"))], &wanted.called))
            }
            div.actions { button.primary type="submit" { (visit.t("Show", "查询")) } }
        }
    }
}

fn row(visit: &Visit, entry: &Entry) -> Markup {
    let endpoint = &entry.endpoint;
    let (name, difference) = fidelity(&endpoint.fidelity);
    let (class, word) = match name {
        "full" => ("badge good", visit.t("full", "完整")),
        "partial" => ("badge warn", visit.t("partial", "部分")),
        _ => ("badge", visit.t("accepted", "仅接受")),
    };
    let (kind, source) = match endpoint.source {
        Source::Sdk(what) => ("SDK", what),
        Source::Docs(what) => (visit.t("documents", "文档"), what),
        Source::Recorded(what) => (visit.t("recorded", "录制"), what),
        Source::Guess(what) => (visit.t("guess", "推测"), what),
    };
    let calls = entry.calls.load(Ordering::Relaxed);
    html! { tr {
        th.wrap scope="row" {
            @if calls > 0 { a href={ "/testbed/journal?operation=" (endpoint.name) } { (endpoint.name) } } @else { (endpoint.name) }
            div.hint.mono {
                (endpoint.method) " " (endpoint.path)
                @if let Some((key, value)) = endpoint.selector { "?" (key) "=" (value) }
            }
        }
        td { (format!("{:?}", endpoint.tier)) }
        td {
            span class=(class) { (word) }
            @match (name, difference) {
                (_, Some(text)) => div.hint { (text) },
                ("accepted", _) => div.hint { (visit.t("stored and returned, without effect", "保存并返回，但不生效")) },
                _ => {},
            }
        }
        td.number { (calls) }
        td.number { (entry.errors.load(Ordering::Relaxed)) }
        td.wrap {
            span.badge { (kind) } " " (source)
            @if let Some(test) = reference::test_of(endpoint.name) { div.hint { (visit.t("Test: ", "测试：")) code { (test) } } }
        }
    } }
}
