//! Looks at objects because something has come that they waited for: an endpoint that answers, credentials, a config that
//! another object claimed.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use kube::runtime::controller::{ReconcileReason, ReconcileRequest};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::MissedTickBehavior;

use super::Guarded;
use super::memory::Cause;
use super::reconcile::Context;
use crate::crd::{AliyunLogConfig, ClusterAliyunPipelineConfig};
use crate::desired::Target;
use crate::kind::ConfigKind;
use crate::sls::gate::Wake;

/// Time between two objects that are woken for the same reason: 50 a second, so that a service that has just come
/// back is not thrown over by those that waited for it. Source: guess; a thousand are through in 20 s.
pub const BETWEEN_WAKES: Duration = Duration::from_millis(20);
/// Requests for looks that may be on their way.
const WAKES_MAX: usize = 8;

/// Asks for looks.
pub struct Waker<K: ConfigKind> {
    sender: mpsc::Sender<ObjectRef<Guarded<K>>>,
}

impl<K: ConfigKind> Waker<K> {
    pub async fn wake(&self, object: ObjectRef<Guarded<K>>) {
        // The other end goes when the operator ends.
        let _ = self.sender.send(object).await;
    }
}

/// A waker, and what it asks for.
pub fn channel<K: ConfigKind>()
-> (Waker<K>, impl Stream<Item = Result<ReconcileRequest<Guarded<K>>, watcher::Error>> + Send) {
    let (sender, receiver) = mpsc::channel(WAKES_MAX);
    let objects =
        stream::unfold(
            receiver,
            |mut receiver| async move { receiver.recv().await.map(|one| (one, receiver)) },
        );
    let request = |obj_ref| {
        Ok(ReconcileRequest {
            obj_ref,
            reason: ReconcileReason::Custom { reason: "what it waited for is there".into() },
        })
    };
    (Waker { sender }, objects.map(request))
}

/// One kind of objects, and how looks at them are asked for.
pub struct Side<'a, K: ConfigKind> {
    pub context: &'a Context<K>,
    pub waker: &'a Waker<K>,
}

impl<K: ConfigKind> Side<'_, K> {
    /// Wakes all objects that wait for `cause`, one after the other.
    pub async fn wake_all(&self, cause: &Cause) {
        for object in self.context.memories.wake_all(cause) {
            self.waker.wake(object).await;
            tokio::time::sleep(BETWEEN_WAKES).await;
        }
    }

    /// Wakes one object that waits for `cause`; false if none does.
    async fn wake_one(&self, cause: &Cause) -> bool {
        match self.context.memories.wake_one(cause) {
            Some(object) => {
                self.waker.wake(object).await;
                true
            }
            None => false,
        }
    }

    /// Looks at objects when one of the other kind begins or ceases to claim what they claim. Never returns.
    pub async fn when_claims_change(&self, mut changes: broadcast::Receiver<Target>) {
        loop {
            let changed = match changes.recv().await {
                Ok(target) => Some(target),
                // More than are kept: any may be meant.
                Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => return std::future::pending().await,
            };
            for object in self.context.store.state() {
                let claim = object.0.as_ref().ok().and_then(|one| one.claim(&self.context.defaults));
                if claim.is_some() && (changed.is_none() || claim == changed) {
                    self.waker.wake(ObjectRef::from_obj(&*object)).await;
                }
            }
        }
    }
}

/// An object of either kind.
enum Sleeper {
    Classic(ObjectRef<Guarded<AliyunLogConfig>>),
    Pipeline(ObjectRef<Guarded<ClusterAliyunPipelineConfig>>),
}

/// Wakes one object when an endpoint is due for a probe, and all that wait for it when it answers. Never returns.
pub async fn when_endpoints_answer(
    classic: &Side<'_, AliyunLogConfig>,
    pipelines: &Side<'_, ClusterAliyunPipelineConfig>,
) {
    let clients = &classic.context.clients;
    let mut queue: VecDeque<(String, Sleeper)> = VecDeque::new();
    let mut tick = tokio::time::interval(BETWEEN_WAKES);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            wake = clients.next_wake() => match wake {
                Wake::Probe(endpoint) => {
                    let cause = Cause::Endpoint(endpoint);
                    if !classic.wake_one(&cause).await {
                        pipelines.wake_one(&cause).await;
                    }
                }
                Wake::All(endpoint) => {
                    let cause = Cause::Endpoint(endpoint.clone());
                    let waiting = classic.context.memories.wake_all(&cause).into_iter().map(Sleeper::Classic);
                    let others = pipelines.context.memories.wake_all(&cause).into_iter().map(Sleeper::Pipeline);
                    queue.extend(waiting.chain(others).map(|object| (endpoint.clone(), object)));
                }
            },
            _ = tick.tick(), if !queue.is_empty() => {
                let Some((endpoint, object)) = queue.pop_front() else { continue };
                // It went away again meanwhile: they go on waiting.
                let is_shut = clients.is_shut(&endpoint);
                match object {
                    Sleeper::Classic(object) if is_shut => {
                        classic.context.memories.wait(object, Cause::Endpoint(endpoint));
                    }
                    Sleeper::Classic(object) => classic.waker.wake(object).await,
                    Sleeper::Pipeline(object) if is_shut => {
                        pipelines.context.memories.wait(object, Cause::Endpoint(endpoint));
                    }
                    Sleeper::Pipeline(object) => pipelines.waker.wake(object).await,
                }
            }
        }
    }
}
