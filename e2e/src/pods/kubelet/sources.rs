//! ConfigMaps and Secrets that a pod refers to, as they were when its containers started.
//!
//! They are fetched before a start and not followed: unlike in a cluster, mounted ones do not
//! change under a running container.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as core;
use kube::{Api, Client};

use super::env::EnvError;

/// What one of them holds.
pub type Entries = BTreeMap<String, Vec<u8>>;

/// The fetched objects by name. A name without an entry does not exist.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    config_maps: BTreeMap<String, Entries>,
    secrets: BTreeMap<String, Entries>,
}

const CONFIG_MAP: &str = "configmap";
const SECRET: &str = "secret";

impl Sources {
    /// Fetches everything that `pod` refers to.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn fetch(client: &Client, pod: &core::Pod) -> kube::Result<Self> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        let (config_maps, secrets) = references(pod);
        let mut sources = Self::default();
        for name in config_maps {
            let api: Api<core::ConfigMap> = Api::namespaced(client.clone(), namespace);
            if let Some(found) = api.get_opt(&name).await? {
                let text = found.data.into_iter().flatten().map(|(k, v)| (k, v.into_bytes()));
                let binary = found.binary_data.into_iter().flatten().map(|(k, v)| (k, v.0));
                sources.config_maps.insert(name, text.chain(binary).collect());
            }
        }
        for name in secrets {
            let api: Api<core::Secret> = Api::namespaced(client.clone(), namespace);
            if let Some(found) = api.get_opt(&name).await? {
                let text = found.string_data.into_iter().flatten().map(|(k, v)| (k, v.into_bytes()));
                let data = found.data.into_iter().flatten().map(|(k, v)| (k, v.0));
                sources.secrets.insert(name, data.chain(text).collect());
            }
        }
        Ok(sources)
    }

    /// The entries of a ConfigMap; `None` when it does not exist and may not.
    pub fn config_map(&self, name: &str, optional: bool) -> Result<Option<&Entries>, EnvError> {
        lookup(&self.config_maps, CONFIG_MAP, name, optional)
    }

    /// The entries of a Secret; `None` when it does not exist and may not.
    pub fn secret(&self, name: &str, optional: bool) -> Result<Option<&Entries>, EnvError> {
        lookup(&self.secrets, SECRET, name, optional)
    }

    /// One value of a ConfigMap.
    pub fn config_map_value(
        &self,
        name: &str,
        key: &str,
        optional: bool,
    ) -> Result<Option<String>, EnvError> {
        value(self.config_map(name, optional)?, CONFIG_MAP, name, key, optional)
    }

    /// One value of a Secret.
    pub fn secret_value(&self, name: &str, key: &str, optional: bool) -> Result<Option<String>, EnvError> {
        value(self.secret(name, optional)?, SECRET, name, key, optional)
    }

    /// Everything that an `envFrom` entry names.
    pub fn all_of(&self, from: &core::EnvFromSource) -> Result<Vec<(String, String)>, EnvError> {
        let entries = if let Some(source) = &from.config_map_ref {
            self.config_map(&source.name, source.optional == Some(true))?
        } else if let Some(source) = &from.secret_ref {
            self.secret(&source.name, source.optional == Some(true))?
        } else {
            None
        };
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        Ok(entries.into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect())
    }
}

fn lookup<'a>(
    map: &'a BTreeMap<String, Entries>,
    kind: &'static str,
    name: &str,
    optional: bool,
) -> Result<Option<&'a Entries>, EnvError> {
    match map.get(name) {
        None if !optional => Err(EnvError::SourceMissing { kind, name: name.to_owned() }),
        found => Ok(found),
    }
}

fn value(
    entries: Option<&Entries>,
    kind: &'static str,
    name: &str,
    key: &str,
    optional: bool,
) -> Result<Option<String>, EnvError> {
    match entries.and_then(|entries| entries.get(key)) {
        Some(value) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
        None if optional => Ok(None),
        None => Err(EnvError::KeyMissing { kind, name: name.to_owned(), key: key.to_owned() }),
    }
}

/// Names of all ConfigMaps and Secrets that a pod refers to.
fn references(pod: &core::Pod) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut config_maps, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    let Some(spec) = &pod.spec else { return (config_maps, secrets) };
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        for from in container.env_from.iter().flatten() {
            config_maps.extend(from.config_map_ref.iter().map(|source| source.name.clone()));
            secrets.extend(from.secret_ref.iter().map(|source| source.name.clone()));
        }
        for from in container.env.iter().flatten().filter_map(|env| env.value_from.as_ref()) {
            config_maps.extend(from.config_map_key_ref.iter().map(|key| key.name.clone()));
            secrets.extend(from.secret_key_ref.iter().map(|key| key.name.clone()));
        }
    }
    for volume in spec.volumes.iter().flatten() {
        config_maps.extend(volume.config_map.iter().map(|source| source.name.clone()));
        secrets.extend(volume.secret.iter().filter_map(|source| source.secret_name.clone()));
        let projected = volume.projected.iter().flat_map(|all| all.sources.iter().flatten());
        for source in projected {
            config_maps.extend(source.config_map.iter().map(|source| source.name.clone()));
            secrets.extend(source.secret.iter().map(|source| source.name.clone()));
        }
    }
    (config_maps, secrets)
}
