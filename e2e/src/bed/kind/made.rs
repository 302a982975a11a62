//! What the bed has made, so that it can be taken away again however the run ends.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};

use super::tool::{self, Kubectl};

/// Longest wait for one thing to be gone, as kubectl takes it. A namespace waits for its pods'
/// grace periods and for the operator to release its objects.
const GONE_TIMEOUT: &str = "--timeout=120s";

/// One thing outside the bed's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A kind cluster, with all that is in it.
    Cluster { name: String, kubeconfig: PathBuf },
    /// The emulator, the operator, the CRD: what the kustomization at this path holds.
    Installation(PathBuf),
    /// The namespace of the scenarios.
    Namespace(String),
}

/// The things made so far, shared with whoever must clean up after an interrupted run.
#[derive(Debug, Clone, Default)]
pub struct Made(Arc<Mutex<Vec<Thing>>>);

impl Made {
    /// To be called before the thing is made: half of one must go too.
    pub fn will_make(&self, thing: Thing) {
        self.things().push(thing);
    }

    /// Takes everything away, the latest first. A thing is forgotten only when it is gone, so that
    /// this can be called again where it was interrupted.
    ///
    /// # Errors
    /// Something is left; the message holds the command that removes it.
    pub async fn undo(&self, kubectl: &Kubectl) -> Result<()> {
        let things = self.things().clone();
        let mut left = Vec::new();
        for thing in to_remove(things) {
            match remove(&thing, kubectl).await {
                Ok(()) => self.forget(&thing),
                Err(error) => left.push(format!("{error:#}")),
            }
        }
        if !left.is_empty() {
            bail!("not everything was removed; run by hand: {}", left.join("; "));
        }
        Ok(())
    }

    fn forget(&self, gone: &Thing) {
        let with_it = |thing: &Thing| thing == gone || matches!(gone, Thing::Cluster { .. });
        self.things().retain(|thing| !with_it(thing));
    }

    fn things(&self) -> MutexGuard<'_, Vec<Thing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The latest first; of a cluster's own content nothing, since it goes with the cluster.
fn to_remove(things: Vec<Thing>) -> Vec<Thing> {
    let is_cluster = |thing: &Thing| matches!(thing, Thing::Cluster { .. });
    if things.iter().any(is_cluster) {
        return things.into_iter().filter(is_cluster).collect();
    }
    things.into_iter().rev().collect()
}

async fn remove(thing: &Thing, kubectl: &Kubectl) -> Result<()> {
    match thing {
        Thing::Cluster { name, kubeconfig } => {
            let kubeconfig = kubeconfig.display().to_string();
            tool::run("kind", ["delete", "cluster", "--name", name, "--kubeconfig", &kubeconfig]).await?;
        }
        Thing::Installation(path) => {
            let path = path.display().to_string();
            kubectl.run(&["delete", "--ignore-not-found", "--wait", GONE_TIMEOUT, "-k", &path]).await?;
        }
        Thing::Namespace(name) => {
            let gone = ["delete", "namespace", name, "--ignore-not-found", "--wait", GONE_TIMEOUT];
            kubectl.run(&gone).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_goes_with_all_that_is_in_it_else_the_latest_goes_first() {
        let installation = || Thing::Installation("deploy".into());
        let namespace = || Thing::Namespace("n".into());
        let cluster = || Thing::Cluster { name: "c".into(), kubeconfig: "k".into() };
        assert_eq!(to_remove(vec![installation(), namespace()]), [namespace(), installation()]);
        assert_eq!(to_remove(vec![cluster(), installation(), namespace()]), [cluster()]);
        assert_eq!(to_remove(vec![]), []);
    }

    #[test]
    fn what_is_gone_is_forgotten_and_the_rest_is_not() {
        let made = Made::default();
        made.will_make(Thing::Installation("deploy".into()));
        made.will_make(Thing::Namespace("n".into()));
        made.forget(&Thing::Namespace("n".into()));
        assert_eq!(*made.things(), [Thing::Installation("deploy".into())]);
        let cluster = Thing::Cluster { name: "c".into(), kubeconfig: "k".into() };
        made.will_make(cluster.clone());
        made.forget(&cluster);
        assert_eq!(*made.things(), []);
    }
}
