//! SQL of tags.

use rusqlite::{Connection, Transaction};
use sls_api::ops::tags::{ResourceType, Tag};

use super::projects::ProjectId;
use crate::error::ApiError;

/// What carries a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// Its project.
    pub project: ProjectId,
    /// What it is.
    pub resource_type: ResourceType,
    /// Its name in the project; empty for the project itself.
    pub name: String,
}

/// All tags of a resource, by key.
pub fn of(db: &Connection, tagged: &Tagged, system: bool) -> Result<Vec<Tag>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT key, value FROM tags WHERE project_id = ?1 AND system = ?2 \
         AND resource_type = ?3 AND resource_name = ?4 ORDER BY key",
    )?;
    let key = (tagged.project.0, system, tagged.resource_type.name(), tagged.name.as_str());
    let rows = query.query_map(key, |row| Ok(Tag { key: row.get(0)?, value: row.get(1)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Names of the tagged resources of a type in a project, in order.
pub fn names(
    db: &Connection,
    project: ProjectId,
    resource_type: ResourceType,
    system: bool,
) -> Result<Vec<String>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT DISTINCT resource_name FROM tags \
         WHERE project_id = ?1 AND system = ?2 AND resource_type = ?3 ORDER BY resource_name",
    )?;
    let rows = query.query_map((project.0, system, resource_type.name()), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Sets a tag.
pub fn set(tx: &Transaction<'_>, tagged: &Tagged, system: bool, tag: &Tag) -> Result<(), ApiError> {
    tx.prepare_cached("INSERT OR REPLACE INTO tags VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute((
        tagged.project.0,
        system,
        tagged.resource_type.name(),
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
    .execute((tagged.project.0, system, tagged.resource_type.name(), &tagged.name, key))?;
    Ok(())
}
