//! Takes the config of a deleted object out of Log Service. The Logstore, its logs, the machine groups
//! and the project stay, as with the vendor's controller. What is gone already counts as done.

use std::collections::BTreeSet;

use sls_api::names::MachineGroupName;
use sls_api::ops::logtail_configs::DeleteConfig;
use sls_api::ops::machine_groups::RemoveConfigFromMachineGroup;
use sls_api::ops::{InConfig, InMachineGroupConfig};

use crate::desired::Target;
use crate::failure::{Failure, is_not_exist};
use crate::observe::bound_groups;
use crate::sls::{CallError, Sls};

/// What a deletion changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Groups from which the config was unbound.
    pub unbound: BTreeSet<MachineGroupName>,
    /// Whether the config was still there.
    pub config: bool,
}

/// Unbinds the config from every group, then deletes it.
pub async fn delete(sls: &Sls, target: &Target) -> Result<Deleted, Failure> {
    let mut deleted = Deleted::default();
    for group in bound_groups(sls, &target.config).await? {
        let path = InMachineGroupConfig { group: group.clone(), config: target.config.clone() };
        let reply = sls.call::<RemoveConfigFromMachineGroup>(&path, &()).await;
        if existed("UnbindMachineGroup", reply)? {
            deleted.unbound.insert(group);
        }
    }
    let path = InConfig { config: target.config.clone() };
    deleted.config = existed("DeleteConfig", sls.call::<DeleteConfig>(&path, &()).await)?;
    Ok(deleted)
}

fn existed(step: &'static str, reply: Result<(), CallError>) -> Result<bool, Failure> {
    match reply {
        Ok(()) => Ok(true),
        Err(error) if is_not_exist(&error) => Ok(false),
        Err(error) => Err(Failure::new(step, &error)),
    }
}
