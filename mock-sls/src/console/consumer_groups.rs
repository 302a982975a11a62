//! Consumer groups of a Logstore: who reads, how far each shard was read, and how much is left.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use sls_api::names::{ConsumerGroupName, LogstoreName, ProjectName};
use sls_api::ops::InConsumerGroup;
use sls_api::ops::consumer_groups::{
    ConsumerGroup, ConsumerGroupChange, CreateConsumerGroup, DeleteConsumerGroup, ListConsumerGroup,
    NewConsumerGroup, UpdateConsumerGroup,
};
use sls_api::{Json, NoQuery};

use super::Console;
use super::fields::{ago, grouped, number, span, text, tick};
use super::forms::{Pairs, done};
use super::page::{Page, act, csrf, empty, time};
use super::place::{At, InLogstore};
use super::problem::Problem;
use super::visit::Visit;
use crate::store::consumer_groups::{self, Standing};
use crate::store::logstores::read_target;

/// Seconds without a heartbeat after which a consumer of a new group is taken for dead.
const TIMEOUT_SECONDS: i64 = 60;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/logstores/{logstore}/consumer-groups", get(list).post(create))
        .route("/projects/{project}/logstores/{logstore}/consumer-groups/{group}", post(change))
        .route("/projects/{project}/logstores/{logstore}/consumer-groups/{group}/delete", post(delete))
}

/// A consumer group in the path of a page.
#[derive(Deserialize)]
struct OneGroup {
    project: ProjectName,
    logstore: LogstoreName,
    group: ConsumerGroupName,
}

impl OneGroup {
    fn named(&self) -> InConsumerGroup {
        InConsumerGroup { logstore: self.logstore.clone(), consumer_group: self.group.clone() }
    }

    fn list(&self) -> String {
        format!("/projects/{}/logstores/{}/consumer-groups", self.project, self.logstore)
    }
}

/// What is shown of a group.
struct Shown {
    group: ConsumerGroup,
    standings: Vec<Standing>,
    /// Name, and milliseconds since 1970.
    consumers: Vec<(String, i64)>,
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
) -> Result<Response, Problem> {
    let Json(groups) = console.ask_in::<ListConsumerGroup>(&at.project, at.named(), NoQuery {}, ()).await?;
    let (now, name) = (console.app.clock.now(), at.logstore.clone());
    let look = console.look(&at.project, move |db, project| {
        let target = read_target(db, project, &name, now)?;
        let shown = groups.into_iter().map(|group| {
            let key = consumer_groups::find(db, target.id, &group.name)?;
            let standings = consumer_groups::standings(db, target, key)?;
            Ok(Shown { group, standings, consumers: consumer_groups::heartbeats(db, key)? })
        });
        shown.collect::<Result<Vec<Shown>, _>>()
    });
    let groups = look.await?;
    let page = Page::new(&visit, at.logstore.as_str()).place(at.place(&visit)).tabs(at.tabs(&visit)).body(html! {
        @if groups.is_empty() {
            (empty(visit.t("No consumer group here. Consumer libraries make theirs; one can be made below.", "没有消费组。消费组通常由消费库创建，也可在下方创建。")))
        }
        @for shown in &groups { (one(&visit, &at, shown, now.as_millisecond())) }
        h2 { (visit.t("New consumer group", "新建消费组")) }
        form.card.narrow method="post" action={ (at.path()) "/consumer-groups" } {
            (csrf(&visit))
            (text("name", visit.t("Name", "名称"), "", ""))
            (number("timeout", visit.t("Seconds without a heartbeat after which a consumer is taken for dead", "心跳超时（秒）"), Some(TIMEOUT_SECONDS), ""))
            (tick("order", visit.t("In order: the shards that a split makes wait until the old one is read", "按序消费：分裂产生的 Shard 等待原 Shard 消费完"), false, ""))
            div.actions { button.primary type="submit" { (visit.t("Create", "创建")) } }
        }
    });
    Ok(page.into_response())
}

fn one(visit: &Visit, at: &InLogstore, shown: &Shown, now_ms: i64) -> Markup {
    let Shown { group, standings, consumers } = shown;
    let path = format!("{}/consumer-groups/{}", at.path(), group.name);
    let behind: u64 = standings.iter().map(|standing| standing.logs_behind).sum();
    let question = visit.t("Delete the consumer group with its checkpoints?", "删除消费组及其消费位点？");
    html! {
        section.card aria-labelledby={ "group-" (group.name) } {
            div.spread {
                h2 #{ "group-" (group.name) } { (group.name) }
                @if behind == 0 { span.badge.good { (visit.t("up to date", "无延迟")) } }
                @else { span.badge.warn { (grouped(behind)) (visit.t(" logs behind", " 条未消费")) } }
            }
            div.scroll { table {
                thead { tr {
                    th { "Shard" } th { (visit.t("Read by", "消费者")) } th { (visit.t("Checkpoint", "消费位点")) }
                    th { (visit.t("Stored", "更新时间")) } th.number { (visit.t("Logs behind", "未消费日志")) } th { (visit.t("Behind by", "延迟")) }
                } }
                tbody { @for standing in standings { (row(visit, standing, now_ms / 1000)) } }
            } }
            h3 { (visit.t("Consumers", "消费者")) }
            @if consumers.is_empty() { p.quiet-text { (visit.t("None has sent a heartbeat.", "没有消费者心跳。")) } }
            @else {
                ul {
                    @for (name, heartbeat) in consumers {
                        @let dead = now_ms - heartbeat > group.timeout * 1000;
                        li {
                            bdi { (name) } " "
                            @if dead { span.badge.bad { (visit.t("silent", "心跳超时")) } } @else { span.badge.good { (visit.t("alive", "正常")) } }
                            " " (visit.t("heartbeat ", "心跳：")) (ago(visit, now_ms / 1000, heartbeat / 1000))
                        }
                    }
                }
            }
            details {
                summary { (visit.t("Change", "修改")) ": " (span(visit, group.timeout)) ", " (if group.order { visit.t("in order", "按序") } else { visit.t("not in order", "不按序") }) }
                form.row method="post" action=(path) {
                    (csrf(visit))
                    label for={ "timeout-" (group.name) } { (visit.t("Time-out, seconds", "心跳超时（秒）")) }
                    input.short #{ "timeout-" (group.name) } name="timeout" type="number" min="1" value=(group.timeout);
                    label.tick { input type="checkbox" name="order" value="true" checked[group.order]; (visit.t("In order", "按序消费")) }
                    button type="submit" { (visit.t("Save", "保存")) }
                }
            }
            (act(visit, &format!("{path}/delete"), &[], visit.t("Delete", "删除"), Some(question)))
        }
    }
}

fn row(visit: &Visit, standing: &Standing, now: i64) -> Markup {
    html! {
        tr {
            th scope="row" { (standing.shard) }
            td { @match &standing.owner { Some(owner) => bdi { (owner) }, None => "–" } }
            td {
                @match standing.cursor {
                    // A cursor is a time of receipt in nanoseconds.
                    Some(cursor) => { (time(cursor / 1_000_000_000)) " " span.quiet-text { code { (cursor) } } }
                    None => span.quiet-text { (visit.t("none stored", "未提交")) },
                }
            }
            td { @if standing.update_time > 0 { (ago(visit, now, standing.update_time / 1_000_000)) } @else { "–" } }
            td.number { (grouped(standing.logs_behind)) }
            td { @match standing.behind_since { Some(since) => (span(visit, (now - since).max(0))), None => "–" } }
        }
    }
}

async fn create(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
    form: Pairs,
) -> Result<Response, Problem> {
    let group = NewConsumerGroup {
        consumer_group: form.parsed("name")?,
        timeout: form.number("timeout")?.unwrap_or(TIMEOUT_SECONDS),
        order: form.ticked("order"),
    };
    console.ask_in::<CreateConsumerGroup>(&at.project, at.named(), NoQuery {}, Json(group)).await?;
    Ok(done(
        &format!("{}/consumer-groups", at.path()),
        visit.t("The consumer group is made.", "消费组已创建。"),
    ))
}

async fn change(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneGroup>,
    form: Pairs,
) -> Result<Response, Problem> {
    let change = ConsumerGroupChange { timeout: form.number("timeout")?, order: Some(form.ticked("order")) };
    console.ask_in::<UpdateConsumerGroup>(&at.project, at.named(), NoQuery {}, Json(change)).await?;
    Ok(done(&at.list(), visit.t("The consumer group is changed.", "消费组已修改。")))
}

async fn delete(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneGroup>,
) -> Result<Response, Problem> {
    console.ask_in::<DeleteConsumerGroup>(&at.project, at.named(), NoQuery {}, ()).await?;
    Ok(done(&at.list(), visit.t("The consumer group is deleted.", "消费组已删除。")))
}
