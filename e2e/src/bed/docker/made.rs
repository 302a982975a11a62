//! What the bed has made in Docker, so that it can be taken away again however the run ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use testcontainers_mock_sls::testcontainers::bollard::Docker;
use testcontainers_mock_sls::testcontainers::bollard::errors::Error;
use testcontainers_mock_sls::testcontainers::bollard::query_parameters::{
    RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder,
};
use testcontainers_mock_sls::testcontainers::core::client::docker_client_instance;
use tokio::sync::RwLock;

use super::LABEL;

/// One thing in Docker, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A network.
    Network(String),
    /// A named volume.
    Volume(String),
    /// A container, running or not.
    Container(String),
}

/// The things made so far, shared with whoever must clean up after an interrupted run.
#[derive(Debug, Clone, Default)]
pub struct Made {
    things: Arc<Mutex<Vec<Thing>>>,
    /// Read while something is being made, written while things are removed.
    making: Arc<RwLock<()>>,
}

impl Made {
    /// Makes one thing with `work`, which runs to its end even if nobody waits for it any more: Docker
    /// finishes what it was asked, so what an interrupted run still makes must be waited for.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn make<T, F>(&self, thing: Thing, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let making = Arc::clone(&self.making).read_owned().await;
        let what = thing.shown();
        self.things().push(thing);
        let made = tokio::spawn(async move {
            let made = work.await;
            drop(making);
            made
        });
        made.await
            .context("the task that asks Docker failed")?
            .with_context(|| format!("{what} cannot be made"))
    }

    /// Names of the containers made so far.
    pub fn containers(&self) -> Vec<String> {
        let name = |thing: &Thing| match thing {
            Thing::Container(name) => Some(name.clone()),
            Thing::Network(_) | Thing::Volume(_) => None,
        };
        self.things().iter().filter_map(name).collect()
    }

    /// The command that removes everything, for people; the latest things first.
    pub fn removal(&self) -> String {
        let commands: Vec<String> = self.things().iter().rev().map(Thing::removal).collect();
        commands.join("; ")
    }

    /// What is there, and how to remove it; nothing if nothing is.
    pub fn left(&self) -> Option<String> {
        let removal = self.removal();
        (!removal.is_empty()).then(|| {
            format!(
                "`docker ps --all --filter label={LABEL}` shows what is left; to remove it, run: {removal}"
            )
        })
    }

    /// Takes everything away, the latest first. A thing is forgotten only when it is gone, so that
    /// this can be called again where it was interrupted.
    ///
    /// # Errors
    /// Something is left; the message holds the command that removes it.
    pub async fn undo(&self) -> Result<()> {
        let _nothing_in_the_making = self.making.write().await;
        let things: Vec<Thing> = self.things().iter().rev().cloned().collect();
        if things.is_empty() {
            return Ok(());
        }
        let docker = docker_client_instance().await.context("Docker cannot be asked to clean up")?;
        let mut why = Vec::new();
        for thing in things {
            match thing.remove(&docker).await {
                Ok(()) => self.things().retain(|known| *known != thing),
                Err(error) => why.push(error.to_string()),
            }
        }
        if !why.is_empty() {
            bail!("not everything was removed ({}); run by hand: {}", why.join("; "), self.removal());
        }
        Ok(())
    }

    fn things(&self) -> MutexGuard<'_, Vec<Thing>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Thing {
    fn shown(&self) -> String {
        match self {
            Self::Network(name) => format!("network {name}"),
            Self::Volume(name) => format!("volume {name}"),
            Self::Container(name) => format!("container {name}"),
        }
    }

    fn removal(&self) -> String {
        match self {
            Self::Network(name) => format!("docker network rm {name}"),
            Self::Volume(name) => format!("docker volume rm {name}"),
            Self::Container(name) => format!("docker rm --force --volumes {name}"),
        }
    }

    /// One that is not there counts as removed.
    async fn remove(&self, docker: &Docker) -> Result<(), Error> {
        let removed = match self {
            Self::Network(name) => docker.remove_network(name).await,
            Self::Volume(name) => {
                docker.remove_volume(name, Some(RemoveVolumeOptionsBuilder::new().build())).await
            }
            Self::Container(name) => {
                let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
                docker.remove_container(name, Some(options)).await
            }
        };
        match removed {
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_being_made_is_known_and_finished_also_when_nobody_waits_for_it() {
        let made = Made::default();
        let (finish, finished) = tokio::sync::oneshot::channel::<()>();
        let (done, is_done) = tokio::sync::oneshot::channel::<()>();
        let thing = Thing::Container("c".into());
        let making = made.make(thing, async move {
            finished.await?;
            let _ = done.send(());
            Ok(())
        });
        // One look at the work, as by a run that is interrupted then.
        assert!(futures::FutureExt::now_or_never(making).is_none());
        assert_eq!(made.containers(), ["c"]);
        assert!(made.making.try_write().is_err(), "removal has to wait");
        finish.send(()).expect("the work goes on");
        is_done.await.expect("the work was finished");
        let _removal_may_begin = made.making.write().await;
    }

    #[tokio::test]
    async fn the_command_for_people_removes_the_latest_first() {
        let made = Made::default();
        assert_eq!(made.left(), None);
        for thing in [Thing::Network("n".into()), Thing::Volume("v".into()), Thing::Container("c".into())] {
            made.make(thing, async { Ok(()) }).await.expect("made");
        }
        let removal = "docker rm --force --volumes c; docker volume rm v; docker network rm n";
        assert_eq!(made.removal(), removal);
        assert!(made.left().is_some_and(|left| left.ends_with(&format!("run: {removal}"))));
    }
}
