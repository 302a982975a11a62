//! The command line of the bed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::pods::Isolation;
use crate::scenario::Scenario;

/// Run the nginx sidecar example of the vendor's document end to end and account for every line: on
/// this machine alone, with --bed kind on a Kubernetes cluster, or with --bed docker in containers.
///
/// Exit codes: 0 every line arrived exactly once and every check held; 1 not so, or the bed could
/// not start; 2 wrong usage; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "e2e", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: Run,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the example and print what was written and what was received (the default).
    Run(Run),
    /// Keep the bed running with the example's Deployment in it; prints how to reach it.
    Up(Up),
    /// Ask a running bed (or any emulator) what a Logstore holds.
    Query(Query),
}

#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Access lines the Job writes, and as many error lines.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub lines: u64,

    /// Access lines per second and writer [default: 500; 100 with --outage or --bed kind].
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<u32>,

    /// Take the Log Service away for so many seconds while lines are being written.
    #[arg(long, value_name = "SECONDS")]
    pub outage: Option<u64>,

    /// Run this scenario; may be given several times, `all` stands for all [default: the example's on the
    /// embedded bed, all with --bed kind].
    #[arg(long = "scenario", value_name = "NAME", value_parser = parse_scenario)]
    pub scenarios: Vec<Chosen>,

    /// Print the list of scenarios and end.
    #[arg(long)]
    pub list: bool,

    /// How the result is printed; progress goes to standard error.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    /// What it runs on.
    #[arg(long = "bed", value_enum, default_value_t = BedArg::Embedded)]
    pub on: BedArg,

    #[command(flatten)]
    pub kind: KindBed,

    #[command(flatten)]
    pub docker: DockerBed,

    #[command(flatten)]
    pub bed: Bed,
}

impl Run {
    /// The scenarios to run, each once.
    pub fn chosen(&self) -> Vec<Scenario> {
        let all = self.scenarios.contains(&Chosen::All);
        match (self.scenarios.is_empty(), self.on) {
            (true, BedArg::Embedded | BedArg::Docker) => Scenario::EXAMPLE.to_vec(),
            (true, BedArg::Kind) => Scenario::ALL.to_vec(),
            _ => {
                let chosen = |one: &Scenario| all || self.scenarios.contains(&Chosen::One(*one));
                Scenario::ALL.into_iter().filter(chosen).collect()
            }
        }
    }

    /// Says which option was given that the chosen bed cannot follow.
    ///
    /// # Errors
    /// One was given; the message names it and the beds that can.
    pub fn check(&self) -> Result<(), String> {
        use BedArg::{Docker, Embedded, Kind};
        // An image in the environment is meant for whenever there is a kind cluster.
        let node_image = self
            .kind
            .node_image
            .clone()
            .filter(|image| std::env::var(NODE_IMAGE_VARIABLE).as_ref() != Ok(image));
        let options = [
            ("--isolation", self.bed.isolation != IsolationArg::Auto, Embedded),
            ("--context", self.kind.context.is_some(), Kind),
            ("--cluster", self.kind.cluster.is_some(), Kind),
            ("--node-image", node_image.is_some(), Kind),
            ("--kind-config", self.kind.kind_config.is_some(), Kind),
            ("--sls-port", self.docker.sls_port.is_some(), Docker),
        ];
        let name =
            |bed: BedArg| bed.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
        match options.into_iter().find(|(_, given, bed)| *given && *bed != self.on) {
            None if self.on == Docker && !self.scenarios.is_empty() => Err(
                "--scenario means nothing with --bed docker, which runs the example's Job and nothing else: \
                 leave it out, or run with --bed embedded or --bed kind"
                    .to_owned(),
            ),
            None => Ok(()),
            Some((option, _, bed)) => Err(format!(
                "{option} means nothing with --bed {}: leave it out, or run with --bed {}",
                name(self.on),
                name(bed)
            )),
        }
    }
}

#[derive(Debug, Clone, Args)]
pub struct Up {
    /// Port of the emulator; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub sls_port: u16,

    /// Port of the API server; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub kube_port: u16,

    /// Port of the console for a browser; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub console_port: u16,

    /// Access lines per second and pod.
    #[arg(long, default_value_t = 10, value_name = "PER_SECOND")]
    pub rate: u32,

    /// How the addresses are printed.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,

    #[command(flatten)]
    pub bed: Bed,
}

#[derive(Debug, Clone, Args)]
pub struct Query {
    /// Address of the emulator, as `up` prints it.
    #[arg(long, value_name = "URL")]
    pub endpoint: String,

    #[arg(short, long, default_value = crate::scenario::PROJECT)]
    pub project: String,

    #[arg(short, long, default_value = crate::scenario::ACCESS_LOGSTORE)]
    pub logstore: String,

    /// Search, or `search | select …`.
    #[arg(default_value = "*")]
    pub query: String,

    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BedArg {
    /// Everything as processes of this machine.
    Embedded,
    /// A real cluster; needs docker, kind, kubectl and the images (just images).
    Kind,
    /// Containers without a cluster, the configs made through the API; needs Docker and the images (just
    /// images).
    Docker,
}

/// Variable that names the image of kind's nodes.
const NODE_IMAGE_VARIABLE: &str = "KIND_NODE_IMAGE";
/// Name of the cluster that the kind bed makes unless told otherwise.
pub const CLUSTER: &str = "sls-bed";

/// What only the Docker bed can be told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "With --bed docker")]
pub struct DockerBed {
    /// Port of the emulator on this machine; a free one if not given.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub sls_port: Option<u16>,
}

/// What `--scenario` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    All,
    One(Scenario),
}

fn parse_scenario(name: &str) -> Result<Chosen, String> {
    if name == "all" {
        return Ok(Chosen::All);
    }
    Scenario::find(name).map(Chosen::One).ok_or_else(|| {
        let names = Scenario::ALL.map(Scenario::name).join(", ");
        format!("there is no scenario {name:?}; there are {names}, and `all`")
    })
}

/// What only the kind bed can be told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "With --bed kind")]
pub struct KindBed {
    /// Use the cluster of this context of the kubeconfig instead of making one.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["cluster", "kind_config"])]
    pub context: Option<String>,

    /// Name of the cluster to make [default: sls-bed].
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,

    /// Image of its nodes; kind's own choice if not given.
    #[arg(long, value_name = "IMAGE", env = NODE_IMAGE_VARIABLE)]
    pub node_image: Option<String>,

    /// A kind configuration.
    #[arg(long, value_name = "FILE")]
    pub kind_config: Option<PathBuf>,
}

/// What every bed can be told.
#[derive(Debug, Clone, Args)]
pub struct Bed {
    /// How containers are kept apart; the embedded bed only.
    #[arg(long, value_enum, default_value_t = IsolationArg::Auto)]
    pub isolation: IsolationArg,

    /// Folder for logs, objects and the database [default: a temporary one].
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,

    /// Keep the folder also after a success, and the cluster of --bed kind or the containers of --bed
    /// docker in any case.
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    /// One object at the end.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IsolationArg {
    /// Mount namespaces where the system allows them, a path prefix otherwise.
    Auto,
    /// Mount namespaces, or fail.
    Namespaces,
    /// A path prefix.
    Prefix,
}

impl From<IsolationArg> for Isolation {
    fn from(arg: IsolationArg) -> Self {
        match arg {
            IsolationArg::Auto => Self::Auto,
            IsolationArg::Namespaces => Self::Namespaces,
            IsolationArg::Prefix => Self::Prefix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_without_a_command_belong_to_run() {
        let cli = Cli::parse_from(["e2e", "-o", "json", "--lines", "5"]);
        assert!(cli.command.is_none());
        assert_eq!((cli.run.lines, cli.run.output), (5, Output::Json));
        assert_eq!(cli.run.on, BedArg::Embedded);
    }

    #[test]
    fn scenarios_are_chosen_by_name_and_the_beds_have_their_own_defaults() {
        let chosen = |args: &[&str]| Cli::parse_from([&["e2e"], args].concat()).run.chosen();
        assert_eq!(chosen(&[]), Scenario::EXAMPLE);
        assert_eq!(chosen(&["--bed", "kind"]), Scenario::ALL);
        assert_eq!(chosen(&["--scenario", "all"]), Scenario::ALL);
        let two = ["--scenario", "memory", "--scenario", "scaling", "--scenario", "memory"];
        assert_eq!(chosen(&two), [Scenario::Scaling, Scenario::Memory]);
        let error = Cli::try_parse_from(["e2e", "--scenario", "nope"]).expect_err("no such scenario");
        assert!(error.to_string().contains("there are sidecar-job, scaling"), "{error}");
    }

    #[test]
    fn an_option_of_another_bed_is_refused_by_name() {
        let refusal = |words: &[&str]| {
            let words = ["e2e"].iter().chain(words);
            Cli::parse_from(words).run.check().expect_err("refused")
        };
        assert_eq!(
            refusal(&["--bed", "docker", "--isolation", "prefix"]),
            "--isolation means nothing with --bed docker: leave it out, or run with --bed embedded"
        );
        assert!(refusal(&["--bed", "docker", "--cluster", "c"]).starts_with("--cluster "));
        assert!(refusal(&["--sls-port", "8080"]).contains("--bed docker"));
        assert!(refusal(&["--bed", "docker", "--scenario", "all"]).starts_with("--scenario "));
        let fitting = ["e2e", "--bed", "docker", "--sls-port", "8080", "--outage", "3", "--keep"];
        assert_eq!(Cli::parse_from(fitting).run.check(), Ok(()));
    }

    #[test]
    fn a_named_context_excludes_what_describes_a_new_cluster() {
        let cli = Cli::parse_from(["e2e", "--bed", "kind", "--context", "kind-a"]);
        assert_eq!((cli.run.on, cli.run.kind.context.as_deref()), (BedArg::Kind, Some("kind-a")));
        let both = ["e2e", "--bed", "kind", "--context", "kind-a", "--cluster", "b"];
        assert!(Cli::try_parse_from(both).is_err());
    }
}
