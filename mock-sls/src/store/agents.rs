//! SQL of agents: what they said of themselves, which groups claim them.

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};
use sls_api::agent::{TAG_USER_DEFINED_ID, TAG_USER_ID};
use sls_api::names::{MachineGroupName, ProjectName};
use sls_api::ops::machine_groups::Machine;

use super::machine_groups::GroupId;
use super::name;
use crate::error::ApiError;

/// Agents that are remembered; beyond, the one silent for longest is forgotten. The endpoint
/// is open to everyone who reaches the server, so this bounds what he can fill.
const AGENTS_MAX: i64 = 10_000;

/// An agent as of its last full heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agent {
    /// Its identity.
    pub instance_id: String,
    /// E.g. `LoongCollector`.
    pub agent_type: String,
    /// Its version.
    pub version: String,
    /// Its address as it says.
    pub ip: String,
    /// Its host name as it says.
    pub hostname: String,
    /// Its host id.
    pub host_id: String,
    /// For people.
    pub running_status: String,
    /// Unix seconds.
    pub startup_time: i64,
    /// Counts its heartbeats.
    pub sequence_num: i64,
    /// Unix seconds.
    pub last_heartbeat: i64,
    /// What the last answer complained about; empty when nothing.
    pub notice: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// What it has, and how that went.
    pub configs: Vec<AgentConfig>,
}

impl Agent {
    /// Values of all tags of one name.
    pub fn tag_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.tags.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A config as an agent has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentConfig {
    /// Name in the agent protocol.
    pub name: String,
    /// Version that the agent has.
    pub version: i64,
    /// `unset`, `applying`, `applied` or `failed`.
    pub status: String,
    /// Why, when it failed.
    pub message: String,
}

/// Remembers a full heartbeat.
pub fn save(tx: &Transaction<'_>, agent: &Agent) -> Result<(), ApiError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO agents (instance_id, agent_type, version, ip, hostname, host_id, \
         running_status, startup_time, sequence_num, last_heartbeat, notice) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        agent.instance_id,
        agent.agent_type,
        agent.version,
        agent.ip,
        agent.hostname,
        agent.host_id,
        agent.running_status,
        agent.startup_time,
        agent.sequence_num,
        agent.last_heartbeat,
        agent.notice,
    ])?;
    // Replacing the row has removed its old tags and configs by their foreign keys.
    let mut tag = tx.prepare_cached("INSERT OR IGNORE INTO agent_tags VALUES (?1, ?2, ?3)")?;
    for (key, value) in &agent.tags {
        tag.execute((&agent.instance_id, key, value))?;
    }
    let mut config = tx.prepare_cached("INSERT OR REPLACE INTO agent_configs VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for has in &agent.configs {
        config.execute((&agent.instance_id, &has.name, has.version, &has.status, &has.message))?;
    }
    forget_the_longest_silent(tx)
}

fn forget_the_longest_silent(tx: &Transaction<'_>) -> Result<(), ApiError> {
    tx.prepare_cached(
        "DELETE FROM agents WHERE instance_id IN (SELECT instance_id FROM agents \
         ORDER BY last_heartbeat DESC, instance_id LIMIT -1 OFFSET ?1)",
    )?
    .execute([AGENTS_MAX])?;
    Ok(())
}

/// Remembers a heartbeat that says that nothing changed. False if the agent is not known.
pub fn touch(
    tx: &Transaction<'_>,
    instance_id: &str,
    sequence_num: i64,
    now: Timestamp,
) -> Result<bool, ApiError> {
    let changed = tx
        .prepare_cached("UPDATE agents SET last_heartbeat = ?3, sequence_num = ?2 WHERE instance_id = ?1")?
        .execute((instance_id, sequence_num, now.as_second()))?;
    Ok(changed > 0)
}

const COLUMNS: &str = "instance_id, agent_type, version, ip, hostname, host_id, running_status, \
     startup_time, sequence_num, last_heartbeat, notice";

fn stored(row: &Row<'_>) -> rusqlite::Result<Agent> {
    Ok(Agent {
        instance_id: row.get(0)?,
        agent_type: row.get(1)?,
        version: row.get(2)?,
        ip: row.get(3)?,
        hostname: row.get(4)?,
        host_id: row.get(5)?,
        running_status: row.get(6)?,
        startup_time: row.get(7)?,
        sequence_num: row.get(8)?,
        last_heartbeat: row.get(9)?,
        notice: row.get(10)?,
        tags: Vec::new(),
        configs: Vec::new(),
    })
}

/// All agents, the one heard of last first.
pub fn list(db: &Connection) -> Result<Vec<Agent>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM agents ORDER BY last_heartbeat DESC, instance_id");
    let mut query = db.prepare(&sql)?;
    let agents = query.query_map((), stored)?.collect::<rusqlite::Result<Vec<_>>>()?;
    agents.into_iter().map(|agent| with_details(db, agent)).collect()
}

/// One agent.
pub fn get(db: &Connection, instance_id: &str) -> Result<Option<Agent>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM agents WHERE instance_id = ?1");
    let mut query = db.prepare(&sql)?;
    let agent = query.query_map([instance_id], stored)?.next().transpose()?;
    agent.map(|agent| with_details(db, agent)).transpose()
}

fn with_details(db: &Connection, agent: Agent) -> Result<Agent, ApiError> {
    let mut tags =
        db.prepare_cached("SELECT name, value FROM agent_tags WHERE instance_id = ?1 ORDER BY name, value")?;
    let mut configs = db.prepare_cached(
        "SELECT name, version, status, message FROM agent_configs WHERE instance_id = ?1 \
         ORDER BY name",
    )?;
    let id = &agent.instance_id;
    Ok(Agent {
        tags: tags.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?,
        configs: configs
            .query_map([id], |row| {
                Ok(AgentConfig {
                    name: row.get(0)?,
                    version: row.get(1)?,
                    status: row.get(2)?,
                    message: row.get(3)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?,
        ..agent
    })
}

/// A machine group that lists an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The custom id or address that it lists.
    pub value: String,
    /// Whether that is a custom id.
    pub by_custom_id: bool,
    /// Account that owns the project.
    pub owner: String,
    /// Project of the group.
    pub project: ProjectName,
    /// The group.
    pub group: MachineGroupName,
    /// The group's key.
    pub id: GroupId,
}

/// The machine groups of all accounts that list one of the custom ids or the address.
pub fn claims(db: &Connection, custom_ids: &[&str], ip: &str) -> Result<Vec<Claim>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT value, projects.owner, projects.name, machine_groups.name, group_id \
         FROM machine_group_members \
         JOIN machine_groups ON machine_groups.id = group_id \
         JOIN projects ON projects.id = project_id \
         WHERE kind = ?1 AND value = ?2 ORDER BY projects.name, machine_groups.name",
    )?;
    let mut found = Vec::new();
    let by_id = custom_ids.iter().map(|id| (true, *id));
    for (by_custom_id, value) in by_id.chain([(false, ip)]) {
        let kind = if by_custom_id { "userdefined" } else { "ip" };
        let rows = query.query_map((kind, value), |row| {
            Ok(Claim {
                value: row.get(0)?,
                by_custom_id,
                owner: row.get(1)?,
                project: name(row, 2)?,
                group: name(row, 3)?,
                id: GroupId(row.get(4)?),
            })
        })?;
        for claim in rows {
            found.push(claim?);
        }
    }
    Ok(found)
}

/// The agents that belong to a group, the one heard of last first: they bring one of its custom
/// ids or have one of its addresses, and do not name a foreign account.
pub fn machines(db: &Connection, group: GroupId) -> Result<Vec<Machine>, ApiError> {
    let mut query = db.prepare_cached(
        "SELECT agents.ip, agents.instance_id, agents.last_heartbeat, agents.host_id, \
                agents.version, \
                (SELECT group_concat(value, ',') FROM agent_tags \
                 WHERE agent_tags.instance_id = agents.instance_id AND agent_tags.name = ?2) \
         FROM agents WHERE instance_id IN ( \
             SELECT instance_id FROM agent_tags \
             JOIN machine_group_members ON kind = 'userdefined' \
              AND machine_group_members.value = agent_tags.value \
             WHERE group_id = ?1 AND agent_tags.name = ?2 \
             UNION SELECT instance_id FROM agents AS by_ip \
             JOIN machine_group_members ON kind = 'ip' AND value = by_ip.ip \
             WHERE group_id = ?1) \
         AND (NOT EXISTS (SELECT 1 FROM agent_tags AS foreign_id \
                  WHERE foreign_id.instance_id = agents.instance_id AND foreign_id.name = ?3) \
              OR EXISTS (SELECT 1 FROM agent_tags AS own_id \
                  JOIN machine_groups ON machine_groups.id = ?1 \
                  JOIN projects ON projects.id = project_id \
                  WHERE own_id.instance_id = agents.instance_id AND own_id.name = ?3 \
                  AND own_id.value = projects.owner)) \
         ORDER BY last_heartbeat DESC, instance_id",
    )?;
    let rows = query.query_map((group.0, TAG_USER_DEFINED_ID, TAG_USER_ID), |row| {
        Ok(Machine {
            ip: row.get(0)?,
            machine_uniqueid: row.get(1)?,
            last_heartbeat_time: row.get(2)?,
            host_id: row.get::<_, String>(3).map(|id| (!id.is_empty()).then_some(id))?,
            binary: row.get::<_, String>(4).map(|version| (!version.is_empty()).then_some(version))?,
            userdefined_id: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
