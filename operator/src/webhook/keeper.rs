//! Keeps the certificates: in a Secret that all replicas share, in this replica's server, and as what API servers
//! trust in the webhook configurations. Whoever sees first that something is to be renewed does it; the others see
//! it in the Secret.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::certificates::{CertificateError, Certificates};
use super::figures::Figures;
use super::tls::Current;
use super::{Settings, configurations};
use crate::crd::FIELD_MANAGER;
use crate::text::innermost;

/// Name of the Secret, in the operator's namespace.
const SECRET: &str = "sls-operator-webhook";
/// Its key with everything.
const STATE: &str = "certificates.json";
/// Its key with what clients trust, for people who look.
const TRUSTED: &str = "ca.crt";
/// Wait after a failure. Source: guess; without a certificate nothing is served.
const RETRY: Duration = Duration::from_secs(2);
/// Tries of a write that others are faster with; each loss means that one of them has written.
const TRIES_MAX: usize = 5;

/// Why the certificates are not kept.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(
        "Secret {namespace}/{SECRET} cannot be {verb}: {}; install it and the operator's Role with the chart, or allow get and patch of it",
        innermost(source)
    )]
    Secret { namespace: String, verb: &'static str, source: Box<kube::Error> },
    #[error("Secret {0}/{SECRET} is being changed by others all the time")]
    Busy(String),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("{kind} {name} cannot be {verb}: {}", innermost(source))]
    Configuration { kind: &'static str, name: &'static str, verb: &'static str, source: Box<kube::Error> },
}

/// Keeps them for ever; failures are told once and tried again.
pub async fn keep(kube: &Client, settings: &Settings, current: &Current, figures: &Figures) {
    let mut told = String::new();
    let mut served: Option<Certificates> = None;
    loop {
        let wait = match look(kube, settings, current, figures, &mut served).await {
            Ok(missing) => {
                if missing != told && !missing.is_empty() {
                    tracing::warn!("{missing}");
                }
                told = missing;
                settings.check
            }
            Err(error) => {
                let text = error.to_string();
                if text != told {
                    tracing::warn!("the webhook's certificates: {text}");
                    told = text;
                }
                settings.check.min(RETRY)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// One look; what is missing, for people.
async fn look(
    kube: &Client,
    settings: &Settings,
    current: &Current,
    figures: &Figures,
    served: &mut Option<Certificates>,
) -> Result<String, Error> {
    let certificates = shared(kube, settings).await?;
    if served.as_ref() != Some(&certificates) {
        current.replace(certificates.certified()?);
        figures.expires(certificates.expiry());
        tracing::info!(?certificates, "the webhook's certificates have changed");
        *served = Some(certificates.clone());
    }
    let trusted = certificates.trusted();
    let mutating: Api<MutatingWebhookConfiguration> = Api::all(kube.clone());
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(kube.clone());
    let found = [
        trust(&mutating, "MutatingWebhookConfiguration", &trusted).await?,
        trust(&validating, "ValidatingWebhookConfiguration", &trusted).await?,
    ];
    Ok(match found {
        [true, true] => String::new(),
        _ => format!(
            "webhook configurations {} are not installed: no API server calls the webhook; install them with \
             `operator webhooks | kubectl apply -f -`",
            configurations::NAME
        ),
    })
}

/// The certificates of the Secret, renewed if it is time.
async fn shared(kube: &Client, settings: &Settings) -> Result<Certificates, Error> {
    let api: Api<Secret> = Api::namespaced(kube.clone(), &settings.own_namespace);
    let failed = |verb| {
        move |source| Error::Secret {
            namespace: settings.own_namespace.clone(),
            verb,
            source: Box::new(source),
        }
    };
    for _ in 0..TRIES_MAX {
        let secret = api.get_opt(SECRET).await.map_err(failed("read"))?;
        let known = secret.as_ref().and_then(read);
        let now = Timestamp::now().as_second();
        let renewed = Certificates::renewed(known.as_ref(), &settings.hosts, &settings.lives, now)?;
        let renewed = match (renewed, known) {
            (Some(renewed), _) => renewed,
            (None, Some(known)) => return Ok(known),
            // Nothing known is always renewed.
            (None, None) => continue,
        };
        let version = secret.as_ref().and_then(ResourceExt::resource_version);
        let wanted = written(&renewed, version.clone());
        let result = match version {
            None => {
                let params =
                    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
                api.create(&params, &wanted).await
            }
            // The version makes it fail if another replica was faster.
            Some(_) => {
                let params = PatchParams::apply(FIELD_MANAGER).force();
                api.patch(SECRET, &params, &Patch::Apply(&wanted)).await
            }
        };
        match result {
            Ok(_) => return Ok(renewed),
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(failed("written")(error)),
        }
    }
    Err(Error::Busy(settings.own_namespace.clone()))
}

fn read(secret: &Secret) -> Option<Certificates> {
    let state = secret.data.as_ref()?.get(STATE)?;
    // What cannot be read is made anew; its text is secret.
    serde_json::from_slice(&state.0).ok()
}

fn written(certificates: &Certificates, version: Option<String>) -> Secret {
    let state = serde_json::to_vec(certificates).unwrap_or_default();
    let data = [(STATE, state), (TRUSTED, certificates.trusted().into_bytes())];
    Secret {
        metadata: kube::api::ObjectMeta {
            name: Some(SECRET.to_owned()),
            resource_version: version,
            ..kube::api::ObjectMeta::default()
        },
        data: Some(data.into_iter().map(|(key, bytes)| (key.to_owned(), ByteString(bytes))).collect()),
        ..Secret::default()
    }
}

/// Writes what is trusted into our webhooks of a configuration; false if it is not there.
async fn trust<K>(api: &Api<K>, kind: &'static str, trusted: &str) -> Result<bool, Error>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let name = configurations::NAME;
    let failed = |verb| move |source| Error::Configuration { kind, name, verb, source: Box::new(source) };
    let Some(found) = api.get_opt(name).await.map_err(failed("read"))? else { return Ok(false) };
    let found = serde_json::to_value(found).unwrap_or_default();
    let bundle = json!(ByteString(trusted.as_bytes().to_vec()));
    let webhooks = found.get("webhooks").and_then(Value::as_array);
    let ours: Vec<&Value> = webhooks
        .into_iter()
        .flatten()
        .filter(|one| one.get("name").and_then(Value::as_str).is_some_and(configurations::is_ours))
        .collect();
    if ours.iter().all(|one| one.pointer("/clientConfig/caBundle") == Some(&bundle)) {
        return Ok(true);
    }
    let webhooks: Vec<Value> =
        ours.iter().map(|one| json!({"name": one["name"], "clientConfig": {"caBundle": bundle}})).collect();
    let patch = json!({
        "apiVersion": K::api_version(&()), "kind": kind, "metadata": {"name": name}, "webhooks": webhooks,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(name, &params, &Patch::Apply(&patch)).await.map_err(failed("changed"))?;
    tracing::info!(kind, name, "API servers are told whom to trust");
    Ok(true)
}
