//! Rounds of observe → plan → apply until Log Service holds what one object asks for. Called by the
//! controller's look at an object, and by `once`, which has no cluster.

use crate::apply::{Applied, apply};
use crate::desired::Desired;
use crate::observe::observe;
use crate::plan::{Memory, plan};
use crate::progress::Progress;
use crate::sls::{Clients, Sls, SlsError};

/// Rounds of observing and applying. More than one is needed only when somebody else creates the same
/// things at the same time.
const ROUNDS_MAX: usize = 3;

/// Looks at what there is of `desired` and changes nothing; what would be changed is withheld.
pub async fn observe_only(clients: &Clients, desired: Desired, memory: &Memory) -> Progress {
    let sls = match place(clients, &desired) {
        Ok(sls) => sls,
        Err(error) => return Progress::unusable(desired, memory, &error),
    };
    let observed = observe(&sls, &desired, memory).await;
    let pending = observed.as_ref().map(|observed| plan(&desired, observed, memory)).unwrap_or_default();
    Progress::new(desired, memory, observed, Applied { pending, ..Applied::default() }, Vec::new())
}

/// Brings Log Service in line with `desired`; how far it came.
pub async fn converge(clients: &Clients, desired: Desired, memory: &Memory) -> Progress {
    let sls = match place(clients, &desired) {
        Ok(sls) => sls,
        Err(error) => return Progress::unusable(desired, memory, &error),
    };
    let mut done = Vec::new();
    let mut round = 0;
    loop {
        round += 1;
        let observed = match observe(&sls, &desired, memory).await {
            Ok(observed) => observed,
            Err(error) => return Progress::new(desired, memory, Err(error), Applied::default(), done),
        };
        let steps = plan(&desired, &observed, memory);
        let mut applied = apply(&sls, &desired, steps).await;
        done.extend(applied.done.iter().cloned());
        if round >= ROUNDS_MAX && applied.failed.is_none() {
            applied.failed = applied.raced.take();
        }
        if applied.raced.is_none() || applied.failed.is_some() {
            return Progress::new(desired, memory, Ok(observed), applied, done);
        }
    }
}

/// Log Service as an object is to see it.
pub fn place(clients: &Clients, desired: &Desired) -> Result<Sls, SlsError> {
    let project = desired.target.project.clone();
    clients.project_of(desired.account.as_deref(), project, desired.endpoint.as_deref())
}
