//! Makes a container's mounts and turns its root directory into `/`.
//!
//! Called by the inner stage of the shim, inside the new mount namespace: nothing here can be
//! seen by, or outlive, the container. The mount points were made by [`super::rootfs`].

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{Mode as FileMode, OFlags, ResolveFlags, StatVfsMountFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};

use super::paths::within;
use super::spec::{Bind, ShimSpec};

/// Device nodes taken from the machine.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Size of the container's `/dev/shm`; the default of container runtimes.
const SHM_SIZE: &std::ffi::CStr = c"mode=1777,size=64m";

/// Mounts everything and makes `spec.root` the root directory. What the container can live
/// without is passed to `warn` instead of failing.
pub fn enter_root(spec: &ShimSpec, mut warn: impl FnMut(String) -> io::Result<()>) -> io::Result<()> {
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(|error| at("make the mounts private", Path::new("/"), error))?;
    // A root must be a mount point of its own.
    mount_bind_recursive(&spec.root, &spec.root).map_err(|error| at("bind the root", &spec.root, error))?;
    let root =
        rustix::fs::open(&spec.root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, FileMode::empty())
            .map_err(|error| at("open the root", &spec.root, error))?;
    let (in_dev, elsewhere): (Vec<&Bind>, Vec<&Bind>) =
        spec.binds.iter().partition(|bind| bind.target.starts_with("/dev"));
    for bind in elsewhere {
        make_bind(&root, bind)?;
    }
    proc(&spec.root, &mut warn)?;
    devices(&spec.root)?;
    for bind in in_dev {
        // The mount point that was laid out lies below the new `/dev`.
        make_mount_point(&spec.root, bind)?;
        make_bind(&root, bind)?;
    }
    let sys = Bind { source: "/sys".into(), target: "/sys".into(), read_only: true };
    if let Err(error) = make_bind(&root, &sys) {
        warn(error.to_string())?;
    }
    rustix::system::sethostname(spec.hostname.as_bytes())
        .map_err(|error| at("set the host name", Path::new(&spec.hostname), error))?;
    pivot(&spec.root)
}

fn make_mount_point(root: &Path, bind: &Bind) -> io::Result<()> {
    let place = within(root, &bind.target);
    if bind.source.is_dir() {
        return std::fs::create_dir_all(place);
    }
    place.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    File::options().create(true).append(true).open(place).map(drop)
}

fn make_bind(root: &OwnedFd, bind: &Bind) -> io::Result<()> {
    let target =
        open_in_root(root, &bind.target).map_err(|error| at("open the mount point", &bind.target, error))?;
    mount_bind_recursive(&bind.source, proc_path(&target)).map_err(|error| {
        io::Error::other(format!(
            "cannot mount {} at {}: {error}",
            bind.source.display(),
            bind.target.display()
        ))
    })?;
    if bind.read_only {
        // The file descriptor from before the mount still means the directory below it.
        let mounted =
            open_in_root(root, &bind.target).map_err(|error| at("open the mount", &bind.target, error))?;
        make_read_only(&mounted).map_err(|error| at("make read-only", &bind.target, error))?;
    }
    Ok(())
}

/// Opens `path` as the container would, so that no link in it leads out of the root.
fn open_in_root(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    rustix::fs::openat2(root, relative, flags, FileMode::empty(), ResolveFlags::IN_ROOT)
}

fn proc_path(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Remounts read-only with the flags that the mount already has: in a user namespace, taking one
/// away is refused.
fn make_read_only(mounted: &OwnedFd) -> rustix::io::Result<()> {
    let has = rustix::fs::fstatvfs(mounted)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (had, keep) in [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        flags.set(keep, has.contains(had));
    }
    mount_remount(proc_path(mounted), flags, c"")
}

/// `/proc` of the container's own pid namespace. Where the bed itself runs in a container whose
/// `/proc` is partly hidden, the kernel refuses a new one; then the machine's is shown.
fn proc(root: &Path, warn: &mut impl FnMut(String) -> io::Result<()>) -> io::Result<()> {
    let place = root.join("proc");
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let Err(error) = mount("proc", &place, "proc", flags, None) else { return Ok(()) };
    mount_bind_recursive("/proc", &place).map_err(|bind| at("mount", &place, bind))?;
    warn(format!("/proc shows the machine's process ids, as an own one is refused: {error}"))
}

fn devices(root: &Path) -> io::Result<()> {
    let dev = root.join("dev");
    let flags = MountFlags::NOSUID | MountFlags::STRICTATIME;
    mount("tmpfs", &dev, "tmpfs", flags, c"mode=755,size=64k").map_err(|error| at("mount", &dev, error))?;
    for name in DEVICES {
        let source = Path::new("/dev").join(name);
        if source.exists() {
            File::create(dev.join(name))?;
            mount_bind_recursive(&source, dev.join(name))
                .map_err(|error| at("mount the device", &source, error))?;
        }
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlink(target, dev.join(name))?;
    }
    let shm = dev.join("shm");
    std::fs::create_dir(&shm)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("shm", &shm, "tmpfs", flags, SHM_SIZE).map_err(|error| at("mount", &shm, error))
}

/// Makes `root` the root directory and forgets the old one. With both arguments the same, the old
/// root ends up mounted over the new one, from where it is detached.
fn pivot(root: &Path) -> io::Result<()> {
    std::env::set_current_dir(within(Path::new("/"), root))?;
    rustix::process::pivot_root(".", ".").map_err(|error| at("pivot to", root, error))?;
    unmount(".", UnmountFlags::DETACH).map_err(|error| at("detach", Path::new("/"), error))?;
    std::env::set_current_dir("/")
}

fn at(what: &str, path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("cannot {what} {}: {error}", path.display()))
}
