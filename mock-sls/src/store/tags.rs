//! SQL of tags.

use rusqlite::{Connection, Transaction};
use sls_api::ops::tags::Tag;

use super::projects::ProjectId;
use crate::error::ApiError;

/// What carries a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// Its project.
    pub project: ProjectId,
    /// One of `sls_api::ops::tags::RESOURCE_TYPES`.
    pub resource_type: String,
    /// Its name in the project; empty for the project itself.
    pub name: String,
}

/// Whether such a resource exists.
pub fn exists(db: &Connection, tagged: &Tagged) -> Result<bool, ApiError> {
    let sql = match tagged.resource_type.as_str() {
        "project" => return Ok(tagged.name.is_empty()),
        "logstore" => "SELECT 1 FROM logstores WHERE project_id = ?1 AND name = ?2",
        "machinegroup" => "SELECT 1 FROM machine_groups WHERE project_id = ?1 AND name = ?2",
        "logtailconfig" => {
            "SELECT 1 FROM logtail_configs WHERE project_id = ?1 AND name = ?2 UNION ALL \
             SELECT 1 FROM documents \
             WHERE project_id = ?1 AND kind = 'logtailpipelineconfig' AND name = ?2"
        }
        "dashboard" => "SELECT 1 FROM documents WHERE project_id = ?1 AND kind = 'dashboard' AND name = ?2",
        _ => "SELECT 1 FROM documents WHERE project_id = ?1 AND kind = 'job' AND name = ?2",
    };
    Ok(db.prepare_cached(sql)?.exists((tagged.project.0, tagged.name.as_str()))?)
}

/// All tags of a resource, by key.
pub fn of(db: &Connection, tagged: &Tagged, system: bool) -> Result<Vec<Tag>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT key, value FROM tags WHERE project_id = ?1 AND system = ?2 \
         AND resource_type = ?3 AND resource_name = ?4 ORDER BY key",
    )?;
    let key = (tagged.project.0, system, tagged.resource_type.as_str(), tagged.name.as_str());
    let rows = query.query_map(key, |row| Ok(Tag { key: row.get(0)?, value: row.get(1)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Names of the tagged resources of a type in a project, in order.
pub fn names(
    db: &Connection,
    project: ProjectId,
    resource_type: &str,
    system: bool,
) -> Result<Vec<String>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT DISTINCT resource_name FROM tags \
         WHERE project_id = ?1 AND system = ?2 AND resource_type = ?3 ORDER BY resource_name",
    )?;
    let rows = query.query_map((project.0, system, resource_type), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Sets a tag.
pub fn set(tx: &Transaction<'_>, tagged: &Tagged, system: bool, tag: &Tag) -> Result<(), ApiError> {
    tx.prepare_cached("INSERT OR REPLACE INTO tags VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute((
        tagged.project.0,
        system,
        &tagged.resource_type,
        &tagged.name,
        &tag.key,
        &tag.value,
    ))?;
    Ok(())
}

/// Removes a tag, if it is there.
pub fn remove(tx: &Transaction<'_>, tagged: &Tagged, system: bool, key: &str) -> Result<(), ApiError> {
    tx.prepare_cached(
        "DELETE FROM tags WHERE project_id = ?1 AND system = ?2 AND resource_type = ?3 \
         AND resource_name = ?4 AND key = ?5",
    )?
    .execute((tagged.project.0, system, &tagged.resource_type, &tagged.name, key))?;
    Ok(())
}
