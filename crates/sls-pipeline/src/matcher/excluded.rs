//! What a config leaves out: names of files, paths of files, directories. Pure.
//!
//! `*` and `?` stand for what lies between two slashes, and for slashes too in a pattern with `**` somewhere. Source:
//! LoongCollector's `FileDiscoveryOptions`, and its use of `fnmatch`; brackets stand for themselves here, as in the
//! patterns of names.

use std::ffi::OsStr;
use std::path::Path;

use super::Pattern;
use crate::pipeline::Excluded;

/// The compiled form of [`Excluded`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusion {
    names: Vec<Pattern>,
    paths: Vec<PathPattern>,
    directories: Vec<PathPattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PathPattern {
    /// One for each component.
    Components(Vec<Pattern>),
    Whole(Pattern),
}

impl PathPattern {
    fn new(pattern: &str) -> Self {
        if pattern.contains("**") {
            return Self::Whole(Pattern::new(pattern));
        }
        Self::Components(Path::new(pattern).components().map(|part| Pattern::new(part.as_os_str())).collect())
    }

    fn matches(&self, path: &Path) -> bool {
        match self {
            Self::Whole(pattern) => pattern.matches(path.as_os_str()),
            Self::Components(patterns) => {
                let mut parts = path.components();
                patterns.iter().all(|p| parts.next().is_some_and(|part| p.matches(part.as_os_str())))
                    && parts.next().is_none()
            }
        }
    }
}

impl Exclusion {
    pub fn new(excluded: &Excluded) -> Self {
        let paths = |patterns: &[String]| patterns.iter().map(|pattern| PathPattern::new(pattern)).collect();
        Self {
            names: excluded.names.iter().map(Pattern::new).collect(),
            paths: paths(&excluded.paths),
            directories: paths(&excluded.directories),
        }
    }

    /// True if no file of this name is wanted.
    pub fn has_name(&self, name: &OsStr) -> bool {
        self.names.iter().any(|pattern| pattern.matches(name))
    }

    /// True if nothing in this directory is wanted, or in one that it lies in.
    pub fn has_directory(&self, shown: &Path) -> bool {
        !self.directories.is_empty()
            && shown.ancestors().any(|dir| self.directories.iter().any(|pattern| pattern.matches(dir)))
    }

    /// True if this file is not wanted, for its name, its path or its directory.
    pub fn has_file(&self, shown: &Path) -> bool {
        shown.file_name().is_some_and(|name| self.has_name(name))
            || self.paths.iter().any(|pattern| pattern.matches(shown))
            || shown.parent().is_some_and(|dir| self.has_directory(dir))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(names: &[&str], paths: &[&str], directories: &[&str], file: &str) -> bool {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let excluded = Excluded { names: texts(names), paths: texts(paths), directories: texts(directories) };
        Exclusion::new(&excluded).has_file(Path::new(file))
    }

    #[test]
    fn names_are_left_out_everywhere() {
        assert!(excludes(&["*.gz", "debug.log"], &[], &[], "/logs/a/debug.log"));
        assert!(excludes(&["*.gz"], &[], &[], "/logs/a.log.1.gz"));
        assert!(!excludes(&["*.gz"], &[], &[], "/logs.gz/a.log"));
    }

    #[test]
    fn a_star_in_a_path_ends_at_a_slash_unless_there_are_two() {
        let paths = |pattern: &str, file: &str| excludes(&[], &[pattern], &[], file);
        assert!(paths("/logs/*/a.log", "/logs/x/a.log") && paths("/logs/a.log", "/logs/a.log"));
        assert!(!paths("/logs/*/a.log", "/logs/x/y/a.log") && !paths("/logs/*", "/logs/x/a.log"));
        assert!(paths("/logs/**/a.log", "/logs/x/y/a.log") && paths("/**.tmp", "/logs/x/y.tmp"));
    }

    #[test]
    fn a_directory_is_left_out_with_all_below_it() {
        let directories = |pattern: &str, file: &str| excludes(&[], &[], &[pattern], file);
        assert!(
            directories("/logs/old", "/logs/old/a.log") && directories("/logs/old/", "/logs/old/x/y/a.log")
        );
        assert!(!directories("/logs/old", "/logs/older/a.log") && !directories("/logs/old", "/logs/old"));
        assert!(directories("/logs/*/tmp", "/logs/x/tmp/a.log"));
        assert!(!directories("/logs/*/tmp", "/logs/x/y/tmp/a.log"));
        assert!(directories("/**/tmp", "/logs/x/y/tmp/z/a.log"));
    }

    #[test]
    fn nothing_is_left_out_by_default() {
        assert!(!excludes(&[], &[], &[], "/logs/a.log"));
    }
}
