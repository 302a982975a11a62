//! SQL of machine groups.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use sls_api::names::MachineGroupName;
use sls_api::ops::machine_groups::{MachineGroup, MachineIdentifyType};

use super::projects::ProjectId;
use super::{from_json, name, to_json};
use crate::error::ApiError;

/// Key of a machine group in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(pub(super) i64);

#[cfg(test)]
impl GroupId {
    /// A key for tests that need no database.
    pub(crate) fn testing(id: i64) -> Self {
        Self(id)
    }
}

/// How a group's machine list is to be read.
pub fn kind(group: &MachineGroup) -> &'static str {
    match group.machine_identify_type {
        MachineIdentifyType::Ip => "ip",
        MachineIdentifyType::Userdefined => "userdefined",
    }
}

/// Finds a machine group.
pub fn find(db: &Connection, project: ProjectId, name: &MachineGroupName) -> Result<GroupId, ApiError> {
    db.prepare_cached("SELECT id FROM machine_groups WHERE project_id = ?1 AND name = ?2")?
        .query_row((project.0, name.as_str()), |row| row.get(0).map(GroupId))
        .optional()?
        .ok_or_else(|| ApiError::MachineGroupNotExist(name.clone()))
}

/// Adds a machine group.
pub fn create(
    tx: &Transaction<'_>,
    project: ProjectId,
    group: &MachineGroup,
    now: Timestamp,
) -> Result<(), ApiError> {
    let name = &group.group_name;
    match find(tx, project, name) {
        Ok(_) => return Err(ApiError::MachineGroupAlreadyExist(name.clone())),
        Err(ApiError::MachineGroupNotExist(_)) => {}
        Err(other) => return Err(other),
    }
    tx.execute(
        "INSERT INTO machine_groups (project_id, name, body, create_time, last_modify_time) \
         VALUES (?1, ?2, ?3, ?4, ?4)",
        (project.0, name.as_str(), to_json(group)?, now.as_second()),
    )?;
    set_members(tx, GroupId(tx.last_insert_rowid()), group)
}

fn set_members(tx: &Transaction<'_>, id: GroupId, group: &MachineGroup) -> Result<(), ApiError> {
    tx.execute("DELETE FROM machine_group_members WHERE group_id = ?1", [id.0])?;
    let mut insert = tx.prepare_cached(
        "INSERT OR IGNORE INTO machine_group_members (group_id, kind, value) VALUES (?1, ?2, ?3)",
    )?;
    for value in &group.machine_list {
        insert.execute((id.0, kind(group), value))?;
    }
    Ok(())
}

fn stored(row: &Row<'_>) -> rusqlite::Result<MachineGroup> {
    Ok(MachineGroup { create_time: row.get(1)?, last_modify_time: row.get(2)?, ..from_json(row, 0)? })
}

/// Reads a machine group.
pub fn get(db: &Connection, id: GroupId) -> Result<MachineGroup, ApiError> {
    let sql = "SELECT body, create_time, last_modify_time FROM machine_groups WHERE id = ?1";
    Ok(db.query_row(sql, [id.0], stored)?)
}

/// Names of a project's machine groups, sorted.
pub fn names(db: &Connection, project: ProjectId) -> Result<Vec<MachineGroupName>, ApiError> {
    let mut query = db.prepare("SELECT name FROM machine_groups WHERE project_id = ?1 ORDER BY name")?;
    let rows = query.query_map([project.0], |row| name(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Replaces a machine group, except its name and creation.
pub fn update(
    tx: &Transaction<'_>,
    id: GroupId,
    group: &MachineGroup,
    now: Timestamp,
) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE machine_groups SET body = ?2, last_modify_time = ?3 WHERE id = ?1",
        (id.0, to_json(group)?, now.as_second()),
    )?;
    set_members(tx, id, group)
}

/// Removes a machine group; its configs stay, unbound from it.
pub fn delete(tx: &Transaction<'_>, id: GroupId) -> Result<(), ApiError> {
    tx.execute("DELETE FROM machine_groups WHERE id = ?1", [id.0])?;
    Ok(())
}
