//! Settings of a Logstore, what it holds, and what takes that away.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use sls_api::ops::logstores::{
    ClearLogStoreStorage, GetLogStore, Logstore, LogstoreSettings, UpdateLogStore,
};
use sls_api::{Json, NoQuery};

use super::super::Console;
use super::super::fields::{ago, bytes, choice, grouped, number, tick};
use super::super::forms::{Pairs, done};
use super::super::page::{Page, act, csrf, time};
use super::super::place::InLogstore;
use super::super::problem::Problem;
use super::super::visit::Visit;
use crate::store::logstores::{TTL_FOREVER_DAYS, read_target};
use crate::store::volumes::{self, Amount, Volume};

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/logstores/{logstore}/settings", get(show).post(change))
        .route("/projects/{project}/logstores/{logstore}/clear", post(clear))
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
) -> Result<Response, Problem> {
    let Json(logstore) = console.ask_in::<GetLogStore>(&at.project, at.named(), NoQuery {}, ()).await?;
    let now = console.app.clock.now();
    let name = at.logstore.clone();
    let look = console.look(&at.project, move |db, project| {
        let target = read_target(db, project, &name, now)?;
        volumes::of(db, target.id, target.oldest, now)
    });
    let volume = look.await?;
    let clear = visit.t("Delete all logs of this Logstore?", "清空该日志库的全部日志？");
    let delete = visit.t("Delete the Logstore with its logs?", "删除日志库及其日志？");
    let page = Page::new(&visit, at.logstore.as_str()).place(at.place(&visit)).tabs(at.tabs(&visit)).body(html! {
        h2 { (visit.t("Storage and rates", "存储与写入速率")) }
        (held(&visit, &volume, now.as_second()))
        h2 { (visit.t("Settings", "设置")) }
        (form(&visit, &at, &logstore))
        h2 { (visit.t("Delete", "删除")) }
        div.row {
            (act(&visit, &format!("{}/clear", at.path()), &[], visit.t("Delete all logs", "清空日志"), Some(clear)))
            (act(&visit, &format!("{}/delete", at.path()), &[], visit.t("Delete the Logstore", "删除日志库"), Some(delete)))
        }
    });
    Ok(page.into_response())
}

fn held(visit: &Visit, volume: &Volume, now: i64) -> Markup {
    let card = |title: &str, amount: Amount, seconds: Option<u64>| {
        html! {
            div.card {
                h3 { (title) }
                p.figure { (grouped(amount.logs)) " " (visit.t("logs", "条")) }
                p.quiet-text {
                    (bytes(amount.bytes))
                    @if let Some(seconds) = seconds {
                        " · " (format!("{:.1}", amount.logs as f64 / seconds as f64)) (visit.t(" logs/s", " 条/秒"))
                        " · " (bytes(amount.bytes / seconds)) "/s"
                    }
                }
            }
        }
    };
    html! {
        div.grid {
            (card(visit.t("Stored", "存储量"), volume.held, None))
            (card(visit.t("In the last minute", "最近 1 分钟写入"), volume.minute, Some(60)))
            (card(visit.t("In the last hour", "最近 1 小时写入"), volume.hour, Some(3600)))
        }
        p.quiet-text {
            @match volume.last {
                Some(last) => { (visit.t("Last written ", "最近写入：")) (ago(visit, now, last)) ", " (time(last)) }
                None => (visit.t("Nothing was written yet.", "尚无写入。")),
            }
            " " (visit.t("Bytes are those of the logs before compression.", "字节数为压缩前的日志大小。"))
        }
    }
}

fn form(visit: &Visit, at: &InLogstore, logstore: &Logstore) -> Markup {
    let modes = [
        ("standard", visit.t("standard: search and SQL", "standard：查询与分析")),
        ("query", visit.t("query: search only", "query：仅查询")),
    ];
    let forever =
        visit.t("3650 is for ever", "3650 表示永久保存").replace("3650", &TTL_FOREVER_DAYS.to_string());
    html! {
        form.card method="post" action={ (at.path()) "/settings" } {
            (csrf(visit))
            div.row {
                (number("ttl", visit.t("Days that logs are kept", "数据保存时间（天）"), Some(logstore.ttl), &forever))
                (number("hot-ttl", visit.t("Of these in the hot tier", "热存储层天数"), Some(logstore.hot_ttl), visit.t("0 is all", "0 表示全部")))
            }
            (tick("auto-split", visit.t("Split shards when writes are refused for their quota", "自动分裂 Shard"), logstore.auto_split, visit.t("kept; the emulator splits none by itself", "仅保存该设置，模拟器不会自动分裂")))
            (number("max-split", visit.t("Most shards after splits", "最大分裂数"), Some(logstore.max_split_shard), ""))
            (tick("tracking", visit.t("Web tracking: unsigned requests may write", "WebTracking：允许未签名请求写入"), logstore.enable_tracking, ""))
            (tick("append-meta", visit.t("Add the tags __client_ip__ and __receive_time__", "记录外网 IP：附加 __client_ip__ 与 __receive_time__ 标签"), logstore.append_meta, ""))
            (choice("mode", visit.t("Type", "日志库类型"), &logstore.mode, &modes, ""))
            dl.facts {
                dt { (visit.t("Shards that can be written", "可写 Shard 数")) } dd { (logstore.shard_count) }
                dt { (visit.t("Created", "创建时间")) } dd { (time(logstore.create_time)) }
                dt { (visit.t("Changed", "修改时间")) } dd { (time(logstore.last_modify_time)) }
            }
            div.actions { button.primary type="submit" { (visit.t("Save", "保存")) } }
        }
    }
}

async fn change(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
    form: Pairs,
) -> Result<Response, Problem> {
    let Json(now) = console.ask_in::<GetLogStore>(&at.project, at.named(), NoQuery {}, ()).await?;
    let settings = LogstoreSettings {
        logstore_name: Some(at.logstore.clone()),
        ttl: Some(form.number("ttl")?.unwrap_or(now.ttl)),
        shard_count: None,
        enable_tracking: Some(form.ticked("tracking")),
        auto_split: Some(form.ticked("auto-split")),
        max_split_shard: Some(form.number("max-split")?.unwrap_or(now.max_split_shard)),
        append_meta: Some(form.ticked("append-meta")),
        telemetry_type: None,
        mode: form.filled("mode").map(str::to_owned),
        hot_ttl: Some(form.number("hot-ttl")?.unwrap_or(now.hot_ttl)),
        infrequent_access_ttl: None,
        encrypt_conf: None,
    };
    console.ask_in::<UpdateLogStore>(&at.project, at.named(), NoQuery {}, Json(settings)).await?;
    Ok(done(&format!("{}/settings", at.path()), visit.t("The settings are saved.", "设置已保存。")))
}

async fn clear(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InLogstore,
) -> Result<Response, Problem> {
    console.ask_in::<ClearLogStoreStorage>(&at.project, at.named(), NoQuery {}, ()).await?;
    Ok(done(&format!("{}/settings", at.path()), visit.t("The logs are deleted.", "日志已清空。")))
}
