//! The end of an object: what it has in Log Service is deleted, then the finalizer goes. While Log Service cannot be
//! reached the object stays and says so; an annotation gives it up.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::runtime::finalizer::finalizer;

use super::reconcile::{Error, Look};
use super::written::Previous;
use crate::crd::{FINALIZER, FORCE_DELETE_ANNOTATION};
use crate::delete::delete;
use crate::failure::{Class, Failure};
use crate::fate::{Fate, Removal};
use crate::kind::ConfigKind;
use crate::metrics::Looked;
use crate::notices;
use crate::status::{self, Verdict};

impl<K: ConfigKind> Look<'_, K> {
    /// Deletes what the object has in Log Service, then lets go of it.
    pub(super) async fn release(&self, cr: &K) -> Result<(Action, Looked), Error> {
        let previous = self.previous(cr.told());
        let removal = match self.fate(cr, &previous) {
            Fate::Nothing => None,
            Fate::Retained { target, why } => {
                self.context.publisher.publish(&[notices::retained(&target, &why)], &self.reference).await;
                None
            }
            Fate::Removed(removal) => Some(removal),
        };
        let cleanup = |_| self.clean_up(removal, &previous);
        let api = self.objects();
        finalizer(&api, FINALIZER, Arc::new(cr.clone()), cleanup)
            .await
            .map_err(|error| Error::Finalizer(Box::new(error)))?;
        self.context.memories.forget(self.uid());
        Ok((Action::await_change(), Looked::Deleted))
    }

    fn fate(&self, cr: &K, previous: &Previous) -> Fate {
        self.context.stores.with(|others| cr.fate(&previous.ours, others, &self.context.defaults))
    }

    pub(super) async fn clean_up(
        &self,
        removal: Option<Removal>,
        previous: &Previous,
    ) -> Result<Action, Error> {
        let Some(removal) = removal else { return Ok(Action::await_change()) };
        let target = &removal.target;
        if self.is_forced() {
            let notice = notices::forced(&target.to_string());
            self.context.publisher.publish(&[notice], &self.reference).await;
            return Ok(Action::await_change());
        }
        let failure = match delete(&self.context.clients, &removal).await {
            Ok(deleted) => {
                self.succeeded();
                self.context.publisher.publish(&notices::deleted(target, &deleted), &self.reference).await;
                // The finalizer goes next, and what it stood for must have been this operator's to delete.
                self.check_leading()?;
                return Ok(Action::await_change());
            }
            // A deletion has nothing to wait for that the user could correct in the object.
            Err(failure) if failure.class == Class::Spec => Failure { class: Class::Busy, ..failure },
            Err(failure) => failure,
        };
        let wait = self.failed(&failure, removal.endpoint.as_deref());
        let now = Timestamp::now();
        if self.context.memories.worth_telling(self.uid(), &failure, Instant::now()) {
            let notice = notices::deleting(target, &failure);
            self.context.publisher.publish(&[notice], &self.reference).await;
        }
        let retry = self.retry(now, wait);
        let verdict = Verdict::Deleting { target, failure: &failure, retry };
        let status = status::next(&previous.ours, self.subject(), verdict, now);
        self.write(previous, &status).await?;
        Err(Error::NotDeleted { wait })
    }

    fn is_forced(&self) -> bool {
        let annotation = self.meta().annotations.as_ref().and_then(|all| all.get(FORCE_DELETE_ANNOTATION));
        annotation.is_some_and(|value| value == "true")
    }
}
