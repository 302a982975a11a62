//! Looks at objects because something has come that they waited for: an endpoint that answers, credentials.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use kube::runtime::controller::{ReconcileReason, ReconcileRequest};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::Guarded;
use super::memory::Cause;
use super::reconcile::Context;
use crate::sls::gate::Wake;

/// Time between two objects that are woken for the same reason: 50 a second, so that a service that has just come
/// back is not thrown over by those that waited for it. Source: guess; a thousand are through in 20 s.
pub const BETWEEN_WAKES: Duration = Duration::from_millis(20);
/// Requests for looks that may be on their way.
const WAKES_MAX: usize = 8;

/// Asks for looks.
pub struct Waker {
    sender: mpsc::Sender<ObjectRef<Guarded>>,
}

impl Waker {
    pub async fn wake(&self, object: ObjectRef<Guarded>) {
        // The other end goes when the operator ends.
        let _ = self.sender.send(object).await;
    }
}

/// A waker, and what it asks for.
pub fn channel() -> (Waker, impl Stream<Item = Result<ReconcileRequest<Guarded>, watcher::Error>> + Send) {
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

/// Wakes all objects that wait for `cause`, one after the other.
pub async fn all(context: &Context, waker: &Waker, cause: &Cause) {
    for object in context.memories.wake_all(cause) {
        waker.wake(object).await;
        tokio::time::sleep(BETWEEN_WAKES).await;
    }
}

/// Wakes one object when an endpoint is due for a probe, and all that wait for it when it answers. Never returns.
pub async fn when_endpoints_answer(context: &Context, waker: &Waker) {
    let mut queue: VecDeque<(String, ObjectRef<Guarded>)> = VecDeque::new();
    let mut tick = tokio::time::interval(BETWEEN_WAKES);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            wake = context.clients.next_wake() => match wake {
                Wake::Probe(endpoint) => {
                    if let Some(object) = context.memories.wake_one(&Cause::Endpoint(endpoint)) {
                        waker.wake(object).await;
                    }
                }
                Wake::All(endpoint) => {
                    let waiting = context.memories.wake_all(&Cause::Endpoint(endpoint.clone()));
                    queue.extend(waiting.into_iter().map(|object| (endpoint.clone(), object)));
                }
            },
            _ = tick.tick(), if !queue.is_empty() => {
                let Some((endpoint, object)) = queue.pop_front() else { continue };
                // It went away again meanwhile: they go on waiting.
                if context.clients.is_shut(&endpoint) {
                    context.memories.wait(object, Cause::Endpoint(endpoint));
                } else {
                    waker.wake(object).await;
                }
            }
        }
    }
}
