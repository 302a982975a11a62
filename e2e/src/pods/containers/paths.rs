//! Paths as a container sees them and as the machine sees them.
//!
//! Used by the layout of roots, the mounts and the shims.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Symlinks followed while resolving one path; more is taken for a loop, as Linux does (`ELOOP`).
const SYMLINKS_MAX: usize = 40;

/// `path` of a container as a path of the machine, without following links.
pub fn within(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Follows links the way the container will see them, never leaving `root`. Components that do
/// not exist yet are kept. The result is an absolute path inside the container.
pub fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut done = PathBuf::from("/");
    let mut todo: Vec<PathBuf> = components_reversed(path);
    let mut links = 0;
    while let Some(component) = todo.pop() {
        if component == Path::new("..") {
            done.pop();
            continue;
        }
        let next = done.join(&component);
        match std::fs::read_link(within(root, &next)) {
            Ok(target) => {
                links += 1;
                if links > SYMLINKS_MAX {
                    return Err(io::Error::other(format!(
                        "too many symbolic links in {} inside the container",
                        path.display()
                    )));
                }
                if target.is_absolute() {
                    done = PathBuf::from("/");
                }
                todo.extend(components_reversed(&target));
            }
            Err(_) => done = next,
        }
    }
    Ok(done)
}

fn components_reversed(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(PathBuf::from(name)),
            Component::ParentDir => Some(PathBuf::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_without_leaving_the_root() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        std::fs::create_dir_all(at("run")).unwrap();
        std::fs::create_dir_all(at("var")).unwrap();
        symlink("../run", at("var/run")).unwrap();
        symlink("/run", at("abs")).unwrap();
        symlink("../../../../etc", at("escape")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for (path, expected) in [
            ("/var/run/x", "/run/x"),
            ("/abs/a/../b", "/run/b"),
            ("/escape/passwd", "/etc/passwd"),
            ("/../..", "/"),
            ("relative", "/relative"),
            ("/not/there/yet", "/not/there/yet"),
        ] {
            assert_eq!(resolve(root.path(), Path::new(path)).unwrap(), Path::new(expected));
        }
        assert!(resolve(root.path(), Path::new("/loop")).is_err());
    }
}
