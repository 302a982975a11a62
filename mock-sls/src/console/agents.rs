//! Agents: who they are, when they were heard of, what became of their configs, and how many lines these match.

mod profile;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use sls_api::names::{ConfigName, ProjectName};

use self::profile::{Counted, Key};
use super::Console;
use super::configs;
use super::fields::{ago, grouped};
use super::page::{Page, empty, time};
use super::problem::Problem;
use super::visit::Visit;
use crate::store::agents::{self, Agent, AgentConfig};

/// How old the last heartbeat of an agent that lives may be. Source: as the operator has it, a guess; agents send one
/// every 10 s to a minute.
pub(super) const HEARTBEAT_FRESH_SECONDS: i64 = 180;
/// Agents that are shown; those that were heard of last.
const AGENTS_MAX: usize = 200;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/agents", get(list))
}

/// Whether an agent lives that was heard of last at a second.
pub(super) fn heartbeat(visit: &Visit, now: i64, last: i64) -> Markup {
    html! {
        @if now - last <= HEARTBEAT_FRESH_SECONDS { span.badge.good { (visit.t("OK", "正常")) } }
        @else { span.badge.bad { (visit.t("silent", "异常")) } }
        " " (ago(visit, now, last))
    }
}

/// Where an agent is on the page.
pub(super) fn anchor(instance_id: &str) -> String {
    let safe =
        |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    format!("agent-{}", instance_id.chars().map(safe).collect::<String>())
}

/// Project and name of a config, by its name in the agent protocol.
pub(super) fn place_of(name: &str) -> Option<(ProjectName, ConfigName)> {
    let (project, config) = name.strip_prefix("##1.0##")?.split_once('$')?;
    Some((project.parse().ok()?, config.parse().ok()?))
}

/// All agents.
pub(super) async fn all(console: &Console) -> Result<Vec<Agent>, Problem> {
    Ok(console.app.store.read(agents::list).await?)
}

/// Those that have a config, and how they have it.
pub(super) fn having<'a>(
    agents: &'a [Agent],
    project: &ProjectName,
    config: &ConfigName,
) -> Vec<(&'a Agent, &'a AgentConfig)> {
    let name = format!("##1.0##{project}${config}");
    let having =
        agents.iter().filter_map(|agent| Some((agent, agent.configs.iter().find(|has| has.name == name)?)));
    having.collect()
}

async fn list(State(console): State<Arc<Console>>, visit: Visit) -> Result<Response, Problem> {
    let agents = all(&console).await?;
    let now = console.app.clock.now().as_second();
    let total = agents.len();
    let shown: Vec<Agent> = agents.into_iter().take(AGENTS_MAX).collect();
    let projects = shown.iter().flat_map(|agent| &agent.configs).filter_map(|has| place_of(&has.name));
    let counted = profile::counted(&console, projects.map(|(project, _)| project).collect()).await?;
    let page = Page::new(&visit, visit.t("Agents", "采集端")).body(html! {
        @if shown.is_empty() {
            (empty(visit.t("No agent has shown itself. Collectors come by their heartbeat.", "尚无采集端上报心跳。")))
        }
        @if total > shown.len() { p.notice.warn { (shown.len()) (visit.t(" of ", " / ")) (total) (visit.t(" are shown, those that were heard of last.", " 个，按最近心跳排序。")) } }
        @for agent in &shown { (card(&visit, agent, &counted, now)) }
        @if !shown.is_empty() {
            p.quiet-text {
                (visit.t("“At the start” is what the collector found when it tried the config on the last lines of its files. “Since” are the events that it has parsed in the last hour, as far as it has told: every 10 minutes, into the Logstore of the project's diagnostic logs.",
                    "“启动时”为采集端用文件末尾日志试匹配的结果；“近 1 小时”为采集端每 10 分钟写入项目诊断日志库的解析统计。"))
            }
        }
    });
    Ok(page.into_response())
}

fn card(visit: &Visit, agent: &Agent, counted: &BTreeMap<Key, Counted>, now: i64) -> Markup {
    let id = anchor(&agent.instance_id);
    html! {
        section.card id=(id) aria-labelledby={ (id) "-name" } {
            div.spread {
                h2 id={ (id) "-name" } { bdi { @if agent.hostname.is_empty() { (agent.ip) } @else { (agent.hostname) } } }
                span { (heartbeat(visit, now, agent.last_heartbeat)) }
            }
            dl.facts {
                dt { (visit.t("Identity", "标识")) } dd { code { (agent.instance_id) } }
                dt { (visit.t("Address", "地址")) } dd { (agent.ip) }
                dt { (visit.t("Program", "程序")) } dd { bdi { (agent.agent_type) " " (agent.version) } }
                dt { (visit.t("Started", "启动时间")) } dd { (time(agent.startup_time)) }
                dt { (visit.t("Last heartbeat", "最近心跳")) } dd { (time(agent.last_heartbeat)) }
                @if !agent.running_status.is_empty() { dt { (visit.t("It says", "运行状态")) } dd { bdi { (agent.running_status) } } }
                @if !agent.tags.is_empty() {
                    dt { (visit.t("Tags", "标签")) }
                    dd { @for (name, value) in &agent.tags { code { (name) "=" (value) } " " } }
                }
            }
            @if !agent.notice.is_empty() { div.notice.warn { p { (agent.notice) } } }
            @if agent.configs.is_empty() { p.quiet-text { (visit.t("It has no config: no machine group that names it has one applied.", "未获得采集配置：所属机器组未应用配置。")) } }
            @else {
                div.scroll { table {
                    thead { tr {
                        th { (visit.t("Config", "采集配置")) } th { (visit.t("State", "状态")) } th { (visit.t("Matched at the start", "匹配率（启动时）")) }
                        th { (visit.t("Matched since", "匹配率（近 1 小时）")) } th { (visit.t("What it says", "说明")) }
                    } }
                    tbody { @for has in &agent.configs { (row(visit, agent, has, counted)) } }
                } }
            }
        }
    }
}

fn row(visit: &Visit, agent: &Agent, has: &AgentConfig, counted: &BTreeMap<Key, Counted>) -> Markup {
    let counted = counted.get(&Key { config: has.name.clone(), hostname: agent.hostname.clone() });
    html! {
        tr {
            th scope="row" {
                @match place_of(&has.name) {
                    Some((project, config)) => a href=(configs::path(&project, &config)) { (config) },
                    None => bdi { (has.name) },
                }
            }
            td { (state(visit, &has.status)) }
            td { (at_start(visit, &has.message)) }
            td {
                @match counted {
                    Some(counted) => (rate(visit, counted.matched, counted.matched + counted.unmatched)),
                    None => span.quiet-text { (visit.t("not told", "未上报")) },
                }
            }
            td {
                bdi { (has.message) }
                @if let Some(sample) = counted.and_then(|counted| counted.sample.as_ref()) {
                    p.hint { (visit.t("A line that does not match: ", "未匹配的日志：")) code { (sample) } }
                }
            }
        }
    }
}

/// The state of a config.
pub(super) fn state(visit: &Visit, status: &str) -> Markup {
    let (class, text) = match status {
        "applied" => ("badge good", visit.t("applied", "已生效")),
        "applying" => ("badge", visit.t("applying", "应用中")),
        "failed" => ("badge bad", visit.t("failed", "失败")),
        _ => ("badge", visit.t("unset", "未设置")),
    };
    html! { span class=(class) { (text) } }
}

/// The rate that stands in the message of a config.
pub(super) fn at_start(visit: &Visit, message: &str) -> Markup {
    match said(message) {
        Some((matched, of)) => rate(visit, matched, of),
        None => html! { span.quiet-text { (visit.t("not told", "未上报")) } },
    }
}

fn rate(visit: &Visit, matched: u64, of: u64) -> Markup {
    let percent = (matched * 100).checked_div(of).unwrap_or(100);
    let class = if matched == of {
        "badge good"
    } else if matched == 0 {
        "badge bad"
    } else {
        "badge warn"
    };
    html! { span class=(class) { (percent) " %" } " " span.quiet-text { (grouped(matched)) (visit.t(" of ", " / ")) (grouped(of)) } }
}

/// The numbers of `96 of 100 lines match regex …`, as the collector writes it.
fn said(message: &str) -> Option<(u64, u64)> {
    let (matched, rest) = message.split_once(" of ")?;
    let matched = matched.rsplit(' ').next()?.parse().ok()?;
    let (of, rest) = rest.split_once(' ')?;
    let (_, rest) = rest.split_once(' ')?;
    rest.starts_with("match ").then_some((matched, of.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_what_the_collector_says() {
        assert_eq!(said("96 of 100 lines match regex: first difference at column 3"), Some((96, 100)));
        assert_eq!(said("note; 0 of 7 records match JSON mode"), Some((0, 7)));
        assert_eq!(said("waiting for a file: /var/log/a.log matches none yet"), None);
        assert_eq!(said("one of them is wrong"), None);
        assert_eq!(said(""), None);
    }

    #[test]
    fn a_config_is_found_by_its_name_in_the_protocol() {
        let (project, config) = place_of("##1.0##k8s-demo$nginx-access").unwrap();
        assert_eq!((project.as_str(), config.as_str()), ("k8s-demo", "nginx-access"));
        assert!(place_of("local.json").is_none() && place_of("##1.0##x").is_none());
    }
}
