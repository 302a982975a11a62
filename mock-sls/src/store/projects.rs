//! SQL of projects.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serde::{Deserialize, Serialize};
use sls_api::names::ProjectName;
use sls_api::ops::projects::{NewProject, ProjectChange};

use super::{from_json, name, to_json};
use crate::error::ApiError;

/// Key of a project in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProjectId(pub(super) i64);

/// A project as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProject {
    /// Name.
    pub name: ProjectName,
    /// Account id.
    pub owner: String,
    /// What the caller set.
    pub settings: Settings,
    /// Unix seconds.
    pub create_time: i64,
    /// Unix seconds.
    pub last_modify_time: i64,
}

/// What a caller sets about a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// For people.
    pub description: String,
    /// Resource group, perhaps empty.
    pub resource_group_id: String,
    /// `LRS` or `ZRS`.
    pub data_redundancy_type: String,
    /// Stored, without effect.
    pub recycle_bin_enabled: bool,
}

/// Redundancy of a project whose creator names none. Source: SDK documentation.
const REDUNDANCY_DEFAULT: &str = "LRS";

impl From<&NewProject> for Settings {
    fn from(new: &NewProject) -> Self {
        let redundancy = new.data_redundancy_type.clone().filter(|text| !text.is_empty());
        Self {
            description: new.description.clone(),
            resource_group_id: new.resource_group_id.clone().unwrap_or_default(),
            data_redundancy_type: redundancy.unwrap_or_else(|| REDUNDANCY_DEFAULT.to_owned()),
            recycle_bin_enabled: new.recycle_bin_enabled.unwrap_or_default(),
        }
    }
}

/// Whether there is a project of this name, whoever owns it.
fn exists(db: &Connection, name: &ProjectName) -> Result<bool, ApiError> {
    Ok(db.prepare_cached("SELECT 1 FROM projects WHERE name = ?1")?.exists([name.as_str()])?)
}

/// The project of this name, if the account owns it.
pub fn owned(db: &Connection, name: &ProjectName, account: &str) -> Result<ProjectId, ApiError> {
    let (id, owner) = find(db, name)?;
    if owner == account { Ok(id) } else { Err(ApiError::NotOwner) }
}

/// The project of this name, whoever owns it; for anonymous calls.
pub fn named(db: &Connection, name: &ProjectName) -> Result<ProjectId, ApiError> {
    find(db, name).map(|(id, _)| id)
}

fn find(db: &Connection, name: &ProjectName) -> Result<(ProjectId, String), ApiError> {
    db.prepare_cached("SELECT id, owner FROM projects WHERE name = ?1")?
        .query_row([name.as_str()], |row| Ok((ProjectId(row.get(0)?), row.get(1)?)))
        .optional()?
        .ok_or_else(|| ApiError::ProjectNotExist(name.to_string()))
}

/// Adds a project.
pub fn create(tx: &Transaction<'_>, new: &NewProject, owner: &str, now: Timestamp) -> Result<(), ApiError> {
    if exists(tx, &new.project_name)? {
        return Err(ApiError::ProjectAlreadyExist(new.project_name.clone()));
    }
    tx.execute(
        "INSERT INTO projects (name, owner, body, create_time, last_modify_time) \
         VALUES (?1, ?2, ?3, ?4, ?4)",
        (new.project_name.as_str(), owner, to_json(&Settings::from(new))?, now.as_second()),
    )?;
    Ok(())
}

const COLUMNS: &str = "name, owner, body, create_time, last_modify_time";

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredProject> {
    Ok(StoredProject {
        name: name(row, 0)?,
        owner: row.get(1)?,
        settings: from_json(row, 2)?,
        create_time: row.get(3)?,
        last_modify_time: row.get(4)?,
    })
}

/// Reads a project.
pub fn get(db: &Connection, id: ProjectId) -> Result<StoredProject, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM projects WHERE id = ?1");
    Ok(db.query_row(&sql, [id.0], stored)?)
}

/// All projects of an account, by name.
pub fn list(db: &Connection, owner: &str) -> Result<Vec<StoredProject>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM projects WHERE owner = ?1 ORDER BY name");
    let mut query = db.prepare(&sql)?;
    let rows = query.query_map([owner], stored)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Names of the projects of all accounts, at most so many.
pub fn names(db: &Connection, max: u32) -> Result<Vec<String>, ApiError> {
    let mut query = db.prepare("SELECT name FROM projects ORDER BY name LIMIT ?1")?;
    let rows = query.query_map([max], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Changes what the caller gives and leaves the rest.
pub fn update(
    tx: &Transaction<'_>,
    id: ProjectId,
    change: &ProjectChange,
    now: Timestamp,
) -> Result<(), ApiError> {
    let mut settings = get(tx, id)?.settings;
    if let Some(description) = &change.description {
        settings.description.clone_from(description);
    }
    if let Some(enabled) = change.recycle_bin_enabled {
        settings.recycle_bin_enabled = enabled;
    }
    tx.execute(
        "UPDATE projects SET body = ?2, last_modify_time = ?3 WHERE id = ?1",
        (id.0, to_json(&settings)?, now.as_second()),
    )?;
    Ok(())
}

/// Moves a project to another resource group.
pub fn set_resource_group(
    tx: &Transaction<'_>,
    id: ProjectId,
    resource_group_id: String,
    now: Timestamp,
) -> Result<(), ApiError> {
    let settings = Settings { resource_group_id, ..get(tx, id)?.settings };
    tx.execute(
        "UPDATE projects SET body = ?2, last_modify_time = ?3 WHERE id = ?1",
        (id.0, to_json(&settings)?, now.as_second()),
    )?;
    Ok(())
}

/// Removes a project with everything in it.
pub fn delete(tx: &Transaction<'_>, id: ProjectId) -> Result<(), ApiError> {
    tx.execute("DELETE FROM projects WHERE id = ?1", [id.0])?;
    Ok(())
}
