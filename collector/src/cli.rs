//! The command line. The name of the executable decides: `ilogtaild` and `loongcollectord` are the
//! init script, every other name is the agent itself. Called by `main` and by the bed's executable.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::env::Env;
use crate::initd::{self, Verb};
use crate::layout::Layout;
use crate::region;
use crate::service::{self, Options};

/// Wrong use of the command line (LSB: invalid arguments).
const USAGE: u8 = 2;

const EXIT_CODES: &str = "\
Exit codes of run:
  0   everything that was written has been delivered (or refused for good: the account says so)
  1   could not start (a collector runs already, no writable directory)
  4   stopped before everything was delivered; the line `drained {…}` on standard output says what is left
  78  ilogtail_config.json cannot be used
  130 a second signal cut the stop short
Exit codes of status: 0 running, 1 dead or hung, 3 not running";

/// Collects log files and sends them to the Log Service.
#[derive(Debug, Parser)]
#[command(name = "collector", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Verbs>,
}

#[derive(Debug, Subcommand)]
enum Verbs {
    /// Run in the foreground (the default)
    Run {
        /// Longest time to deliver what is left after SIGTERM, e.g. 20s or 1500ms; default 20s, or
        /// exit_flushout_duration
        #[arg(long, value_parser = duration)]
        grace: Option<Duration>,
        /// Directory in which `cornerstone` is made when the first config collects, and which holds `tombstone`
        /// when the application has ended: then what is left is delivered, and this ends
        #[arg(long, value_name = "DIR")]
        tasksite: Option<PathBuf>,
        /// Leave the caller's session and log to ilogtail.LOG only; for `start`
        #[arg(long, hide = true)]
        daemon: bool,
    },
    /// Run in the background; returns when it collects
    Start,
    /// Deliver what is left and end; returns when the process is gone
    Stop,
    /// Stop, then start
    Restart,
    /// Say whether it runs
    Status,
    /// Print the directories below /etc/ilogtail/conf that ALIYUN_LOGTAIL_CONFIG may name, one a line
    Directories,
}

/// Runs the program; `args` begins with the executable's name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let program =
        args.first().map(Path::new).and_then(Path::file_name).and_then(OsStr::to_str).unwrap_or_default();
    match program {
        "ilogtaild" => init_script("ilogtail", &args),
        "loongcollectord" => init_script("loongcollector", &args),
        _ => agent(&args),
    }
}

/// The probe calls this: no parser, no runtime.
fn init_script(program: &str, args: &[OsString]) -> ExitCode {
    let verb = match args.get(1..).unwrap_or_default() {
        [word] => Verb::parse(word),
        _ => None,
    };
    let Some(verb) = verb else {
        eprintln!("usage: {program}d start|stop|restart|status|start_and_block");
        return ExitCode::from(USAGE);
    };
    control(verb, program)
}

fn control(verb: Verb, program: &str) -> ExitCode {
    let layout = Layout::new(Env::of_process().path_prefix());
    ExitCode::from(initd::run(verb, program, &layout))
}

fn agent(args: &[OsString]) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come here too, and go to standard output.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match arguments.command {
        None => service::run(Env::of_process(), Options::default()),
        Some(Verbs::Run { grace, tasksite, daemon }) => {
            service::run(Env::of_process(), Options { grace, tasksite, daemon })
        }
        Some(Verbs::Start) => control(Verb::Start, "ilogtail"),
        Some(Verbs::Stop) => control(Verb::Stop, "ilogtail"),
        Some(Verbs::Restart) => control(Verb::Restart, "ilogtail"),
        Some(Verbs::Status) => control(Verb::Status, "ilogtail"),
        Some(Verbs::Directories) => directories(),
    }
}

fn directories() -> ExitCode {
    let mut list = region::directories().collect::<Vec<_>>().join("\n");
    list.push('\n');
    match io::stdout().write_all(list.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("collector: the list cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `20s`, `1500ms`, or seconds without a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time like 20s or 1500ms");
    let digits = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(ms), _) => digits(ms).map(Duration::from_millis),
        (None, Some(seconds)) => digits(seconds).map(Duration::from_secs),
        (None, None) => digits(text).map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_or_are_seconds() {
        assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert!(duration("-1s").is_err() && duration("1h").is_err() && duration("").is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
