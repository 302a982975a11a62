//! Volumes of a pod as directories of this machine.
//!
//! Called by the worker of a pod once, before its first container starts. emptyDir is a plain
//! directory, whatever its medium; size limits are not enforced. hostPath is the machine's own
//! path. ConfigMaps, Secrets and downward API files are written once.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use k8s_openapi::api::core::v1 as core;

use super::env::{self, Addresses, EnvError};
use super::sources::{Entries, Sources};
use crate::pods::containers::rootfs::VolumeMount;
use crate::pods::expand::expand;

/// Mode of files whose volume names none. Source: Kubernetes API reference.
const FILE_MODE: i32 = 0o644;

/// Why a volume cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// It needs something that does not exist.
    #[error("volume {volume:?}: {source}")]
    Source {
        /// Name of the volume.
        volume: String,
        /// What is missing.
        source: EnvError,
    },
    /// A directory or file could not be made.
    #[error("volume {volume:?}: {}: {source}", path.display())]
    Io {
        /// Name of the volume.
        volume: String,
        /// Where.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// The path on the machine is not what the manifest says.
    #[error("volume {volume:?}: hostPath {} is not a {wanted}", path.display())]
    HostPath {
        /// Name of the volume.
        volume: String,
        /// The path.
        path: PathBuf,
        /// The `type` of the manifest.
        wanted: String,
    },
    /// A kind of volume that the bed does not have.
    #[error(
        "volume {0:?}: only emptyDir, hostPath, configMap, secret, downwardAPI and projected \
         volumes are supported here"
    )]
    Unsupported(String),
    /// A mount names no volume of the pod.
    #[error("container {container}: volumeMount {volume:?} names no volume of the pod")]
    Unknown {
        /// Name of the container.
        container: String,
        /// Name in the mount.
        volume: String,
    },
    /// A `subPath` that leads out of its volume.
    #[error("container {container}: subPath {path:?} must be relative and may not contain '..'")]
    SubPath {
        /// Name of the container.
        container: String,
        /// The path as given.
        path: String,
    },
}

/// The volumes of a pod: name and directory or file on the machine.
pub type Volumes = BTreeMap<String, PathBuf>;

/// Makes all volumes of `pod` below `directory`.
///
/// # Errors
/// See [`VolumeError`]; nothing needs to be undone, it may be tried again.
pub fn prepare(
    pod: &core::Pod,
    directory: &Path,
    addresses: &Addresses,
    sources: &Sources,
) -> Result<Volumes, VolumeError> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes
        .map(|volume| {
            let place = directory.join(&volume.name);
            let maker = Maker { pod, volume, place, addresses, sources };
            Ok((volume.name.clone(), maker.make()?))
        })
        .collect()
}

struct Maker<'a> {
    pod: &'a core::Pod,
    volume: &'a core::Volume,
    place: PathBuf,
    addresses: &'a Addresses,
    sources: &'a Sources,
}

impl Maker<'_> {
    fn make(&self) -> Result<PathBuf, VolumeError> {
        let volume = self.volume;
        if let Some(host) = &volume.host_path {
            return self.host_path(host);
        }
        self.directory(&self.place)?;
        if volume.empty_dir.is_some() {
            // Any user of any container may write, as in a cluster.
            self.io(&self.place, std::fs::set_permissions(&self.place, mode(0o777)))?;
        } else if let Some(source) = &volume.config_map {
            let entries = self.entries(self.sources.config_map(&source.name, optional(source.optional)))?;
            self.write(entries, source.items.as_deref(), source.default_mode)?;
        } else if let Some(source) = &volume.secret {
            let name = source.secret_name.as_deref().unwrap_or_default();
            let entries = self.entries(self.sources.secret(name, optional(source.optional)))?;
            self.write(entries, source.items.as_deref(), source.default_mode)?;
        } else if let Some(source) = &volume.downward_api {
            self.downward(source.items.as_deref(), source.default_mode)?;
        } else if let Some(source) = &volume.projected {
            for part in source.sources.iter().flatten() {
                self.projected(part, source.default_mode)?;
            }
        } else {
            return Err(VolumeError::Unsupported(volume.name.clone()));
        }
        Ok(self.place.clone())
    }

    fn projected(&self, part: &core::VolumeProjection, default_mode: Option<i32>) -> Result<(), VolumeError> {
        if let Some(source) = &part.config_map {
            let entries = self.entries(self.sources.config_map(&source.name, optional(source.optional)))?;
            self.write(entries, source.items.as_deref(), default_mode)
        } else if let Some(source) = &part.secret {
            let entries = self.entries(self.sources.secret(&source.name, optional(source.optional)))?;
            self.write(entries, source.items.as_deref(), default_mode)
        } else if let Some(source) = &part.downward_api {
            self.downward(source.items.as_deref(), default_mode)
        } else {
            Err(VolumeError::Unsupported(self.volume.name.clone()))
        }
    }

    fn host_path(&self, host: &core::HostPathVolumeSource) -> Result<PathBuf, VolumeError> {
        let path = PathBuf::from(&host.path);
        let wanted = host.type_.as_deref().unwrap_or_default();
        let fits = match wanted {
            "DirectoryOrCreate" => self.directory(&path).map(|()| true)?,
            "FileOrCreate" => {
                let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
                self.io(&path, file.map(|_| true))?
            }
            "Directory" => path.is_dir(),
            "File" => path.is_file(),
            _ => path.exists(),
        };
        if fits {
            return Ok(path);
        }
        let wanted = if wanted.is_empty() { "directory or file" } else { wanted }.to_owned();
        Err(VolumeError::HostPath { volume: self.volume.name.clone(), path, wanted })
    }

    fn write(
        &self,
        entries: Option<&Entries>,
        items: Option<&[core::KeyToPath]>,
        default_mode: Option<i32>,
    ) -> Result<(), VolumeError> {
        let Some(entries) = entries else { return Ok(()) };
        match items {
            None | Some([]) => {
                for (key, bytes) in entries {
                    self.file(key, bytes, default_mode)?;
                }
            }
            Some(items) => {
                for item in items {
                    if let Some(bytes) = entries.get(&item.key) {
                        self.file(&item.path, bytes, item.mode.or(default_mode))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn downward(
        &self,
        items: Option<&[core::DownwardAPIVolumeFile]>,
        default_mode: Option<i32>,
    ) -> Result<(), VolumeError> {
        for item in items.unwrap_or_default() {
            let path = item.field_ref.as_ref().map(|field| field.field_path.as_str());
            let value =
                path.and_then(|path| env::field_value(self.pod, path, self.addresses)).ok_or_else(|| {
                    VolumeError::Source {
                        volume: self.volume.name.clone(),
                        source: EnvError::FieldUnknown {
                            variable: item.path.clone(),
                            path: path.unwrap_or("resourceFieldRef").to_owned(),
                        },
                    }
                })?;
            self.file(&item.path, value.as_bytes(), item.mode.or(default_mode))?;
        }
        Ok(())
    }

    fn file(&self, name: &str, bytes: &[u8], file_mode: Option<i32>) -> Result<(), VolumeError> {
        let Some(place) = below(&self.place, name) else {
            let source = io::Error::other("the path must be relative and may not contain '..'");
            return self.io(Path::new(name), Err(source));
        };
        if let Some(parent) = place.parent() {
            self.directory(parent)?;
        }
        let bits = u32::try_from(file_mode.unwrap_or(FILE_MODE)).unwrap_or(0o644);
        // A second try finds files of the first, which may not be writable.
        std::fs::remove_file(&place).ok();
        let written =
            std::fs::write(&place, bytes).and_then(|()| std::fs::set_permissions(&place, mode(bits)));
        self.io(&place, written)
    }

    fn directory(&self, path: &Path) -> Result<(), VolumeError> {
        self.io(path, std::fs::create_dir_all(path))
    }

    fn io<T>(&self, path: &Path, result: io::Result<T>) -> Result<T, VolumeError> {
        result.map_err(|source| VolumeError::Io {
            volume: self.volume.name.clone(),
            path: path.to_owned(),
            source,
        })
    }

    fn entries<'b>(
        &self,
        found: Result<Option<&'b Entries>, EnvError>,
    ) -> Result<Option<&'b Entries>, VolumeError> {
        found.map_err(|source| VolumeError::Source { volume: self.volume.name.clone(), source })
    }
}

fn optional(given: Option<bool>) -> bool {
    given == Some(true)
}

fn mode(bits: u32) -> std::fs::Permissions {
    std::fs::Permissions::from_mode(bits)
}

/// `path` below `directory`, unless it would leave it.
fn below(directory: &Path, path: &str) -> Option<PathBuf> {
    let stays = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    (stays && !path.is_empty()).then(|| directory.join(path))
}

/// The mounts of a container. Directories named by `subPath` are made.
///
/// # Errors
/// See [`VolumeError`].
pub fn mounts(
    container: &core::Container,
    volumes: &Volumes,
    env: &[(String, String)],
) -> Result<Vec<VolumeMount>, VolumeError> {
    container.volume_mounts.iter().flatten().map(|mount| one_mount(container, mount, volumes, env)).collect()
}

fn one_mount(
    container: &core::Container,
    mount: &core::VolumeMount,
    volumes: &Volumes,
    env: &[(String, String)],
) -> Result<VolumeMount, VolumeError> {
    let mut source = volumes.get(&mount.name).cloned().ok_or_else(|| VolumeError::Unknown {
        container: container.name.clone(),
        volume: mount.name.clone(),
    })?;
    let sub_path = match (&mount.sub_path, &mount.sub_path_expr) {
        (_, Some(expression)) if !expression.is_empty() => expand(expression, env),
        (Some(path), _) => path.clone(),
        _ => String::new(),
    };
    if !sub_path.is_empty() {
        source = below(&source, &sub_path)
            .ok_or_else(|| VolumeError::SubPath { container: container.name.clone(), path: sub_path })?;
        if !source.exists() {
            std::fs::create_dir_all(&source).map_err(|error| VolumeError::Io {
                volume: mount.name.clone(),
                path: source.clone(),
                source: error,
            })?;
        }
    }
    let target = Path::new("/").join(&mount.mount_path);
    Ok(VolumeMount { source, target, read_only: mount.read_only == Some(true) })
}
