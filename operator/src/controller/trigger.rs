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
use crate::kind::ConfigKind;
use crate::validate::Defaults;

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
    fn of<K: ConfigKind>(object: &Guarded<K>, defaults: &Defaults) -> Self {
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
            target: object.0.as_ref().ok().and_then(|cr| cr.claim(defaults)),
        }
    }
}

/// Turns watch events into requests. `forget` is told the uid of every object that is gone, `claims` each target that
/// an object begins or ceases to claim.
pub fn triggers<K: ConfigKind>(
    events: impl Stream<Item = Result<watcher::Event<Guarded<K>>, watcher::Error>> + Send + 'static,
    defaults: Defaults,
    forget: impl Fn(&str) + Send + 'static,
    claims: impl Fn(&Target) + Send + 'static,
) -> impl Stream<Item = Result<ReconcileRequest<Guarded<K>>, watcher::Error>> + Send {
    let mut seen = Seen { defaults, marks: HashMap::new(), relisted: None, forget, claims };
    events.map_ok(move |event| stream::iter(seen.on(event).into_iter().map(Ok))).try_flatten()
}

struct Seen<K: ConfigKind, F, C> {
    defaults: Defaults,
    marks: HashMap<ObjectRef<Guarded<K>>, Mark>,
    /// During a list: what it has returned so far. kube's store shows it only when it is complete.
    relisted: Option<HashMap<ObjectRef<Guarded<K>>, Mark>>,
    forget: F,
    claims: C,
}

impl<K: ConfigKind, F: Fn(&str), C: Fn(&Target)> Seen<K, F, C> {
    fn on(&mut self, event: watcher::Event<Guarded<K>>) -> Vec<ReconcileRequest<Guarded<K>>> {
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
                mark.target.as_ref().map(&self.claims);
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
    fn changed_since(&self, before: &HashMap<ObjectRef<Guarded<K>>, Mark>) -> HashSet<ObjectRef<Guarded<K>>> {
        let changed: Vec<_> =
            self.marks.iter().filter(|(key, mark)| before.get(*key) != Some(*mark)).collect();
        changed.iter().filter_map(|(_, mark)| mark.target.as_ref()).for_each(&self.claims);
        let mut wanted: HashSet<_> = changed.into_iter().map(|(key, _)| key.clone()).collect();
        for (_, mark) in before.iter().filter(|(key, _)| !self.marks.contains_key(*key)) {
            wanted.extend(self.gone(mark));
        }
        wanted
    }

    fn gone(&self, mark: &Mark) -> HashSet<ObjectRef<Guarded<K>>> {
        mark.uid.as_deref().map(&self.forget);
        mark.target.as_ref().map(&self.claims);
        self.rivals(mark)
    }

    /// Other objects that claim the same config.
    fn rivals(&self, of: &Mark) -> HashSet<ObjectRef<Guarded<K>>> {
        let rival = |mark: &Mark| mark.target.is_some() && mark.target == of.target && mark.uid != of.uid;
        self.marks.iter().filter(|(_, mark)| rival(mark)).map(|(key, _)| key.clone()).collect()
    }
}

fn requests<K: ConfigKind>(objects: HashSet<ObjectRef<Guarded<K>>>) -> Vec<ReconcileRequest<Guarded<K>>> {
    objects
        .into_iter()
        .map(|obj_ref| ReconcileRequest { obj_ref, reason: ReconcileReason::ObjectUpdated })
        .collect()
}

#[cfg(test)]
mod tests;
