//! Machine groups: which agents get which Logtail configs.

use sls_api::Json;
use sls_api::operation::DecodeError;
use sls_api::ops::machine_groups::{
    AppliedConfigs, ApplyConfigToMachineGroup, CreateMachineGroup, DeleteMachineGroup, GetAppliedConfigs,
    GetMachineGroup, ListMachineGroup, ListMachines, MachineGroup, MachineGroupList, MachineList,
    MachinesAction, RemoveConfigFromMachineGroup, UpdateMachineGroup, UpdateMachineGroupMachine,
};

use crate::error::ApiError;
use crate::quotas;
use crate::route::{Call, Operations};
use crate::store::page::Page;
use crate::store::{agents, applied, machine_groups};

/// Page size where the caller gives none. Source: SDK defaults.
const PAGE_SIZE_DEFAULT: i64 = 100;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op_or(bad_body, create)
        .op(get)
        .op_or(bad_body, update)
        .op_or(bad_body, update_machines)
        .op(delete)
        .op(list)
        .op(machines)
        .op(apply)
        .op(remove)
        .op(applied)
}

fn bad_body(error: DecodeError) -> ApiError {
    match error {
        DecodeError::Json(error) => {
            ApiError::InvalidParameter(format!("invalid group resource json: {error}"))
        }
        other => other.into(),
    }
}

async fn create(call: Call<CreateMachineGroup>) -> Result<(), ApiError> {
    let (Json(group), now) = (call.body, call.context.now);
    let quota = call.context.app.quotas.machine_groups;
    call.context
        .write(move |tx, project| {
            machine_groups::create(tx, project, &group, now)?;
            quotas::check_after("machine group", machine_groups::names(tx, project)?.len(), quota)
        })
        .await
}

async fn get(call: Call<GetMachineGroup>) -> Result<Json<MachineGroup>, ApiError> {
    let name = call.path.group;
    call.context
        .read(move |db, project| machine_groups::get(db, machine_groups::find(db, project, &name)?))
        .await
        .map(Json)
}

async fn update(call: Call<UpdateMachineGroup>) -> Result<(), ApiError> {
    let (Json(group), name, now) = (call.body, call.path.group, call.context.now);
    if group.group_name != name {
        return Err(ApiError::NameMismatch { path: name.to_string(), body: group.group_name.to_string() });
    }
    call.context
        .write(move |tx, project| {
            let id = machine_groups::find(tx, project, &name)?;
            machine_groups::update(tx, id, &group, now)
        })
        .await
}

async fn update_machines(call: Call<UpdateMachineGroupMachine>) -> Result<(), ApiError> {
    let (Json(machines), action, name) = (call.body, call.query.action, call.path.group);
    let now = call.context.now;
    call.context
        .write(move |tx, project| {
            let id = machine_groups::find(tx, project, &name)?;
            let mut group = machine_groups::get(tx, id)?;
            group.machine_list.retain(|machine| !machines.contains(machine));
            if action == MachinesAction::Add {
                group.machine_list.extend(machines);
            }
            machine_groups::update(tx, id, &group, now)
        })
        .await
}

async fn delete(call: Call<DeleteMachineGroup>) -> Result<(), ApiError> {
    let name = call.path.group;
    call.context
        .write(move |tx, project| machine_groups::delete(tx, machine_groups::find(tx, project, &name)?))
        .await
}

async fn list(call: Call<ListMachineGroup>) -> Result<Json<MachineGroupList>, ApiError> {
    let page = Page::new(call.query.offset, call.query.size, PAGE_SIZE_DEFAULT)?;
    let mut found = call.context.read(machine_groups::names).await?;
    if let Some(part) = call.query.group_name {
        found.retain(|name| name.as_str().contains(&part));
    }
    let (machinegroups, total) = page.of(found);
    Ok(Json(MachineGroupList { count: machinegroups.len() as u64, total, machinegroups }))
}

/// The agents that have shown themselves and belong to the group, newest heartbeat first.
async fn machines(call: Call<ListMachines>) -> Result<Json<MachineList>, ApiError> {
    let page = Page::new(call.query.offset, call.query.size, PAGE_SIZE_DEFAULT)?;
    let name = call.path.group;
    let found = call
        .context
        .read(move |db, project| agents::machines(db, machine_groups::find(db, project, &name)?))
        .await?;
    let (machines, total) = page.of(found);
    Ok(Json(MachineList { count: machines.len() as u64, total, machines }))
}

async fn apply(call: Call<ApplyConfigToMachineGroup>) -> Result<(), ApiError> {
    let path = call.path;
    call.context
        .write(move |tx, project| {
            let group = machine_groups::find(tx, project, &path.group)?;
            let config = applied::find(tx, project, &path.config)?;
            applied::apply(tx, group, config)
        })
        .await
}

async fn remove(call: Call<RemoveConfigFromMachineGroup>) -> Result<(), ApiError> {
    let path = call.path;
    call.context
        .write(move |tx, project| {
            let group = machine_groups::find(tx, project, &path.group)?;
            let config = applied::find(tx, project, &path.config)?;
            applied::remove(tx, group, config)
        })
        .await
}

async fn applied(call: Call<GetAppliedConfigs>) -> Result<Json<AppliedConfigs>, ApiError> {
    let name = call.path.group;
    let configs = call
        .context
        .read(move |db, project| applied::configs(db, machine_groups::find(db, project, &name)?))
        .await?;
    Ok(Json(AppliedConfigs { count: configs.len() as u64, configs }))
}
