//! The end of an object: its config is deleted, then the finalizer goes. While Log Service cannot be
//! reached the object stays and says so; an annotation gives it up.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::runtime::finalizer::finalizer;

use super::reconcile::{Error, Look, Previous};
use crate::crd::{
    AliyunLogConfig, AliyunLogConfigStatus, DeletionPolicy, FINALIZER, FORCE_DELETE_ANNOTATION, Reconcile,
};
use crate::delete::delete;
use crate::desired::Target;
use crate::failure::{Class, Failure};
use crate::metrics::Looked;
use crate::notices;
use crate::status::{self, Verdict};
use crate::validate::claimed_target;

impl Look<'_> {
    /// Deletes what the object has in Log Service, then lets go of it.
    pub(super) async fn release(&self, cr: &AliyunLogConfig) -> Result<(Action, Looked), Error> {
        let previous = self.previous(cr.status.clone());
        let target = applied_target(&previous.ours).or_else(|| claimed_target(cr, &self.context.defaults));
        // The loser of a name conflict has nothing in Log Service.
        let target = target.filter(|target| self.winner(cr, target).is_none());
        // What is not to be touched, or asked to stay, stays.
        let is_ours = Reconcile::of(self.meta.annotations.as_ref()) == Ok(Reconcile::Enabled);
        let retains = cr.spec.deletion_policy == Some(DeletionPolicy::Retain) || !is_ours;
        if let Some(target) = target.as_ref().filter(|_| retains) {
            self.context.publisher.publish(&[notices::retained(target)], &self.reference).await;
        }
        let target = target.filter(|_| !retains);
        let endpoint = cr.spec.endpoint.clone().filter(|endpoint| !endpoint.is_empty());
        let cleanup = |_| self.clean_up(target, endpoint, &previous);
        let api = self.objects();
        finalizer(&api, FINALIZER, Arc::new(cr.clone()), cleanup)
            .await
            .map_err(|error| Error::Finalizer(Box::new(error)))?;
        self.context.memories.forget(self.uid());
        Ok((Action::await_change(), Looked::Deleted))
    }

    pub(super) async fn clean_up(
        &self,
        target: Option<Target>,
        endpoint: Option<String>,
        previous: &Previous,
    ) -> Result<Action, Error> {
        let Some(target) = target else { return Ok(Action::await_change()) };
        if self.is_forced() {
            let notice = notices::forced(&target.to_string());
            self.context.publisher.publish(&[notice], &self.reference).await;
            return Ok(Action::await_change());
        }
        let result = match self.context.clients.project(target.project.clone(), endpoint.as_deref()) {
            Ok(sls) => delete(&sls, &target).await,
            Err(error) => Err(Failure::unusable(&error)),
        };
        let failure = match result {
            Ok(deleted) => {
                self.succeeded();
                let notice = notices::deleted(&target, &deleted);
                self.context.publisher.publish(&[notice], &self.reference).await;
                return Ok(Action::await_change());
            }
            // A deletion has nothing to wait for that the user could correct in the object.
            Err(failure) if failure.class == Class::Spec => Failure { class: Class::Busy, ..failure },
            Err(failure) => failure,
        };
        let wait = self.failed(&failure, endpoint.as_deref());
        let now = Timestamp::now();
        if self.context.memories.worth_telling(self.uid(), &failure, Instant::now()) {
            let notice = notices::deleting(&target, &failure);
            self.context.publisher.publish(&[notice], &self.reference).await;
        }
        let retry = self.retry(now, wait);
        let verdict = Verdict::Deleting { target: &target, failure: &failure, retry };
        let status = status::next(&previous.ours, self.subject(), verdict, now);
        self.write(previous, &status).await?;
        Err(Error::NotDeleted { wait })
    }

    fn is_forced(&self) -> bool {
        let annotation = self.meta.annotations.as_ref().and_then(|all| all.get(FORCE_DELETE_ANNOTATION));
        annotation.is_some_and(|value| value == "true")
    }
}

/// The config that the status says was applied.
pub(super) fn applied_target(status: &AliyunLogConfigStatus) -> Option<Target> {
    Some(Target {
        project: status.project.as_deref()?.parse().ok()?,
        config: status.config_name.as_deref()?.parse().ok()?,
    })
}
