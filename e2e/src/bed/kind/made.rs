//! What the bed has made, so that it can be taken away again however the run ends.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};
use futures::future::join_all;

use super::tool::{self, Kubectl};

/// Longest wait for one thing to be gone, as kubectl takes it. A namespace waits for its pods'
/// grace periods and for the operator to release its objects.
const GONE_TIMEOUT: &str = "--timeout=120s";
/// Times that a cluster is deleted until kind knows it no more: Docker may finish the node that an
/// interrupted `kind create` asked for after the first time.
const DELETE_ATTEMPTS_MAX: usize = 3;
/// Takes an object's finalizers away.
const WITHOUT_FINALIZERS: &str = r#"--patch={"metadata":{"finalizers":null}}"#;

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
    /// Something is left; the message holds the commands that remove it.
    pub async fn undo(&self, kubectl: &Kubectl) -> Result<()> {
        let mut problems = Vec::new();
        // Not held while things are being removed.
        let things = self.things().clone();
        for stage in stages(things) {
            let removed = join_all(stage.iter().map(|thing| remove(thing, kubectl))).await;
            for (thing, outcome) in stage.iter().zip(removed) {
                match outcome {
                    Ok(()) => self.forget(thing),
                    Err(error) => problems.push(format!("{error:#}")),
                }
            }
        }
        match self.left(kubectl) {
            None => Ok(()),
            Some(left) => bail!("not everything could be removed ({}). {left}", problems.join("; ")),
        }
    }

    /// What is there, and how to remove it; nothing if nothing is.
    pub fn left(&self, kubectl: &Kubectl) -> Option<String> {
        let things = stages(self.things().clone()).concat();
        let commands: Vec<String> = things.iter().map(|thing| removal(thing, kubectl)).collect();
        (!commands.is_empty()).then(|| format!("To remove what is left, run: {}", commands.join(" && ")))
    }

    /// The namespaces of the scenarios.
    pub fn namespaces(&self) -> Vec<String> {
        let name = |thing: &Thing| match thing {
            Thing::Namespace(name) => Some(name.clone()),
            _ => None,
        };
        self.things().iter().filter_map(name).collect()
    }

    /// Whether there is anything.
    pub fn is_empty(&self) -> bool {
        self.things().is_empty()
    }

    /// To be called when the thing is gone, or turned out to be another's.
    pub fn forget(&self, gone: &Thing) {
        let with_it = |thing: &Thing| thing == gone || matches!(gone, Thing::Cluster { .. });
        self.things().retain(|thing| !with_it(thing));
    }

    fn things(&self) -> MutexGuard<'_, Vec<Thing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is removed after what: the namespaces at once, and then the installation, whose operator they
/// need to be released; of a cluster's own content nothing, since it goes with the cluster.
fn stages(things: Vec<Thing>) -> Vec<Vec<Thing>> {
    let (clusters, inside): (Vec<_>, Vec<_>) =
        things.into_iter().partition(|thing| matches!(thing, Thing::Cluster { .. }));
    if !clusters.is_empty() {
        return vec![clusters];
    }
    let (namespaces, others): (Vec<_>, Vec<_>) =
        inside.into_iter().partition(|thing| matches!(thing, Thing::Namespace(_)));
    vec![namespaces, others]
}

/// The command of the user that removes it.
fn removal(thing: &Thing, kubectl: &Kubectl) -> String {
    match thing {
        Thing::Cluster { name, .. } => format!("kind delete cluster --name {name}"),
        Thing::Installation(path) => format!("{} delete -k {}", kubectl.prefix(), path.display()),
        Thing::Namespace(name) => format!("{} delete namespace {name}", kubectl.prefix()),
    }
}

async fn remove(thing: &Thing, kubectl: &Kubectl) -> Result<()> {
    match thing {
        Thing::Cluster { name, kubeconfig } => {
            let kubeconfig = kubeconfig.display().to_string();
            for _ in 0..DELETE_ATTEMPTS_MAX {
                tool::run("kind", ["delete", "cluster", "--name", name, "--kubeconfig", &kubeconfig]).await?;
                let clusters = tool::run("kind", ["get", "clusters"]).await?;
                if !clusters.lines().any(|line| line.trim() == name) {
                    return Ok(());
                }
            }
            bail!("kind has deleted the cluster {name} and still lists it");
        }
        Thing::Installation(path) => {
            let path = path.display().to_string();
            kubectl.run(&["delete", "--ignore-not-found", "--wait", GONE_TIMEOUT, "-k", &path]).await?;
        }
        Thing::Namespace(name) => {
            let gone = ["delete", "namespace", name, "--ignore-not-found", "--wait", GONE_TIMEOUT];
            if kubectl.run(&gone).await.is_err() {
                // An operator that does not run releases nothing, and the service goes anyway.
                release(name, kubectl).await?;
                kubectl.run(&gone).await?;
            }
        }
    }
    Ok(())
}

async fn release(namespace: &str, kubectl: &Kubectl) -> Result<()> {
    let configs = kubectl.run(&["-n", namespace, "get", "aliyunlogconfigs", "-o", "name"]).await?;
    for config in configs.split_whitespace() {
        kubectl.run(&["-n", namespace, "patch", config, "--type=merge", WITHOUT_FINALIZERS]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation() -> Thing {
        Thing::Installation("deploy".into())
    }

    fn namespace() -> Thing {
        Thing::Namespace("n".into())
    }

    fn cluster() -> Thing {
        Thing::Cluster { name: "c".into(), kubeconfig: "k".into() }
    }

    #[test]
    fn a_cluster_goes_with_all_that_is_in_it_else_the_namespaces_go_first() {
        assert_eq!(stages(vec![installation(), namespace()]).concat(), [namespace(), installation()]);
        assert_eq!(stages(vec![cluster(), installation(), namespace()]).concat(), [cluster()]);
        assert_eq!(stages(vec![]).concat(), []);
    }

    #[test]
    fn what_is_gone_is_forgotten_and_the_rest_is_not() {
        let made = Made::default();
        made.will_make(installation());
        made.will_make(namespace());
        assert_eq!(made.namespaces(), ["n"]);
        made.forget(&namespace());
        assert_eq!(*made.things(), [installation()]);
        made.will_make(cluster());
        made.forget(&cluster());
        assert!(made.is_empty());
    }

    #[test]
    fn what_is_left_comes_with_the_commands_that_remove_it() {
        let kubectl = Kubectl { kubeconfig: None, context: "x".into() };
        let made = Made::default();
        assert_eq!(made.left(&kubectl), None);
        made.will_make(installation());
        made.will_make(namespace());
        assert_eq!(
            made.left(&kubectl).as_deref(),
            Some(
                "To remove what is left, run: kubectl --context x delete namespace n && \
                 kubectl --context x delete -k deploy"
            )
        );
        made.will_make(cluster());
        assert!(made.left(&kubectl).is_some_and(|left| left.ends_with("run: kind delete cluster --name c")));
    }
}
