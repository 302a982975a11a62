//! Which files belong to a pipeline: wildcards in directories, name patterns, depth, what is left out. Pure.

mod excluded;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use self::excluded::Exclusion;
use crate::pipeline::FileInput;

/// `*` stands for any bytes, `?` for one; everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<u8>);

impl Pattern {
    /// The pattern of this text.
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
    /// The files of this input.
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

    /// Where looking begins: the directory up to its first wildcard.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Patterns of the directories below, one for each level.
    pub fn below_base(&self) -> &[Pattern] {
        &self.below_base
    }

    /// Levels below the directory of the config that are looked into too.
    pub fn max_depth(&self) -> u32 {
        self.max_depth
    }

    /// True if nothing in this directory is wanted.
    pub fn excludes_directory(&self, shown: &Path) -> bool {
        self.excluded.has_directory(shown)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_a_question_mark_for_one_byte() {
        let matches = |pattern: &str, name: &str| Pattern::new(pattern).matches(OsStr::new(name));
        assert!(matches("*.log", "a.log") && matches("*", "") && matches("a*b*c", "axxbyybzc"));
        assert!(matches("a?c", "abc") && matches("access.log*", "access.log") && matches("*a*", "bab"));
        assert!(!matches("*.log", "a.log.1") && !matches("a?c", "ac") && !matches("a", "ab"));
        assert!(!matches("[ab]", "a") && matches("[ab]", "[ab]"));
    }
}
