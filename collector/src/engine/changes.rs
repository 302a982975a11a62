//! What the file system did: listings, notifications, names that come and go.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::problems::{alarm_of, unreadable};
use super::reader::{Now, Reader};
use super::tracked::{FileKey, PipelineId, Place, Tracked};
use crate::alarm::Alarm;
use crate::discover::{self, Located, Matcher, Visitor, is_absent};
use crate::tail::FileIdentity;
use crate::watch::{Change, WatchError, Watcher};

/// First and longest time until an unreadable directory or file is tried again.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Renamed names that are remembered while their rename is followed; see [`Reader::take_in`].
const CANDIDATES_MAX: usize = 1_000;

/// What a pipeline wants of a directory.
#[derive(Debug, Clone)]
pub struct DirectoryUse {
    pub pipeline: PipelineId,
    /// Matching files in it belong to the pipeline; otherwise it is only on the way there.
    pub holds_files: bool,
    pub shown: PathBuf,
}

/// Memory for what was written to: its path, and who reads it.
#[derive(Debug, Default)]
pub struct Touched {
    path: PathBuf,
    keys: Vec<FileKey>,
}

/// Notes what a walk finds, and watches directories before they are listed.
struct Listing<'a> {
    watcher: &'a mut Watcher,
    directories: Vec<(Located, bool)>,
    files: Vec<Located>,
    problems: BTreeMap<PathBuf, (Alarm, String)>,
    not_watched: Option<WatchError>,
}

impl Visitor for Listing<'_> {
    fn directory(&mut self, dir: &Located, holds_files: bool) {
        match self.watcher.watch(&dir.real) {
            Ok(()) => {}
            // Listing it will fail too, and say why.
            Err(WatchError::Path { .. }) => {}
            Err(e) => self.not_watched = Some(e),
        }
        self.directories.push((dir.clone(), holds_files));
    }

    fn file(&mut self, file: &Located) {
        // What happens to the target of a link is notified in the target's directory.
        if file.real.is_symlink()
            && let Ok(target) = file.real.canonicalize()
            && let Some(real) = target.parent()
            && self.directories.iter().all(|(dir, _)| dir.real != real)
        {
            self.directory(&Located { real: real.to_owned(), shown: real.to_owned() }, false);
        }
        self.files.push(file.clone());
    }

    fn problem(&mut self, at: &Located, error: io::Error) {
        let problem = (alarm_of(&at.real, &error), unreadable(&at.shown, &error));
        self.problems.insert(at.shown.clone(), problem);
    }

    fn too_many(&mut self) {
        let message = format!(
            "more than {} directories match; those beyond are not collected: narrow logPath or maxDepth",
            discover::DIRECTORIES_MAX
        );
        self.problems.insert(PathBuf::new(), (Alarm::DirExceedLimit, message));
    }
}

impl Reader {
    /// Lists the directories of a pipeline and takes up what is there.
    pub(super) fn walk(&mut self, id: PipelineId, now: Now) {
        let Some(running) = self.pipelines.get_mut(&id) else { return };
        let existed = !std::mem::replace(&mut running.was_walked, true);
        running.listed_before = running.listed.replace(now.wall);
        let matcher: Matcher = running.matcher.clone();
        let mut listing = Listing {
            watcher: &mut self.watcher,
            directories: Vec::new(),
            files: Vec::new(),
            problems: BTreeMap::new(),
            not_watched: None,
        };
        discover::walk(&matcher, self.settings.root.as_deref(), &mut listing);
        let Listing { directories, mut files, problems, not_watched, .. } = listing;
        // Live files before those whose names are longer by a number: copies are judged by them.
        files.sort_by_key(|at| at.real.as_os_str().len());
        let alarms = &self.board.alarms;
        for (alarm, problem) in problems.values() {
            alarms.raise(*alarm, "", &running.subject, 1, || problem.clone());
        }
        running.problems = problems.into_iter().map(|(path, (_, problem))| (path, problem)).collect();
        if let Some(reason) = not_watched
            && !std::mem::replace(&mut self.must_poll, true)
        {
            warn!(%reason, "changes are found by polling");
            let alarm = match reason {
                WatchError::Limit { .. } => Alarm::InotifyDirNumLimit,
                _ => Alarm::RegisterInotifyFail,
            };
            alarms.raise(alarm, "", &running.subject, 1, || reason.to_string());
        }
        self.use_directories(id, directories);
        let found: HashSet<&Path> = files.iter().map(|f| f.real.as_path()).collect();
        let missing: Vec<FileKey> = self
            .files
            .values()
            .filter(|f| f.pipeline == id && f.place == Place::Here && !found.contains(f.at.real.as_path()))
            .map(|f| f.key)
            .collect();
        for at in &files {
            self.look(id, at, existed, now);
        }
        for key in missing {
            self.look_again(key, now);
        }
        if self.must_poll && !existed {
            let since = self.pipelines.get(&id).and_then(|r| r.listed_before);
            self.take_up_all_unseen(id, since.unwrap_or(now.wall), now);
        }
        self.plan_next_walk(id, now);
    }

    fn plan_next_walk(&mut self, id: PipelineId, now: Now) {
        let limits = &self.settings.limits;
        let mut wait = if self.must_poll { limits.poll_interval } else { limits.safety_poll_interval };
        let Some(running) = self.pipelines.get_mut(&id) else { return };
        if running.problems.is_empty() {
            running.retry = RETRY_FIRST;
        } else {
            wait = wait.min(running.retry);
            running.retry = (running.retry * 2).clamp(RETRY_FIRST, RETRY_MAX);
        }
        self.walk_at.insert(id, now.mono + wait);
        self.show_problems(id);
    }

    fn use_directories(&mut self, id: PipelineId, directories: Vec<(Located, bool)>) {
        self.forget_uses(id);
        for (dir, holds_files) in directories {
            let uses = self.directories.entry(dir.real).or_default();
            uses.push(DirectoryUse { pipeline: id, holds_files, shown: dir.shown });
        }
        self.unwatch_unused();
    }

    pub(super) fn forget_directories_of(&mut self, id: PipelineId) {
        self.forget_uses(id);
        self.unwatch_unused();
    }

    fn forget_uses(&mut self, id: PipelineId) {
        self.directories.retain(|_, uses| {
            uses.retain(|u| u.pipeline != id);
            !uses.is_empty()
        });
    }

    fn unwatch_unused(&mut self) {
        let unused: Vec<PathBuf> = self
            .watcher
            .watched()
            .filter(|dir| !self.directories.contains_key(*dir))
            .map(Path::to_owned)
            .collect();
        for dir in unused {
            self.watcher.unwatch(&dir);
        }
    }

    /// Takes in notifications in their order.
    ///
    /// A file that is created and renamed before we come to it (a fast rotation) no longer has a
    /// matching name when we look. So the renames are followed: a name that holds a file which had
    /// a matching name before is a *candidate*, and candidates are looked at in the end.
    pub(super) fn take_in(&mut self, changes: &[Change], now: Now) {
        let mut moving: BTreeMap<u32, PathBuf> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Touched { dir, name } => self.touched(dir, name, now),
                Change::Appeared { dir, name, is_dir, moved } => {
                    if *is_dir || !self.holds_files(dir) {
                        self.walk_users_of(dir, now);
                        continue;
                    }
                    let path = dir.join(name);
                    match moved.and_then(|cookie| moving.remove(&cookie)) {
                        Some(shown) => self.note_candidate(path, shown),
                        None => drop(self.candidates.remove(&path)),
                    }
                    self.appeared(dir, name, now);
                }
                Change::Vanished { dir, name, is_dir, moved } => {
                    if *is_dir {
                        self.walk_users_of(dir, now);
                        continue;
                    }
                    let path = dir.join(name);
                    let shown = self.candidates.remove(&path).or_else(|| self.shown_if_matching(dir, name));
                    if let (Some(cookie), Some(shown)) = (moved, shown) {
                        moving.insert(*cookie, shown);
                    }
                    for key in self.by_path.get(&path).cloned().unwrap_or_default() {
                        self.look_again(key, now);
                    }
                }
                Change::DirectoryGone { dir } => self.walk_users_of(dir, now),
                Change::Lost => {
                    let problem =
                        "the kernel's queue of file notifications overflowed; everything is listed anew";
                    warn!("{problem}");
                    let of_all = Arc::default();
                    self.board.alarms.raise(Alarm::InotifyEventOverflow, "", &of_all, 1, || problem.into());
                    let all: Vec<PipelineId> = self.pipelines.keys().copied().collect();
                    for id in all {
                        self.walk_at.insert(id, now.mono);
                    }
                }
            }
        }
        if !changes.is_empty() {
            self.look_at_candidates(now);
        }
    }

    fn holds_files(&self, dir: &Path) -> bool {
        self.directories.get(dir).is_some_and(|uses| uses.iter().all(|u| u.holds_files))
    }

    fn walk_users_of(&mut self, dir: &Path, now: Now) {
        for usage in self.directories.get(dir).map(Vec::as_slice).unwrap_or_default() {
            self.walk_at.insert(usage.pipeline, now.mono);
        }
    }

    fn touched(&mut self, dir: &Path, name: &OsStr, now: Now) {
        self.idle.note_activity(now);
        let Touched { mut path, mut keys } = std::mem::take(&mut self.touched);
        path.as_mut_os_string().clear();
        path.extend([dir.as_os_str(), name]);
        keys.clear();
        keys.extend(self.by_path.get(&path).into_iter().flatten());
        if keys.is_empty() {
            self.appeared(dir, name, now);
        }
        for key in &keys {
            self.make_ready(*key);
        }
        self.touched = Touched { path, keys };
    }

    fn appeared(&mut self, dir: &Path, name: &OsStr, now: Now) {
        for usage in self.directories.get(dir).cloned().unwrap_or_default() {
            if !usage.holds_files {
                continue;
            }
            let at = Located { real: dir.join(name), shown: usage.shown.join(name) };
            let running = self.pipelines.get(&usage.pipeline);
            let matches = running.is_some_and(|r| r.matcher.matches_in_place(&at.shown));
            if matches && at.real.is_symlink() {
                self.walk_at.insert(usage.pipeline, now.mono); // its target's directory is watched too
            } else if matches {
                self.look(usage.pipeline, &at, false, now);
            } else if !self.follow_rename(usage.pipeline, &at.real, now) {
                let dir = Located { real: dir.to_owned(), shown: usage.shown };
                self.judge_rotated(usage.pipeline, &dir, name, now);
            }
        }
    }

    /// If the file at `path` is one that we follow, its name is `path` from now on.
    fn follow_rename(&mut self, id: PipelineId, path: &Path, now: Now) -> bool {
        let Ok(meta) = std::fs::metadata(path) else { return true };
        let known = self.by_identity.get(&(id, FileIdentity::of(&meta))).copied();
        if let Some(key) = known {
            self.relocate(key, path, now);
        }
        known.is_some()
    }

    /// The shown path of an entry whose name matches a pipeline that looks into `dir`.
    fn shown_if_matching(&self, dir: &Path, name: &OsStr) -> Option<PathBuf> {
        let uses = self.directories.get(dir)?.iter().filter(|usage| usage.holds_files);
        let matching = uses.filter_map(|usage| {
            let shown = usage.shown.join(name);
            self.pipelines.get(&usage.pipeline)?.matcher.matches_in_place(&shown).then_some(shown)
        });
        matching.into_iter().next()
    }

    fn note_candidate(&mut self, path: PathBuf, shown: PathBuf) {
        if self.candidates.len() >= CANDIDATES_MAX {
            self.candidates.clear();
        }
        self.candidates.insert(path, shown);
    }

    fn look_at_candidates(&mut self, now: Now) {
        let candidates: Vec<(PathBuf, PathBuf)> =
            self.candidates.iter().map(|(path, shown)| (path.clone(), shown.clone())).collect();
        for (real, shown) in candidates {
            let Some(dir) = real.parent() else { continue };
            for usage in self.directories.get(dir).cloned().unwrap_or_default() {
                let running = self.pipelines.get(&usage.pipeline);
                let matches = running.is_some_and(|r| r.matcher.matches_in_place(&shown));
                if usage.holds_files && matches {
                    let at = Located { real: real.clone(), shown: shown.clone() };
                    self.look(usage.pipeline, &at, false, now);
                }
            }
        }
    }

    /// Looks at a path that belongs to a pipeline: which file is there now?
    pub(super) fn look(&mut self, id: PipelineId, at: &Located, existed: bool, now: Now) {
        let meta = match std::fs::metadata(&at.real) {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => return,
            Err(e) if is_absent(&e) => {
                self.detach_all_at(id, &at.real, None, now);
                return;
            }
            Err(e) => return self.note_problem(id, at, &e),
        };
        let identity = FileIdentity::of(&meta);
        let followed_before = self.followed_at(id, &at.real).map(|file| file.looked_at);
        let is_another = self.detach_all_at(id, &at.real, Some(identity), now);
        match self.by_identity.get(&(id, identity)).copied() {
            Some(key) => self.relocate(key, &at.real, now),
            None => self.begin(id, at, existed, now),
        }
        if let (true, Some(looked_at)) = (is_another, followed_before) {
            // The name may have changed hands more than once since the last look.
            self.take_up_unseen_of(id, at, looked_at, now);
        }
    }

    fn followed_at(&self, id: PipelineId, path: &Path) -> Option<&Tracked> {
        let keys = self.by_path.get(path)?;
        keys.iter().filter_map(|key| self.files.get(key)).find(|f| f.pipeline == id).map(Box::as_ref)
    }

    /// Sees whether a file is still where it was found. (What is there instead comes by itself.)
    fn look_again(&mut self, key: FileKey, now: Now) {
        let Some(file) = self.files.get(&key) else { return };
        let (id, path) = (file.pipeline, file.at.real.clone());
        let there = std::fs::metadata(&path).ok().map(|meta| FileIdentity::of(&meta));
        self.detach_all_at(id, &path, there, now);
    }

    pub(super) fn look_at_all_files_of(&mut self, id: PipelineId) {
        let keys: Vec<FileKey> = self.files.values().filter(|f| f.pipeline == id).map(|f| f.key).collect();
        for key in keys {
            self.make_ready(key);
        }
    }
}
