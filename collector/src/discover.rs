//! The files that belong to a pipeline, looked up on disk.
//!
//! Which they are says [`Matcher`]; [`walk`] lists directories through a [`Visitor`], which is told of
//! a directory *before* it is listed, so that it can watch it first and miss nothing. Called by
//! `engine::files`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use sls_pipeline::matcher::Matcher;

use crate::tail::FileIdentity;

/// Directories of one pipeline; more are reported and left out. Source: a guard of ours, a tenth of
/// Logtail's limit for the whole agent (collector.md §3.1).
pub const DIRECTORIES_MAX: usize = 10_000;

/// A path as the system knows it and as the config, `__path__` and messages name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Located {
    pub real: PathBuf,
    pub shown: PathBuf,
}

impl Located {
    fn join(&self, name: &OsStr) -> Self {
        Self { real: self.real.join(name), shown: self.shown.join(name) }
    }
}

/// What a walk finds.
pub trait Visitor {
    /// A directory that will be listed next (`holds_files`: matching files in it belong to the
    /// pipeline), or the nearest existing ancestor of one that does not exist yet.
    fn directory(&mut self, dir: &Located, holds_files: bool);
    fn file(&mut self, file: &Located);
    /// A directory or file that cannot be looked at.
    fn problem(&mut self, at: &Located, error: io::Error);
    /// More than [`DIRECTORIES_MAX`] directories match.
    fn too_many(&mut self);
    /// False ends the walk, before it is at its end.
    fn goes_on(&self) -> bool {
        true
    }
}

/// Lists everything that belongs to the pipeline; every path is looked up below `root`.
pub fn walk(matcher: &Matcher, root: Option<&Path>, visitor: &mut impl Visitor) {
    let shown = matcher.base();
    let real = match root {
        Some(root) => root.join(shown.strip_prefix("/").unwrap_or(shown)),
        None => shown.to_owned(),
    };
    let base = Located { real, shown: shown.to_owned() };
    let mut walk = Walk { matcher, visitor, ancestors: Vec::new(), directories: 0 };
    match fs::metadata(&base.real) {
        Ok(meta) if meta.is_dir() => walk.enter(&base, 0, 0),
        Ok(_) => visitor.problem(&base, io::Error::from(io::ErrorKind::NotADirectory)),
        Err(e) if is_absent(&e) => await_directory(&base, visitor),
        Err(e) => visitor.problem(&base, e),
    }
}

/// True for errors that mean "not there (yet)".
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn await_directory(base: &Located, visitor: &mut impl Visitor) {
    let (mut real, mut shown) = (base.real.as_path(), base.shown.as_path());
    while let (Some(real_parent), Some(shown_parent)) = (real.parent(), shown.parent()) {
        (real, shown) = (real_parent, shown_parent);
        if real.is_dir() {
            visitor.directory(&Located { real: real.to_owned(), shown: shown.to_owned() }, false);
            return;
        }
    }
}

struct Walk<'a, V> {
    matcher: &'a Matcher,
    visitor: &'a mut V,
    /// Directories that we are in: a link back to one of them is not followed.
    ancestors: Vec<FileIdentity>,
    directories: usize,
}

impl<V: Visitor> Walk<'_, V> {
    /// Lists `dir`, which stands for the first `matched` patterns and lies `depth` levels below the
    /// directory that the config names.
    fn enter(&mut self, dir: &Located, matched: usize, depth: u32) {
        let identity = match fs::metadata(&dir.real) {
            Ok(meta) => FileIdentity::of(&meta),
            Err(e) if is_absent(&e) => return,
            Err(e) => return self.visitor.problem(dir, e),
        };
        if self.ancestors.contains(&identity) {
            return;
        }
        self.directories += 1;
        if self.directories > DIRECTORIES_MAX {
            if self.directories == DIRECTORIES_MAX + 1 {
                self.visitor.too_many();
            }
            return;
        }
        let holds_files = matched == self.matcher.below_base().len();
        self.visitor.directory(dir, holds_files);
        let entries = match fs::read_dir(&dir.real) {
            Ok(entries) => entries,
            Err(e) if is_absent(&e) => return,
            Err(e) => return self.visitor.problem(dir, e),
        };
        self.ancestors.push(identity);
        for entry in entries {
            if !self.visitor.goes_on() {
                break;
            }
            match entry {
                Ok(entry) => self.entry(dir, &entry, matched, depth),
                Err(e) => self.visitor.problem(dir, e),
            }
        }
        self.ancestors.pop();
    }

    fn entry(&mut self, dir: &Located, entry: &fs::DirEntry, matched: usize, depth: u32) {
        let name = entry.file_name();
        let holds_files = matched == self.matcher.below_base().len();
        let wanted_file = holds_files && self.matcher.matches_name(&name);
        let wanted_dir = match self.matcher.below_base().get(matched) {
            Some(pattern) => pattern.matches(&name),
            None => depth < self.matcher.max_depth(),
        };
        if !wanted_file && !wanted_dir {
            return;
        }
        let at = dir.join(&name);
        if self.matcher.excludes_directory(&at.shown) {
            return; // also where it is a file: nothing is wanted under that name
        }
        let is_dir = match entry.file_type() {
            Ok(kind) if kind.is_symlink() => fs::metadata(&at.real).is_ok_and(|m| m.is_dir()),
            Ok(kind) => kind.is_dir(),
            Err(_) => false,
        };
        match (is_dir, holds_files) {
            (true, true) if wanted_dir => self.enter(&at, matched, depth + 1),
            (true, false) => self.enter(&at, matched + 1, 0),
            (false, true) if wanted_file && !self.matcher.excludes(&at.shown) => self.visitor.file(&at),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
