//! Decides how a Deployment's ReplicaSets are scaled. Pure.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus, ReplicaSet, ReplicaSetSpec,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{REVISION, TEMPLATE_HASH};
use crate::pods::controllers::owned;

/// Defaults of `maxSurge` and `maxUnavailable`, `revisionHistoryLimit` and
/// `progressDeadlineSeconds`. Source: Kubernetes API reference.
const ROLLING_PERCENT: i64 = 25;
const HISTORY: i32 = 10;
const PROGRESS_SECONDS: i32 = 600;

/// Characters of the template's hash.
const HASH_CHARS: usize = 10;

/// What to do for a Deployment.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    /// ReplicaSets to scale: name, from, to.
    pub scale: Vec<(String, i32, i32)>,
    /// ReplicaSets to delete.
    pub delete: Vec<String>,
    /// The number of the current version, when it is not written down yet.
    pub revision: Option<String>,
    /// The status.
    pub status: DeploymentStatus,
    /// Look again then, for the deadline of the roll-out.
    pub again: Option<Duration>,
}

/// The ReplicaSet of the present template.
pub fn find_current(deployment: &Deployment, sets: &[ReplicaSet]) -> Option<String> {
    let template = &deployment.spec.template;
    let same = |set: &&ReplicaSet| {
        let own = set.spec.template.clone();
        own.is_some_and(|own| without_hash(own) == *template)
    };
    sets.iter().find(same).map(|set| set.name_any())
}

fn without_hash(mut template: PodTemplateSpec) -> PodTemplateSpec {
    if let Some(labels) = template.metadata.as_mut().and_then(|meta| meta.labels.as_mut()) {
        labels.remove(TEMPLATE_HASH);
    }
    template
}

/// A ReplicaSet for the present template, already as large as it may be.
pub fn new_set(deployment: &Deployment, sets: &[ReplicaSet]) -> ReplicaSet {
    let spec = deployment.spec.clone();
    let hash = template_hash(&spec.template, deployment.status.as_ref());
    let mut template = spec.template.clone();
    let meta = template.metadata.get_or_insert_default();
    meta.labels.get_or_insert_default().insert(TEMPLATE_HASH.to_owned(), hash.clone());
    let labels = meta.labels.clone();
    let mut selector = spec.selector.clone();
    selector.match_labels.get_or_insert_default().insert(TEMPLATE_HASH.to_owned(), hash.clone());
    let rolling = Rolling::of(&spec);
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{}-{hash}", deployment.name_any())),
            namespace: deployment.namespace(),
            labels,
            annotations: Some([(REVISION.to_owned(), next_revision(sets).to_string())].into()),
            owner_references: Some(owned::reference(deployment)),
            ..ObjectMeta::default()
        },
        spec: ReplicaSetSpec {
            replicas: Some(rolling.grow(0, sets)),
            selector,
            template: Some(template),
            min_ready_seconds: spec.min_ready_seconds,
        },
        status: None,
    }
}

/// The wanted size of a ReplicaSet.
pub fn replicas_of(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

fn available_of(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

fn running_of(set: &ReplicaSet) -> i32 {
    let status = set.status.as_ref();
    status.map_or(0, |status| status.replicas + status.terminating_replicas.unwrap_or(0))
}

fn revision_of(set: &ReplicaSet) -> u64 {
    set.annotations().get(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn next_revision(sets: &[ReplicaSet]) -> u64 {
    sets.iter().map(revision_of).max().unwrap_or(0) + 1
}

/// Stable over runs of one build; nothing compares it to a real cluster's.
fn template_hash(template: &PodTemplateSpec, status: Option<&DeploymentStatus>) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    serde_json::to_string(template).unwrap_or_default().hash(&mut hasher);
    status.and_then(|status| status.collision_count).unwrap_or(0).hash(&mut hasher);
    owned::suffix(hasher.finish(), HASH_CHARS)
}

/// How far sizes may stray from what is wanted while versions change.
struct Rolling {
    replicas: i32,
    surge: i32,
    unavailable: i32,
    recreate: bool,
}

impl Rolling {
    fn of(spec: &DeploymentSpec) -> Self {
        let replicas = spec.replicas.unwrap_or(1).max(0);
        let strategy = spec.strategy.as_ref();
        let recreate = strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate");
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let surge = share(rolling.and_then(|rolling| rolling.max_surge.as_ref()), replicas, true);
        let unavailable =
            share(rolling.and_then(|rolling| rolling.max_unavailable.as_ref()), replicas, false);
        // With both at zero nothing could ever change.
        let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable };
        Self { replicas, surge, unavailable: unavailable.min(replicas), recreate }
    }

    /// The size that the current ReplicaSet may have, `present` being its size and `others` the
    /// rest.
    fn grow(&self, present: i32, others: &[ReplicaSet]) -> i32 {
        if present >= self.replicas {
            return self.replicas;
        }
        if self.recreate {
            let gone = others.iter().all(|set| replicas_of(set) == 0 && running_of(set) == 0);
            return if gone { self.replicas } else { present };
        }
        let total = others.iter().map(replicas_of).sum::<i32>() + present;
        let room = (self.replicas + self.surge - total).max(0);
        (present + room).min(self.replicas)
    }

    /// Takes as much from the old ReplicaSets as may be missing, first what does not work anyway.
    fn shrink(&self, current: &ReplicaSet, old: &[&ReplicaSet]) -> Vec<(String, i32, i32)> {
        let sizes: Vec<i32> = old.iter().map(|set| replicas_of(set)).collect();
        let mut wanted = sizes.clone();
        if self.recreate {
            wanted.fill(0);
        } else {
            let least = self.replicas - self.unavailable;
            let current_missing = (replicas_of(current) - available_of(current)).max(0);
            let total = sizes.iter().sum::<i32>() + replicas_of(current);
            let mut budget = (total - least - current_missing).max(0);
            for (set, size) in old.iter().zip(&mut wanted) {
                let broken = (*size - available_of(set)).clamp(0, budget);
                *size -= broken;
                budget -= broken;
            }
            let available = old.iter().map(|set| available_of(set)).sum::<i32>() + available_of(current);
            let mut budget = (available - least).max(0);
            for size in &mut wanted {
                let taken = budget.min(*size);
                *size -= taken;
                budget -= taken;
            }
        }
        let changes = old.iter().zip(sizes).zip(wanted);
        changes
            .filter(|((_, from), to)| from != to)
            .map(|((set, from), to)| (set.name_any(), from, to))
            .collect()
    }
}

/// A number or a percentage of the replicas.
fn share(given: Option<&IntOrString>, replicas: i32, round_up: bool) -> i32 {
    let percent = match given {
        Some(IntOrString::Int(number)) => return (*number).max(0),
        Some(IntOrString::String(text)) => {
            text.strip_suffix('%').and_then(|text| text.parse().ok()).unwrap_or(ROLLING_PERCENT)
        }
        None => ROLLING_PERCENT,
    };
    let scaled = i64::from(replicas) * percent.clamp(0, 100);
    let share = if round_up { (scaled + 99) / 100 } else { scaled / 100 };
    i32::try_from(share).unwrap_or(i32::MAX)
}

/// Decides what to do now. `current` is the name of the ReplicaSet of the present template.
pub fn plan(deployment: &Deployment, sets: &[ReplicaSet], current: &str, now: Timestamp) -> Plan {
    let spec = deployment.spec.clone();
    let rolling = Rolling::of(&spec);
    let mut plan = Plan::default();
    let (mine, others): (Vec<&ReplicaSet>, Vec<&ReplicaSet>) =
        sets.iter().partition(|set| set.name_any() == current);
    let [mine] = mine.as_slice() else { return plan };
    let paused = spec.paused == Some(true);
    if !paused || others.is_empty() {
        let present = replicas_of(mine);
        let rest: Vec<ReplicaSet> = others.iter().map(|set| (*set).clone()).collect();
        let size = rolling.grow(present, &rest);
        if size != present {
            plan.scale.push((mine.name_any(), present, size));
        }
        plan.scale.extend(rolling.shrink(mine, &others));
    }
    plan.delete = history(&others, spec.revision_history_limit.unwrap_or(HISTORY));
    let own = revision_of(mine);
    let last = others.iter().map(|set| revision_of(set)).max().unwrap_or(0);
    let revision = if own > last { own } else { last + 1 };
    let written = deployment.annotations().get(REVISION).map(String::as_str);
    if own != revision || written != Some(revision.to_string().as_str()) {
        plan.revision = Some(revision.to_string());
    }
    plan.status = status(deployment, &spec, mine, &others, &rolling, now);
    plan.again = deadline_left(&spec, &plan.status, now);
    plan
}

/// Old ReplicaSets without pods beyond the number to keep, oldest first.
fn history(others: &[&ReplicaSet], keep: i32) -> Vec<String> {
    let mut empty: Vec<&&ReplicaSet> = others
        .iter()
        .filter(|set| {
            replicas_of(set) == 0 && running_of(set) == 0 && set.metadata.deletion_timestamp.is_none()
        })
        .collect();
    empty.sort_by_key(|set| revision_of(set));
    let surplus = empty.len().saturating_sub(usize::try_from(keep).unwrap_or(0));
    empty.iter().take(surplus).map(|set| set.name_any()).collect()
}

fn status(
    deployment: &Deployment,
    spec: &DeploymentSpec,
    current: &ReplicaSet,
    others: &[&ReplicaSet],
    rolling: &Rolling,
    now: Timestamp,
) -> DeploymentStatus {
    let sum = |count: &dyn Fn(&ReplicaSet) -> i32| {
        others.iter().map(|set| count(set)).sum::<i32>() + count(current)
    };
    let status_of = |set: &ReplicaSet| set.status.clone().unwrap_or_default();
    let updated = status_of(current).replicas;
    let total = sum(&|set| status_of(set).replicas);
    let available = sum(&available_of);
    let before = deployment.status.clone().unwrap_or_default();
    let complete =
        updated == rolling.replicas && total == rolling.replicas && available_of(current) >= rolling.replicas;
    let counts = (Some(total), Some(updated), Some(available));
    let moved = counts
        != (
            Some(before.replicas.unwrap_or(0)),
            Some(before.updated_replicas.unwrap_or(0)),
            Some(before.available_replicas.unwrap_or(0)),
        );
    let mut status = DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: Some(total),
        updated_replicas: Some(updated),
        ready_replicas: Some(sum(&|set| status_of(set).ready_replicas.unwrap_or(0))),
        available_replicas: Some(available),
        unavailable_replicas: Some((rolling.replicas - available).max(0)),
        terminating_replicas: Some(sum(&|set| status_of(set).terminating_replicas.unwrap_or(0))),
        collision_count: before.collision_count,
        conditions: before.conditions,
    };
    let enough = available >= rolling.replicas - rolling.unavailable;
    let (value, reason, message) = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    set(&mut status, "Available", value, reason, message, false, now);
    let name = current.name_any();
    let late = progress_age(&status, now).is_some_and(|age| age >= progress_limit(spec));
    if complete {
        let text = format!("ReplicaSet \"{name}\" has successfully progressed.");
        set(&mut status, "Progressing", "True", "NewReplicaSetAvailable", &text, false, now);
    } else if late && !moved {
        let text = format!("ReplicaSet \"{name}\" has timed out progressing.");
        set(&mut status, "Progressing", "False", "ProgressDeadlineExceeded", &text, false, now);
    } else {
        let text = format!("ReplicaSet \"{name}\" is progressing.");
        set(&mut status, "Progressing", "True", "ReplicaSetUpdated", &text, moved, now);
    }
    status
}

fn progress_limit(spec: &DeploymentSpec) -> SignedDuration {
    SignedDuration::from_secs(i64::from(spec.progress_deadline_seconds.unwrap_or(PROGRESS_SECONDS)))
}

/// Time since the roll-out last moved, while it is under way.
fn progress_age(status: &DeploymentStatus, now: Timestamp) -> Option<SignedDuration> {
    let mut conditions = status.conditions.iter().flatten();
    let progressing = conditions.find(|condition| condition.type_.as_deref() == Some("Progressing"))?;
    let under_way = progressing.reason.as_deref() == Some("ReplicaSetUpdated");
    let since = progressing.last_update_time.as_ref().filter(|_| under_way)?;
    Some(now.duration_since(since.0))
}

fn deadline_left(spec: &DeploymentSpec, status: &DeploymentStatus, now: Timestamp) -> Option<Duration> {
    let left = progress_limit(spec) - progress_age(status, now)?;
    Some(left.try_into().unwrap_or(Duration::ZERO))
}

/// Sets a condition. Its times move only when it changes, the time of update also with `touch`.
fn set(
    status: &mut DeploymentStatus,
    name: &str,
    value: &str,
    reason: &str,
    message: &str,
    touch: bool,
    now: Timestamp,
) {
    let conditions = status.conditions.get_or_insert_default();
    let known = conditions.iter().position(|condition| condition.type_.as_deref() == Some(name));
    let fresh = DeploymentCondition {
        type_: Some(name.to_owned()),
        status: Some(value.to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: Some(Time(now)),
        last_update_time: Some(Time(now)),
    };
    let Some(known) = known.and_then(|at| conditions.get_mut(at)) else { return conditions.push(fresh) };
    let same = known.status.as_deref() == Some(value);
    if same && known.reason.as_deref() == Some(reason) {
        if touch {
            known.last_update_time = fresh.last_update_time;
        }
        known.message = fresh.message;
    } else {
        let since = if same { known.last_transition_time.take() } else { None };
        *known = fresh;
        if since.is_some() {
            known.last_transition_time = since;
        }
    }
}

#[cfg(test)]
mod tests;
