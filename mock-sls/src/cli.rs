//! The command line of `mock-sls`.

mod account;
mod call;
mod console;
mod env;
mod expect;
mod explain;
mod faults;
mod golden;
mod journal;
mod told;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, tz::TimeZone};
use serde_json::json;
use sls_api::sign::{AccessKey, CLOCK_WINDOW};
use tracing_subscriber::EnvFilter;

use crate::query::sql::{DEFAULT_ZONE, IpPlaces, Settings as SqlSettings, zone_named};
use crate::quotas::Quotas;
use crate::{
    Account, Auth, Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, DEFAULT_ACCOUNT_ID,
    DEFAULT_REGION, Data, Key, MockSls, Rights, Running, Tls, WriteQuotas, accounts,
};

/// Holds the key pair where a command line would show it to everyone on the machine.
const ACCESS_KEY_VARIABLE: &str = "MOCK_SLS_ACCESS_KEY";

/// An emulator of Alibaba Cloud Simple Log Service on one port, with one SQLite file.
#[derive(Debug, Parser)]
#[command(name = "mock-sls", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API until SIGTERM or SIGINT.
    Serve(Box<Serve>),
    /// Print what to set so that clients talk to the emulator.
    Env(env::Env),
    /// Wait until a running emulator has the expected logs, or say why it has not.
    Expect(Box<expect::Expect>),
    /// Expect everything that a file says.
    Verify(verify::Verify),
    /// Hold what was received against a ledger of what was written.
    Account(Box<account::Account>),
    /// Compare found logs with those of a file, or write that file.
    Golden(Box<golden::GoldenCommand>),
    /// Say what a query finds, and why.
    Explain(explain::Explain),
    /// Show found logs as they come.
    Tail(explain::Tail),
    /// Begin a scope: expectations that name it count what comes from now on.
    Scope(explain::Scope),
    /// Show which requests a running emulator got.
    Journal(Box<journal::Journal>),
    /// Tell a running emulator what to do wrong.
    Faults(faults::Faults),
}

#[derive(Debug, Args)]
#[command(after_help = "\
The file of --accounts is JSON; rights (full or read-only), securityToken, expiration and disabled
may be left out:
  {\"accounts\": [{\"accountId\": \"1234567890123456\", \"keys\": [
    {\"accessKeyId\": \"…\", \"accessKeySecret\": \"…\", \"rights\": \"read-only\",
     \"securityToken\": \"…\", \"expiration\": \"2030-01-01T00:00:00Z\", \"disabled\": false}]}]}

Clients put the project in front of the endpoint's host name. On one machine without DNS, point \
them here as their HTTP proxy (HTTP_PROXY=http://127.0.0.1:8080) and give them any endpoint, for \
example http://sls.test; `mock-sls env` prints the lines. With --tls-listen the same works for https.

MOCK_SLS_LOG chooses what is logged to stderr, for example info for one line per request.

Exit codes: 0 after SIGTERM or SIGINT, 1 if the server cannot start, 2 for wrong arguments.")]
struct Serve {
    /// Where to listen; port 0 takes a free port.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Where to listen for TLS, with certificates of an authority of its own; also makes CONNECT
    /// (HTTPS_PROXY) work on the other port.
    #[arg(long, value_name = "HOST:PORT")]
    tls_listen: Option<SocketAddr>,

    /// File that the certificate of that authority is written to, for clients to trust. Its key
    /// is kept beside it (FILE.key), so that later starts have the same authority.
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    tls_ca: Option<PathBuf>,

    /// File that the port is written to, as a decimal number, once requests are answered.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,

    /// Folder of the database, made if missing; a temporary one if not given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// A key pair that may call; may be given several times. Without it and --accounts the pair in
    /// the variable MOCK_SLS_ACCESS_KEY, else mockAccessKeyId:mockAccessKeySecret.
    // clap would count the variable as given and refuse --accounts wherever it is set.
    #[arg(long = "access-key", value_name = "ID:SECRET")]
    access_keys: Vec<KeyPair>,

    /// A key pair that may only read; may be given several times.
    #[arg(long = "read-only-key", value_name = "ID:SECRET")]
    read_only_keys: Vec<KeyPair>,

    /// File of accounts and keys, instead of the options for them; its form is below.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["access_keys", "read_only_keys", "account_id"])]
    accounts: Option<PathBuf>,

    /// Id of the account that the key pairs belong to.
    #[arg(long, value_name = "UID", default_value = DEFAULT_ACCOUNT_ID)]
    account_id: String,

    /// How strictly signatures are checked.
    #[arg(long, value_enum, default_value_t = AuthArg::Strict)]
    auth: AuthArg,

    /// How far the time of a signed request may be off, either way.
    #[arg(long, value_name = "SECONDS", default_value_t = CLOCK_WINDOW.as_secs().unsigned_abs() as u32)]
    clock_window: u32,

    /// Time zone in which SQL takes and shows times, for example UTC or +02:00.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_ZONE, value_parser = time_zone)]
    time_zone: TimeZone,

    /// File of the places of IP addresses, for ip_to_city and the like in SQL: comma separated
    /// values, the first line cidr,country,country_code,province,province_code,city,city_code,geo,
    /// city_geo,provider or some of them.
    #[arg(long, value_name = "FILE")]
    ip_places: Option<PathBuf>,

    /// Region that the server says it stands in.
    #[arg(long, default_value = DEFAULT_REGION)]
    region: String,

    /// Address that collectors are told to send logs to; if not given, the one under which they
    /// asked for their configs.
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,

    /// A further host name of this server: a bare request to it names no project, one to
    /// project.NAME does. May be given several times.
    #[arg(long = "endpoint-host", value_name = "NAME")]
    endpoint_hosts: Vec<String>,

    /// Bytes of logs, before compression, that one shard takes in a second; more is refused with
    /// ShardWriteQuotaExceed. No limit if not given; the service's is 5242880.
    #[arg(long, value_name = "BYTES")]
    shard_write_quota: Option<u64>,

    /// Bytes of logs, before compression, that one project takes in a second; more is refused
    /// with WriteQuotaExceed. No limit if not given.
    #[arg(long, value_name = "BYTES")]
    project_write_quota: Option<u64>,

    /// Refuse logs older than 7 days or more than 15 minutes ahead, as the service documents.
    #[arg(long)]
    check_log_time: bool,

    /// How many resources of a kind there may be, for example logstores=1000. May be given several
    /// times.
    #[arg(long = "quota", value_name = "KIND=MAX", value_parser = quota)]
    quotas: Vec<(String, u64)>,

    /// How the line at the start is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,

    #[command(flatten)]
    console: console::Arguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AuthArg {
    /// Not at all.
    Off,
    /// Signature, clock and digests, any region.
    Lenient,
    /// Also the region of version 4 signatures.
    Strict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Sentences.
    Text,
    /// One JSON object on one line.
    Json,
}

/// A key pair as given on the command line; the secret is not shown by `Debug`.
#[derive(Debug, Clone)]
struct KeyPair(AccessKey);

impl FromStr for KeyPair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((id, secret)) if !id.is_empty() && !secret.is_empty() => {
                Ok(Self(AccessKey::new(id, secret)))
            }
            _ => Err("use ID:SECRET, both not empty"),
        }
    }
}

fn time_zone(text: &str) -> Result<TimeZone, String> {
    zone_named(text).ok_or_else(|| format!("{text:?} is no time zone of this machine"))
}

/// `KIND=MAX` of `--quota`.
fn quota(text: &str) -> Result<(String, u64), String> {
    let (name, max) = text.split_once('=').ok_or("use KIND=MAX, for example logstores=1000")?;
    let max = max.parse().map_err(|_| format!("{max:?} is not a number"))?;
    Quotas::default().set(name, max).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), max))
}

impl Serve {
    fn config(self) -> anyhow::Result<Config> {
        let console = self.console.settings(self.listen)?;
        let accounts = match &self.accounts {
            Some(path) => accounts::read(path)?,
            None => vec![self.account()?],
        };
        let places = match &self.ip_places {
            None => IpPlaces::default(),
            Some(path) => {
                let name = || format!("--ip-places {}", path.display());
                let text = std::fs::read_to_string(path).with_context(name)?;
                IpPlaces::parse(&text).with_context(name)?
            }
        };
        let mut quotas = Quotas::default();
        for (name, max) in &self.quotas {
            // The names were checked when they were parsed.
            let _ = quotas.set(name, *max);
        }
        Ok(Config {
            listen: self.listen,
            tls: self.tls_listen.map(|listen| Tls { listen, ca: self.tls_ca }),
            data: self.data.map_or(Data::Temp, Data::Dir),
            accounts,
            auth: match self.auth {
                AuthArg::Off => Auth::Off,
                AuthArg::Lenient => Auth::Lenient,
                AuthArg::Strict => Auth::Strict,
            },
            clock_window: SignedDuration::from_secs(self.clock_window.into()),
            sql: SqlSettings { zone: self.time_zone, places: Arc::new(places) },
            region: self.region,
            advertise: self.advertise,
            endpoint_hosts: self.endpoint_hosts,
            write_quotas: WriteQuotas {
                shard_bytes_per_s: self.shard_write_quota,
                project_bytes_per_s: self.project_write_quota,
            },
            check_log_time: self.check_log_time,
            quotas,
            console,
            ..Config::default()
        })
    }

    /// The account of the options; that of the environment or the default key pair opens it if none
    /// is given.
    fn account(&self) -> anyhow::Result<Account> {
        let mut keys: Vec<Key> = self.access_keys.iter().map(|pair| pair.0.clone().into()).collect();
        if keys.is_empty()
            && let Ok(text) = std::env::var(ACCESS_KEY_VARIABLE)
        {
            let pair: KeyPair = text.parse().map_err(|why| anyhow!("{ACCESS_KEY_VARIABLE}: {why}"))?;
            keys.push(pair.0.into());
        }
        if keys.is_empty() {
            keys.push(AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET).into());
        }
        let reading = |pair: &KeyPair| Key { rights: Rights::ReadOnly, ..pair.0.clone().into() };
        keys.extend(self.read_only_keys.iter().map(reading));
        Ok(Account { uid: self.account_id.clone(), keys })
    }
}

/// Runs the program with these arguments, the first being its name.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let command = match Cli::try_parse_from(args) {
        Ok(cli) => cli.command,
        Err(error) => {
            // Nothing better can be done when this cannot be printed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let outcome = match command {
        Command::Serve(serve) => run(*serve).map(|()| ExitCode::SUCCESS),
        Command::Env(env) => env::run(&env).context("cannot print").map(|()| ExitCode::SUCCESS),
        Command::Expect(expect) => expect::run(&expect),
        Command::Verify(verify) => verify::run(&verify),
        Command::Account(account) => account::run(&account),
        Command::Golden(golden) => golden::run(&golden),
        Command::Explain(explain) => explain::explain(&explain),
        Command::Tail(tail) => explain::tail(&tail),
        Command::Scope(scope) => explain::scope(&scope),
        Command::Journal(journal) => journal::main(*journal).map(|()| ExitCode::SUCCESS),
        Command::Faults(faults) => faults::main(faults).map(|()| ExitCode::SUCCESS),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mock-sls: {error:#}");
            ExitCode::from(error.downcast_ref::<call::CallError>().map_or(1, call::CallError::exit_code))
        }
    }
}

fn run(serve: Serve) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_env("MOCK_SLS_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // A program that hosts several components may have installed its own log already.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(serve_until_signal(serve))
}

async fn serve_until_signal(serve: Serve) -> anyhow::Result<()> {
    let signal = stop_signal()?;
    let (output, port_file) = (serve.output, serve.port_file.clone());
    let config = serve.config()?;
    let key = config.accounts.first().and_then(|account| account.keys.first()).map(|key| key.pair.clone());
    let running = MockSls::start(config).await?;
    if let Some(path) = port_file {
        write_port(&path, running.addr().port())
            .with_context(|| format!("cannot write the port to {}", path.display()))?;
    }
    announce(&running, key.as_ref(), output).context("cannot print the endpoint")?;
    signal.await;
    running.shutdown().await;
    Ok(())
}

/// Writes beside the file first and renames, so that whoever waits for it finds it whole.
fn write_port(path: &Path, port: u16) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{port}")?;
    file.persist(path)?;
    Ok(())
}

/// Prints where the server is and which key id opens it. A secret is printed only if it is the
/// documented one.
fn announce(running: &Running, key: Option<&AccessKey>, output: Output) -> std::io::Result<()> {
    let id = key.map_or("", |key| key.id.as_str());
    let secret = key.map(|key| key.secret.expose()).filter(|secret| *secret == DEFAULT_ACCESS_KEY_SECRET);
    let endpoint = running.endpoint();
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => writeln!(
            out,
            "{}",
            json!({
                "endpoint": endpoint,
                "httpsEndpoint": running.https_endpoint(),
                "console": running.console_url(),
                "accessKeyId": id,
                "accessKeySecret": secret,
            })
        )?,
        Output::Text => {
            writeln!(out, "endpoint           {endpoint}")?;
            if let Some(endpoint) = running.https_endpoint() {
                writeln!(out, "https endpoint     {endpoint}")?;
            }
            if let Some(url) = running.console_url() {
                writeln!(out, "console            {url}")?;
            }
            writeln!(out, "access key id      {id}")?;
            writeln!(out, "access key secret  {}", secret.unwrap_or("(as given)"))?;
        }
    }
    out.flush()
}

/// Resolves at the first SIGTERM or SIGINT.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let catch = |kind| signal(kind).context("cannot watch for signals");
    let mut terminate = catch(SignalKind::terminate())?;
    let mut interrupt = catch(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_key_pair_needs_both_halves() {
        assert!("id:secret".parse::<KeyPair>().is_ok());
        for bad in ["", "id", "id:", ":secret"] {
            assert!(bad.parse::<KeyPair>().is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let pair: KeyPair = "id:hush".parse().unwrap();
        assert!(!format!("{pair:?}").contains("hush"));
    }
}
