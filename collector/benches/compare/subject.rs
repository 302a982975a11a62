//! What is measured: the collector and its peers, and the modes they have in common.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lines::Form;
use crate::ours::Ours;
use crate::peers::{Otel, Rsyslog, SyslogNg};
use crate::sink::Protocol;

/// The document's expression, repaired: eleven groups.
pub const ACCESS: &str =
    r#"(\S+)\s(\S+)\s\S+\s\S+\s"(\S+)\s(\S+)\s+([^"]+)"\s+(\S+)\s(\S+)\s(\d+)\s(\d+)\s(\S+)\s"([^"]+)"\s.*"#;
/// The same fields by an expression that is no row of classes: alternatives, groups that may be absent or come
/// again, and repetitions that give back what follows needs.
pub const ACCESS_BRANCHING: &str = r#"(\d+-\d+-\d+T.*) ((?:\d{1,3}\.){3}\d{1,3}) \S+ \S+ "(GET|POST|PUT|DELETE|HEAD) ((?:/[^/ ]+)+) (HTTP/\d(?:\.\d)?)" (\d+(?:\.\d+)?) (\d+) (\d{3}) (\d+|-) (https?://\S+|-) "([^"]+)" .*"#;
pub const KEYS: [&str; 11] = [
    "time",
    "ip",
    "method",
    "url",
    "protocol",
    "latency",
    "payload",
    "status",
    "response-size",
    "ref-url",
    "user-agent",
];

/// How lines become fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Simple,
    Regex,
    /// By an expression that is no row of classes.
    BranchingRegex,
    /// By an expression with something that may be empty, any number of times.
    LoopingRegex,
    /// By an expression about characters, of lines with such as are not of ASCII.
    CharacterRegex,
    Json,
    EscapedJson,
    Delimiter,
    Apsara,
    MultiLine,
}

impl Mode {
    pub const ALL: [Self; 10] = [
        Self::Simple,
        Self::Regex,
        Self::BranchingRegex,
        Self::LoopingRegex,
        Self::CharacterRegex,
        Self::Json,
        Self::EscapedJson,
        Self::Delimiter,
        Self::Apsara,
        Self::MultiLine,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Regex => "regex",
            Self::BranchingRegex => "branching regex",
            Self::LoopingRegex => "looping regex",
            Self::CharacterRegex => "character regex",
            Self::Json => "json",
            Self::EscapedJson => "escaped json",
            Self::Delimiter => "delimiter",
            Self::Apsara => "apsara",
            Self::MultiLine => "multi-line",
        }
    }

    pub fn form(self) -> Form {
        match self {
            Self::Simple | Self::Regex | Self::BranchingRegex | Self::LoopingRegex => Form::Access,
            Self::CharacterRegex => Form::ForeignAccess,
            Self::Json => Form::Json,
            Self::EscapedJson => Form::EscapedJson,
            Self::Delimiter => Form::Columns,
            Self::Apsara => Form::Apsara,
            Self::MultiLine => Form::Stacks,
        }
    }
}

/// What a collector is to read, and where it may keep things.
pub struct Job<'a> {
    pub mode: Mode,
    /// Below [`Job::root`]`/var/log`; a pattern of names.
    pub files: &'a str,
    /// A directory of this measurement alone.
    pub root: &'a Path,
    pub sink: SocketAddr,
    /// Threads that read and parse, where that can be set.
    pub threads: Option<usize>,
}

impl Job<'_> {
    /// The pattern of paths.
    pub fn path(&self) -> String {
        self.root.join("var/log").join(self.files).display().to_string()
    }
}

/// A collector.
pub trait Subject {
    fn name(&self) -> &'static str;
    /// Its version and how it sends, for the report.
    fn description(&self) -> String;
    fn protocol(&self) -> Protocol {
        Protocol::Other
    }
    /// None of them has all.
    fn takes(&self, mode: Mode) -> bool;
    /// Writes its config; the value starts it.
    ///
    /// # Errors
    /// Its config cannot be written.
    fn command(&self, job: &Job<'_>) -> io::Result<Command>;
}

/// Looks for a peer below a directory, and on the machine.
type Find = fn(&Path) -> Option<Box<dyn Subject>>;

/// Ours, and those of `wanted` peers that are there; of the others the name and what to do.
pub fn find(wanted: &[String], installed: &Path) -> (Vec<Box<dyn Subject>>, Vec<String>) {
    let mut subjects: Vec<Box<dyn Subject>> = vec![Box::new(Ours)];
    let mut missing = Vec::new();
    let known: [(&str, Find); 3] = [
        ("rsyslog", |at| Rsyslog::find(at).map(|peer| Box::new(peer) as Box<dyn Subject>)),
        ("syslog-ng", |at| SyslogNg::find(at).map(|peer| Box::new(peer) as Box<dyn Subject>)),
        ("otelcol", |at| Otel::find(at).map(|peer| Box::new(peer) as Box<dyn Subject>)),
    ];
    for (name, find) in known {
        let is_wanted = wanted.iter().any(|wanted| wanted == name || wanted == "all");
        match find(installed) {
            Some(peer) if is_wanted => subjects.push(peer),
            None if is_wanted => missing.push(format!(
                "{name} is NOT MEASURED: it is not there; put it into {} by `just bench-peers {name}`",
                installed.display()
            )),
            _ => {}
        }
    }
    (subjects, missing)
}

/// An executable below `directory`, or one of the machine.
pub fn executable(directory: &Path, name: &str, of_machine: &[&str]) -> Option<PathBuf> {
    let own = directory.join(name);
    let places = of_machine.iter().map(PathBuf::from);
    std::iter::once(own).chain(places).find(|path| path.is_file())
}
