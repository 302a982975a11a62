//! Machine groups of a project: which machines they name, who has shown himself, which configs they give.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use sls_api::names::{ConfigName, MachineGroupName, ProjectName};
use sls_api::ops::machine_groups::{
    ApplyConfigToMachineGroup, CreateMachineGroup, DeleteMachineGroup, GetAppliedConfigs, GetMachineGroup,
    GroupAttribute, ListMachineGroup, ListMachineGroupQuery, ListMachines, Machine, MachineGroup,
    MachineIdentifyType, RemoveConfigFromMachineGroup, UpdateMachineGroup,
};
use sls_api::ops::{InMachineGroup, InMachineGroupConfig, Paging};
use sls_api::{Json, NoPath, NoQuery};

use super::Console;
use super::agents::{HEARTBEAT_FRESH_SECONDS, heartbeat};
use super::configs;
use super::fields::{area, choice, text};
use super::forms::{Pairs, done};
use super::page::{Link, Page, act, csrf, empty, time};
use super::place::{Asked, At, InProject};
use super::problem::Problem;
use super::visit::Visit;

/// Machine groups on one page.
const PAGE_SIZE: i64 = 100;
/// Machines that are shown of a group. Source: most of one page of the API.
const MACHINES_MAX: i64 = 500;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route("/projects/{project}/machine-groups", get(list).post(create))
        .route("/projects/{project}/machine-groups/{group}", get(show).post(change))
        .route("/projects/{project}/machine-groups/{group}/delete", post(delete))
        .route("/projects/{project}/machine-groups/{group}/apply", post(apply))
        .route("/projects/{project}/machine-groups/{group}/remove", post(remove))
}

/// A machine group in the path of a page.
#[derive(Deserialize)]
struct OneGroup {
    project: ProjectName,
    group: MachineGroupName,
}

impl OneGroup {
    fn named(&self) -> InMachineGroup {
        InMachineGroup { group: self.group.clone() }
    }

    fn list(&self) -> String {
        format!("/projects/{}/machine-groups", self.project)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.list(), self.group)
    }
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    offset: i64,
}

/// All machine groups of a project, as far as one page of the API has them.
pub(super) async fn all(console: &Console, project: &ProjectName) -> Result<Vec<MachineGroupName>, Problem> {
    let query = ListMachineGroupQuery { size: Some(MACHINES_MAX), ..ListMachineGroupQuery::default() };
    let Json(found) = console.ask_in::<ListMachineGroup>(project, NoPath {}, query, ()).await?;
    Ok(found.machinegroups)
}

async fn machines(console: &Console, at: &OneGroup) -> Result<Vec<Machine>, Problem> {
    let paging = Paging { offset: Some(0), size: Some(MACHINES_MAX) };
    let Json(found) = console.ask_in::<ListMachines>(&at.project, at.named(), paging, ()).await?;
    Ok(found.machines)
}

async fn list(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InProject,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let query = ListMachineGroupQuery {
        offset: Some(wanted.offset),
        size: Some(PAGE_SIZE),
        ..ListMachineGroupQuery::default()
    };
    let Json(found) = console.ask_in::<ListMachineGroup>(&at.project, NoPath {}, query, ()).await?;
    let now = console.app.clock.now().as_second();
    let mut rows = Vec::new();
    for group in &found.machinegroups {
        let one = OneGroup { project: at.project.clone(), group: group.clone() };
        let Json(group) =
            console.ask_in::<GetMachineGroup>(&one.project, one.named(), NoQuery {}, ()).await?;
        let Json(applied) =
            console.ask_in::<GetAppliedConfigs>(&one.project, one.named(), NoQuery {}, ()).await?;
        rows.push(row(&visit, &one, &group, &machines(&console, &one).await?, applied.count, now));
    }
    let total = i64::try_from(found.total).unwrap_or(i64::MAX);
    let page_at = |offset: i64| format!("{}/machine-groups?offset={offset}", at.path());
    let page = Page::new(&visit, at.project.as_str()).place(at.place(&visit)).tabs(at.tabs(&visit)).body(html! {
        @if rows.is_empty() { (empty(visit.t("No machine group here. Make one below.", "没有机器组。可在下方创建。"))) }
        @else {
            div.scroll { table {
                thead { tr {
                    th { (visit.t("Machine group", "机器组")) } th { (visit.t("Identified by", "机器组标识")) }
                    th { (visit.t("Machines", "机器")) } th.number { (visit.t("Configs", "采集配置")) }
                    th { span.visually-hidden { (visit.t("Actions", "操作")) } }
                } }
                tbody { @for row in &rows { (row) } }
            } }
            nav.row aria-label=(visit.t("Pages", "分页")) {
                @if wanted.offset > 0 { a.button href=(page_at((wanted.offset - PAGE_SIZE).max(0))) { (visit.t("Before", "上一页")) } }
                @if wanted.offset + PAGE_SIZE < total { a.button href=(page_at(wanted.offset + PAGE_SIZE)) { (visit.t("Next", "下一页")) } }
            }
        }
        h2 { (visit.t("New machine group", "创建机器组")) }
        form.card.narrow method="post" action={ (at.path()) "/machine-groups" } {
            (csrf(&visit))
            (text("group", visit.t("Name", "机器组名称"), "", ""))
            (fields(&visit, None))
            div.actions { button.primary type="submit" { (visit.t("Create", "创建")) } }
        }
    });
    Ok(page.into_response())
}

fn row(
    visit: &Visit,
    at: &OneGroup,
    group: &MachineGroup,
    machines: &[Machine],
    configs: u64,
    now: i64,
) -> Markup {
    let alive = machines
        .iter()
        .filter(|machine| now - machine.last_heartbeat_time <= HEARTBEAT_FRESH_SECONDS)
        .count();
    let question = visit.t(
        "Delete the machine group? Its machines get its configs no more.",
        "删除机器组？其中的机器将不再获得采集配置。",
    );
    html! {
        tr {
            th scope="row" { a href=(at.path()) { (at.group) } }
            td { (kind(visit, group)) ": " (group.machine_list.join(", ")) }
            td {
                @if machines.is_empty() { span.badge.warn { (visit.t("none has come", "无心跳")) } }
                @else if alive == machines.len() { span.badge.good { (alive) (visit.t(" alive", " 台心跳正常")) } }
                @else { span.badge.bad { (alive) (visit.t(" of ", " / ")) (machines.len()) (visit.t(" alive", " 台心跳正常")) } }
            }
            td.number { (configs) }
            td { (act(visit, &format!("{}/delete", at.path()), &[], visit.t("Delete", "删除"), Some(question))) }
        }
    }
}

fn kind(visit: &Visit, group: &MachineGroup) -> &'static str {
    match group.machine_identify_type {
        MachineIdentifyType::Ip => visit.t("IP addresses", "IP 地址"),
        MachineIdentifyType::Userdefined => visit.t("user-defined ids", "用户自定义标识"),
    }
}

/// The fields of a form for a group.
fn fields(visit: &Visit, group: Option<&MachineGroup>) -> Markup {
    let by_ip = group.is_some_and(|group| group.machine_identify_type == MachineIdentifyType::Ip);
    let kinds = [
        ("userdefined", visit.t("User-defined id", "用户自定义标识")),
        ("ip", visit.t("IP address", "IP 地址")),
    ];
    let list = group.map(|group| group.machine_list.join("\n")).unwrap_or_default();
    let topic = group.map(|group| group.group_attribute.group_topic.as_str()).unwrap_or_default();
    html! {
        (choice("identified", visit.t("Machines are identified by", "机器组标识"), if by_ip { "ip" } else { "userdefined" }, &kinds,
            visit.t("Pods change their addresses: use a user-defined id for sidecars.", "Pod 的 IP 会变化，Sidecar 请使用用户自定义标识。")))
        (area("machines", visit.t("Ids or addresses, one a line", "标识或 IP 地址，每行一个"), &list, 3,
            visit.t("An id is what ALIYUN_LOGTAIL_USER_DEFINED_ID says in the sidecar.", "标识即 Sidecar 中 ALIYUN_LOGTAIL_USER_DEFINED_ID 的值。")))
        (text("topic", visit.t("Topic of the group", "机器组 Topic"), topic, visit.t("for configs whose topic is that of the machine group", "供 Topic 生成方式为机器组 Topic 的配置使用")))
    }
}

/// What a form says of a group.
fn sent(form: &Pairs, group_name: MachineGroupName) -> MachineGroup {
    let machines =
        form.text("machines").split([',', '\n', '\r', ' ']).map(str::trim).filter(|text| !text.is_empty());
    let mut group = MachineGroup::user_defined(group_name, machines.map(str::to_owned).collect());
    if form.text("identified") == "ip" {
        group.machine_identify_type = MachineIdentifyType::Ip;
    }
    group.group_attribute =
        GroupAttribute { group_topic: form.text("topic").to_owned(), ..GroupAttribute::default() };
    group
}

async fn create(
    State(console): State<Arc<Console>>,
    visit: Visit,
    at: InProject,
    form: Pairs,
) -> Result<Response, Problem> {
    let group = sent(&form, form.parsed("group")?);
    let place = OneGroup { project: at.project, group: group.group_name.clone() };
    console.ask_in::<CreateMachineGroup>(&place.project, NoPath {}, NoQuery {}, Json(group)).await?;
    Ok(done(&place.path(), visit.t("The machine group is made.", "机器组已创建。")))
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneGroup>,
) -> Result<Response, Problem> {
    let Json(group) = console.ask_in::<GetMachineGroup>(&at.project, at.named(), NoQuery {}, ()).await?;
    let Json(applied) = console.ask_in::<GetAppliedConfigs>(&at.project, at.named(), NoQuery {}, ()).await?;
    let others = configs::names(&console, &at.project).await?;
    let others: Vec<&ConfigName> = others.iter().filter(|name| !applied.configs.contains(name)).collect();
    let machines = machines(&console, &at).await?;
    let now = console.app.clock.now().as_second();
    let project = InProject { project: at.project.clone() };
    let mut place = project.place(&visit);
    place.push(Link::new(project.path(), at.project.as_str()));
    place.push(Link::new(at.list(), visit.t("Machine groups", "机器组")));
    let page = Page::new(&visit, at.group.as_str()).place(place).body(html! {
        h2 { (visit.t("Machines", "机器状态")) }
        (status(&visit, &group, &machines, now))
        h2 { (visit.t("Collection configs", "采集配置")) }
        (bound(&visit, &at, &applied.configs, &others))
        h2 { (visit.t("Settings", "设置")) }
        form.card.narrow method="post" action=(at.path()) {
            (csrf(&visit))
            (fields(&visit, Some(&group)))
            div.actions { button.primary type="submit" { (visit.t("Save", "保存")) } }
        }
    });
    Ok(page.into_response())
}

/// Every machine that has come, and every name of the group by which none came.
fn status(visit: &Visit, group: &MachineGroup, machines: &[Machine], now: i64) -> Markup {
    let is_of = |name: &str, machine: &Machine| match group.machine_identify_type {
        MachineIdentifyType::Ip => machine.ip == name,
        MachineIdentifyType::Userdefined => machine.userdefined_id.split(',').any(|id| id == name),
    };
    let missing: Vec<&String> = group
        .machine_list
        .iter()
        .filter(|name| !machines.iter().any(|machine| is_of(name, machine)))
        .collect();
    html! {
        @if machines.is_empty() && missing.is_empty() { (empty(visit.t("The group names no machine.", "机器组中没有机器。"))) }
        @else {
            div.scroll { table {
                thead { tr {
                    th { "IP" } th { (visit.t("Heartbeat", "心跳")) } th { (visit.t("Last contact", "最近心跳")) }
                    th { (visit.t("User-defined id", "用户自定义标识")) } th { (visit.t("Version", "版本")) } th { (visit.t("Agent", "采集端")) }
                } }
                tbody {
                    @for machine in machines {
                        tr {
                            th scope="row" { (machine.ip) }
                            td { (heartbeat(visit, now, machine.last_heartbeat_time)) }
                            td { (time(machine.last_heartbeat_time)) }
                            td { bdi { (machine.userdefined_id) } }
                            td { bdi { (machine.binary.as_deref().unwrap_or("–")) } }
                            td { a href={ "/agents#" (super::agents::anchor(&machine.machine_uniqueid)) } { bdi { (machine.machine_uniqueid) } } }
                        }
                    }
                    @for name in missing {
                        tr {
                            th scope="row" { (name) }
                            td { span.badge.bad { (visit.t("none", "无心跳")) } }
                            td colspan="4" { (visit.t("No agent with it has shown itself. Is the sidecar running, with this id and the config server of this emulator?", "尚无采集端以此标识上报心跳。请检查 Sidecar 是否运行、标识与配置服务地址是否正确。")) }
                        }
                    }
                }
            } }
        }
    }
}

fn bound(visit: &Visit, at: &OneGroup, applied: &[ConfigName], others: &[&ConfigName]) -> Markup {
    let remove = format!("{}/remove", at.path());
    html! {
        @if applied.is_empty() { (empty(visit.t("No config is applied to this group.", "尚未应用采集配置。"))) }
        @else {
            ul {
                @for config in applied {
                    li.row {
                        a href={ (configs::path(&at.project, config)) } { (config) }
                        (act(visit, &remove, &[("config", config.as_str())], visit.t("Take away", "移除"), None))
                    }
                }
            }
        }
        @if !others.is_empty() {
            form.row method="post" action={ (at.path()) "/apply" } {
                (csrf(visit))
                label for="config" { (visit.t("Config", "采集配置")) }
                select #config name="config" { @for config in others { option value=(config) { (config) } } }
                button type="submit" { (visit.t("Apply", "应用")) }
            }
        }
    }
}

async fn change(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneGroup>,
    form: Pairs,
) -> Result<Response, Problem> {
    let Json(now) = console.ask_in::<GetMachineGroup>(&at.project, at.named(), NoQuery {}, ()).await?;
    let mut group = sent(&form, at.group.clone());
    group.group_type = now.group_type;
    group.group_attribute.external_name = now.group_attribute.external_name;
    console.ask_in::<UpdateMachineGroup>(&at.project, at.named(), NoQuery {}, Json(group)).await?;
    Ok(done(&at.path(), visit.t("The machine group is changed.", "机器组已修改。")))
}

async fn delete(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneGroup>,
) -> Result<Response, Problem> {
    console.ask_in::<DeleteMachineGroup>(&at.project, at.named(), NoQuery {}, ()).await?;
    Ok(done(&at.list(), visit.t("The machine group is deleted.", "机器组已删除。")))
}

async fn apply(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneGroup>,
    form: Pairs,
) -> Result<Response, Problem> {
    let path = InMachineGroupConfig { group: at.group.clone(), config: form.parsed("config")? };
    console.ask_in::<ApplyConfigToMachineGroup>(&at.project, path, NoQuery {}, ()).await?;
    Ok(done(&at.path(), visit.t("The config is applied.", "采集配置已应用。")))
}

async fn remove(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(at): At<OneGroup>,
    form: Pairs,
) -> Result<Response, Problem> {
    let path = InMachineGroupConfig { group: at.group.clone(), config: form.parsed("config")? };
    console.ask_in::<RemoveConfigFromMachineGroup>(&at.project, path, NoQuery {}, ()).await?;
    Ok(done(&at.path(), visit.t("The config is taken away.", "采集配置已移除。")))
}
