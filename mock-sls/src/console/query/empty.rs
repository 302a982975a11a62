//! What a page shows where there is nothing to show: how to send logs, or that there is no index.

use maud::{Markup, html};

use crate::console::Console;
use crate::console::place::InLogstore;
use crate::console::visit::Visit;

/// Without an index nothing can be searched.
pub(super) fn no_index(visit: &Visit, at: &InLogstore) -> Markup {
    html! {
        div.notice.warn role="status" {
            strong { (visit.t("This Logstore has no index", "该日志库没有索引")) }
            p { (visit.t(
                "Logs are taken in and can be consumed, but not searched. What is written before the index is made is not found afterwards either.",
                "日志可以写入和消费，但无法查询。创建索引之前写入的日志，之后也查询不到。",
            )) }
            p.row { a.button.primary href={ (at.path()) "/index" } { (visit.t("Make an index", "创建索引")) } }
        }
    }
}

/// Nothing was found: perhaps nothing was sent yet.
pub(super) fn nothing(console: &Console, visit: &Visit, at: &InLogstore) -> Markup {
    html! {
        p.empty { (visit.t("No log in this time range fits the query.", "该时间范围内没有符合条件的日志。")) }
        (how_to_send(console, visit, at))
    }
}

/// How to send logs here.
pub(super) fn how_to_send(console: &Console, visit: &Visit, at: &InLogstore) -> Markup {
    let endpoint = endpoint(console);
    let python = format!(
        "import os, time\nfrom aliyun.log import LogClient, LogItem, PutLogsRequest\n\
         client = LogClient(\"http://{endpoint}\", os.environ[\"ACCESS_KEY_ID\"], os.environ[\"ACCESS_KEY_SECRET\"])\n\
         item = LogItem(int(time.time()), contents=[(\"level\", \"info\"), (\"message\", \"hello\")])\n\
         client.put_logs(PutLogsRequest(\"{}\", \"{}\", \"\", \"\", [item]))\n",
        at.project, at.logstore
    );
    let collect = format!("/projects/{}/configs", at.project);
    html! {
        details.card {
            summary { (visit.t("How to send logs here", "如何写入日志")) }
            dl.facts {
                dt { (visit.t("Endpoint", "服务入口")) } dd { code { (endpoint) } }
                dt { (visit.t("Project", "项目")) } dd { code { (at.project) } }
                dt { (visit.t("Logstore", "日志库")) } dd { code { (at.logstore) } }
                dt { (visit.t("Region", "地域")) } dd { code { (console.app.region) } }
            }
            p { (visit.t("With the Python SDK, and the key pair that the emulator was started with:", "使用 Python SDK 和启动模拟器时的访问密钥：")) }
            pre tabindex="0" { (python) }
            p { (visit.t("Files are collected with a ", "也可以通过")) a href=(collect) { (visit.t("collection config", "采集配置")) }
                (visit.t(" and an agent.", "和采集端采集文件。")) }
        }
    }
}

/// Where clients on this machine reach the API.
fn endpoint(console: &Console) -> String {
    match &console.app.advertise {
        Some(advertised) => advertised.clone(),
        None if console.api.ip().is_unspecified() => format!("localhost:{}", console.api.port()),
        None => console.api.to_string(),
    }
}
