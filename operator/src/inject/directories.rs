//! By which volumes directories are shared: by those that the containers have there, or by new ones.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume, VolumeMount};
use serde_json::{Map, Value, json};

use super::asked::is_inside;
use super::{At, STATE_VOLUME, Skip, VOLUME_PREFIX, insert};

/// How directories are shared.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Names of volumes that are new.
    volumes: Vec<String>,
    /// Where they are mounted: container, volume, path.
    mounts: Vec<(String, String, String)>,
    /// What the sidecar mounts, by path.
    pub sidecar: BTreeSet<Mount>,
    pub warnings: Vec<String>,
}

/// A volume, or a part of it, at a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mount {
    pub path: String,
    pub volume: String,
    pub sub_path: Option<String>,
}

impl Mount {
    fn of(mount: &VolumeMount) -> Self {
        Self {
            path: mount.mount_path.clone(),
            volume: mount.name.clone(),
            sub_path: mount.sub_path.clone().filter(|path| !path.is_empty()),
        }
    }
}

/// Finds for each directory the volume in which these containers have it.
pub(super) fn share(
    pod: &PodSpec,
    writers: &[String],
    directories: &BTreeSet<String>,
) -> Result<Shared, Skip> {
    let mut shared = Shared::default();
    let writers: Vec<&Container> =
        pod.containers.iter().filter(|container| writers.contains(&container.name)).collect();
    for directory in directories {
        match there(pod, &writers, directory)? {
            Some(mount) => {
                shared.sidecar.insert(mount);
            }
            None => shared.add_volume(pod, &writers, directory),
        }
        // What is mounted below it is a part of it for the containers, and must be one for the sidecar.
        let below = writers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
        for mount in below.filter(|mount| is_inside(&mount.mount_path, directory)) {
            let has_logs = source(pod, &mount.name).is_none() && mount.sub_path_expr.is_none();
            let is_taken = shared.sidecar.iter().any(|other| other.path == mount.mount_path);
            if has_logs && !is_taken {
                shared.sidecar.insert(Mount::of(mount));
            }
        }
    }
    Ok(shared)
}

/// The mount in which the containers have the directory, if any has one.
fn there(pod: &PodSpec, writers: &[&Container], directory: &str) -> Result<Option<Mount>, Skip> {
    let mut found: Option<Mount> = None;
    let mut refused = None;
    for container in writers {
        let mounts = container.volume_mounts.iter().flatten();
        let covers = mounts.filter(|mount| {
            let path = mount.mount_path.trim_end_matches('/');
            path == directory || is_inside(directory, path)
        });
        let Some(mount) = covers.max_by_key(|mount| mount.mount_path.len()) else { continue };
        let (volume, path) = (mount.name.clone(), mount.mount_path.clone());
        if let Some(made_of) = source(pod, &mount.name) {
            return Err(Skip::NoLogVolume { volume, path, made_of });
        }
        let container = container.name.clone();
        if mount.sub_path_expr.as_ref().is_some_and(|path| !path.is_empty()) {
            return Err(Skip::SubPath { container, volume, path });
        }
        if mount.read_only == Some(true) {
            // Another one may write what this one only reads.
            refused.get_or_insert(Skip::ReadOnly { container, volume, path });
            continue;
        }
        let mount = Mount::of(mount);
        match &found {
            Some(other) if *other != mount => {
                let shown = |mount: &Mount| match &mount.sub_path {
                    Some(part) => format!("{part} in {}", mount.volume),
                    None => mount.volume.clone(),
                };
                let volumes = vec![shown(other), shown(&mount)];
                return Err(Skip::Disagree { path: directory.to_owned(), volumes });
            }
            _ => found = Some(mount),
        }
    }
    match (found, refused) {
        (None, Some(refused)) => Err(refused),
        (found, _) => Ok(found),
    }
}

/// What a volume is made of, if that are other objects.
fn source(pod: &PodSpec, name: &str) -> Option<&'static str> {
    let volume: &Volume = pod.volumes.iter().flatten().find(|volume| volume.name == name)?;
    if volume.config_map.is_some() {
        Some("configMap")
    } else if volume.secret.is_some() {
        Some("secret")
    } else if volume.projected.is_some() {
        Some("projected")
    } else if volume.downward_api.is_some() {
        Some("downwardAPI")
    } else {
        None
    }
}

impl Shared {
    fn add_volume(&mut self, pod: &PodSpec, writers: &[&Container], directory: &str) {
        let is_taken = |name: &String| {
            self.volumes.contains(name) || pod.volumes.iter().flatten().any(|volume| volume.name == *name)
        };
        // There are finitely many volumes.
        let Some(name) =
            (0_u32..).map(|number| format!("{VOLUME_PREFIX}{number}")).find(|name| !is_taken(name))
        else {
            return;
        };
        for container in writers {
            self.mounts.push((container.name.clone(), name.clone(), directory.to_owned()));
        }
        self.sidecar.insert(Mount { path: directory.to_owned(), volume: name.clone(), sub_path: None });
        self.volumes.push(name);
        self.warnings.push(format!(
            "{directory} is an empty volume now: what the images have there cannot be seen any more"
        ));
    }

    /// Names of the volumes that are added, with that of the collector's state.
    pub fn new_volumes(&self) -> impl Iterator<Item = &str> {
        self.volumes.iter().map(String::as_str).chain([STATE_VOLUME])
    }

    /// Makes it so.
    pub fn apply(&self, spec: &mut Map<String, Value>) {
        for name in self.new_volumes() {
            insert(spec, "volumes", At::End, json!({"name": name, "emptyDir": {}}));
        }
        let containers = spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers.filter_map(Value::as_object_mut) {
            let name = container.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            for (_, volume, path) in self.mounts.iter().filter(|(of, _, _)| *of == name) {
                insert(container, "volumeMounts", At::End, json!({"name": volume, "mountPath": path}));
            }
        }
    }
}
