//! Arguments of the webhook in `operator run`, and `operator webhooks`, which prints its configurations.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;

use super::files::{ObjectForm, print_objects};
use super::inject::{CONFIG_REGION_DEFAULT, FormArg, IMAGE_DEFAULT, PROBE_PORT_DEFAULT, config_path};
use super::{EXIT_USAGE, failed};
use crate::audit;
use crate::inject::Profile;
use crate::leader::Fence;
use crate::validate::Defaults;
use crate::webhook::configurations::{FailurePolicy, Place, SERVICE, configurations};
use crate::webhook::{self, Lives, Settings};

/// The webhook of `operator run`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct WebhookArgs {
    /// Serve the admission webhook here by HTTPS, for example 0.0.0.0:8443; `operator webhooks` prints what tells API
    /// servers of it
    #[arg(long, value_name = "ADDRESS", requires = "operator_namespace")]
    webhook_listen: Option<SocketAddr>,

    /// Name or address under which API servers call the webhook, may be given several times; that of its Service when
    /// not given
    #[arg(long, value_name = "HOST")]
    webhook_host: Vec<String>,

    /// Namespace of the operator: the webhook's certificates are kept there in a Secret, and its Pods get no sidecar
    #[arg(long, value_name = "NAME", env = "POD_NAMESPACE")]
    operator_namespace: Option<String>,

    /// Image of the sidecars that the webhook adds
    #[arg(long, value_name = "IMAGE", default_value = IMAGE_DEFAULT, env = "SLS_SIDECAR_IMAGE")]
    sidecar_image: String,

    /// How these sidecars live, as in `operator inject --form`
    #[arg(long, value_enum, default_value_t = FormArg::Native)]
    sidecar_form: FormArg,

    /// Region in the path of their configuration: cn-hangzhou, cn-hangzhou-internet …; --region when not given
    #[arg(long, value_name = "REGION")]
    sidecar_region: Option<String>,

    /// Port of their probes
    #[arg(long, value_name = "PORT", default_value_t = PROBE_PORT_DEFAULT)]
    sidecar_probe_port: u16,

    /// How long they may keep applications waiting, as in `operator inject --startup-timeout`
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    sidecar_startup_timeout: u32,

    /// How often Pods are looked for that ask for a sidecar and have none; 1m with --webhook-listen, else never
    #[arg(long, value_name = "DURATION", value_parser = super::run::duration)]
    injection_audit: Option<Duration>,
}

impl WebhookArgs {
    /// Where to listen, and how the webhook behaves; none if it is not asked for.
    pub(super) fn settings(
        &self,
        namespace: Option<&str>,
        region: Option<&str>,
        defaults: &Defaults,
    ) -> Option<(SocketAddr, Settings)> {
        let address = self.webhook_listen?;
        let own_namespace = self.operator_namespace.clone()?;
        let hosts = match self.webhook_host.as_slice() {
            [] => vec![format!("{SERVICE}.{own_namespace}.svc")],
            hosts => hosts.to_vec(),
        };
        let region = self.sidecar_region.as_deref().or(region).unwrap_or(CONFIG_REGION_DEFAULT);
        let profile = Profile {
            name: self.sidecar_form.name().to_owned(),
            image: self.sidecar_image.clone(),
            config_path: config_path(region),
            account_id: defaults.account_id.clone(),
            machine_group: defaults.machine_group.clone(),
            form: self.sidecar_form.into(),
            probe_port: self.sidecar_probe_port,
            startup_seconds: self.sidecar_startup_timeout,
        };
        let settings = Settings {
            namespace: namespace.map(str::to_owned),
            own_namespace,
            hosts,
            defaults: defaults.clone(),
            profile,
            lives: Lives::default(),
            check: webhook::CHECK,
        };
        Some((address, settings))
    }

    /// How the audit goes; none if there is none.
    pub(super) fn audit(
        &self,
        namespace: Option<&str>,
        instance: Option<String>,
        fence: Fence,
    ) -> Option<audit::Settings> {
        let with_webhook = self.webhook_listen.map(|_| audit::INTERVAL);
        Some(audit::Settings {
            interval: self.injection_audit.or(with_webhook)?,
            namespace: namespace.map(str::to_owned),
            own_namespace: self.operator_namespace.clone(),
            instance,
            fence,
        })
    }
}

/// `operator webhooks`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Namespace of the operator and of the Service in front of it; Pods there get no sidecar
    #[arg(short, long, value_name = "NAME", default_value = "sls-bed", env = "POD_NAMESPACE")]
    namespace: String,

    /// The webhook's URL without a path, of an operator outside of the cluster: https://HOST:PORT
    #[arg(long, value_name = "URL", value_parser = https)]
    url: Option<String>,

    /// What happens to Pods that ask for a sidecar while the webhook does not answer: ignore, they are created without;
    /// fail, they are refused. AliyunLogConfigs are always let through: the controller judges them too
    #[arg(long, value_enum, default_value_t = PolicyArg::Ignore)]
    failure_policy: PolicyArg,

    /// Form of the objects on stdout
    #[arg(short, long, value_enum, default_value_t = ObjectForm::Yaml)]
    output: ObjectForm,
}

/// A failure policy; also used by `operator policy`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PolicyArg {
    Ignore,
    Fail,
}

impl From<PolicyArg> for FailurePolicy {
    fn from(policy: PolicyArg) -> Self {
        match policy {
            PolicyArg::Ignore => Self::Ignore,
            PolicyArg::Fail => Self::Fail,
        }
    }
}

pub(super) fn main(args: Args) -> ExitCode {
    let place = match args.url {
        Some(url) => Place::Url(url),
        None => Place::Service { namespace: args.namespace.clone() },
    };
    match print_objects(&configurations(&place, args.failure_policy.into(), &args.namespace), args.output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(EXIT_USAGE, &error),
    }
}

fn https(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").map(|rest| rest.trim_end_matches('/'));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@']) => {
            Ok(format!("https://{host}"))
        }
        _ => {
            Err("write https://HOST:PORT: API servers call webhooks by HTTPS, and the paths are known"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_https_without_a_path() {
        assert_eq!(https("https://127.0.0.1:8443/"), Ok("https://127.0.0.1:8443".to_owned()));
        for wrong in ["http://a", "https://", "https://a/mutate", "https://u@a", "a:8443"] {
            assert!(https(wrong).is_err_and(|error| error.contains("https://HOST:PORT")), "{wrong}");
        }
    }
}
