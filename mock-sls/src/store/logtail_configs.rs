//! SQL of Logtail configs.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use sls_api::names::ConfigName;
use sls_api::ops::logtail_configs::LogtailConfig;

use super::projects::ProjectId;
use super::{applied, from_json, to_json};
use crate::error::ApiError;

/// Key of a Logtail config in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigId(pub(super) i64);

/// Finds a config.
pub fn find(db: &Connection, project: ProjectId, name: &ConfigName) -> Result<ConfigId, ApiError> {
    db.prepare_cached("SELECT id FROM logtail_configs WHERE project_id = ?1 AND name = ?2")?
        .query_row((project.0, name.as_str()), |row| row.get(0).map(ConfigId))
        .optional()?
        .ok_or_else(|| ApiError::ConfigNotExist(name.clone()))
}

/// Adds a config.
pub fn create(
    tx: &Transaction<'_>,
    project: ProjectId,
    config: &LogtailConfig,
    now: Timestamp,
) -> Result<(), ApiError> {
    let name = &config.config_name;
    applied::check_free(tx, project, name)?;
    tx.execute(
        "INSERT INTO logtail_configs \
         (project_id, name, logstore, body, create_time, last_modify_time) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        (
            project.0,
            name.as_str(),
            config.output_detail.logstore_name.as_str(),
            to_json(config)?,
            now.as_second(),
        ),
    )?;
    Ok(())
}

/// Columns of a config that [`stored`] reads.
pub(super) const COLUMNS: &str = "logtail_configs.body, logtail_configs.create_time, \
     logtail_configs.last_modify_time";

/// Reads a config from a row that begins with [`COLUMNS`].
pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<LogtailConfig> {
    Ok(LogtailConfig { create_time: row.get(1)?, last_modify_time: row.get(2)?, ..from_json(row, 0)? })
}

/// Reads a config.
pub fn get(db: &Connection, id: ConfigId) -> Result<LogtailConfig, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM logtail_configs WHERE id = ?1");
    Ok(db.query_row(&sql, [id.0], stored)?)
}

/// All configs of a project, by name.
pub fn list(db: &Connection, project: ProjectId) -> Result<Vec<LogtailConfig>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM logtail_configs WHERE project_id = ?1 ORDER BY name");
    let mut query = db.prepare(&sql)?;
    let rows = query.query_map([project.0], stored)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Replaces a config, except its name and creation.
pub fn update(
    tx: &Transaction<'_>,
    id: ConfigId,
    config: &LogtailConfig,
    now: Timestamp,
) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE logtail_configs SET logstore = ?2, body = ?3, last_modify_time = ?4 WHERE id = ?1",
        (id.0, config.output_detail.logstore_name.as_str(), to_json(config)?, now.as_second()),
    )?;
    Ok(())
}

/// Removes a config and its bindings.
pub fn delete(tx: &Transaction<'_>, id: ConfigId) -> Result<(), ApiError> {
    tx.execute("DELETE FROM logtail_configs WHERE id = ?1", [id.0])?;
    Ok(())
}
