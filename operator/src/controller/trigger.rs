//! Which watch events ask for a look at which objects.
//!
//! Writing a status is an event too and must not ask for another look; kube's predicates could filter
//! that, but they also drop deletions, which must wake the objects that lost a name conflict. So this
//! remembers, per object, the parts that matter.

use std::collections::{HashMap, HashSet};

use futures::{Stream, TryStreamExt, stream};
use kube::runtime::controller::{ReconcileReason, ReconcileRequest};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};

use super::Guarded;
use crate::conflict::is_deleting;
use crate::desired::Target;
use crate::validate::{Defaults, claimed_target};

/// Annotations that matter to the operator begin with this.
pub(super) const ANNOTATION_PREFIX: &str = "sls.testbed/";

/// The parts of an object whose change asks for a look.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    uid: Option<String>,
    generation: Option<i64>,
    deleting: bool,
    finalizers: Vec<String>,
    annotations: Vec<(String, String)>,
    /// The config that it claims.
    target: Option<Target>,
}

impl Mark {
    fn of(object: &Guarded, defaults: &Defaults) -> Self {
        let meta = object.meta();
        let ours = |(key, _): &(&String, &String)| key.starts_with(ANNOTATION_PREFIX);
        Self {
            uid: meta.uid.clone(),
            generation: meta.generation,
            deleting: is_deleting(object),
            finalizers: object.finalizers().to_vec(),
            annotations: object
                .annotations()
                .iter()
                .filter(ours)
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            target: object.0.as_ref().ok().and_then(|cr| claimed_target(cr, defaults)),
        }
    }
}

/// Turns watch events into requests. `forget` is told the uid of every object that is gone.
pub fn triggers(
    events: impl Stream<Item = Result<watcher::Event<Guarded>, watcher::Error>> + Send + 'static,
    defaults: Defaults,
    forget: impl Fn(&str) + Send + 'static,
) -> impl Stream<Item = Result<ReconcileRequest<Guarded>, watcher::Error>> + Send {
    let mut seen = Seen { defaults, marks: HashMap::new(), relisted: None, forget };
    events.map_ok(move |event| stream::iter(seen.on(event).into_iter().map(Ok))).try_flatten()
}

struct Seen<F> {
    defaults: Defaults,
    marks: HashMap<ObjectRef<Guarded>, Mark>,
    /// During a list: what it has returned so far. kube's store shows it only when it is complete.
    relisted: Option<HashMap<ObjectRef<Guarded>, Mark>>,
    forget: F,
}

impl<F: Fn(&str)> Seen<F> {
    fn on(&mut self, event: watcher::Event<Guarded>) -> Vec<ReconcileRequest<Guarded>> {
        match event {
            watcher::Event::Init => {
                self.relisted = Some(HashMap::new());
                Vec::new()
            }
            watcher::Event::InitApply(object) => {
                if let Some(relisted) = &mut self.relisted {
                    relisted.insert(ObjectRef::from_obj(&object), Mark::of(&object, &self.defaults));
                }
                Vec::new()
            }
            watcher::Event::InitDone => {
                let relisted = self.relisted.take().unwrap_or_default();
                let before = std::mem::replace(&mut self.marks, relisted);
                requests(self.changed_since(&before))
            }
            watcher::Event::Apply(object) => {
                let key = ObjectRef::from_obj(&object);
                let mark = Mark::of(&object, &self.defaults);
                if self.marks.get(&key) == Some(&mark) {
                    return Vec::new();
                }
                let mut wanted = self.rivals(&mark);
                self.marks.insert(key.clone(), mark);
                wanted.insert(key);
                requests(wanted)
            }
            watcher::Event::Delete(object) => {
                let gone = self.marks.remove(&ObjectRef::from_obj(&object));
                requests(gone.map(|mark| self.gone(&mark)).unwrap_or_default())
            }
        }
    }

    /// Objects that changed while nobody watched, and the rivals of those that went.
    fn changed_since(&self, before: &HashMap<ObjectRef<Guarded>, Mark>) -> HashSet<ObjectRef<Guarded>> {
        let changed = self.marks.iter().filter(|(key, mark)| before.get(*key) != Some(*mark));
        let mut wanted: HashSet<_> = changed.map(|(key, _)| key.clone()).collect();
        for (_, mark) in before.iter().filter(|(key, _)| !self.marks.contains_key(*key)) {
            wanted.extend(self.gone(mark));
        }
        wanted
    }

    fn gone(&self, mark: &Mark) -> HashSet<ObjectRef<Guarded>> {
        mark.uid.as_deref().map(&self.forget);
        self.rivals(mark)
    }

    /// Other objects that claim the same config.
    fn rivals(&self, of: &Mark) -> HashSet<ObjectRef<Guarded>> {
        let rival = |mark: &Mark| mark.target.is_some() && mark.target == of.target && mark.uid != of.uid;
        self.marks.iter().filter(|(_, mark)| rival(mark)).map(|(key, _)| key.clone()).collect()
    }
}

fn requests(objects: HashSet<ObjectRef<Guarded>>) -> Vec<ReconcileRequest<Guarded>> {
    objects
        .into_iter()
        .map(|obj_ref| ReconcileRequest { obj_ref, reason: ReconcileReason::ObjectUpdated })
        .collect()
}

#[cfg(test)]
mod tests;
