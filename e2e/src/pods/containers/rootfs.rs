//! Lays out a container's root directory, with plain file operations only.
//!
//! Called by the bed before a container starts. For [`Mode::Namespaces`] it makes the
//! directories, links and mount points and returns the mounts that the shim must make; for
//! [`Mode::Prefix`] links stand in for mounts. Nothing is mounted here, so nothing can be left
//! mounted. The directory is kept after the container's end for a look at what it wrote.
//!
//! The tree: the machine's `/usr` (without `/usr/local`), `/lib*` and `/sbin` read-only; own
//! `/etc` with a few files of the machine; `/bin` with links to the common tools beside the
//! image's programs; everything else empty and writable.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::paths::{resolve, within};
use super::spec::{Bind, Mode};
use crate::pods::image::Image;

/// Directories that exist in every container.
const DIRECTORIES: [&str; 21] = [
    "bin",
    "dev",
    "etc",
    "home",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "run/lock",
    "srv",
    "sys",
    "tmp",
    "usr",
    "usr/local",
    "usr/local/bin",
    "usr/local/sbin",
    "var",
    "var/lib",
    "var/log",
    "var/tmp",
];

/// Top-level entries of the machine that containers see read-only.
const SYSTEM: [&str; 8] = ["/usr", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/nix", "/gnu"];

/// Entries of the machine's `/etc` that programs need for linking, time zones and TLS.
const ETC: [&str; 10] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/os-release",
    "/etc/pki",
    "/etc/ssl",
    "/etc/timezone",
];

/// Tools linked into `/bin`; the rest is found in `/usr/bin` through `PATH`.
const TOOLS: [&str; 84] = [
    "awk",
    "base64",
    "basename",
    "bash",
    "busybox",
    "cat",
    "chmod",
    "chown",
    "cksum",
    "clear",
    "cmp",
    "comm",
    "cp",
    "cut",
    "dash",
    "date",
    "dd",
    "df",
    "diff",
    "dirname",
    "du",
    "echo",
    "egrep",
    "env",
    "expr",
    "false",
    "fgrep",
    "find",
    "fold",
    "getent",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "hexdump",
    "hostname",
    "id",
    "join",
    "kill",
    "less",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mkfifo",
    "mktemp",
    "more",
    "mv",
    "nl",
    "nohup",
    "od",
    "paste",
    "perl",
    "pidof",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "setsid",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "split",
    "stat",
    "stty",
    "sync",
    "tail",
    "tar",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "uname",
    "uniq",
    "wc",
    "xargs",
];

/// One volume to show inside a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeMount {
    /// Directory or file on the machine.
    pub source: PathBuf,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// The container may not write through it.
    pub read_only: bool,
}

/// What goes into a container's root.
#[derive(Debug)]
pub struct Layout<'a> {
    /// The directory to fill; created, must not be in use.
    pub root: &'a Path,
    /// How the container is isolated.
    pub mode: Mode,
    /// Its image.
    pub image: &'a Image,
    /// The executable behind the image's programs.
    pub component_exe: &'a Path,
    /// Host name, for `/etc/hosts` and `/etc/hostname`.
    pub hostname: &'a str,
    /// Address of the pod, for `/etc/hosts`.
    pub pod_ip: &'a str,
    /// Volumes of the container.
    pub volumes: &'a [VolumeMount],
    /// Working directory, created when it is missing.
    pub cwd: &'a Path,
}

/// Fills `layout.root` and returns the mounts to make, in order. Under [`Mode::Prefix`] there are
/// none: links in the root stand in for them.
pub fn lay_out(layout: &Layout<'_>) -> io::Result<Vec<Bind>> {
    let mut tree = Tree { root: layout.root, binds: Vec::new(), covered: BTreeSet::new() };
    tree.skeleton(layout)?;
    tree.tools(layout.mode)?;
    let programs =
        layout.image.programs.iter().map(|(path, _)| tree.resolve(path)).collect::<io::Result<Vec<_>>>()?;
    let mut volumes = layout
        .volumes
        .iter()
        .map(|volume| Ok(VolumeMount { target: tree.resolve(&volume.target)?, ..volume.clone() }))
        .collect::<io::Result<Vec<_>>>()?;
    // A mount below another must come after it.
    volumes.sort_by_key(|volume| volume.target.components().count());
    tree.covered.extend(programs.iter().cloned());
    tree.covered.extend(volumes.iter().map(|volume| volume.target.clone()));
    for (path, _) in &layout.image.files {
        tree.covered.insert(tree.resolve(path)?);
    }
    if matches!(layout.mode, Mode::Namespaces { .. }) {
        for path in SYSTEM.iter().chain(&ETC) {
            tree.system_entry(Path::new(path))?;
        }
    }
    for (path, bytes) in &layout.image.files {
        tree.file(path, bytes)?;
    }
    for path in &programs {
        tree.program(path, layout)?;
    }
    for volume in &volumes {
        tree.volume(volume, layout.mode)?;
    }
    let cwd = tree.resolve(layout.cwd)?;
    if !tree.covered.iter().any(|covered| cwd.starts_with(covered)) {
        std::fs::create_dir_all(tree.at(&cwd))?;
    }
    Ok(tree.binds)
}

struct Tree<'a> {
    root: &'a Path,
    binds: Vec<Bind>,
    /// Paths inside the container that something else than the machine's tree provides.
    covered: BTreeSet<PathBuf>,
}

impl Tree<'_> {
    fn skeleton(&self, layout: &Layout<'_>) -> io::Result<()> {
        std::fs::create_dir_all(self.root)?;
        for name in DIRECTORIES {
            std::fs::create_dir_all(self.root.join(name))?;
        }
        for shared in ["tmp", "var/tmp", "run/lock"] {
            std::fs::set_permissions(self.root.join(shared), std::fs::Permissions::from_mode(0o1777))?;
        }
        symlink("../run", self.root.join("var/run"))?;
        let Layout { hostname, pod_ip, .. } = layout;
        let etc = self.root.join("etc");
        std::fs::write(etc.join("hostname"), format!("{hostname}\n"))?;
        std::fs::write(
            etc.join("hosts"),
            format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n{pod_ip}\t{hostname}\n"),
        )?;
        std::fs::write(etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n")?;
        std::fs::write(
            etc.join("passwd"),
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        )?;
        std::fs::write(etc.join("group"), "root:x:0:\nnogroup:x:65534:\n")?;
        let resolver = std::fs::read("/etc/resolv.conf").unwrap_or_default();
        std::fs::write(etc.join("resolv.conf"), resolver)
    }

    /// Links the common tools into `/bin`. Where the machine's `/bin` is a directory of its own
    /// (not a link to `/usr/bin`), the tools found only there come in as mounts.
    fn tools(&mut self, mode: Mode) -> io::Result<()> {
        for tool in TOOLS {
            let link = self.root.join("bin").join(tool);
            let (in_usr, in_bin) = (Path::new("/usr/bin").join(tool), Path::new("/bin").join(tool));
            if in_usr.exists() {
                symlink(in_usr, link)?;
            } else if in_bin.exists() {
                match mode {
                    Mode::Prefix => symlink(in_bin, link)?,
                    Mode::Namespaces { .. } => {
                        std::fs::File::create(link)?;
                        self.bind(&in_bin.canonicalize()?, &in_bin, true);
                    }
                }
            }
        }
        Ok(())
    }

    /// Shows one entry of the machine read-only at the same path. A directory in which the
    /// container has something of its own is made anew and its entries are shown one by one.
    fn system_entry(&mut self, path: &Path) -> io::Result<()> {
        let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
        if self.covered.contains(path) || path == Path::new("/usr/local") {
            return Ok(());
        }
        let place = self.at(path);
        if found.is_symlink() {
            return ignore_existing(symlink(std::fs::read_link(path)?, place));
        }
        if found.is_dir() && (path == Path::new("/usr") || self.has_own_below(path)) {
            std::fs::create_dir_all(place)?;
            for entry in std::fs::read_dir(path)? {
                self.system_entry(&entry?.path())?;
            }
        } else if found.is_dir() {
            std::fs::create_dir_all(place)?;
            self.bind(path, path, true);
        } else if found.is_file() {
            std::fs::File::create(place)?;
            self.bind(path, path, true);
        }
        Ok(())
    }

    fn has_own_below(&self, directory: &Path) -> bool {
        self.covered.iter().any(|path| path != directory && path.starts_with(directory))
    }

    fn file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let place = self.at(&self.resolve(path)?);
        make_parent(&place)?;
        std::fs::write(place, bytes)
    }

    fn program(&mut self, path: &Path, layout: &Layout<'_>) -> io::Result<()> {
        let place = self.at(path);
        make_parent(&place)?;
        remove_link_or_file(&place)?;
        match layout.mode {
            Mode::Prefix => symlink(layout.component_exe, &place),
            Mode::Namespaces { .. } => {
                std::fs::File::create(place)?;
                self.bind(layout.component_exe, path, true);
                Ok(())
            }
        }
    }

    fn volume(&mut self, volume: &VolumeMount, mode: Mode) -> io::Result<()> {
        let place = self.at(&volume.target);
        make_parent(&place)?;
        match mode {
            Mode::Prefix => {
                remove_link_or_file(&place)?;
                if place.is_dir() {
                    std::fs::remove_dir_all(&place)?;
                }
                symlink(&volume.source, place)
            }
            Mode::Namespaces { .. } => {
                if volume.source.is_dir() {
                    std::fs::create_dir_all(&place)?;
                } else if !place.exists() {
                    std::fs::File::create(&place)?;
                }
                self.bind(&volume.source, &volume.target, volume.read_only);
                Ok(())
            }
        }
    }

    fn bind(&mut self, source: &Path, target: &Path, read_only: bool) {
        self.binds.push(Bind { source: source.into(), target: target.into(), read_only });
    }

    /// Where `path` of the container lies on the machine; `path` must be resolved already.
    fn at(&self, path: &Path) -> PathBuf {
        within(self.root, path)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        resolve(self.root, path)
    }
}

fn make_parent(place: &Path) -> io::Result<()> {
    place.parent().map_or(Ok(()), std::fs::create_dir_all)
}

fn remove_link_or_file(place: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(place) {
        Ok(found) if !found.is_dir() => std::fs::remove_file(place),
        _ => Ok(()),
    }
}

fn ignore_existing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
