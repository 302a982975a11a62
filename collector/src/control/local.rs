//! Configs that somebody put beside the collector, without a server: found, read and followed.
//!
//! They lie where the vendor's agents have them: `config/local` (one pipeline config a file),
//! `user_local_config.json` and `user_config.d` (`metrics`, the classic form). A file that cannot be used, or
//! an entry of it, leaves in force what was good before; what goes wrong is said once for each change of the
//! file. Called by `control`, which tells the log.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::hash::{Hash, Hasher};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::session::CONFIGS_MAX;
use crate::instance_config::InstanceConfig;
use crate::layout::Layout;
use crate::pipeline::Pipeline;
pub use file::yaml;
use file::{Content, Form, Read};

mod file;

/// Time between two looks at the files. Source: LoongCollector, `config_scan_interval`.
pub const SCAN_INTERVAL: Duration = Duration::from_secs(10);

/// Longest file of configs, in bytes. Source: own choice; a thousand configs of the usual size.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Files of configs that are looked at. Source: own choice; as many as a collector takes configs.
const FILES_MAX: usize = CONFIGS_MAX;

/// Where they lie, below the agent's home; the first of a name wins.
const PLACES: [(&str, Form, &[&str]); 3] = [
    ("config/local", Form::Pipeline, &["json", "yaml", "yml"]),
    ("user_local_config.json", Form::Metrics, &[]),
    ("user_config.d", Form::Metrics, &["json"]),
];

/// Something to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    Info(String),
    Warn(String),
    Error(String),
}

/// The files and what is in force of them.
#[derive(Debug)]
pub struct LocalConfigs {
    layout: Layout,
    files: BTreeMap<Place, KnownFile>,
    /// Directories that cannot be listed, clashes, limits: what is wrong and said already.
    said: BTreeSet<String>,
}

/// A file, in the order in which they win.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Index in [`PLACES`].
    rank: usize,
    /// As the container sees it.
    shown: PathBuf,
}

#[derive(Debug)]
struct KnownFile {
    stamp: Option<Stamp>,
    entries: BTreeMap<String, Entry>,
}

/// Changes with every change of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(u64, u64, u64, i64, i64, i64, i64);

/// An entry and what is in force of it: this text, or one before.
#[derive(Debug)]
struct Entry {
    hash: i64,
    good: Option<Read>,
}

impl LocalConfigs {
    pub fn new(layout: Layout) -> Self {
        Self { layout, files: BTreeMap::new(), said: BTreeSet::new() }
    }

    /// Looks at all files; true if other pipelines are to run now.
    pub fn scan(&mut self, instance: &InstanceConfig) -> (bool, Vec<Say>) {
        let mut says = Vec::new();
        let mut troubles = BTreeSet::new();
        let found = self.find(&mut troubles);
        let gone: Vec<Place> = self.files.keys().filter(|place| !found.contains(*place)).cloned().collect();
        let mut changed = false;
        for place in gone {
            let file = self.files.remove(&place);
            for name in file.into_iter().flat_map(|file| file.entries.into_keys()) {
                changed = true;
                says.push(Say::Info(format!("config {name}: removed with {}", place.shown.display())));
            }
        }
        for place in found {
            changed |= self.look(&place, instance, &mut says);
        }
        self.note_clashes(&mut troubles);
        let news = troubles.difference(&self.said).cloned();
        says.extend(news.map(Say::Error));
        self.said = troubles;
        (changed, says)
    }

    /// What is in force, by name: the pipeline, or nothing where it is switched off; and the file.
    pub fn in_force(&self) -> BTreeMap<&str, (Option<&Pipeline>, &Path)> {
        let mut all = BTreeMap::new();
        for (place, name, good) in self.good() {
            let pipeline = match good {
                Read::Runs { pipeline, .. } => Some(&**pipeline),
                Read::Disabled => None,
                Read::Deleted => continue,
            };
            if all.len() < CONFIGS_MAX {
                all.entry(name).or_insert((pipeline, place.shown.as_path()));
            }
        }
        all
    }

    fn good(&self) -> impl Iterator<Item = (&Place, &str, &Read)> {
        self.files.iter().flat_map(|(place, file)| {
            let entries = file.entries.iter();
            entries.filter_map(move |(name, entry)| Some((place, name.as_str(), entry.good.as_ref()?)))
        })
    }

    fn note_clashes(&self, troubles: &mut BTreeSet<String>) {
        let mut owners: BTreeMap<&str, &Place> = BTreeMap::new();
        for (place, name, _) in self.good().filter(|(_, _, good)| !matches!(good, Read::Deleted)) {
            match owners.get(name) {
                Some(owner) => {
                    let (shown, owner) = (place.shown.display(), owner.shown.display());
                    troubles.insert(format!(
                        "config {name} of {shown} is not collected: {owner} has one of this name; rename one of them"
                    ));
                }
                None if owners.len() >= CONFIGS_MAX => {
                    troubles.insert(format!(
                        "more than {CONFIGS_MAX} local configs; those beyond are not collected: remove some"
                    ));
                }
                None => drop(owners.insert(name, place)),
            }
        }
    }

    /// The files that are there, and those of directories that cannot be listed at the moment.
    fn find(&self, troubles: &mut BTreeSet<String>) -> BTreeSet<Place> {
        let mut found = BTreeSet::new();
        for (rank, (place, _, extensions)) in PLACES.into_iter().enumerate() {
            let home = Layout::default().on_disk(Path::new(place));
            let listed = if extensions.is_empty() {
                self.layout
                    .on_disk(&home)
                    .try_exists()
                    .map(|exists| Vec::from_iter(exists.then(|| home.clone())))
            } else {
                list(&self.layout.on_disk(&home), extensions)
                    .map(|names| names.into_iter().map(|name| home.join(name)).collect())
            };
            match listed {
                Ok(files) => found.extend(files.into_iter().map(|shown| Place { rank, shown })),
                Err(error) => {
                    troubles.insert(format!(
                        "{} cannot be read ({error}); its configs go on as they were: make it readable for this user",
                        home.display()
                    ));
                    found.extend(self.files.keys().filter(|place| place.rank == rank).cloned());
                }
            }
        }
        if found.len() > FILES_MAX {
            troubles.insert(format!(
                "more than {FILES_MAX} files of local configs; those beyond are not looked at: remove some"
            ));
            found = found.into_iter().take(FILES_MAX).collect();
        }
        found
    }

    /// True if something else of the file is in force now.
    fn look(&mut self, place: &Place, instance: &InstanceConfig, says: &mut Vec<Say>) -> bool {
        let path = self.layout.on_disk(&place.shown);
        let metadata = fs::metadata(&path);
        let stamp = metadata.as_ref().ok().map(Stamp::of);
        let known = self.files.get(place);
        if known.is_some_and(|known| known.stamp == stamp) {
            return false;
        }
        let holding = match known.map(|known| known.entries.values().filter(|e| e.good.is_some()).count()) {
            None | Some(0) => "nothing of it is collected",
            Some(_) => "what was good before goes on",
        };
        let form = PLACES.get(place.rank).map_or(Form::Pipeline, |(_, form, _)| *form);
        let content = metadata
            .and_then(|metadata| read_whole(&path, &metadata))
            .map_err(|error| format!("it cannot be read ({error})"))
            .and_then(|bytes| file::content(&place.shown, form, &bytes));
        let known = self.files.entry(place.clone()).or_insert_with(KnownFile::new);
        known.stamp = stamp;
        match content {
            Ok(Content { entries, unknown }) => {
                let shown = place.shown.display();
                says.extend(unknown.into_iter().map(|text| Say::Warn(format!("{shown}: {text}"))));
                known.take(&place.shown, entries, instance, says)
            }
            Err(reason) => {
                says.push(Say::Error(format!(
                    "local config {}: {reason}; {holding}. Correct the file: it is looked at again every {} s",
                    place.shown.display(),
                    SCAN_INTERVAL.as_secs()
                )));
                false
            }
        }
    }
}

impl KnownFile {
    fn new() -> Self {
        Self { stamp: None, entries: BTreeMap::new() }
    }

    /// Takes over the entries of a new content; true if something else is in force now.
    fn take(
        &mut self,
        shown: &Path,
        entries: Vec<(String, Value)>,
        instance: &InstanceConfig,
        says: &mut Vec<Say>,
    ) -> bool {
        let mut before = std::mem::take(&mut self.entries);
        let mut changed = false;
        for (name, value) in entries {
            let hash = version_of(&value);
            let old = before.remove(&name);
            if let Some(old) = old.as_ref().filter(|old| old.hash == hash) {
                let good = old.good.clone();
                self.entries.insert(name, Entry { hash, good });
                continue;
            }
            let good = match file::read(&name, hash, &value, instance) {
                Ok(read) => {
                    changed = true;
                    says.push(accepted(&name, shown, &read, instance));
                    Some(read)
                }
                Err(reason) => {
                    let good = old.and_then(|old| old.good);
                    let holding = match good {
                        None => "it is not collected",
                        Some(_) => "what was good before goes on",
                    };
                    says.push(Say::Error(format!(
                        "config {name} of {} cannot be used: {reason}; {holding}. Correct the file: it is looked at \
                         again every {} s",
                        shown.display(),
                        SCAN_INTERVAL.as_secs()
                    )));
                    good
                }
            };
            self.entries.insert(name, Entry { hash, good });
        }
        for name in before.into_keys() {
            changed = true;
            says.push(Say::Info(format!("config {name}: removed from {}", shown.display())));
        }
        changed
    }
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        let (mtime, ctime) = (meta.mtime_nsec(), meta.ctime_nsec());
        Self(meta.dev(), meta.ino(), meta.len(), meta.mtime(), mtime, meta.ctime(), ctime)
    }
}

fn accepted(name: &str, shown: &Path, read: &Read, instance: &InstanceConfig) -> Say {
    let shown = shown.display();
    match read {
        Read::Disabled => Say::Info(format!("config {name} of {shown} is switched off (enable: false)")),
        Read::Deleted => Say::Info(format!("config {name} of {shown} is marked as deleted (version: -1)")),
        Read::Runs { .. } if instance.access_key.is_none() => Say::Error(format!(
            "config {name} of {shown} is read, but nothing can be sent: set default_access_key_id and \
             default_access_key in {} or in the environment, and restart the collector",
            instance.path.display()
        )),
        Read::Runs { notice, .. } if notice.is_empty() => {
            Say::Info(format!("config {name} of {shown} accepted"))
        }
        Read::Runs { notice, .. } => Say::Warn(format!("config {name} of {shown} accepted; {notice}")),
    }
}

/// Changes with the text of a config; never a version that means something.
fn version_of(value: &Value) -> i64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    i64::try_from(hasher.finish() >> 1).unwrap_or_default().max(1)
}

/// Names of the files with one of these extensions. Names with a dot in front belong to editors and mounts.
fn list(directory: &Path, extensions: &[&str]) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = PathBuf::from(entry?.file_name());
        let extension = name.extension().and_then(|extension| extension.to_str());
        let is_config = extension.is_some_and(|extension| extensions.contains(&extension));
        // A link, as in a mounted ConfigMap, is followed.
        let is_file = || fs::metadata(directory.join(&name)).is_ok_and(|meta| meta.is_file());
        if is_config && !name.to_string_lossy().starts_with('.') && is_file() {
            names.push(name);
        }
    }
    Ok(names)
}

fn read_whole(path: &Path, metadata: &Metadata) -> io::Result<Vec<u8>> {
    if !metadata.is_file() {
        // A pipe would be waited for, and all else of the runtime with it.
        return Err(io::Error::other("it is no file"));
    }
    if metadata.len() > FILE_BYTES_MAX {
        let text = format!("{} bytes are more than {FILE_BYTES_MAX}", metadata.len());
        return Err(io::Error::other(text));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
