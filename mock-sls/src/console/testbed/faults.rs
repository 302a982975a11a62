//! Faults: which there are and how often they acted, making them by form, preset and as JSON, and removing them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use sls_expect::fault::{Delay, ErrorAnswer, Hang, Quota, Reset, Rule, Standing, What};

use super::{fault_form, page};
use crate::admin;
use crate::console::Console;
use crate::console::forms::{Pairs, done};
use crate::console::page::{act, csrf, empty};
use crate::console::problem::Problem;
use crate::console::shown::visible;
use crate::console::visit::Visit;

/// Where the page is.
const PATH: &str = "/testbed/faults";

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(PATH, get(list))
        .route("/testbed/faults/add", post(add))
        .route("/testbed/faults/json", post(add_json))
        .route("/testbed/faults/preset", post(add_preset))
        .route("/testbed/faults/remove", post(remove))
}

async fn list(State(console): State<Arc<Console>>, visit: Visit) -> Response {
    let standing = console.app.faults.list(console.app.clock.now());
    let question = visit.t("Remove all faults?", "移除全部故障？");
    let body = html! {
        div.spread {
            p.quiet-text { (visit.t(
                "Faults act on requests of clients, never on this console. Of several that do the same thing the first one acts.",
                "故障只作用于客户端请求，不影响本控制台。多个故障作用相同时，由最先添加的生效。",
            )) }
            @if !standing.is_empty() {
                (act(&visit, "/testbed/faults/remove", &[("all", "1")], visit.t("Remove all", "全部移除"), Some(question)))
            }
        }
        div #faults data-live="" { (table(&visit, &standing)) }
        h2 { (visit.t("Ready made", "预设")) }
        div.row.presets { @for (name, text, _) in presets(&visit) {
            (act(&visit, "/testbed/faults/preset", &[("preset", name)], text, None))
        } }
        h2 { (visit.t("New fault", "新建故障")) }
        (fault_form::form(&visit))
        h2 { (visit.t("As JSON", "以 JSON 添加")) }
        form.card method="post" action="/testbed/faults/json" {
            (csrf(&visit))
            div.field {
                label for="json" { (visit.t("One fault, or a list of them", "一个故障，或故障列表")) }
                textarea.code #json name="json" rows="6" required spellcheck="false" placeholder=r#"{"when":{"operation":"write"},"what":{"error":503},"times":3}"# {}
                p.hint { (visit.t("As docs/faults.md has them; one of the same name takes the place of the earlier.", "格式见 docs/faults.md；同名故障将替换先前的故障。")) }
            }
            div.actions { button.primary type="submit" { (visit.t("Add", "添加")) } }
        }
    };
    page(&visit, visit.t("Faults", "故障注入")).body(body).into_response()
}

fn table(visit: &Visit, standing: &[Standing]) -> Markup {
    if standing.is_empty() {
        return empty(
            visit.t("No faults: everything is answered as it should be.", "没有故障：所有请求均正常应答。"),
        );
    }
    html! { div.scroll { table {
        thead { tr {
            th { (visit.t("Name", "名称")) } th { (visit.t("What", "故障")) } th { (visit.t("Which requests", "匹配条件")) }
            th { (visit.t("State", "状态")) } th.number { (visit.t("Matched", "匹配次数")) } th.number { (visit.t("Acted", "触发次数")) } th {}
        } }
        tbody { @for fault in standing { tr {
            th scope="row" { a href={ "/testbed/journal?fault=" (fault.name) } { (fault.name) } }
            td { code { (json(&fault.rule.what)) } }
            td { code { (json(&fault.rule.when)) } }
            td { (life(visit, fault)) }
            td.number { (fault.matched) }
            td.number { (fault.acted) }
            td { (act(visit, "/testbed/faults/remove", &[("name", &fault.name)], visit.t("Remove", "移除"), None)) }
        } } }
    } } }
}

/// As the rule would be written.
fn json(part: &impl serde::Serialize) -> String {
    visible(&serde_json::to_string(part).unwrap_or_default())
}

fn life(visit: &Visit, fault: &Standing) -> Markup {
    html! {
        @if fault.over {
            span.badge { (visit.t("over", "已结束")) }
        } @else {
            span.badge.warn { (visit.t("active", "生效中")) }
            @if let Some(times) = fault.times_left { " " (visit.t("still", "剩余")) " " (times) "×" }
            @if let Some(ms) = fault.ms_left { " " (visit.t("still", "剩余")) " " (ms.div_ceil(1_000)) " s" }
        }
    }
}

/// Name, text and rule.
fn presets(visit: &Visit) -> [(&'static str, &'static str, Rule); 9] {
    let error = |status| What::Error(ErrorAnswer { status, error_code: None, message: None });
    let for_s = |seconds: u64, rule: Rule| Rule { for_ms: Some(seconds * 1_000), ..rule };
    let t = |english, chinese| visit.t(english, chinese);
    [
        (
            "errors-500",
            t("Everything answers 500, 30 s", "全部返回 500，30 秒"),
            for_s(30, Rule::new(error(500))),
        ),
        (
            "busy",
            t("Writes answer 503, 30 s", "写入返回 503，30 秒"),
            for_s(30, Rule::new(error(503)).on("write")),
        ),
        (
            "write-quota",
            t("Write quota exceeded, 30 s", "超出写入配额，30 秒"),
            for_s(30, Rule::new(What::Quota(Quota::Write)).on("write")),
        ),
        (
            "slow",
            t("Answers 1 to 3 s late, 60 s", "应答延迟 1～3 秒，60 秒"),
            for_s(60, Rule::new(What::DelayMs(Delay { min: 1_000, max: 3_000 }))),
        ),
        (
            "cut",
            t("Connections cut, 30 s", "切断连接，30 秒"),
            for_s(30, Rule::new(What::Reset(Reset::Before))),
        ),
        (
            "lost-answer",
            t("The next write is stored, its answer lost", "下一次写入成功但应答丢失"),
            Rule::new(What::Reset(Reset::After)).on("write").times(1),
        ),
        (
            "hang",
            t("Nothing answers, 30 s", "无应答，30 秒"),
            for_s(30, Rule::new(What::Hang(Hang { max_ms: 30_000 }))),
        ),
        (
            "clock",
            t("Clock 20 minutes ahead, 60 s", "时钟快 20 分钟，60 秒"),
            for_s(60, Rule::new(What::ClockOffsetS(1_200))),
        ),
        (
            "incomplete",
            t("The next 3 queries are incomplete", "接下来 3 次查询结果不完整"),
            Rule::new(What::Incomplete(3)).on("query"),
        ),
    ]
}

/// Adds rules and says their names, or what is wrong.
fn added(console: &Console, visit: &Visit, rules: Vec<Rule>) -> Result<Response, Problem> {
    let several = rules.len() > 1;
    let added = console.app.faults.add(rules, console.app.clock.now()).map_err(|(place, invalid)| {
        Problem::bad(if several { format!("fault {}: {invalid}", place + 1) } else { invalid.to_string() })
    })?;
    let names: Vec<&str> = added.iter().map(|added| &*added.name).collect();
    Ok(done(PATH, &format!("{}{}", visit.t("Added: ", "已添加："), names.join(", "))))
}

async fn add(State(console): State<Arc<Console>>, visit: Visit, form: Pairs) -> Result<Response, Problem> {
    added(&console, &visit, vec![fault_form::rule(&form)?])
}

async fn add_json(
    State(console): State<Arc<Console>>,
    visit: Visit,
    form: Pairs,
) -> Result<Response, Problem> {
    let rules = admin::rules(form.text("json").as_bytes()).map_err(Problem::bad)?;
    added(&console, &visit, rules)
}

async fn add_preset(
    State(console): State<Arc<Console>>,
    visit: Visit,
    form: Pairs,
) -> Result<Response, Problem> {
    let wanted = form.text("preset");
    let preset = presets(&visit).into_iter().find(|(name, ..)| *name == wanted);
    let (name, _, rule) = preset.ok_or_else(|| Problem::bad(format!("there is no preset {wanted:?}")))?;
    added(&console, &visit, vec![rule.named(name)])
}

async fn remove(State(console): State<Arc<Console>>, visit: Visit, form: Pairs) -> Result<Response, Problem> {
    let name = form.filled("name");
    if name.is_none() && !form.ticked("all") {
        return Err(Problem::bad("name which fault to remove, or all of them"));
    }
    match (console.app.faults.remove(name), name) {
        (0, Some(name)) => Err(Problem::missing(format!("there is no fault of the name {name:?}"))),
        (removed, _) => Ok(done(PATH, &format!("{}{removed}", visit.t("Removed: ", "已移除：")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_rule_that_can_be() {
        let uri = "/".parse().unwrap();
        let visit = Visit::of(&uri, &http::HeaderMap::new(), "", false);
        for (name, text, rule) in presets(&visit) {
            assert!(rule.named(name).check().is_ok(), "{text}");
        }
    }
}
