//! One executable, several programs: the name it is started under decides.
//!
//! The pod runner puts the bed's own executable at `/bin/mock_log`, at `/etc/init.d/ilogtaild` and
//! so on, so that a fresh clone needs nothing but what it has just built.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

/// Names of the programs inside the executable.
pub mod name {
    pub const MOCK_LOG: &str = "mock_log";
    /// The collector, as the entry point of the logtail image.
    pub const ILOGTAIL: &str = "ilogtail";
    /// Its init script.
    pub const ILOGTAILD: &str = "ilogtaild";
    /// The init script's later name.
    pub const LOONGCOLLECTORD: &str = "loongcollectord";
    pub const OPERATOR: &str = "operator";
    pub const POD_INIT: &str = "pod-init";
    pub const POD_EXEC: &str = "pod-exec";
}

/// Process id of the bed, for a component that must not outlive it.
pub const PARENT_ENV: &str = "SLS_BED_PARENT";

/// Runs the program that `args[0]` names, if it is one of ours and not the bed itself.
pub fn dispatch(args: &[OsString]) -> Option<ExitCode> {
    let program = Path::new(args.first()?).file_name().and_then(OsStr::to_str)?;
    let arguments = args.iter().cloned();
    Some(match program {
        name::MOCK_LOG => fixtures::mock_log::main(arguments),
        name::ILOGTAIL | name::ILOGTAILD | name::LOONGCOLLECTORD => collector::cli::main(arguments),
        name::OPERATOR => {
            end_with_parent();
            operator::cli::main(arguments)
        }
        name::POD_INIT => crate::pods::init_main(arguments),
        name::POD_EXEC => crate::pods::exec_main(arguments),
        _ => return None,
    })
}

/// Asks the kernel for SIGTERM when the bed dies, however it dies.
#[cfg(target_os = "linux")]
fn end_with_parent() {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    let Some(parent) = std::env::var(PARENT_ENV).ok().and_then(|text| text.parse::<i32>().ok()) else {
        return;
    };
    let asked = set_parent_process_death_signal(Some(Signal::TERM));
    // The bed may have gone before the kernel was asked.
    if asked.is_err() || getppid().is_none_or(|pid| pid.as_raw_nonzero().get() != parent) {
        eprintln!("the bed (process {parent}) is not my parent any more; I may outlive it");
    }
}

/// No such request on this system: the bed ends its components itself when it can.
#[cfg(not(target_os = "linux"))]
fn end_with_parent() {}
