//! Files and directories that cannot be read: what to tell about them, and that they can be read again.

use std::io;
use std::path::Path;

use tracing::{info, warn};

use super::reader::Reader;
use super::status::Trouble;
use super::tracked::PipelineId;
use crate::alarm::Alarm;
use crate::discover::Located;

/// Troubles of files that a status message names; more are counted.
const PROBLEMS_SHOWN_MAX: usize = 3;

/// What to tell about something that cannot be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let uid = rustix::process::geteuid().as_raw();
            format!(
                "let uid {uid} read it (and search the directories above it), or run the collector \
                 with the user or group of the writer, for instance by securityContext.fsGroup"
            )
        }
        io::ErrorKind::NotADirectory => {
            "logPath must name a directory, filePattern the files in it".to_owned()
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            "raise the limit of open files (ulimit -n) of the collector".to_owned()
        }
        _ => "it is tried again".to_owned(),
    };
    format!("cannot read {}: {error}; {remedy}", path.display())
}

/// The alarm for something at `real` that cannot be read.
pub(super) fn alarm_of(real: &Path, error: &io::Error) -> Alarm {
    use rustix::io::Errno;
    let too_many = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    match error.kind() {
        // Of a file in a directory that may not be searched nothing is known.
        io::ErrorKind::PermissionDenied if std::fs::metadata(real).is_ok_and(|meta| meta.is_file()) => {
            Alarm::LogfilePermission
        }
        io::ErrorKind::PermissionDenied => Alarm::LogdirPermission,
        _ if error.raw_os_error().is_some_and(|code| too_many.contains(&code)) => Alarm::OpenFileLimit,
        _ => Alarm::OpenLogfileFail,
    }
}

impl Reader {
    /// Brings the status and the log up to date with the problems of a pipeline's files.
    pub(super) fn show_problems(&mut self, id: PipelineId) {
        let Some(running) = self.pipelines.get(&id) else { return };
        let mut all: Vec<&str> = running.problems.values().map(String::as_str).collect();
        let more = all.len().saturating_sub(PROBLEMS_SHOWN_MAX);
        all.truncate(PROBLEMS_SHOWN_MAX);
        let mut text = all.join("; ");
        if more > 0 {
            text.push_str(&format!("; and {more} more"));
        }
        let is_fine = text.is_empty();
        if is_fine {
            self.board.set_ready();
        }
        let name = &running.config.name;
        if running.board.set_trouble(Trouble::Files, (!is_fine).then(|| text.clone())) {
            match is_fine {
                true => info!(pipeline = name, "all files can be read again"),
                false => warn!(pipeline = name, problem = text, "some files are not collected"),
            }
        }
    }

    pub(super) fn note_problem(&mut self, id: PipelineId, at: &Located, error: &io::Error) {
        let Some(running) = self.pipelines.get_mut(&id) else { return };
        let problem = unreadable(&at.shown, error);
        self.board.alarms.raise(alarm_of(&at.real, error), "", &running.subject, 1, || problem.clone());
        running.problems.insert(at.shown.clone(), problem);
        self.show_problems(id);
    }

    pub(super) fn note_success(&mut self, id: PipelineId, shown: &Path) {
        let Some(running) = self.pipelines.get_mut(&id) else { return };
        if running.problems.remove(shown).is_some() {
            self.show_problems(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn the_alarm_says_whether_rights_are_missing_or_open_files() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("a.log");
        std::fs::write(&file, "").expect("written");
        let alarm = |at: &Path, error: Errno| alarm_of(at, &error.into());
        assert_eq!(alarm(&file, Errno::ACCESS), Alarm::LogfilePermission);
        assert_eq!(alarm(dir.path(), Errno::ACCESS), Alarm::LogdirPermission);
        assert_eq!(alarm(&file.join("behind"), Errno::PERM), Alarm::LogdirPermission);
        assert_eq!(alarm(&file, Errno::MFILE), Alarm::OpenFileLimit);
        assert_eq!(alarm(&file, Errno::NFILE), Alarm::OpenFileLimit);
        assert_eq!(alarm(&file, Errno::IO), Alarm::OpenLogfileFail);
    }
}
