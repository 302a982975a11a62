//! Whether somebody collects: machines that sent a heartbeat, and logs that arrived. Pure; the controller asks Log
//! Service now and then, once for each machine group and each Logstore however many objects share them, and the
//! condition AgentsConnected tells the result.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use sls_api::names::{LogstoreName, MachineGroupName, ProjectName};
use sls_api::ops::machine_groups::Machine;

use crate::desired::Desired;

/// How old the heartbeat of a machine that works may be. Source: guess; agents of the vendor send one every 10 s to a
/// minute, and the service itself takes a machine for lost after a few.
pub const HEARTBEAT_FRESH: Duration = Duration::from_secs(180);
/// Logs of how long are looked for, by their own time. Source: guess; collectors are behind by less.
pub const LOGS_FRESH: Duration = Duration::from_secs(300);

/// Where groups and Logstores are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub endpoint: Option<String>,
    pub account: Option<String>,
    pub project: ProjectName,
}

impl Place {
    pub fn of(desired: &Desired) -> Self {
        Self {
            endpoint: desired.endpoint.clone(),
            account: desired.account.clone(),
            project: desired.target.project.clone(),
        }
    }
}

/// Logs in a Logstore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logs {
    /// Some are new.
    Arrive,
    /// None came since then, or since this operator began to look.
    Silent(Timestamp),
}

/// What one object has of agents and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Machines in its groups that sent a heartbeat lately.
    pub machines: usize,
    pub logs: Logs,
}

impl Sight {
    /// Whether the object is to be told: numbers may wait for its next look.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.machines > 0, self.logs) == (other.machines > 0, other.logs)
    }
}

/// What is known of all groups and Logstores.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Ids of the machines that sent a heartbeat lately.
    pub groups: BTreeMap<(Place, MachineGroupName), BTreeSet<String>>,
    pub logstores: BTreeMap<(Place, LogstoreName), Logs>,
}

impl Known {
    /// What of it belongs to an object; nothing until all of that was asked for.
    pub fn sight(&self, desired: &Desired) -> Option<Sight> {
        let place = Place::of(desired);
        let mut machines = BTreeSet::new();
        for group in &desired.machine_groups {
            machines.extend(self.groups.get(&(place.clone(), group.clone()))?);
        }
        let logs = *self.logstores.get(&(place, desired.destination.clone()))?;
        Some(Sight { machines: machines.len(), logs })
    }

    /// A Logstore was asked for new logs; `None` if that failed, which changes nothing.
    pub fn asked(&mut self, key: (Place, LogstoreName), arrived: Option<bool>, now: Timestamp) {
        let before = self.logstores.get(&key).copied();
        let logs = match (arrived, before) {
            (None, _) => return,
            (Some(true), _) => Logs::Arrive,
            (Some(false), Some(Logs::Silent(since))) => Logs::Silent(since),
            (Some(false), Some(Logs::Arrive) | None) => Logs::Silent(now),
        };
        self.logstores.insert(key, logs);
    }
}

/// Ids of the machines that sent a heartbeat lately.
pub fn fresh(machines: &[Machine], now: Timestamp) -> BTreeSet<String> {
    let oldest = now.as_second().saturating_sub(i64::try_from(HEARTBEAT_FRESH.as_secs()).unwrap_or(i64::MAX));
    let fresh = machines.iter().filter(|machine| machine.last_heartbeat_time >= oldest);
    fresh
        .map(|machine| match machine.machine_uniqueid.as_str() {
            "" => machine.ip.clone(),
            id => id.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(id: &str, heartbeat: i64) -> Machine {
        serde_json::from_value(serde_json::json!({
            "ip": "10.0.0.1", "machine-uniqueid": id, "lastHeartbeatTime": heartbeat}))
        .unwrap()
    }

    #[test]
    fn only_machines_with_a_fresh_heartbeat_count_each_once() {
        let now = Timestamp::from_second(10_000).unwrap();
        let machines = [machine("a", 9_900), machine("a", 9_950), machine("b", 9_820), machine("c", 9_819)];
        assert_eq!(fresh(&machines, now), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn silence_begins_when_logs_stop_and_ends_when_they_come() {
        let key = || {
            let place = Place { endpoint: None, account: None, project: "project-a".parse().unwrap() };
            (place, "store".parse::<LogstoreName>().unwrap())
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut known = Known::default();
        let mut told = Vec::new();
        for (second, arrived) in [
            (1, Some(false)),
            (2, Some(false)),
            (3, Some(true)),
            (4, None),
            (5, Some(false)),
            (6, Some(false)),
        ] {
            known.asked(key(), arrived, at(second));
            told.push(known.logstores[&key()]);
        }
        let silent = |second| Logs::Silent(at(second));
        assert_eq!(told, [silent(1), silent(1), Logs::Arrive, Logs::Arrive, silent(5), silent(5)]);
    }
}
