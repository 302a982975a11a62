//! SQL of the configs that are applied to machine groups. A config is in one of two forms, classic or pipeline,
//! kept in tables of their own; both go by names of one space, and here is the one place that knows that.

use rusqlite::{Connection, Transaction};
use serde_json::{Map, Value};
use sls_api::names::{ConfigName, MachineGroupName, ProjectName};
use sls_api::ops::documents::stored_as;
use sls_api::ops::logtail_configs::LogtailConfig;
use sls_api::ops::machine_groups::MachineGroup;

use super::documents::{self, DocumentId, Owner};
use super::logtail_configs::{self, ConfigId};
use super::machine_groups::GroupId;
use super::projects::ProjectId;
use super::{from_json, name};
use crate::error::ApiError;

/// Key of a config in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyConfig {
    /// In classic form.
    Classic(ConfigId),
    /// In pipeline form.
    Pipeline(DocumentId),
}

/// Finds a config of either form.
pub fn find(db: &Connection, project: ProjectId, name: &ConfigName) -> Result<AnyConfig, ApiError> {
    match logtail_configs::find(db, project, name) {
        Err(ApiError::ConfigNotExist(_)) => {}
        found => return found.map(AnyConfig::Classic),
    }
    documents::find(db, &Owner::Project(project), stored_as::PIPELINE_CONFIG, name.as_str())?
        .map(|document| AnyConfig::Pipeline(document.id))
        .ok_or_else(|| ApiError::ConfigNotExist(name.clone()))
}

/// Refuses the name of a config of either form. Source: guess; agents are given both under their names.
pub fn check_free(db: &Connection, project: ProjectId, name: &ConfigName) -> Result<(), ApiError> {
    match find(db, project, name) {
        Ok(_) => Err(ApiError::ConfigAlreadyExist(name.clone())),
        Err(ApiError::ConfigNotExist(_)) => Ok(()),
        Err(other) => Err(other),
    }
}

/// Binds a config to a group; repeating it changes nothing.
pub fn apply(tx: &Transaction<'_>, group: GroupId, config: AnyConfig) -> Result<(), ApiError> {
    match config {
        AnyConfig::Classic(id) => {
            tx.execute("INSERT OR IGNORE INTO applied_configs VALUES (?1, ?2)", (group.0, id.0))
        }
        AnyConfig::Pipeline(id) => {
            tx.execute("INSERT OR IGNORE INTO applied_pipelines VALUES (?1, ?2)", (group.0, id.0))
        }
    }?;
    Ok(())
}

/// Unbinds a config from a group; repeating it changes nothing.
pub fn remove(tx: &Transaction<'_>, group: GroupId, config: AnyConfig) -> Result<(), ApiError> {
    match config {
        AnyConfig::Classic(id) => {
            tx.execute("DELETE FROM applied_configs WHERE group_id = ?1 AND config_id = ?2", (group.0, id.0))
        }
        AnyConfig::Pipeline(id) => tx.execute(
            "DELETE FROM applied_pipelines WHERE group_id = ?1 AND document_id = ?2",
            (group.0, id.0),
        ),
    }?;
    Ok(())
}

/// Names of the configs bound to a group, sorted.
pub fn configs(db: &Connection, group: GroupId) -> Result<Vec<ConfigName>, ApiError> {
    let mut query = db.prepare(
        "SELECT name FROM logtail_configs JOIN applied_configs ON config_id = id WHERE group_id = ?1 \
         UNION SELECT name FROM documents JOIN applied_pipelines ON document_id = id WHERE group_id = ?1 \
         ORDER BY name",
    )?;
    let rows = query.query_map([group.0], |row| name(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Names of the groups that a config is bound to, sorted.
pub fn groups(db: &Connection, config: AnyConfig) -> Result<Vec<MachineGroupName>, ApiError> {
    let (bound, id) = match config {
        AnyConfig::Classic(id) => ("applied_configs ON group_id = id WHERE config_id = ?1", id.0),
        AnyConfig::Pipeline(id) => ("applied_pipelines ON group_id = id WHERE document_id = ?1", id.0),
    };
    let mut query = db.prepare(&format!("SELECT name FROM machine_groups JOIN {bound} ORDER BY name"))?;
    let rows = query.query_map([id], |row| name(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A config that a group gives to its agents.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigned {
    /// Project of group and config.
    pub project: ProjectName,
    /// The group.
    pub group: MachineGroup,
    /// Name of the config.
    pub name: ConfigName,
    /// The config.
    pub config: Form,
}

/// A config in its form.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// Classic.
    Classic(Box<LogtailConfig>),
    /// Pipeline.
    Pipeline {
        /// As its maker sent it.
        body: Map<String, Value>,
        /// Unix seconds.
        create_time: i64,
    },
}

/// The configs bound to a group; the classic ones first, each form by name.
pub fn assigned(db: &Connection, group: GroupId) -> Result<Vec<Assigned>, ApiError> {
    let sql = format!(
        "SELECT {}, projects.name, machine_groups.body FROM applied_configs \
         JOIN logtail_configs ON logtail_configs.id = config_id \
         JOIN machine_groups ON machine_groups.id = group_id \
         JOIN projects ON projects.id = logtail_configs.project_id \
         WHERE group_id = ?1 ORDER BY logtail_configs.name",
        logtail_configs::COLUMNS
    );
    let mut query = db.prepare_cached(&sql)?;
    let classic = query.query_map([group.0], |row| {
        let config = logtail_configs::stored(row)?;
        Ok(Assigned {
            project: name(row, 3)?,
            group: from_json(row, 4)?,
            name: config.config_name.clone(),
            config: Form::Classic(Box::new(config)),
        })
    })?;
    let mut query = db.prepare_cached(
        "SELECT documents.body, documents.create_time, projects.name, machine_groups.body, documents.name \
         FROM applied_pipelines JOIN documents ON documents.id = document_id \
         JOIN machine_groups ON machine_groups.id = group_id \
         JOIN projects ON projects.id = documents.project_id \
         WHERE group_id = ?1 ORDER BY documents.name",
    )?;
    let pipelines = query.query_map([group.0], |row| {
        Ok(Assigned {
            project: name(row, 2)?,
            group: from_json(row, 3)?,
            name: name(row, 4)?,
            config: Form::Pipeline { body: from_json(row, 0)?, create_time: row.get(1)? },
        })
    })?;
    Ok(classic.chain(pipelines).collect::<rusqlite::Result<_>>()?)
}
