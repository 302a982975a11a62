//! A bed for one test: its folder goes with it unless the test fails.

use std::path::PathBuf;

use e2e::bed::{Embedded, Options};
use e2e::pods::Isolation;
use e2e::progress::Progress;
use e2e::scenario::Context;

/// Namespace of the tests' objects.
const NAMESPACE: &str = "default";

/// Where a bed's logs and data go; kept when the test panics, for post-mortem.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("sls-bed-test-").tempdir().expect("a folder");
        Self(directory.keep())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the bed's logs and data are kept in {}", self.0.display());
        } else {
            // What is left over is a temporary folder; nothing depends on it.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

pub fn options(folder: &Folder) -> Options {
    Options {
        component_exe: env!("CARGO_BIN_EXE_e2e").into(),
        root: folder.0.clone(),
        isolation: Isolation::Auto,
        sls_port: 0,
        kube_port: 0,
        without_sls: false,
        console_port: None,
    }
}

/// Starts a bed and a context in it.
pub async fn start(options: Options) -> (Embedded, Context) {
    let progress = Progress::silent();
    let bed = Embedded::start(options, &progress).await.expect("the bed");
    let ctx = bed.context(NAMESPACE, &progress).expect("a context");
    (bed, ctx)
}
