//! Shards of a Logstore: their keys, splitting and merging them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use sls_api::names::{LogstoreName, ProjectName};
use sls_api::ops::InShard;
use sls_api::ops::shards::{
    DeleteShard, ListShards, MergeShards, Shard, ShardStatus, SplitQuery, SplitShard,
};
use sls_api::{Json, NoQuery};

use super::Console;
use super::forms::{Pairs, done};
use super::page::{Page, act, csrf, time};
use super::place::{At, InLogstore};
use super::problem::Problem;
use super::visit::Visit;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/logstores/{logstore}/shards", get(list))
        .route("/projects/{project}/logstores/{logstore}/shards/{shard}/split", post(split))
        .route("/projects/{project}/logstores/{logstore}/shards/{shard}/merge", post(merge))
        .route("/projects/{project}/logstores/{logstore}/shards/{shard}/delete", post(delete))
}

/// A shard in the path of a page.
#[derive(Deserialize)]
struct OneShard {
    project: ProjectName,
    logstore: LogstoreName,
    shard: u32,
}

impl OneShard {
    fn named(&self) -> InShard {
        InShard { logstore: self.logstore.clone(), shard: self.shard }
    }

    fn list(&self) -> String {
        format!("/projects/{}/logstores/{}/shards", self.project, self.logstore)
    }
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
) -> Result<Response, Problem> {
    let Json(shards) = console.ask_in::<ListShards>(&at.project, at.named(), NoQuery {}, ()).await?;
    let writable = shards.iter().filter(|shard| shard.status == ShardStatus::Readwrite).count();
    let page = Page::new(&visit, at.logstore.as_str()).place(at.place(&visit)).tabs(at.tabs(&visit)).body(html! {
        p.quiet-text {
            (writable) (visit.t(" shards can be written. A shard takes the writes whose hash key is in its range; one that was split or merged can only be read.",
                " 个 Shard 可写。Shard 接收哈希键落在其范围内的写入；分裂或合并后的原 Shard 只读。"))
        }
        div.scroll { table {
            thead { tr {
                th { "Shard" } th { (visit.t("Status", "状态")) } th { (visit.t("Begin key (in the range)", "起始键（含）")) }
                th { (visit.t("End key (behind the range)", "结束键（不含）")) } th { (visit.t("Created", "创建时间")) } th { (visit.t("Actions", "操作")) }
            } }
            tbody { @for shard in &shards { (row(&visit, &at, &shards, shard)) } }
        } }
    });
    Ok(page.into_response())
}

fn row(visit: &Visit, at: &InLogstore, shards: &[Shard], shard: &Shard) -> Markup {
    let path = format!("{}/shards/{}", at.path(), shard.shard_id);
    let writable = |shard: &Shard| shard.status == ShardStatus::Readwrite;
    let right = shards.iter().find(|other| {
        writable(other) && writable(shard) && other.inclusive_begin_key == shard.exclusive_end_key
    });
    let question =
        visit.t("Delete the shard and the logs that are still in it?", "删除该 Shard 及其中剩余的日志？");
    html! {
        tr {
            th scope="row" { (shard.shard_id) }
            td {
                @if writable(shard) { span.badge.good { (visit.t("readwrite", "读写")) } }
                @else { span.badge { (visit.t("readonly", "只读")) } }
            }
            td { code { (shard.inclusive_begin_key) } }
            td { code { (shard.exclusive_end_key) } }
            td { (time(shard.create_time)) }
            td {
                @if writable(shard) {
                    form.inline method="post" action={ (path) "/split" } {
                        (csrf(visit))
                        label.visually-hidden for={ "parts-" (shard.shard_id) } { (visit.t("Shards that it becomes", "分裂数量")) }
                        input.short #{ "parts-" (shard.shard_id) } name="parts" type="number" min="2" max="100" value="2";
                        label.visually-hidden for={ "key-" (shard.shard_id) } { (visit.t("Key where it is split, empty for the middle", "分裂位置的键，留空为中点")) }
                        input.code #{ "key-" (shard.shard_id) } name="key" maxlength="32" placeholder=(visit.t("key, or the middle", "键，留空为中点"));
                        button type="submit" { (visit.t("Split", "分裂")) }
                    }
                    @if let Some(right) = right {
                        " " (act(visit, &format!("{path}/merge"), &[], &format!("{} {}", visit.t("Merge with", "合并至"), right.shard_id), None))
                    }
                } @else {
                    (act(visit, &format!("{path}/delete"), &[], visit.t("Delete", "删除"), Some(question)))
                }
            }
        }
    }
}

async fn split(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneShard>,
    form: Pairs,
) -> Result<Response, Problem> {
    let query = SplitQuery { key: form.filled("key").map(str::to_owned), shard_count: form.number("parts")? };
    let Json(made) = console.ask_in::<SplitShard>(&at.project, at.named(), query, ()).await?;
    let new: Vec<String> = made.iter().skip(1).map(|shard| shard.shard_id.to_string()).collect();
    Ok(done(
        &at.list(),
        &format!("{}{}", visit.t("Split; new shards: ", "已分裂，新 Shard："), new.join(", ")),
    ))
}

async fn merge(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneShard>,
) -> Result<Response, Problem> {
    let Json(made) = console.ask_in::<MergeShards>(&at.project, at.named(), NoQuery {}, ()).await?;
    let new = made.last().map(|shard| shard.shard_id.to_string()).unwrap_or_default();
    Ok(done(&at.list(), &format!("{}{new}", visit.t("Merged to shard ", "已合并为 Shard "))))
}

async fn delete(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneShard>,
) -> Result<Response, Problem> {
    console.ask_in::<DeleteShard>(&at.project, at.named(), NoQuery {}, ()).await?;
    Ok(done(&at.list(), visit.t("The shard is deleted.", "Shard 已删除。")))
}
