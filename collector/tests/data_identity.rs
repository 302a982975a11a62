//! Which file is which: inodes that are used again, other devices, names of all kinds, rights that come and go.
//! Time is the test's own.

mod data_rig;

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use collector::checkpoint::Store;
use collector::pipeline::Pipeline;
use data_rig::{Rig, as_ordinary_user, simple, simple_on, values_of};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

fn all_logs() -> Pipeline {
    simple_on(|input| input.file_pattern = "*.log".to_owned())
}

/// How often each line came.
fn ledger(values: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    values.into_iter().for_each(|value| *times.entry(value).or_default() += 1);
    times
}

fn each_once(lines: &[String]) -> BTreeMap<String, usize> {
    lines.iter().map(|line| (line.clone(), 1)).collect()
}

#[test]
fn inodes_that_are_used_again_at_once_and_under_the_same_names_mix_nothing_up() {
    const FILES: usize = 3_000;
    const NAMES: usize = 7;
    let mut rig = Rig::running(all_logs());
    let (mut written, mut received) = (Vec::new(), Vec::new());
    let mut inodes = HashSet::new();
    for n in 0..FILES {
        let path = rig.path(&format!("{}.log", n % NAMES));
        // Gone, and perhaps the next one has its inode, while the collector runs or while it does not.
        if path.exists() {
            fs::remove_file(&path).expect("remove");
        }
        // Contents that begin alike, and are as long.
        let lines: Vec<String> = (0..n % 3 + 1).map(|line| format!("starting {line} {n:05}")).collect();
        fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).expect("write");
        inodes.insert(fs::metadata(&path).expect("stat").ino());
        written.extend(lines);
        if n % 2 == 0 || n % 100 == 99 {
            rig.turns();
            received.extend(rig.take().iter().flat_map(values_of));
            rig.wait_ms(60);
            received.extend(rig.take().iter().flat_map(values_of));
        } else {
            rig.turns(); // seen, and open: then it may go
        }
        if n % 500 == 499 {
            received.extend(rig.values());
            rig.wait_ms(2_000);
            rig.kill();
            for name in 0..NAMES / 2 {
                let path = rig.path(&format!("{name}.log"));
                fs::remove_file(&path).expect("remove");
                let line = format!("starting 0 {n:05} {name}");
                fs::write(&path, format!("{line}\n")).expect("write");
                written.push(line);
            }
            rig.start(vec![all_logs()]);
        }
    }
    received.extend(rig.values());
    println!("figure: {FILES} files had {} inodes", inodes.len());
    assert_eq!(ledger(received), each_once(&written));
}

#[test]
fn a_volume_that_has_another_device_number_after_a_restart_is_not_read_again() {
    let mut rig = Rig::running(simple());
    rig.append("a.log", "one\ntwo\n");
    assert_eq!(rig.values(), ["one", "two"]);
    rig.append("a.log", "thr");
    rig.wait_ms(2_000);
    rig.kill();
    let (mut store, _) = Store::load(&rig.dir.path().join("state"));
    let mut entries: Vec<_> = store.entries().cloned().collect();
    for mut entry in entries.drain(..) {
        entry.dev += 1;
        store.put(entry);
    }
    store.save().expect("saved");
    drop(store);
    rig.append("a.log", "ee\n");
    rig.start(vec![simple()]);
    assert_eq!(rig.values(), ["three"]);
}

/// Runs `f` where mounts are this thread's own; says so where the system does not let it.
fn with_own_mounts(f: impl FnOnce() + Send) -> bool {
    #[allow(unsafe_code)]
    let unshared = || {
        use rustix::thread::{UnshareFlags, unshare_unsafe};
        // SAFETY: descriptors stay shared; only this thread's mounts and working directory become its own.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::FS) }?;
        let private =
            rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private)
    };
    std::thread::scope(|scope| {
        let run = scope.spawn(|| match unshared() {
            Ok(()) => {
                f();
                true
            }
            Err(error) => {
                println!("NOT RUN with a file system of its own: mounts are for root ({error})");
                false
            }
        });
        run.join().expect("no panic")
    })
}

fn mount_tmpfs(at: &Path, size: &std::ffi::CStr) {
    mount("tmpfs", at, "tmpfs", MountFlags::empty(), Some(size)).expect("mount");
}

#[test]
fn another_file_system_that_is_mounted_in_the_place_of_the_directory_is_read_and_the_old_one_too() {
    with_own_mounts(|| {
        let mut rig = Rig::running(simple());
        rig.append("a.log", "one\n");
        assert_eq!(rig.values(), ["one"]);
        let logs = rig.path("");
        let mut writer = fs::OpenOptions::new().append(true).open(rig.path("a.log")).expect("open");
        mount_tmpfs(&logs, c"size=1m");
        rig.append("a.log", "two\n");
        std::io::Write::write_all(&mut writer, b"below the mount\n").expect("write");
        drop(writer);
        // No notification tells of a mount: it is found when directories are listed.
        rig.wait_ms(61_000);
        let mut values = rig.values();
        values.sort();
        assert_eq!(values, ["below the mount", "two"]);
        rig.append("a.log", "three\n");
        assert_eq!(rig.values(), ["three"]);
        rig.kill();
        unmount(&logs, UnmountFlags::DETACH).expect("unmount");
    });
}

#[test]
fn a_checkpoint_that_does_not_fit_on_its_volume_holds_nothing_up_and_is_written_when_there_is_room() {
    let on_a_full_volume = with_own_mounts(|| {
        let mut rig = Rig::new();
        let state = rig.dir.path().join("state");
        fs::create_dir(&state).expect("mkdir");
        mount_tmpfs(&state, c"size=64k");
        fs::write(state.join("filler"), vec![b'x'; 48 * 1024]).expect("write");
        rig.start(vec![all_logs()]);
        let mut written = Vec::new();
        for n in 0..200 {
            rig.append(&format!("{n}.log"), format!("{n}\n"));
            written.push(n.to_string());
        }
        assert_eq!(ledger(rig.values()), each_once(&written));
        let raised = rig.alarms();
        assert!(raised.iter().any(|(name, ..)| *name == "CHECKPOINT_ALARM"), "{raised:?}");
        fs::remove_file(state.join("filler")).expect("remove");
        rig.wait_ms(15_000);
        rig.kill();
        rig.start(vec![all_logs()]);
        assert_eq!(rig.values(), [""; 0], "all of it is in the checkpoint");
        rig.kill();
        unmount(&state, UnmountFlags::DETACH).expect("unmount");
    });
    if on_a_full_volume {
        return;
    }
    // A directory that cannot be written is the next best thing.
    let mut rig = Rig::running(simple());
    let state = rig.dir.path().join("state");
    fs::remove_dir_all(&state).expect("remove");
    fs::write(&state, "in the way").expect("write");
    rig.append("a.log", "one\n");
    assert_eq!(rig.values(), ["one"]);
    fs::remove_file(&state).expect("remove");
    rig.wait_ms(15_000);
    rig.kill();
    rig.start(vec![simple()]);
    assert_eq!(rig.values(), [""; 0]);
}

#[test]
fn a_directory_that_is_renamed_with_unread_files_in_it_loses_none_and_comes_back_without_repetition() {
    let mut rig = Rig::new();
    rig.limits.lane_parcels_max = 1;
    rig.start(vec![all_logs()]);
    rig.append("a.log", "first\n");
    rig.turns();
    for n in 0..20 {
        rig.append(&format!("{n}.log"), format!("{n}\n"));
    }
    rig.turns();
    let (logs, aside) = (rig.dir.path().join("logs"), rig.dir.path().join("aside"));
    fs::rename(&logs, &aside).expect("rename");
    rig.turns();
    fs::write(aside.join("3.log"), "3\nafter the rename\n").expect("write");
    fs::create_dir(&logs).expect("mkdir");
    rig.append("a.log", "in the new one\n");
    let expected: Vec<String> = (0..20)
        .map(|n| n.to_string())
        .chain(["first", "after the rename", "in the new one"].map(str::to_owned))
        .collect();
    let mut values = rig.values();
    rig.wait_ms(61_000);
    values.extend(rig.values());
    assert_eq!(ledger(values), each_once(&expected));
    fs::remove_dir_all(&logs).expect("remove");
    fs::rename(&aside, &logs).expect("rename");
    rig.wait_ms(61_000);
    assert_eq!(rig.values(), [""; 0], "they were read before");
    rig.append("7.log", "7 again\n");
    assert_eq!(rig.values(), ["7 again"]);
}

#[test]
fn rights_that_go_and_come_back_cost_nothing_of_what_is_open_or_comes_later() {
    let mut rig = Rig::new();
    fs::set_permissions(rig.dir.path(), PermissionsExt::from_mode(0o777)).expect("chmod");
    rig.append("a.log", "1\n");
    let path = rig.path("a.log");
    let mode = move |mode| fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("chmod");
    mode(0o644);
    let mut rig = as_ordinary_user(move || {
        rig.start(vec![simple()]);
        assert_eq!(rig.values(), ["1"]);
        rig
    });
    mode(0o000);
    rig.append("a.log", "2\n");
    let mut rig = as_ordinary_user(move || {
        assert_eq!(rig.values(), ["2"], "it is open");
        rig
    });
    // Rotated under a name that nobody may read, and followed by a new file that nobody may read.
    fs::rename(rig.path("a.log"), rig.path("a.log.1")).expect("rename");
    rig.append("a.log.1", "3\n");
    rig.append("a.log", "4\n");
    mode(0o000);
    let mut rig = as_ordinary_user(move || {
        rig.turns();
        rig.wait_ms(5_000);
        rig
    });
    rig.append("a.log", "5\n");
    mode(0o644);
    let mut rig = as_ordinary_user(move || {
        rig.wait_ms(31_000);
        assert_eq!(ledger(rig.values()), each_once(&["3", "4", "5"].map(str::to_owned)));
        assert_eq!(rig.status().last_error, None);
        rig
    });
    // A restart in between.
    rig.wait_ms(2_000);
    rig.kill();
    rig.append("a.log", "6\n");
    mode(0o000);
    let mut rig = as_ordinary_user(move || {
        rig.start(vec![simple()]);
        assert_eq!(rig.values(), [""; 0]);
        assert!(rig.status().last_error.is_some());
        rig
    });
    mode(0o644);
    as_ordinary_user(move || {
        rig.wait_ms(31_000);
        assert_eq!(rig.values(), ["6"]);
    });
}

#[test]
fn a_file_below_sixty_four_directories_is_found_also_when_they_come_one_by_one() {
    let deepest = (0..64).map(|n| format!("d{n}")).collect::<Vec<_>>().join("/");
    let pipeline = simple_on(|input| input.max_depth = 64);
    let mut rig = Rig::running(pipeline.clone());
    let mut dir = rig.path("");
    for part in deepest.split('/') {
        dir.push(part);
        fs::create_dir(&dir).expect("mkdir");
        rig.turns();
    }
    rig.append(&format!("{deepest}/a.log"), "1\n");
    assert_eq!(rig.values(), ["1"]);
    fs::create_dir(dir.join("too-deep")).expect("mkdir");
    rig.append(&format!("{deepest}/too-deep/a.log"), "no\n");
    fs::rename(dir.join("a.log"), dir.join("a.log.1")).expect("rename");
    rig.append(&format!("{deepest}/a.log"), "2\n");
    assert_eq!(rig.values(), ["2"]);
    rig.wait_ms(2_000);
    rig.kill();
    rig.append(&format!("{deepest}/a.log"), "3\n");
    rig.start(vec![pipeline]);
    assert_eq!(rig.values(), ["3"]);
}

#[test]
fn names_may_be_any_bytes() {
    let names: [&[u8]; 7] = [
        b"two\nlines.log",
        "\u{65e5}\u{5fd7}.log".as_bytes(),
        b"\xc8\xd5\xd6\xbe.log", // the same in GBK
        b"\xff\xfe.log",
        b" blank \t.log",
        b"-rf *?[a]'\"\\.log",
        &[&[b'n'; 251][..], b".log"].concat(),
    ];
    let mut rig = Rig::running(all_logs());
    let path = |rig: &Rig, name: &[u8]| rig.path("").join(OsStr::from_bytes(name));
    let append = |rig: &Rig, name: &[u8], text: &str| {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path(rig, name)).expect("open");
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("write");
    };
    let mut expected = Vec::new();
    let mut received = Vec::new();
    for (n, name) in names.iter().enumerate() {
        append(&rig, name, &format!("{n} one\n"));
        expected.push(format!("{n} one"));
    }
    rig.turns();
    let groups = rig.take();
    received.extend(groups.iter().flat_map(values_of));
    let paths: HashSet<&str> = groups
        .iter()
        .flat_map(|g| &g.log_tags)
        .filter(|t| t.key == "__path__")
        .map(|t| t.value.as_str())
        .collect();
    assert!(
        paths.contains("/logs/two\nlines.log") && paths.contains("/logs/\u{65e5}\u{5fd7}.log"),
        "{paths:?}"
    );
    // A tag is text; bytes that are none show as such.
    assert!(paths.contains("/logs/\u{fffd}\u{fffd}.log"), "{paths:?}");
    rig.wait_ms(2_000);
    rig.kill();
    for (n, name) in names.iter().enumerate() {
        append(&rig, name, &format!("{n} two\n"));
        expected.push(format!("{n} two"));
    }
    rig.start(vec![all_logs()]);
    received.extend(rig.values());
    assert_eq!(ledger(received), each_once(&expected));
}
