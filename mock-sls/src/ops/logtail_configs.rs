//! Logtail configs. Stored as sent; an agent gets them translated, see [`crate::agent`].

use sls_api::Json;
use sls_api::operation::DecodeError;
use sls_api::ops::logtail_configs::{
    AppliedMachineGroups, ConfigList, CreateConfig, DeleteConfig, GetAppliedMachineGroups, GetConfig,
    ListConfig, LogtailConfig, OUTPUT_TYPE, UpdateConfig,
};

use crate::error::ApiError;
use crate::quotas;
use crate::route::{Call, Operations};
use crate::store::page::Page;
use crate::store::{applied, logtail_configs};

/// Page size where the caller gives none. Source: SDK defaults.
const PAGE_SIZE_DEFAULT: i64 = 100;
/// Values of `inputType`. Source: API reference, "Logtail config".
const INPUT_TYPES: [&str; 4] = ["file", "plugin", "syslog", "streamlog"];

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op_or(bad_body, create).op(get).op_or(bad_body, update).op(delete).op(list).op(applied)
}

fn bad_body(error: DecodeError) -> ApiError {
    match error {
        DecodeError::Json(error) => invalid(&error),
        other => other.into(),
    }
}

fn invalid(why: &dyn std::fmt::Display) -> ApiError {
    ApiError::InvalidParameter(format!("Invalid config resource json: {why}"))
}

fn checked(config: LogtailConfig) -> Result<LogtailConfig, ApiError> {
    if !INPUT_TYPES.contains(&config.input_type.as_str()) {
        return Err(invalid(&format!(
            "inputType must be one of {INPUT_TYPES:?}, not {:?}",
            config.input_type
        )));
    }
    if config.output_type != OUTPUT_TYPE {
        return Err(invalid(&format!("outputType must be {OUTPUT_TYPE}, not {:?}", config.output_type)));
    }
    Ok(config)
}

async fn create(call: Call<CreateConfig>) -> Result<(), ApiError> {
    let now = call.context.now;
    let config = checked(call.body.0)?;
    let quota = call.context.app.quotas.logtail_configs;
    call.context
        .write(move |tx, project| {
            logtail_configs::create(tx, project, &config, now)?;
            quotas::check_after("Logtail config", logtail_configs::list(tx, project)?.len(), quota)
        })
        .await
}

async fn get(call: Call<GetConfig>) -> Result<Json<LogtailConfig>, ApiError> {
    let name = call.path.config;
    call.context
        .read(move |db, project| logtail_configs::get(db, logtail_configs::find(db, project, &name)?))
        .await
        .map(Json)
}

async fn update(call: Call<UpdateConfig>) -> Result<(), ApiError> {
    let (name, now) = (call.path.config, call.context.now);
    let config = checked(call.body.0)?;
    if config.config_name != name {
        return Err(ApiError::NameMismatch { path: name.to_string(), body: config.config_name.to_string() });
    }
    call.context
        .write(move |tx, project| {
            let id = logtail_configs::find(tx, project, &name)?;
            logtail_configs::update(tx, id, &config, now)
        })
        .await
}

async fn delete(call: Call<DeleteConfig>) -> Result<(), ApiError> {
    let name = call.path.config;
    call.context
        .write(move |tx, project| logtail_configs::delete(tx, logtail_configs::find(tx, project, &name)?))
        .await
}

async fn list(call: Call<ListConfig>) -> Result<Json<ConfigList>, ApiError> {
    let query = call.query;
    let page = Page::new(query.offset, query.size, PAGE_SIZE_DEFAULT)?;
    let mut found = call.context.read(logtail_configs::list).await?;
    let contains =
        |text: &str, part: &Option<String>| part.as_ref().is_none_or(|part| text.contains(part.as_str()));
    found.retain(|config| {
        contains(config.config_name.as_str(), &query.config_name)
            && query
                .logstore_name
                .as_ref()
                .is_none_or(|wanted| config.output_detail.logstore_name.as_str() == wanted)
    });
    let (found, total) = page.of(found);
    let configs: Vec<_> = found.into_iter().map(|config| config.config_name).collect();
    Ok(Json(ConfigList { count: configs.len() as u64, total, configs }))
}

async fn applied(call: Call<GetAppliedMachineGroups>) -> Result<Json<AppliedMachineGroups>, ApiError> {
    let name = call.path.config;
    let machinegroups =
        call.context.read(move |db, project| applied::groups(db, applied::find(db, project, &name)?)).await?;
    Ok(Json(AppliedMachineGroups { count: machinegroups.len() as u64, machinegroups }))
}
