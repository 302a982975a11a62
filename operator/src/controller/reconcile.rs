//! One look at one object: validate → observe → plan → apply → report, or, for an object that is being
//! deleted, delete → report → let go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, DeleteParams, DynamicObject, ObjectMeta, Preconditions};
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{self, finalizer};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource, ResourceExt};
use tokio::sync::watch;

use super::Guarded;
use super::agents::Agents;
use super::memory::{Cause, Memories};
use super::written::Previous;
use crate::conflict::{holds, is_deleting};
use crate::converge::{converge, observe_only};
use crate::crd::{AliyunLogConfig, ClusterAliyunPipelineConfig, FINALIZER, RECONCILE_ANNOTATION, Reconcile};
use crate::desired::Target;
use crate::failure::{Class, Failure};
use crate::fate::{Others, Removal, applied_target};
use crate::kind::ConfigKind;
use crate::metrics::{Looked, Metrics};
use crate::notices::{self, Notice, Publisher};
use crate::retry::{Series, Waits};
use crate::sls::Clients;
use crate::status::{self, Retry, Subject, Verdict};
use crate::survey::Surveys;
use crate::validate::{Defaults, Valid};

/// Longest look at one object; only a Kubernetes API that does not answer takes that long.
const LOOK_MAX: Duration = Duration::from_secs(120);

/// Everything a look needs.
pub struct Context<K: ConfigKind> {
    pub kube: Client,
    pub clients: Arc<Clients>,
    pub defaults: Defaults,
    pub waits: Waits,
    pub store: Store<Guarded<K>>,
    /// Of both kinds, since they may claim the same config.
    pub stores: Stores,
    pub memories: Arc<Memories<K>>,
    pub agents: Agents,
    pub surveys: Arc<Surveys>,
    pub metrics: Arc<Metrics>,
    pub publisher: Publisher,
}

/// All objects as the watches show them.
#[derive(Clone)]
pub struct Stores {
    pub classic: Store<Guarded<AliyunLogConfig>>,
    pub pipelines: Store<Guarded<ClusterAliyunPipelineConfig>>,
    /// Whether `pipelines` shows all there are, or it is known that there are none to show.
    pub pipelines_known: watch::Receiver<bool>,
}

impl Stores {
    /// Waits until all objects of both kinds are known: who does not know of the other kind would take away what an
    /// object of it holds. False if that is not to be any more, since the operator ends.
    async fn are_known(&self) -> bool {
        let mut pipelines_known = self.pipelines_known.clone();
        self.classic.wait_until_ready().await.is_ok()
            && pipelines_known.wait_for(|known| *known).await.is_ok()
    }

    /// Calls `judge` with all objects.
    pub fn with<T>(&self, judge: impl FnOnce(Others<'_>) -> T) -> T {
        let (classic, pipelines) = (self.classic.state(), self.pipelines.state());
        let readable: Vec<_> = classic.iter().filter_map(|other| other.0.as_ref().ok()).collect();
        let pipelines_readable: Vec<_> = pipelines.iter().filter_map(|other| other.0.as_ref().ok()).collect();
        judge(Others {
            readable: &readable,
            pipelines: &pipelines_readable,
            unreadable: readable.len() < classic.len() || pipelines_readable.len() < pipelines.len(),
        })
    }
}

/// Why a look has to be repeated although the object does not say so itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Kubernetes: {0}")]
    Kubernetes(#[from] Box<kube::Error>),
    #[error("finalizer: {0}")]
    Finalizer(Box<finalizer::Error<Error>>),
    #[error("the config cannot be deleted yet, next attempt in {} s", wait.as_secs())]
    NotDeleted { wait: Duration },
    #[error("it took longer than {} s", LOOK_MAX.as_secs())]
    TookTooLong,
    #[error("another operator may lead now")]
    NotLeading,
}

/// One look.
pub async fn reconcile<K: ConfigKind>(
    object: Arc<Guarded<K>>,
    context: Arc<Context<K>>,
) -> Result<Action, Error> {
    if !context.stores.are_known().await {
        return Ok(Action::await_change());
    }
    let started = Instant::now();
    let look = Look { context: &context, reference: reference(&object), object: &object };
    context.memories.looks(&look.object_ref());
    let result = tokio::time::timeout(LOOK_MAX, look.run()).await.unwrap_or(Err(Error::TookTooLong));
    let looked = match &result {
        Ok((_, looked)) => *looked,
        Err(Error::NotDeleted { .. }) => Looked::NotDeleted,
        Err(_) => Looked::KubernetesError,
    };
    context.metrics.looked(looked, started.elapsed());
    result.map(|(action, _)| action)
}

/// When to look again after an error.
pub fn error_policy<K: ConfigKind>(
    object: Arc<Guarded<K>>,
    error: &Error,
    context: Arc<Context<K>>,
) -> Action {
    match error {
        Error::NotDeleted { wait } => Action::requeue(*wait),
        Error::Finalizer(error) => match &**error {
            finalizer::Error::CleanupFailed(inner) | finalizer::Error::ApplyFailed(inner) => {
                error_policy(object, inner, context)
            }
            _ => kubernetes_retry(&object, &context),
        },
        Error::Kubernetes(_) | Error::TookTooLong | Error::NotLeading => kubernetes_retry(&object, &context),
    }
}

fn kubernetes_retry<K: ConfigKind>(object: &Guarded<K>, context: &Context<K>) -> Action {
    let wait = context.memories.failed(&object.uid().unwrap_or_default(), |attempts, waited| {
        let series = Series { attempts, waited, retry_after: None };
        context.waits.after_failure(Class::Unreachable, series, fastrand::f64())
    });
    Action::requeue(wait)
}

/// The object as events name it: without its version, so that kube counts repeated events as one.
fn reference<K: ConfigKind>(object: &Guarded<K>) -> ObjectReference {
    ObjectReference { resource_version: None, ..object.object_ref(&()) }
}

/// A look under way.
pub(super) struct Look<'a, K: ConfigKind> {
    pub(super) context: &'a Context<K>,
    pub(super) reference: ObjectReference,
    pub(super) object: &'a Guarded<K>,
}

impl<K: ConfigKind> Look<'_, K> {
    async fn run(&self) -> Result<(Action, Looked), Error> {
        let object = self.object;
        self.check_leading()?;
        if is_deleting(object) && !holds(object) {
            return Ok((Action::await_change(), Looked::Deleted));
        }
        let cr = match &object.0 {
            Ok(cr) => cr,
            Err(invalid) => return self.undecodable(invalid).await,
        };
        if is_deleting(cr) {
            return self.release(cr).await;
        }
        let previous = self.previous(cr.told());
        let valid = match cr.judge(&self.context.defaults) {
            Ok(valid) => valid,
            Err(refused) => {
                let claim = cr.claim(&self.context.defaults);
                let mut notices = notices::invalid(&refused.problems, self.meta().generation);
                notices.extend(notices::warnings(&refused.warnings, self.meta().generation));
                self.refuse(
                    &previous,
                    Verdict::Invalid { refused: &refused, target: claim.as_ref() },
                    &notices,
                )
                .await?;
                return Ok((Action::await_change(), Looked::Invalid));
            }
        };
        let target = &valid.desired.target;
        if let Some(winner) = self.winner(cr, target) {
            let notice = notices::conflict(target, &winner);
            self.refuse(&previous, Verdict::Conflict { target, winner: &winner }, &[notice]).await?;
            return Ok((Action::await_change(), Looked::Conflict));
        }
        let mode = match Reconcile::of(self.meta().annotations.as_ref()) {
            Ok(Reconcile::Paused) => {
                let why = format!("annotation {RECONCILE_ANNOTATION} is Paused: nothing is read or changed");
                return self.pause(&previous, &why).await;
            }
            Err(why) => return self.pause(&previous, &why).await,
            Ok(mode) => mode,
        };
        if mode == Reconcile::Enabled && !holds(cr) {
            // Nothing may be created before the finalizer is there. Adding it is a change, and brings
            // the object back here.
            let api = self.objects();
            let never = |_| async { Ok(Action::await_change()) };
            finalizer(&api, FINALIZER, Arc::new(cr.clone()), never)
                .await
                .map_err(|error| Error::Finalizer(Box::new(error)))?;
            return Ok((Action::await_change(), Looked::Accepted));
        }
        let done = self.bring_in_line(valid, mode, &previous).await?;
        if mode == Reconcile::Enabled && done.1 == Looked::Synced {
            self.take_the_place(cr).await?;
        }
        Ok(done)
    }

    /// Deletes objects of the older kind whose place this one has taken.
    async fn take_the_place(&self, cr: &K) -> Result<(), Error> {
        let replaced: Vec<(String, String, Option<String>)> = self.context.stores.with(|others| {
            let all = cr.replaced(others, &self.context.defaults).into_iter();
            all.map(|old| (old.namespace().unwrap_or_default(), old.name_any(), old.uid())).collect()
        });
        for (namespace, name, uid) in replaced {
            self.check_leading()?;
            let api: Api<AliyunLogConfig> = Api::namespaced(self.context.kube.clone(), &namespace);
            let same = Preconditions { uid, resource_version: None };
            let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
            match api.delete(&name, &params).await {
                Ok(_) => {
                    let notice = notices::replaced(&namespace, &name);
                    self.context.publisher.publish(&[notice], &self.reference).await;
                }
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
                Err(error) => return Err(Error::Kubernetes(Box::new(error))),
            }
        }
        Ok(())
    }

    /// Before each write: this operator still leads.
    pub(super) fn check_leading(&self) -> Result<(), Error> {
        if self.context.clients.fence().is_open() { Ok(()) } else { Err(Error::NotLeading) }
    }

    /// Nothing is to be done: says so once.
    async fn pause(&self, previous: &Previous, why: &str) -> Result<(Action, Looked), Error> {
        let verdict = Verdict::Paused { why };
        self.refuse(previous, verdict, &[notices::paused(why)]).await?;
        Ok((Action::await_change(), Looked::Paused))
    }

    /// observe → plan → apply → report.
    async fn bring_in_line(
        &self,
        valid: Valid,
        mode: Reconcile,
        previous: &Previous,
    ) -> Result<(Action, Looked), Error> {
        if mode == Reconcile::Enabled && self.rests_on(&valid.desired, previous).await {
            return self.leave_at_rest(&valid.desired, previous).await;
        }
        let ahead = match mode {
            Reconcile::Enabled => self.tell_ahead(&valid.desired, previous).await?,
            _ => previous.clone(),
        };
        let previous = &ahead;
        let memory = self.memory(previous);
        let endpoint = valid.desired.endpoint.clone();
        let progress = match mode {
            Reconcile::ObserveOnly => observe_only(&self.context.clients, valid.desired, &memory).await,
            _ => converge(&self.context.clients, valid.desired, &memory).await,
        };
        self.context.memories.set_bound(self.uid(), progress.bound_by_us.clone());
        for step in &progress.done {
            self.context.metrics.changed(step.name(), progress.drift);
        }
        let now = Timestamp::now();
        let (wait, looked) = match &progress.failure {
            None => {
                self.succeeded();
                (self.context.waits.resync(fastrand::f64()), Looked::Synced)
            }
            Some(failure) => (self.failed(failure, endpoint.as_deref()), Looked::Failed),
        };
        let retry = progress.failure.as_ref().map(|_| self.retry(now, wait));
        let mut events = notices::changes(&progress);
        if previous.ours.applied_generation != self.meta().generation && progress.failure.is_none() {
            events.extend(notices::warnings(&valid.warnings, self.meta().generation));
        }
        if let Some(failure) = &progress.failure {
            let uid = self.uid();
            let new = self.context.memories.worth_telling(uid, failure, Instant::now());
            events.extend(new.then(|| notices::failed(failure)));
        }
        self.context.memories.stirs(self.uid());
        let sight = self.context.agents.sight(&progress.desired);
        let agents = self.collecting(sight.as_ref());
        let verdict = Verdict::Tried { progress: &progress, warnings: &valid.warnings, retry, agents };
        let status = status::next(&previous.ours, self.subject(), verdict, now);
        self.check_leading()?;
        self.context.publisher.publish(&events, &self.reference).await;
        self.write(previous, &status).await?;
        if progress.failure.is_none() && progress.withheld.is_empty() {
            self.context.memories.rests(self.uid(), self.marks());
        }
        Ok((Action::requeue(wait), looked))
    }

    /// Tells why nothing was sent; once, not at every look.
    async fn refuse(
        &self,
        previous: &Previous,
        verdict: Verdict<'_>,
        notices: &[Notice],
    ) -> Result<(), Error> {
        self.context.memories.stirs(self.uid());
        let status = status::next(&previous.ours, self.subject(), verdict, Timestamp::now());
        if status != previous.ours {
            self.context.publisher.publish(notices, &self.reference).await;
        }
        self.write(previous, &status).await
    }

    /// An object that is not of the right shape: says so, and lets go of it when it is deleted.
    async fn undecodable(&self, invalid: &InvalidObject) -> Result<(Action, Looked), Error> {
        let api = self.untyped();
        let Some(object) = api.get_opt(self.name()).await.map_err(Box::new)? else {
            return Ok((Action::await_change(), Looked::Deleted));
        };
        let previous = self.previous(K::told_in(object.data.get("status").cloned().unwrap_or_default()));
        if is_deleting(&object) {
            let removal = applied_target(&previous.ours)
                .map(|target| Removal::config(target, K::FORM, &self.context.defaults));
            let cleanup = |_| self.clean_up(removal, &previous);
            finalizer(&api, FINALIZER, Arc::new(object), cleanup)
                .await
                .map_err(|error| Error::Finalizer(Box::new(error)))?;
            return Ok((Action::await_change(), Looked::Deleted));
        }
        let notice = notices::undecodable(&invalid.error, self.meta().generation);
        self.refuse(&previous, Verdict::Undecodable(&invalid.error), &[notice]).await?;
        Ok((Action::await_change(), Looked::Invalid))
    }

    fn winner(&self, cr: &K, target: &Target) -> Option<String> {
        self.context.stores.with(|others| cr.winner(target, others, &self.context.defaults))
    }

    pub(super) fn succeeded(&self) {
        self.context.memories.succeeded(self.uid());
    }

    /// Counts the failure, which happened at `endpoint`; the time to wait before the next attempt.
    pub(super) fn failed(&self, failure: &Failure, endpoint: Option<&str>) -> Duration {
        let (memories, clients) = (&self.context.memories, &self.context.clients);
        let mut class = failure.class;
        match class {
            Class::Auth => memories.wait(self.object_ref(), Cause::Credentials),
            Class::Unreachable | Class::Held => {
                let endpoint = clients.endpoint_name(endpoint);
                memories.wait(self.object_ref(), Cause::Endpoint(endpoint.clone()));
                // It may have answered before we waited, and then wakes nobody any more.
                if !clients.is_holding(&endpoint) {
                    class = Class::Unreachable;
                }
            }
            Class::Spec | Class::NotYet | Class::Busy => {}
        }
        let wait = memories.failed(self.uid(), |attempts, waited| {
            let series = Series { attempts, waited, retry_after: failure.retry_after };
            self.context.waits.after_failure(class, series, fastrand::f64())
        });
        let attempts = memories.attempts(self.uid());
        let object = match self.namespace() {
            "" => self.name().to_owned(),
            namespace => format!("{namespace}/{}", self.name()),
        };
        tracing::warn!(
            object,
            step = failure.step,
            code = failure.code,
            attempts,
            wait_s = wait.as_secs_f64(),
            "{}",
            failure.message
        );
        wait
    }

    pub(super) fn retry(&self, now: Timestamp, wait: Duration) -> Retry {
        let at = now.checked_add(wait).unwrap_or(now);
        Retry { attempts: self.context.memories.attempts(self.uid()), at }
    }

    fn object_ref(&self) -> ObjectRef<Guarded<K>> {
        ObjectRef::from_obj(self.object)
    }

    pub(super) fn objects(&self) -> Api<K> {
        K::api(self.context.kube.clone(), self.namespace())
    }

    /// The same objects without a type, for those that may not be of the right shape.
    pub(super) fn untyped(&self) -> Api<DynamicObject> {
        K::untyped(self.context.kube.clone(), self.namespace())
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            singular: K::SINGULAR,
            namespace: self.namespace(),
            name: self.name(),
            generation: self.meta().generation,
        }
    }

    pub(super) fn meta(&self) -> &ObjectMeta {
        self.object.meta()
    }

    pub(super) fn uid(&self) -> &str {
        self.meta().uid.as_deref().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }
}
