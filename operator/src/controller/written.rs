//! What an object says of itself: the status as it was, and as it is written.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::reconcile::{Error, Look};
use crate::crd::{AliyunLogConfigStatus, FIELD_MANAGER};
use crate::desired::Desired;
use crate::kind::ConfigKind;
use crate::plan::Memory;

impl<K: ConfigKind> Look<'_, K> {
    /// Writes down which groups and tags are about to be this object's: who comes after a kill must know that they are
    /// the operator's to take away again.
    pub(super) async fn tell_ahead(&self, desired: &Desired, previous: &Previous) -> Result<Previous, Error> {
        let mut ahead = previous.clone();
        let groups = desired.machine_groups.iter().map(ToString::to_string);
        add(&mut ahead.ours.applied_machine_groups, groups);
        add(&mut ahead.ours.applied_config_tags, desired.tags.keys().cloned());
        if ahead.ours == previous.ours {
            return Ok(ahead);
        }
        match self.write(previous, &ahead.ours).await {
            Ok(()) => Ok(ahead),
            Err(Error::NotLeading) => Err(Error::NotLeading),
            // Log Service is kept in line all the same; the write at the end says what is wrong.
            Err(_) => Ok(previous.clone()),
        }
    }

    /// Writes `status` if it says anything new.
    pub(super) async fn write(
        &self,
        previous: &Previous,
        status: &AliyunLogConfigStatus,
    ) -> Result<(), Error> {
        let status = &K::sayable(status.clone());
        if *status == previous.ours && *status == previous.shown {
            return Ok(());
        }
        let patch = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": {"name": self.name()},
            "status": K::telling(status, self.object.0.as_ref().ok()),
        });
        self.check_leading()?;
        let params = PatchParams::apply(FIELD_MANAGER).force();
        // The reply is not decoded: it may not be of the right shape.
        let result = self.untyped().patch_status(self.name(), &params, &Patch::Apply(&patch)).await;
        self.context.metrics.status_written(result.is_ok());
        match result {
            Ok(_) => {
                self.context.memories.set_status(self.uid(), status.clone());
                Ok(())
            }
            Err(kube::Error::Api(error)) if error.code == 404 => Ok(()),
            Err(error) => Err(Error::Kubernetes(Box::new(error))),
        }
    }

    pub(super) fn previous(&self, shown: AliyunLogConfigStatus) -> Previous {
        let ours = self.context.memories.status(self.uid()).unwrap_or_else(|| shown.clone());
        Previous { shown, ours }
    }

    pub(super) fn memory(&self, previous: &Previous) -> Memory {
        let listed = previous.ours.applied_machine_groups.iter().flatten();
        let mut bound_by_us = self.context.memories.bound(self.uid());
        bound_by_us.extend(listed.filter_map(|name| name.parse().ok()));
        let applied = previous.ours.applied_generation;
        let tagged_by_us = previous.ours.applied_config_tags.iter().flatten().cloned().collect();
        Memory {
            bound_by_us,
            tagged_by_us,
            applied_before: applied.is_some() && applied == self.meta().generation,
        }
    }
}

/// Adds what is not in the list yet; leaves no list where there is nothing.
fn add(list: &mut Option<Vec<String>>, names: impl Iterator<Item = String>) {
    for name in names {
        let list = list.get_or_insert_default();
        if !list.contains(&name) {
            list.push(name);
        }
    }
}

/// The status before a look.
#[derive(Clone)]
pub(super) struct Previous {
    /// As the watch shows it.
    pub(super) shown: AliyunLogConfigStatus,
    /// As the operator last wrote it, which the watch may not show yet; the same after a restart.
    pub(super) ours: AliyunLogConfigStatus,
}
