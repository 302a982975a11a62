//! Decides what a Job needs. Pure.
//!
//! Pods that are gone stay counted through the Job's own status. Unlike in a cluster no finalizer
//! holds them back until they are counted: one that succeeds and is deleted before the controller
//! sees it is run again.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::INDEX;
use crate::pods::controllers::owned;

/// Default of `backoffLimit`. Source: Kubernetes API reference.
const BACKOFF_LIMIT: i32 = 6;

/// Longest wait before a failed pod is replaced. Source: Kubernetes documentation, Jobs.
const BACKOFF_MAX: Duration = Duration::from_secs(360);

/// What to do for a Job.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    /// Pods to create, by index when the Job is indexed.
    pub create: Vec<Option<i32>>,
    /// Names of pods to delete.
    pub delete: Vec<String>,
    /// The status.
    pub status: JobStatus,
    /// Set when the Job ends with this step.
    pub finish: Option<Finish>,
    /// The Job ended long enough ago to be deleted.
    pub expired: bool,
    /// Look again then.
    pub again: Option<Duration>,
}

/// How a Job ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Enough pods have succeeded.
    Complete,
    /// It cannot succeed any more.
    Failed {
        /// CamelCase word.
        reason: &'static str,
        /// For people.
        message: String,
    },
}

const DEADLINE: &str = "DeadlineExceeded";

impl Finish {
    fn late() -> Self {
        let message = "Job was active longer than specified deadline".to_owned();
        Self::Failed { reason: DEADLINE, message }
    }

    fn hopeless() -> Self {
        let message = "Job has reached the specified backoff limit".to_owned();
        Self::Failed { reason: "BackoffLimitExceeded", message }
    }
}

/// Decides what to do now.
pub fn plan(job: &Job, pods: &[Pod], backoff: Duration, now: Timestamp) -> Plan {
    let empty = JobSpec::default();
    let spec = job.spec.as_ref().unwrap_or(&empty);
    let before = job.status.clone().unwrap_or_default();
    let finished = finish_time(&before);
    let view = View::new(spec, &before, pods);
    let mut plan = Plan { status: view.status(before.clone()), ..Plan::default() };
    if let Some(finished) = finished {
        plan.delete = view.active_names();
        plan.expire(spec, finished, now);
        return plan;
    }
    let finish =
        decided(&before).or_else(|| view.finish(spec, before.start_time.as_ref().map(|time| time.0), now));
    if finish.is_some() || spec.suspend == Some(true) {
        plan.delete = view.active_names();
        set_suspended(&mut plan.status, spec.suspend == Some(true) && finish.is_none(), now);
        if let Some(finish) = finish {
            plan.end(spec, finish, view.active.len() + view.terminating, now);
        }
        return plan;
    }
    set_suspended(&mut plan.status, false, now);
    let start = plan.status.start_time.get_or_insert(Time(now)).0;
    if let Some(limit) = spec.active_deadline_seconds {
        plan.look_again((start + SignedDuration::from_secs(limit)).duration_since(now));
    }
    let wait = view.wait(backoff, now);
    let missing = view.wanted(spec).saturating_sub(view.active.len());
    let surplus = view.active.len().saturating_sub(view.wanted(spec));
    plan.delete = view.active_names().into_iter().rev().take(surplus).collect();
    if missing > 0 && wait.is_positive() {
        plan.look_again(wait);
    } else {
        plan.create = view.next_indices(spec, missing);
    }
    plan
}

impl Plan {
    fn look_again(&mut self, after: SignedDuration) {
        let after = after.try_into().unwrap_or(Duration::ZERO);
        self.again = Some(self.again.map_or(after, |known| known.min(after)));
    }

    fn expire(&mut self, spec: &JobSpec, finished: Timestamp, now: Timestamp) {
        let Some(seconds) = spec.ttl_seconds_after_finished else { return };
        let left = (finished + SignedDuration::from_secs(i64::from(seconds))).duration_since(now);
        if left.is_positive() {
            self.look_again(left);
        } else {
            self.expired = true;
        }
    }

    /// The final condition comes only when no pod runs any more; until then its forerunner stands.
    fn end(&mut self, spec: &JobSpec, finish: Finish, alive: usize, now: Timestamp) {
        let (early, last, reason, message) = match &finish {
            Finish::Complete => (
                "SuccessCriteriaMet",
                "Complete",
                "CompletionsReached",
                "Reached expected number of succeeded pods".to_owned(),
            ),
            Finish::Failed { reason, message } => ("FailureTarget", "Failed", *reason, message.clone()),
        };
        set_condition(&mut self.status, early, reason, &message, now);
        if alive > 0 {
            return;
        }
        set_condition(&mut self.status, last, reason, &message, now);
        if finish == Finish::Complete {
            self.status.completion_time = Some(Time(now));
        }
        self.finish = Some(finish);
        self.expire(spec, now, now);
    }
}

/// The pods of a Job, counted.
struct View<'a> {
    active: Vec<&'a Pod>,
    terminating: usize,
    ready: usize,
    succeeded: usize,
    failed: usize,
    /// Restarts of containers in pods that are active.
    restarts: i64,
    restarts_in_place: bool,
    last_failure: Option<Timestamp>,
    indexed: bool,
    done_indices: BTreeSet<i32>,
    completions: Option<usize>,
}

impl<'a> View<'a> {
    fn new(spec: &JobSpec, before: &JobStatus, pods: &'a [Pod]) -> Self {
        let known = |count: Option<i32>| usize::try_from(count.unwrap_or(0)).unwrap_or(0);
        let succeeded: Vec<&Pod> = pods.iter().filter(|pod| owned::phase(pod) == "Succeeded").collect();
        let failed: Vec<&Pod> =
            pods.iter().filter(|pod| owned::phase(pod) == "Failed" || owned::is_terminating(pod)).collect();
        let active: Vec<&Pod> = pods.iter().filter(|pod| owned::is_active(pod)).collect();
        let indexed = spec.completion_mode.as_deref() == Some("Indexed");
        let mut done_indices = parse_indices(before.completed_indexes.as_deref().unwrap_or_default());
        done_indices.extend(succeeded.iter().filter_map(|pod| index_of(pod)));
        let template = spec.template.spec.as_ref();
        Self {
            terminating: pods.iter().filter(|pod| owned::is_terminating(pod)).count(),
            ready: active.iter().filter(|pod| owned::ready_since(pod).is_some()).count(),
            succeeded: if indexed {
                done_indices.len()
            } else {
                succeeded.len().max(known(before.succeeded))
            },
            failed: failed.len().max(known(before.failed)),
            restarts: active.iter().map(|pod| restarts(pod)).sum(),
            restarts_in_place: template.and_then(|spec| spec.restart_policy.as_deref()) == Some("OnFailure"),
            last_failure: failed.iter().filter_map(|pod| end_time(pod)).max(),
            active,
            indexed,
            done_indices,
            completions: spec.completions.map(|n| usize::try_from(n).unwrap_or(0)),
        }
    }

    fn status(&self, before: JobStatus) -> JobStatus {
        let count = |n: usize| Some(i32::try_from(n).unwrap_or(i32::MAX));
        JobStatus {
            active: count(self.active.len()),
            ready: count(self.ready),
            terminating: count(self.terminating),
            succeeded: count(self.succeeded),
            failed: count(self.failed),
            completed_indexes: self.indexed.then(|| format_indices(&self.done_indices)),
            ..before
        }
    }

    fn active_names(&self) -> Vec<String> {
        self.active.iter().map(|pod| pod.name_any()).collect()
    }

    fn finish(&self, spec: &JobSpec, start: Option<Timestamp>, now: Timestamp) -> Option<Finish> {
        let limit = spec.backoff_limit.unwrap_or(BACKOFF_LIMIT).max(0);
        let over = i64::try_from(self.failed).unwrap_or(i64::MAX) > i64::from(limit)
            || (self.restarts_in_place && self.restarts > 0 && self.restarts >= i64::from(limit));
        if over {
            return Some(Finish::hopeless());
        }
        let done = match self.completions {
            Some(wanted) => self.succeeded >= wanted,
            // A work queue is empty when one pod has succeeded and no other runs.
            None => self.succeeded > 0 && self.active.is_empty(),
        };
        if done {
            return Some(Finish::Complete);
        }
        let deadline = start
            .zip(spec.active_deadline_seconds)
            .map(|(start, seconds)| start + SignedDuration::from_secs(seconds));
        deadline.filter(|deadline| now >= *deadline).map(|_| Finish::late())
    }

    /// How many pods should be active.
    fn wanted(&self, spec: &JobSpec) -> usize {
        let parallel = usize::try_from(spec.parallelism.unwrap_or(1)).unwrap_or(0);
        match self.completions {
            Some(completions) => parallel.min(completions.saturating_sub(self.succeeded)),
            None if self.succeeded > 0 => self.active.len(),
            None => parallel,
        }
    }

    /// Wait before another pod may be created after failures.
    fn wait(&self, backoff: Duration, now: Timestamp) -> SignedDuration {
        let Some(last) = self.last_failure else { return SignedDuration::ZERO };
        let doubled = 2_u32.saturating_pow(u32::try_from(self.failed.saturating_sub(1)).unwrap_or(u32::MAX));
        let wait = backoff.saturating_mul(doubled).min(BACKOFF_MAX);
        SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX).saturating_sub(now.duration_since(last))
    }

    fn next_indices(&self, spec: &JobSpec, missing: usize) -> Vec<Option<i32>> {
        if !self.indexed {
            return vec![None; missing];
        }
        let taken: BTreeSet<i32> = self.active.iter().filter_map(|pod| index_of(pod)).collect();
        (0..spec.completions.unwrap_or(0))
            .filter(|index| !taken.contains(index) && !self.done_indices.contains(index))
            .take(missing)
            .map(Some)
            .collect()
    }
}

fn index_of(pod: &Pod) -> Option<i32> {
    pod.annotations().get(INDEX)?.parse().ok()
}

fn restarts(pod: &Pod) -> i64 {
    let Some(status) = &pod.status else { return 0 };
    let init = status.init_container_statuses.iter().flatten();
    let all = status.container_statuses.iter().flatten().chain(init);
    all.map(|container| i64::from(container.restart_count)).sum()
}

/// When the last container of a pod ended.
fn end_time(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    let states = status.container_statuses.iter().flatten().filter_map(|container| container.state.as_ref());
    states.filter_map(|state| state.terminated.as_ref()?.finished_at.as_ref()).map(|time| time.0).max()
}

/// The end that was decided before, while pods still ran; what they do since does not count.
fn decided(status: &JobStatus) -> Option<Finish> {
    let mut conditions = status.conditions.iter().flatten().filter(|condition| condition.status == "True");
    conditions.find_map(|condition| match (condition.type_.as_str(), condition.reason.as_deref()) {
        ("SuccessCriteriaMet", _) => Some(Finish::Complete),
        ("FailureTarget", Some(DEADLINE)) => Some(Finish::late()),
        ("FailureTarget", _) => Some(Finish::hopeless()),
        _ => None,
    })
}

fn finish_time(status: &JobStatus) -> Option<Timestamp> {
    let mut conditions = status.conditions.iter().flatten();
    let last = conditions.find(|condition| {
        condition.status == "True" && matches!(condition.type_.as_str(), "Complete" | "Failed")
    })?;
    Some(last.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0))
}

fn set_condition(status: &mut JobStatus, name: &str, reason: &str, message: &str, now: Timestamp) {
    set(status, name, "True", reason, message, now);
}

fn set_suspended(status: &mut JobStatus, suspended: bool, now: Timestamp) {
    let known = status.conditions.iter().flatten().any(|condition| condition.type_ == "Suspended");
    if suspended {
        set(status, "Suspended", "True", "JobSuspended", "Job suspended", now);
        status.start_time = None;
    } else if known {
        set(status, "Suspended", "False", "JobResumed", "Job resumed", now);
    }
}

/// Sets a condition; one that has this value already keeps its times.
fn set(status: &mut JobStatus, name: &str, value: &str, reason: &str, message: &str, now: Timestamp) {
    let conditions = status.conditions.get_or_insert_default();
    if conditions.iter().any(|condition| condition.type_ == name && condition.status == value) {
        return;
    }
    conditions.retain(|condition| condition.type_ != name);
    conditions.push(JobCondition {
        type_: name.to_owned(),
        status: value.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    });
}

/// `0-2,4` as the numbers it stands for.
fn parse_indices(text: &str) -> BTreeSet<i32> {
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) {
            all.extend(first..=last);
        }
    }
    all
}

fn format_indices(all: &BTreeSet<i32>) -> String {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for index in all {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => ranges.push((*index, *index)),
        }
    }
    let text = |(first, last): &(i32, i32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
