//! `mock-sls env`: what to set so that a client of the real service talks to the emulator. The
//! same programs, in full, are in `docs/clients.md`.

use std::io::Write;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Output;
use crate::{DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, DEFAULT_REGION};

/// Made-up endpoint name that clients are given where the emulator is their proxy.
const NAME: &str = "sls.test";

#[derive(Debug, Args)]
#[command(after_help = "\
Clients put the project in front of the endpoint's host name (project.sls.test), which no DNS
knows. Most can be told to use the emulator as their HTTP proxy instead; the name never matters.

  eval \"$(mock-sls env)\"                 sets the shell
  mock-sls env --language python         prints a program's first lines
  mock-sls env -o json                   prints everything")]
pub struct Env {
    /// Address of the emulator.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    address: String,

    /// Its TLS certificate authority (--tls-ca of `serve`), for clients that insist on https.
    #[arg(long, value_name = "FILE")]
    ca: Option<String>,

    /// For which client.
    #[arg(short, long, value_enum, default_value_t = Language::Shell)]
    language: Language,

    /// Lines of text, or one JSON object with the lines of every client.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// Variables for any program.
    Shell,
    /// aliyun-log-python-sdk.
    Python,
    /// aliyun-log-go-sdk.
    Go,
    /// com.aliyun.openservices:aliyun-log.
    Java,
    /// @alicloud/log.
    Node,
    /// aliyun-log-rust-sdk.
    Rust,
    /// aliyunlog, the command line client.
    Cli,
    /// A container on this machine's network.
    Docker,
}

/// Prints what was asked for.
pub fn run(env: &Env) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match env.output {
        Output::Text => {
            for line in env.lines(env.language) {
                writeln!(out, "{line}")?;
            }
        }
        Output::Json => {
            let variables: serde_json::Map<_, _> =
                env.variables().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            let lines = |language: &Language| {
                let name = language.to_possible_value().map(|value| value.get_name().to_owned());
                (name.unwrap_or_default(), json!(env.lines(*language)))
            };
            let clients: serde_json::Map<_, _> = Language::value_variants().iter().map(lines).collect();
            writeln!(out, "{}", json!({ "variables": variables, "clients": clients }))?;
        }
    }
    out.flush()
}

impl Env {
    fn variables(&self) -> Vec<(&'static str, String)> {
        let proxy = format!("http://{}", self.address);
        let mut variables = vec![
            ("HTTP_PROXY", proxy.clone()),
            ("http_proxy", proxy.clone()),
            ("ALIYUN_LOG_ENDPOINT", format!("http://{NAME}")),
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", DEFAULT_ACCESS_KEY_ID.to_owned()),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", DEFAULT_ACCESS_KEY_SECRET.to_owned()),
            ("ALIBABA_CLOUD_REGION", DEFAULT_REGION.to_owned()),
        ];
        if let Some(ca) = &self.ca {
            variables.push(("HTTPS_PROXY", proxy.clone()));
            variables.push(("https_proxy", proxy));
            let trusting = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"];
            variables.extend(trusting.map(|name| (name, ca.clone())));
        }
        variables
    }

    fn lines(&self, language: Language) -> Vec<String> {
        let (id, secret) = (DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
        let address = &self.address;
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
        let lines = match language {
            Language::Shell => {
                let export = |(name, value): (&str, String)| format!("export {name}={}", quoted(&value));
                return self.variables().into_iter().map(export).collect();
            }
            Language::Docker => {
                let option = |(name, value): (&str, String)| format!("--env {name}={}", quoted(&value));
                let options = self.variables().into_iter().map(option);
                return std::iter::once("--network host".to_owned()).chain(options).collect();
            }
            Language::Python => format!(
                "import os; os.environ[\"HTTP_PROXY\"] = \"http://{address}\"\n\
                 from aliyun.log import LogClient\n\
                 client = LogClient(\"http://{NAME}\", \"{id}\", \"{secret}\")"
            ),
            Language::Go => format!(
                "os.Setenv(\"HTTP_PROXY\", \"http://{address}\") // before the first request\n\
                 client := sls.CreateNormalInterface(\"http://{NAME}\", \"{id}\", \"{secret}\", \"\")"
            ),
            Language::Java => format!(
                "ClientConfiguration config = new ClientConfiguration();\n\
                 config.setProxyHost(\"{host}\");\n\
                 config.setProxyPort({port});\n\
                 Client client = new Client(\"http://{NAME}\", \"{id}\", \"{secret}\", config);"
            ),
            Language::Node => format!(
                "const dns = require('node:dns'), lookup = dns.lookup; // this client ignores HTTP_PROXY\n\
                 dns.lookup = (name, ...rest) => lookup(name.endsWith('{NAME}') ? '{host}' : name, ...rest);\n\
                 const client = new (require('@alicloud/log'))({{\n\
                 \x20 endpoint: '{NAME}:{port}', accessKeyId: '{id}', accessKeySecret: '{secret}' }});"
            ),
            Language::Rust => format!(
                "// HTTP_PROXY=http://{address} must be set when the program starts.\n\
                 let config = Config::builder().endpoint(\"http://{NAME}\")\n\
                 \x20   .access_key(\"{id}\", \"{secret}\").build()?;\n\
                 let client = Client::from_config(config)?;"
            ),
            Language::Cli => format!(
                "export HTTP_PROXY=http://{address}\n\
                 aliyunlog configure {id} {secret} http://{NAME}"
            ),
        };
        lines.lines().map(str::to_owned).collect()
    }
}

/// The value as one word of a POSIX shell.
fn quoted(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:,@".contains(&b);
    if value.bytes().all(plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn env(ca: Option<&str>) -> Env {
        Env {
            address: "127.0.0.1:9".to_owned(),
            ca: ca.map(str::to_owned),
            language: Language::Shell,
            output: Output::Text,
        }
    }

    #[test]
    fn a_shell_is_given_every_variable_quoted() {
        let lines = env(Some("/tmp/my ca.pem")).lines(Language::Shell).join("\n");
        expect![[r#"
            export HTTP_PROXY=http://127.0.0.1:9
            export http_proxy=http://127.0.0.1:9
            export ALIYUN_LOG_ENDPOINT=http://sls.test
            export ALIBABA_CLOUD_ACCESS_KEY_ID=mockAccessKeyId
            export ALIBABA_CLOUD_ACCESS_KEY_SECRET=mockAccessKeySecret
            export ALIBABA_CLOUD_REGION=cn-hangzhou
            export HTTPS_PROXY=http://127.0.0.1:9
            export https_proxy=http://127.0.0.1:9
            export SSL_CERT_FILE='/tmp/my ca.pem'
            export REQUESTS_CA_BUNDLE='/tmp/my ca.pem'
            export NODE_EXTRA_CA_CERTS='/tmp/my ca.pem'
            export CURL_CA_BUNDLE='/tmp/my ca.pem'"#]]
        .assert_eq(&lines);
    }

    #[test]
    fn every_language_is_told_address_and_key() {
        for language in Language::value_variants() {
            let lines = env(None).lines(*language).join("\n");
            let address = lines.contains("127.0.0.1:9") || lines.contains("127.0.0.1") && lines.contains('9');
            assert!(address && lines.contains(DEFAULT_ACCESS_KEY_ID), "{language:?}: {lines}");
        }
    }
}
