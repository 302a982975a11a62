//! What `status` looks at, kept up to date. Called by `service`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tracing::warn;

use super::Failure;
use crate::layout::{Phase, RunStateFile};

/// What `status` looks at. A record that cannot be written shows as a hanging collector in time;
/// there is nothing else to do about it.
pub struct Vitals {
    path: PathBuf,
    file: RunStateFile,
}

impl Vitals {
    pub fn open(path: PathBuf) -> Result<Self, Failure> {
        let file = RunStateFile::create(&path, crate::instance_config::GRACE_DEFAULT).map_err(|error| {
            Failure::new(format!("run state {} cannot be written: {error}", path.display()))
        })?;
        Ok(Self { path, file })
    }

    pub fn set_grace(&mut self, grace: Duration) {
        self.file.set_grace(grace);
    }

    pub fn enter(&mut self, phase: Phase) {
        let written = self.file.enter(phase);
        self.complain(written);
    }

    pub fn beat(&mut self) {
        let written = self.file.beat();
        self.complain(written);
    }

    fn complain(&self, written: io::Result<()>) {
        if let Err(error) = written {
            warn!("run state {} cannot be written: {error}", self.path.display());
        }
    }
}
