//! Lets go of all objects before the operator goes for good: without it nobody would remove their finalizers, and they
//! could never be deleted. Called by `operator drain`.

use std::time::{Duration, Instant};

use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde_json::json;

use crate::conflict::holds;
use crate::controller::Guarded;
use crate::crd::{ClusterAliyunPipelineConfig, FINALIZER};
use crate::delete::{Deleted, delete};
use crate::fate::{Fate, Others, Removal, applied_target};
use crate::kind::ConfigKind;
use crate::sls::Clients;
use crate::validate::Defaults;

/// Time between two tries at an object whose config could not be deleted.
const AGAIN: Duration = Duration::from_secs(1);
/// Tries to remove a finalizer while others change the object.
const PATCHES_MAX: usize = 5;

/// What is drained, and how.
pub struct Drain<'a> {
    pub kube: Client,
    /// Namespace of the objects; all when `None`.
    pub namespace: Option<String>,
    /// Deletes what the objects have in Log Service, as their deletion would; without it all of that stays.
    pub cleanup: Option<&'a Clients>,
    pub defaults: &'a Defaults,
    /// How long to try what fails.
    pub patience: Duration,
}

/// What became of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drained {
    pub kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    pub name: String,
    pub outcome: Outcome,
    /// For people.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Let go; what it has in Log Service stays.
    Orphaned,
    /// Let go; what it had in Log Service is gone.
    Cleaned,
    /// Still held.
    Failed,
}

/// All objects, of both kinds.
struct All {
    classic: Vec<Guarded>,
    pipelines: Vec<Guarded<ClusterAliyunPipelineConfig>>,
}

impl Drain<'_> {
    /// Lets go of every object that is held.
    pub async fn run(&self) -> Result<Vec<Drained>, kube::Error> {
        let until = Instant::now() + self.patience;
        let mut done = Vec::new();
        loop {
            let all = self.all().await?;
            let mut failed = Vec::new();
            let classic = all.classic.iter().filter(|object| holds(*object));
            let pipelines = all.pipelines.iter().filter(|object| holds(*object));
            for object in classic {
                let drained = self.one(object, &all).await;
                if drained.outcome == Outcome::Failed { failed.push(drained) } else { done.push(drained) }
            }
            for object in pipelines {
                let drained = self.one(object, &all).await;
                if drained.outcome == Outcome::Failed { failed.push(drained) } else { done.push(drained) }
            }
            if failed.is_empty() || Instant::now() >= until {
                done.extend(failed);
                return Ok(done);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn all(&self) -> Result<All, kube::Error> {
        let Some(namespace) = &self.namespace else {
            let pipelines: Api<Guarded<ClusterAliyunPipelineConfig>> = Api::all(self.kube.clone());
            return Ok(All {
                classic: listed(&Api::all(self.kube.clone())).await?,
                pipelines: listed(&pipelines).await?,
            });
        };
        // Objects of the whole cluster are none of a namespace.
        let classic = listed(&Api::namespaced(self.kube.clone(), namespace)).await?;
        Ok(All { classic, pipelines: Vec::new() })
    }

    async fn one<K: ConfigKind>(&self, object: &Guarded<K>, all: &All) -> Drained {
        let (outcome, message) = match self.let_go(object, all).await {
            Ok((outcome, message)) => (outcome, message),
            Err(message) => (Outcome::Failed, message),
        };
        Drained {
            kind: K::KIND,
            namespace: object.meta().namespace.clone().unwrap_or_default(),
            name: object.meta().name.clone().unwrap_or_default(),
            outcome,
            message,
        }
    }

    async fn let_go<K: ConfigKind>(
        &self,
        object: &Guarded<K>,
        all: &All,
    ) -> Result<(Outcome, String), String> {
        let result = match self.cleanup {
            None => (Outcome::Orphaned, "what it has in Log Service stays".to_owned()),
            Some(clients) => match self.fate(object, all).await.map_err(|error| error.to_string())? {
                Fate::Nothing => (Outcome::Cleaned, "it has nothing in Log Service".to_owned()),
                Fate::Retained { target, why } => (Outcome::Orphaned, format!("{target} stays: {why}")),
                Fate::Removed(removal) => {
                    let deleted = delete(clients, &removal).await;
                    let deleted =
                        deleted.map_err(|failure| format!("{} failed: {}", failure.step, failure.message))?;
                    (Outcome::Cleaned, cleaned(&removal, &deleted))
                }
            },
        };
        self.remove_finalizer(object)
            .await
            .map_err(|error| format!("its finalizer cannot be removed: {error}"))?;
        Ok(result)
    }

    async fn fate<K: ConfigKind>(&self, object: &Guarded<K>, all: &All) -> Result<Fate, kube::Error> {
        let readable: Vec<_> = all.classic.iter().filter_map(|other| other.0.as_ref().ok()).collect();
        let pipelines: Vec<_> = all.pipelines.iter().filter_map(|other| other.0.as_ref().ok()).collect();
        let others = Others {
            readable: &readable,
            pipelines: &pipelines,
            unreadable: readable.len() < all.classic.len() || pipelines.len() < all.pipelines.len(),
        };
        if let DeserializeGuard(Ok(cr)) = object {
            return Ok(cr.fate(&cr.told(), others, self.defaults));
        }
        // Not of the right shape; its status may be.
        let found = self.untyped(object).get_opt(object.meta().name.as_deref().unwrap_or_default()).await?;
        let status = found.and_then(|found| found.data.get("status").cloned()).unwrap_or_default();
        let removal = |target| Fate::Removed(Removal::config(target, K::FORM, self.defaults));
        Ok(applied_target(&K::told_in(status)).map_or(Fate::Nothing, removal))
    }

    /// Removes our finalizer, whatever else happens to the object meanwhile.
    async fn remove_finalizer<K: ConfigKind>(&self, object: &Guarded<K>) -> Result<(), kube::Error> {
        let api = self.untyped(object);
        let name = object.meta().name.as_deref().unwrap_or_default();
        for attempt in 1.. {
            let Some(found) = api.get_opt(name).await? else { return Ok(()) };
            let Some(index) = found.finalizers().iter().position(|one| one == FINALIZER) else {
                return Ok(());
            };
            let path = format!("/metadata/finalizers/{index}");
            let patch: json_patch::Patch = serde_json::from_value(json!([
                {"op": "test", "path": path, "value": FINALIZER},
                {"op": "remove", "path": path},
            ]))
            .map_err(kube::Error::SerdeError)?;
            match api.patch(name, &PatchParams::default(), &Patch::Json::<()>(patch)).await {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                // Others removed theirs at the same moment.
                Err(kube::Error::Api(status))
                    if attempt < PATCHES_MAX && matches!(status.code, 409 | 422) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn untyped<K: ConfigKind>(&self, object: &Guarded<K>) -> Api<DynamicObject> {
        K::untyped(self.kube.clone(), object.meta().namespace.as_deref().unwrap_or_default())
    }
}

/// Objects of a kind; none where there is no such kind.
async fn listed<K: ConfigKind>(api: &Api<Guarded<K>>) -> Result<Vec<Guarded<K>>, kube::Error> {
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(list.items),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn cleaned(removal: &Removal, deleted: &Deleted) -> String {
    let mut text = match deleted.config {
        true => format!("deleted {}", removal.target),
        false => format!("{} was gone already", removal.target),
    };
    for one in &deleted.besides {
        text = format!("{text}, {one}");
    }
    for one in &deleted.kept {
        text = format!("{text}; stays: {one}");
    }
    text
}
