//! Pages of the program itself: those that only its start needed are given back when there is nothing to read.
//!
//! The kernel maps not one page that is used but those around it too, so that a program that has read its
//! arguments, compiled expressions and made a connection has nearly all of its executable mapped. What goes on when
//! nothing is collected needs a small part, which comes back by itself. Nothing is read from a disk for it, as long as
//! the page cache has the file. Called by `reader` only.

use std::time::{Duration, Instant};

/// Least time between two times: coming back costs a fault for each 64 KiB that are used. Source: guess; a service
/// that logs a line now and then pays 0.001 % of a core.
const INTERVAL_MIN: Duration = Duration::from_secs(60);

/// Gives pages back, now and then.
#[derive(Debug, Default)]
pub struct Resident {
    given_back_at: Option<Instant>,
}

impl Resident {
    /// There is nothing to read.
    pub fn when_idle(&mut self, now: Instant) {
        if self.given_back_at.is_some_and(|at| now.saturating_duration_since(at) < INTERVAL_MIN) {
            return;
        }
        self.given_back_at = Some(now);
        #[cfg(target_os = "linux")]
        linux::give_back();
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::read_to_string;
    use std::ops::Range;
    use std::path::Path;

    use tracing::debug;

    pub(super) fn give_back() {
        let executable =
            std::env::current_exe().and_then(|path| Ok((path, read_to_string("/proc/self/smaps")?)));
        match executable {
            Ok((path, smaps)) => clean(&smaps, &path).into_iter().for_each(forget),
            Err(error) => debug!(%error, "which pages are the program's is not known; they stay"),
        }
    }

    /// The mappings of `executable` that this process can neither write to nor has ever written to: they are as the
    /// file is. Those of libraries may be ones that are being loaded just now, and are left alone.
    pub(super) fn clean(smaps: &str, executable: &Path) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut mapping = None;
        for line in smaps.lines() {
            if let Some(range) = read_only(line, executable) {
                mapping = range;
            } else if let Some(kib) = line.strip_prefix("Anonymous:")
                && kib.trim() == "0 kB"
            {
                ranges.extend(mapping.take());
            }
        }
        ranges
    }

    /// `Some` if the line begins a mapping; its range if it is of `executable` and cannot be written to.
    fn read_only(line: &str, executable: &Path) -> Option<Option<Range<usize>>> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let number = |hex| usize::from_str_radix(hex, 16).ok();
        let range = number(start)?..number(end)?;
        let flags = words.next()?;
        let is_clean = flags.starts_with('r') && flags.ends_with('p') && !flags.contains('w');
        let path = line.find('/').and_then(|at| line.get(at..)).unwrap_or_default();
        Some((is_clean && Path::new(path) == executable).then_some(range))
    }

    #[allow(unsafe_code)]
    fn forget(range: Range<usize>) {
        // SAFETY: the range is a mapping of a file that was never written to through it and cannot be, so that each
        // page comes back with the same bytes when it is used again. The mappings of the executable are made before
        // `main` and stay until the process ends.
        let answer =
            unsafe { libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_DONTNEED) };
        if answer != 0 {
            debug!(error = %std::io::Error::last_os_error(), "pages of the program stay");
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// KiB of files that this process has in its memory.
    fn resident_files() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").expect("status");
        let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).expect("RssFile");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    #[test]
    fn the_program_goes_on_with_less_of_itself() {
        let before = resident_files();
        let start = Instant::now();
        let mut resident = Resident::default();
        resident.when_idle(start);
        let after = resident_files();
        // Other tests run beside this one and take theirs back, hence not less.
        assert!(after < before, "{before} KiB, then {after}");
        resident.when_idle(start + INTERVAL_MIN / 2);
        assert_eq!(resident.given_back_at, Some(start));
        resident.when_idle(start + INTERVAL_MIN);
        assert_eq!(resident.given_back_at, Some(start + INTERVAL_MIN));
    }

    #[test]
    fn only_what_was_never_written_to_is_clean() {
        let smaps = "\
            1000-3000 r-xp 00000000 08:01 7    /usr/bin/a program\nSize: 8 kB\nAnonymous:        0 kB\n\
            3000-4000 r--p 00002000 08:01 7    /usr/bin/a program\nAnonymous:        4 kB\n\
            4000-5000 rw-p 00003000 08:01 7    /usr/bin/a program\nAnonymous:        0 kB\n\
            5000-6000 r--p 00000000 00:00 0 \nAnonymous:        0 kB\n\
            6000-7000 r--s 00000000 08:01 7    /usr/bin/a program\nAnonymous:        0 kB\n\
            7000-8000 r-xp 00000000 00:00 0    [vdso]\nAnonymous:        0 kB\n\
            8000-9000 r-xp 00000000 08:01 9    /lib/libc.so.6\nAnonymous:        0 kB\n\
            9000-a000 r--p 00001000 08:01 7    /usr/bin/a program\nAnonymous:        0 kB\n";
        let executable = std::path::Path::new("/usr/bin/a program");
        assert_eq!(linux::clean(smaps, executable), [0x1000..0x3000, 0x9000..0xa000]);
    }
}
