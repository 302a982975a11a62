//! Short looks at objects that were as they should be and have not changed since.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use kube::runtime::controller::Action;

use super::reconcile::{Error, Look};
use super::trigger::ANNOTATION_PREFIX;
use super::written::Previous;
use crate::agents::Sight;
use crate::converge::place;
use crate::desired::Desired;
use crate::kind::ConfigKind;
use crate::metrics::Looked;
use crate::status::{self, Collecting, Verdict};

impl<K: ConfigKind> Look<'_, K> {
    /// Whether nothing has happened to an object since all of it was looked at, as far as a short look tells.
    pub(super) async fn rests_on(&self, desired: &Desired, previous: &Previous) -> bool {
        // A status that is not the one we wrote has to be written again.
        if previous.shown != previous.ours || !self.context.memories.rests_on(self.uid(), self.marks()) {
            return false;
        }
        match place(&self.context.clients, desired) {
            Ok(sls) => self.context.surveys.is_unchanged(&sls, desired).await,
            Err(_) => false,
        }
    }

    pub(super) async fn leave_at_rest(
        &self,
        desired: &Desired,
        previous: &Previous,
    ) -> Result<(Action, Looked), Error> {
        let sight = self.context.agents.sight(desired);
        let verdict = Verdict::AtRest { desired, agents: self.collecting(sight.as_ref()) };
        let status = status::next(&previous.ours, self.subject(), verdict, Timestamp::now());
        self.check_leading()?;
        self.write(previous, &status).await?;
        Ok((Action::requeue(self.context.waits.resync(fastrand::f64())), Looked::Synced))
    }

    pub(super) fn collecting<'b>(&self, sight: Option<&'b Sight>) -> Collecting<'b> {
        match (sight, self.context.agents.is_on()) {
            (Some(sight), _) => Collecting::Seen(sight),
            (None, true) => Collecting::NotAskedYet,
            (None, false) => Collecting::NeverAsked,
        }
    }

    /// What of the object asks for a whole look when it changes: what the trigger looks at too.
    pub(super) fn marks(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.meta().generation.hash(&mut hasher);
        for (key, value) in self.meta().annotations.iter().flatten() {
            if key.starts_with(ANNOTATION_PREFIX) {
                (key, value).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}
