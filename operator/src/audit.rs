//! Looks now and then for Pods that ask for a sidecar and have none, because they were created while the webhook could
//! not be asked, before the operator was installed, or because they cannot have one, and says so in an event on
//! whatever owns them. What asks for it is what the webhook configurations select; [`found`] is pure.

mod found;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, ListParams};
use kube::core::{NamespaceResourceScope, Resource};
use kube::{Client, ResourceExt};
use serde::de::DeserializeOwned;

use crate::inject::{ASK_LABEL, INJECTED};
use crate::leader::Fence;
use crate::metrics::Metrics;
use crate::notices::Publisher;
use crate::text::innermost;
use crate::webhook::configurations::NAMESPACE_LABEL;
use crate::webhook::figures::Figures;
use found::{Missing, Owner, Why};

/// Time between looks. Source: guess; nobody waits for it.
pub const INTERVAL: Duration = Duration::from_secs(60);
/// Pods of one request. Source: kube-rs' default for watches.
const PAGE: u32 = 500;
/// Pods looked at in one look; of more, nothing is said. Source: guess.
const PODS_MAX: usize = 5_000;
/// Namespaces that ask, in one look. Source: guess; each costs a request.
const NAMESPACES_MAX: u32 = 500;
/// Owners told in one look; the others have their turn in the next ones. Source: guess.
const OWNERS_MAX: usize = 50;
/// How long the same is not told again of the same owner. Source: operator specification §3.4, events of failures.
const TELL_AGAIN: Duration = Duration::from_secs(600);
/// Pods that have not ended.
const UNFINISHED: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// How the audit of one operator goes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Time between looks.
    pub interval: Duration,
    /// Namespace to look at; all when `None`.
    pub namespace: Option<String>,
    /// The operator's own, which is left out.
    pub own_namespace: Option<String>,
    /// Name under which events are published.
    pub instance: Option<String>,
    /// Only the operator that leads looks.
    pub fence: Fence,
}

/// Looks for ever.
pub async fn run(kube: Client, settings: Settings, figures: Arc<Figures>, metrics: Arc<Metrics>) {
    let publisher = Publisher::new(kube.clone(), settings.instance.clone(), metrics);
    let mut told: HashMap<(String, Why), Instant> = HashMap::new();
    let mut failed = String::new();
    loop {
        if !settings.fence.is_open() {
            tokio::time::sleep(settings.interval).await;
            continue;
        }
        match look(&kube, &settings).await {
            Ok(missing) => {
                failed.clear();
                figures.uninjected(found::counts(&missing));
                tell(&publisher, &missing, &mut told).await;
            }
            Err(error) => {
                let text = innermost(&error);
                if text != failed {
                    tracing::warn!(error = text, "Pods without a sidecar cannot be looked for");
                    failed = text;
                }
            }
        }
        tokio::time::sleep(settings.interval).await;
    }
}

/// What is missing, by owner.
async fn look(kube: &Client, settings: &Settings) -> Result<BTreeMap<Owner, Missing>, kube::Error> {
    let all: Api<Pod> = match &settings.namespace {
        Some(namespace) => Api::namespaced(kube.clone(), namespace),
        None => Api::all(kube.clone()),
    };
    let mut pods = listed(&all, &format!("{ASK_LABEL}=true,!{INJECTED}"), PODS_MAX).await?;
    let silent = format!("{ASK_LABEL} notin (true,false),!{INJECTED}");
    for namespace in asking(kube, settings).await? {
        let room = PODS_MAX.saturating_sub(pods.len());
        pods.extend(listed(&Api::namespaced(kube.clone(), &namespace), &silent, room).await?);
    }
    let mut owners = HashMap::new();
    let mut missing: BTreeMap<Owner, Missing> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| found::is_missing(pod, settings.own_namespace.as_deref())) {
        let nearest = Owner::of(pod);
        let owner = match owners.get(&nearest) {
            Some(owner) => Owner::clone(owner),
            None => {
                let owner = topmost(kube, &nearest).await?;
                owners.insert(nearest, owner.clone());
                owner
            }
        };
        missing.entry(owner).or_default().add(pod);
    }
    Ok(missing)
}

/// Namespaces that ask for their Pods.
async fn asking(kube: &Client, settings: &Settings) -> Result<Vec<String>, kube::Error> {
    let namespaces: Api<Namespace> = Api::all(kube.clone());
    let params = ListParams::default().labels(&format!("{NAMESPACE_LABEL}=enabled")).limit(NAMESPACES_MAX);
    let found = namespaces.list_metadata(&params).await?;
    let names = found.items.iter().map(ResourceExt::name_any);
    Ok(names.filter(|name| settings.namespace.as_ref().is_none_or(|only| only == name)).collect())
}

async fn listed(api: &Api<Pod>, labels: &str, max: usize) -> Result<Vec<Pod>, kube::Error> {
    let mut params = ListParams::default().labels(labels).fields(UNFINISHED).limit(PAGE);
    let mut pods = Vec::new();
    loop {
        let page = api.list(&params).await?;
        let next = page.metadata.continue_.clone().filter(|token| !token.is_empty());
        pods.extend(page.items);
        match next {
            Some(token) if pods.len() < max => params = params.continue_token(&token),
            Some(_) => {
                tracing::warn!(pods = pods.len(), "more Pods without a sidecar than are looked at");
                break;
            }
            None => break,
        }
    }
    pods.truncate(max);
    Ok(pods)
}

/// What people know: the Deployment of a ReplicaSet, the CronJob of a Job.
async fn topmost(kube: &Client, owner: &Owner) -> Result<Owner, kube::Error> {
    let above = match owner.kind.as_str() {
        "ReplicaSet" => above::<ReplicaSet>(kube, owner).await?,
        "Job" => above::<Job>(kube, owner).await?,
        _ => None,
    };
    Ok(above.unwrap_or_else(|| owner.clone()))
}

async fn above<K>(kube: &Client, owner: &Owner) -> Result<Option<Owner>, kube::Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(kube.clone(), &owner.namespace);
    let found = match api.get_metadata(&owner.name).await {
        Ok(found) => found,
        // It went, and its Pods go.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Owner::above(&found.metadata))
}

/// An event for each owner and reason, now and then.
async fn tell(
    publisher: &Publisher,
    missing: &BTreeMap<Owner, Missing>,
    told: &mut HashMap<(String, Why), Instant>,
) {
    let now = Instant::now();
    told.retain(|(uid, why), at| {
        let is_still = missing.iter().any(|(owner, missing)| owner.uid == *uid && missing.has(*why));
        is_still && now.duration_since(*at) < TELL_AGAIN
    });
    let mut left = OWNERS_MAX;
    for (owner, missing) in missing {
        for (why, notice) in missing.notices(owner) {
            let key = (owner.uid.clone(), why);
            if left == 0 || told.contains_key(&key) {
                continue;
            }
            left -= 1;
            tracing::info!(owner = %owner, reason = notice.reason, "{}", notice.note);
            publisher.publish(&[notice], &owner.reference()).await;
            told.insert(key, now);
        }
    }
}
