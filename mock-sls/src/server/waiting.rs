//! Which connections wait for their client, so that under pressure those that wait longest give
//! way: nobody keeps others out by opening connections and sending little or nothing.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio_util::sync::CancellationToken;

/// The connections that wait for a request or the rest of one, longest first.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    by_age: BTreeMap<u64, CancellationToken>,
}

impl Waiting {
    /// Makes room: asks this many of those that wait longest to end.
    pub fn end_longest(&self, connections: usize) {
        let longest = |queue: &mut Queue| -> Vec<CancellationToken> {
            std::iter::from_fn(|| queue.by_age.pop_first()).take(connections).map(|(_, end)| end).collect()
        };
        for end in self.with(longest) {
            end.cancel();
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Queue) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The place of one connection in [`Waiting`], left when dropped.
#[derive(Debug)]
pub struct Place {
    waiting: Arc<Waiting>,
    end: CancellationToken,
    /// Number in the queue; none while a request is answered.
    number: Mutex<Option<u64>>,
}

impl Place {
    /// A connection that waits for its first request.
    pub fn new(waiting: Arc<Waiting>) -> Arc<Self> {
        let place = Self { waiting, end: CancellationToken::new(), number: Mutex::default() };
        place.waits();
        Arc::new(place)
    }

    /// Resolves when this connection is asked to end.
    pub async fn ended(&self) {
        self.end.cancelled().await;
    }

    /// An answer is made: whoever asked now waits for the next request.
    pub fn waits(&self) {
        let number = self.waiting.with(|queue| {
            queue.next += 1;
            queue.by_age.insert(queue.next, self.end.clone());
            queue.next
        });
        self.leave(Some(number));
    }

    /// A whole request has come and is being answered.
    pub fn works(&self) {
        self.leave(None);
    }

    fn leave(&self, new: Option<u64>) {
        let old = std::mem::replace(&mut *self.number.lock().unwrap_or_else(PoisonError::into_inner), new);
        if let Some(old) = old {
            self.waiting.with(|queue| queue.by_age.remove(&old));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.works();
    }
}

/// A request's body that says when the last of it has come.
pub struct Arriving {
    inner: Incoming,
    place: Arc<Place>,
}

impl Arriving {
    /// A body; one that is empty has come already.
    pub fn new(inner: Incoming, place: Arc<Place>) -> Self {
        if inner.is_end_stream() {
            place.works();
        }
        Self { inner, place }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) || self.inner.is_end_stream() {
            self.place.works();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_waiting_connection_ends_and_none_that_works() {
        let waiting = Arc::new(Waiting::default());
        let [a, b, c] = std::array::from_fn(|_| Place::new(Arc::clone(&waiting)));
        a.works();
        waiting.end_longest(1);
        assert!(b.end.is_cancelled() && !a.end.is_cancelled() && !c.end.is_cancelled());
        a.waits();
        waiting.end_longest(1);
        assert!(c.end.is_cancelled() && !a.end.is_cancelled());
        waiting.end_longest(7);
        assert!(a.end.is_cancelled());
    }
}
