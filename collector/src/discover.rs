//! Which files belong to a pipeline: wildcards in directories, name patterns, depth.
//!
//! [`Matcher`] is pure; [`Matcher::walk`] lists directories through a [`Visitor`], which is told of
//! a directory *before* it is listed, so that it can watch it first and miss nothing. Called by
//! `engine::files`.

mod excluded;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use self::excluded::Exclusion;
use crate::pipeline::FileInput;
use crate::tail::FileIdentity;

/// Directories of one pipeline; more are reported and left out. Source: a guard of ours, a tenth of
/// Logtail's limit for the whole agent (collector.md §3.1).
pub const DIRECTORIES_MAX: usize = 10_000;

/// `*` stands for any bytes, `?` for one; everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<u8>);

impl Pattern {
    pub fn new(pattern: impl AsRef<OsStr>) -> Self {
        Self(pattern.as_ref().as_bytes().to_vec())
    }

    fn is_literal(&self) -> bool {
        !self.0.iter().any(|b| matches!(b, b'*' | b'?'))
    }

    /// True if the pattern stands for the whole of `name`.
    pub fn matches(&self, name: &OsStr) -> bool {
        let (pattern, name) = (&self.0, name.as_bytes());
        let (mut p, mut n) = (0, 0);
        let mut star: Option<(usize, usize)> = None; // after the last `*`: pattern, name to retry
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p + 1, n));
                    p += 1;
                }
                Some(c) if *c == b'?' || *c == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match star {
                    Some((after, from)) => {
                        star = Some((after, from + 1));
                        p = after;
                        n = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|b| *b == b'*')
    }
}

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

/// The compiled form of a [`FileInput`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    base: PathBuf,
    below_base: Vec<Pattern>,
    file: Pattern,
    max_depth: u32,
    excluded: Exclusion,
}

impl Matcher {
    pub fn new(input: &FileInput) -> Self {
        let mut base = PathBuf::from("/");
        let mut below_base = Vec::new();
        for component in input.directory.components() {
            let Component::Normal(name) = component else { continue };
            let pattern = Pattern::new(name);
            if below_base.is_empty() && pattern.is_literal() {
                base.push(name);
            } else {
                below_base.push(pattern);
            }
        }
        Self {
            base,
            below_base,
            file: Pattern::new(&input.file_pattern),
            max_depth: input.max_depth,
            excluded: Exclusion::new(&input.excluded),
        }
    }

    /// True if a file of this name, in a directory that holds files, may belong to the pipeline.
    pub fn matches_name(&self, name: &OsStr) -> bool {
        self.file.matches(name) && !self.excluded.has_name(name)
    }

    /// True if a file of this shown path, in a directory that holds files, belongs to the pipeline.
    pub fn matches_in_place(&self, shown: &Path) -> bool {
        shown.file_name().is_some_and(|name| self.file.matches(name)) && !self.excludes(shown)
    }

    /// True if the config leaves out the file of this shown path.
    pub fn excludes(&self, shown: &Path) -> bool {
        self.excluded.has_file(shown)
    }

    /// True if the config leaves out all that it names.
    pub fn is_empty(&self) -> bool {
        self.excluded.has_directory(&self.base)
    }

    /// True if a file of this shown path belongs to the pipeline.
    pub fn matches_path(&self, shown: &Path) -> bool {
        let Some(dir) = shown.parent() else { return false };
        let Ok(rest) = dir.strip_prefix(&self.base) else { return false };
        let mut parts = rest.components().map(Component::as_os_str);
        let in_wildcards = self.below_base.iter().all(|p| parts.next().is_some_and(|part| p.matches(part)));
        in_wildcards && parts.count() <= self.max_depth as usize && self.matches_in_place(shown)
    }

    /// Lists everything that belongs to the pipeline; every path is looked up below `root`.
    pub fn walk(&self, root: Option<&Path>, visitor: &mut impl Visitor) {
        let real = match root {
            Some(root) => root.join(self.base.strip_prefix("/").unwrap_or(&self.base)),
            None => self.base.clone(),
        };
        let base = Located { real, shown: self.base.clone() };
        let mut walk = Walk { matcher: self, visitor, ancestors: Vec::new(), directories: 0 };
        match fs::metadata(&base.real) {
            Ok(meta) if meta.is_dir() => walk.enter(&base, 0, 0),
            Ok(_) => visitor.problem(&base, io::Error::from(io::ErrorKind::NotADirectory)),
            Err(e) if is_absent(&e) => await_directory(&base, visitor),
            Err(e) => visitor.problem(&base, e),
        }
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
        let holds_files = matched == self.matcher.below_base.len();
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
        let holds_files = matched == self.matcher.below_base.len();
        let wanted_file = holds_files && self.matcher.matches_name(&name);
        let wanted_dir = match self.matcher.below_base.get(matched) {
            Some(pattern) => pattern.matches(&name),
            None => depth < self.matcher.max_depth,
        };
        if !wanted_file && !wanted_dir {
            return;
        }
        let at = dir.join(&name);
        if self.matcher.excluded.has_directory(&at.shown) {
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
