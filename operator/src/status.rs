//! What the operator tells through `status`. Pure: the previous status and `now` come in, so that times
//! move only when something does and an unchanged object is not written.

mod conditions;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::agents::Sight;
use crate::crd::{AliyunLogConfigStatus, FORCE_DELETE_ANNOTATION, LastError};
use crate::desired::{Desired, Target};
use crate::failure::Failure;
use crate::plan::Step;
use crate::progress::Progress;
use crate::validate::{Refused, Warning};
use conditions::Conditions;

/// `status.status` of an object that is fully applied. Source: vendor's CRD document.
const OK: &str = "OK";
/// `status.statusCode` of an object that is fully applied. Source: vendor's CRD document.
const CODE_OK: i32 = 200;
/// `status.statusCode` of an invalid spec. Source: operator specification §1.3.
const CODE_INVALID: i32 = 400;
/// `status.statusCode` of a name conflict. Source: operator specification §3.3.
const CODE_CONFLICT: i32 = 409;

/// The outcome of one look at an object.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    /// The spec is wrong; nothing was sent.
    Invalid {
        /// Everything found.
        refused: &'a Refused,
        /// The config that the object would own.
        target: Option<&'a Target>,
    },
    /// The object is not even of the right shape; nothing was sent.
    Undecodable(&'a str),
    /// An older object owns the config; nothing was sent.
    Conflict {
        /// The contested config.
        target: &'a Target,
        /// The older object, as namespace/name.
        winner: &'a str,
    },
    /// Nothing is to be done for the object.
    Paused {
        /// By what.
        why: &'a str,
    },
    /// Everything was tried.
    Tried {
        /// How far it came.
        progress: &'a Progress,
        /// What deserves a look.
        warnings: &'a [Warning],
        /// When the failure, if any, is tried again.
        retry: Option<Retry>,
        /// Whether somebody collects.
        agents: Collecting<'a>,
    },
    /// A short look has found the object as it was left.
    AtRest {
        /// What it asks for.
        desired: &'a Desired,
        /// Who collects.
        agents: Collecting<'a>,
    },
    /// The object is to be deleted and its config could not be.
    Deleting {
        /// The config that is still there.
        target: &'a Target,
        /// Why.
        failure: &'a Failure,
        /// When it is tried again.
        retry: Retry,
    },
}

/// What is known of who collects.
#[derive(Clone, Copy, Debug)]
pub enum Collecting<'a> {
    /// Nobody asks.
    NeverAsked,
    /// Nothing yet; what was said before stays.
    NotAskedYet,
    /// This.
    Seen(&'a Sight),
}

/// The next attempt after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Failures in a row so far.
    pub attempts: u32,
    /// When.
    pub at: Timestamp,
}

/// The object that a status belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What kubectl calls one of its kind.
    pub singular: &'static str,
    pub namespace: &'a str,
    pub name: &'a str,
    pub generation: Option<i64>,
}

/// The status after `verdict`, given the one before. Equal to it, times included, when nothing changed.
pub fn next(
    previous: &AliyunLogConfigStatus,
    subject: Subject<'_>,
    verdict: Verdict<'_>,
    now: Timestamp,
) -> AliyunLogConfigStatus {
    let mut status = previous.clone();
    status.observed_generation = subject.generation;
    status.last_error = None;
    let mut conditions = Conditions::new(previous.conditions.as_deref(), subject.generation, now);
    match verdict {
        Verdict::Invalid { refused, target } => {
            name_target(&mut status, target);
            let message = problem_list(refused);
            conditions.not_accepted("InvalidSpec", &message, &refused.warnings);
            fail(&mut status, CODE_INVALID, &message);
        }
        Verdict::Undecodable(error) => {
            let message = format!(
                "the object cannot be read: {error}; compare it with `kubectl explain {}.spec`",
                subject.singular
            );
            conditions.not_accepted("InvalidSpec", &message, &[]);
            fail(&mut status, CODE_INVALID, &message);
        }
        Verdict::Conflict { target, winner } => {
            name_target(&mut status, Some(target));
            let message = format!(
                "{target} belongs to the older object {winner}; use another configName, or delete that object"
            );
            conditions.not_accepted("ConfigNameConflict", &message, &[]);
            fail(&mut status, CODE_CONFLICT, &message);
        }
        Verdict::Paused { why } => conditions.set("Ready", conditions::FALSE, "Paused", why),
        Verdict::Tried { progress, warnings, retry, agents } => {
            conditions.tried(progress, warnings);
            conditions.agents(agents, &progress.desired);
            name_target(&mut status, Some(&progress.desired.target));
            note_created(&mut status, progress);
            status.applied_config_tags = Some(progress.tagged_by_us.iter().cloned().collect())
                .filter(|keys: &Vec<String>| !keys.is_empty());
            status.applied_machine_groups =
                Some(progress.bound_by_us.iter().map(ToString::to_string).collect());
            match &progress.failure {
                None if !progress.withheld.is_empty() => {
                    fail(&mut status, CODE_CONFLICT, &conditions::withheld(progress));
                }
                None => {
                    status.applied_generation = subject.generation;
                    status.status = Some(OK.to_owned());
                    status.status_code = Some(CODE_OK);
                }
                Some(failure) => {
                    fail(&mut status, i32::from(failure.status_code()), &told(failure));
                    status.last_error = Some(last_error(failure, retry));
                }
            }
        }
        Verdict::AtRest { desired, agents } => conditions.agents(agents, desired),
        Verdict::Deleting { target, failure, retry } => {
            let place = match subject.namespace {
                "" => String::new(),
                namespace => format!(" -n {namespace}"),
            };
            let message = format!(
                "{target} could not be deleted in {} attempts: {}; to give it up, kubectl annotate {} {}{place} {FORCE_DELETE_ANNOTATION}=true",
                retry.attempts,
                told(failure),
                subject.singular,
                subject.name
            );
            conditions.set("Ready", conditions::FALSE, "Deleting", &message);
            fail(&mut status, i32::from(failure.status_code()), &message);
            status.last_error = Some(last_error(failure, Some(retry)));
        }
    }
    status.conditions = Some(conditions.finish());
    let synced = matches!(
        verdict, Verdict::Tried { progress, .. } if progress.failure.is_none() && progress.withheld.is_empty()
    );
    if synced && status != *previous {
        status.last_sync_time = Some(seconds(now));
    }
    status
}

/// Everything found in one text; problems are numbered when there are several.
fn problem_list(refused: &Refused) -> String {
    let problems: Vec<_> = refused.problems.iter().map(|one| format!("{}: {one}", one.field())).collect();
    let mut text = match problems.as_slice() {
        [only] => only.clone(),
        many => {
            let numbered = many.iter().enumerate().map(|(n, one)| format!("({}) {one}", n + 1));
            format!("{} problems: {}", many.len(), numbered.collect::<Vec<_>>().join("; "))
        }
    };
    for warning in &refused.warnings {
        text = format!("{text}; also look at {}: {warning}", warning.field());
    }
    text
}

fn name_target(status: &mut AliyunLogConfigStatus, target: Option<&Target>) {
    if let Some(target) = target {
        status.project = Some(target.project.to_string());
        status.config_name = Some(target.config.to_string());
    }
}

/// Remembers what was made, beside what was made before.
fn note_created(status: &mut AliyunLogConfigStatus, progress: &Progress) {
    for step in &progress.done {
        match step {
            Step::CreateProject => status.created.get_or_insert_default().project = Some(true),
            Step::CreateLogstore(_) => status.created.get_or_insert_default().logstore = Some(true),
            Step::CreateMachineGroup(group) => {
                let groups = status.created.get_or_insert_default().machine_groups.get_or_insert_default();
                if !groups.iter().any(|one| one == group.as_str()) {
                    groups.push(group.to_string());
                }
            }
            Step::CreateIndex(_)
            | Step::CreateConfig
            | Step::UpdateConfig(_)
            | Step::UpdateLogstore(..)
            | Step::Tag(_)
            | Step::Untag(_)
            | Step::Bind(_)
            | Step::ReplaceConfig
            | Step::Unbind(_) => {}
        }
    }
}

fn fail(status: &mut AliyunLogConfigStatus, code: i32, message: &str) {
    status.status = Some(message.to_owned());
    status.status_code = Some(code);
}

fn told(failure: &Failure) -> String {
    format!("{} failed: {}: {}", failure.step, failure.code, failure.message)
}

fn last_error(failure: &Failure, retry: Option<Retry>) -> LastError {
    LastError {
        step: failure.step.to_owned(),
        code: failure.code.clone(),
        message: failure.message.clone(),
        http_status: failure.http_status.map(i32::from),
        request_id: failure.request_id.clone(),
        attempts: retry.map_or(1, |retry| i32::try_from(retry.attempts).unwrap_or(i32::MAX)),
        next_retry_time: retry.map(|retry| seconds(retry.at)),
    }
}

/// Kubernetes keeps whole seconds; anything finer would differ after a round trip.
fn seconds(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

#[cfg(test)]
mod tests;
