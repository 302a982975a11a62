//! The HTTPS request to a webhook, with the errors in the words of the real server's HTTP client. Each question has a
//! connection of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::Authority;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::admissionregistration::v1::{ServiceReference, WebhookClientConfig};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::hook::Hook;
use crate::state::State;

/// Largest answer, in bytes. Source: guess; as large as a request may be.
const ANSWER_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Port of a service that names none. Source: Kubernetes API reference, ServiceReference.
const SERVICE_PORT_DEFAULT: i32 = 443;

/// Where a webhook is.
struct Target {
    /// As errors show it, with the time it has.
    url: String,
    /// Name in its certificate.
    host: String,
    address: Address,
}

enum Address {
    /// Host and port, to be looked up.
    Named(String, u16),
    /// What a service leads to.
    Known(SocketAddr),
}

/// Sends `review`; the answer's body.
///
/// # Errors
/// In the words of the real server, behind `failed to call webhook: `.
pub async fn post(hook: &Hook, state: &State, review: &Value) -> Result<Bytes, String> {
    let target = target(hook, state)?;
    let told = |error: String| format!("Post {:?}: {error}", target.url);
    let sent = tokio::time::timeout(hook.timeout, send(&target, &hook.client, review)).await;
    let (status, body) =
        sent.unwrap_or_else(|_| Err("context deadline exceeded".to_owned())).map_err(told)?;
    if status == StatusCode::OK {
        return Ok(body);
    }
    Err(match status {
        StatusCode::NOT_FOUND => "the server could not find the requested resource".to_owned(),
        StatusCode::SERVICE_UNAVAILABLE => "the server is currently unable to handle the request".to_owned(),
        StatusCode::INTERNAL_SERVER_ERROR => {
            let text = String::from_utf8_lossy(&body);
            format!("an error on the server ({:?}) has prevented the request from succeeding", text.trim())
        }
        other => format!(
            "the server responded with the status code {} but did not return more information",
            other.as_u16()
        ),
    })
}

fn target(hook: &Hook, state: &State) -> Result<Target, String> {
    let timeout = format!("timeout={}s", hook.timeout.as_secs());
    match (&hook.client.service, &hook.client.url) {
        (Some(service), _) => of_service(service, state, &timeout),
        (None, Some(url)) => {
            let parsed: Uri = url.parse().map_err(|error| format!("Unable to parse webhook URL: {error}"))?;
            let authority: &Authority =
                parsed.authority().ok_or("Unable to parse webhook URL: it has no host")?;
            let host = authority.host().trim_matches(['[', ']']).to_owned();
            let address = Address::Named(host.clone(), authority.port_u16().unwrap_or(443));
            Ok(Target { url: format!("{url}?{timeout}"), host, address })
        }
        (None, None) => Err("webhook configuration must have either service or URL".to_owned()),
    }
}

fn of_service(service: &ServiceReference, state: &State, timeout: &str) -> Result<Target, String> {
    let (name, namespace) = (&service.name, &service.namespace);
    let host = format!("{name}.{namespace}.svc");
    let port = service.port.unwrap_or(SERVICE_PORT_DEFAULT);
    let path = service.path.as_deref().unwrap_or("/");
    let url = format!("https://{host}:{port}{path}?{timeout}");
    match state.service_route(namespace, name) {
        Some(address) => Ok(Target { url, host, address: Address::Known(address) }),
        None => {
            let services = state.registry.find("", "v1", "services");
            let is_there = services.is_some_and(|services| state.get(&services, namespace, name).is_ok());
            let why =
                if is_there { "has no route: this simulator does not proxy services" } else { "not found" };
            Err(format!("Post {url:?}: service {name:?} {why}"))
        }
    }
}

async fn send(
    target: &Target,
    client: &WebhookClientConfig,
    review: &Value,
) -> Result<(StatusCode, Bytes), String> {
    let stream = match &target.address {
        Address::Named(host, port) => TcpStream::connect((host.as_str(), *port)).await,
        Address::Known(address) => TcpStream::connect(address).await,
    };
    let stream = stream.map_err(|error| dial_error(target, &error))?;
    let name = ServerName::try_from(target.host.clone()).map_err(|error| format!("tls: {error}"))?;
    let connector = TlsConnector::from(Arc::new(tls(client)?));
    let stream = connector.connect(name, stream).await.map_err(|error| tls_error(target, &error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let uri: Uri = target.url.parse().map_err(|error| format!("{error}"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = uri.authority().map(Authority::as_str).unwrap_or_default();
        let request = Request::post(path)
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "kube-apiserver-admission")
            .body(Full::new(Bytes::from(review.to_string())))
            .map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
    }
    .await;
    connection.abort();
    answer
}

/// Trusts the bundle only; the real server trusts the authorities of its system where there is none.
fn tls(client: &WebhookClientConfig) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let bundle = client.ca_bundle.as_ref().map(|bundle| bundle.0.as_slice()).unwrap_or_default();
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        let certificate = certificate
            .map_err(|_| "unable to load root certificates: unable to parse bytes as PEM block")?;
        roots.add(certificate).map_err(|error| format!("unable to load root certificates: {error}"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn dial_error(target: &Target, error: &std::io::Error) -> String {
    let place = match &target.address {
        Address::Named(host, port) => format!("{host}:{port}"),
        Address::Known(address) => address.to_string(),
    };
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => format!("dial tcp {place}: connect: connection refused"),
        _ => format!("dial tcp {place}: {error}"),
    }
}

fn tls_error(target: &Target, error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why = match inner {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => "x509: certificate signed by unknown authority".to_owned(),
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => "x509: certificate has expired or is not yet valid".to_owned(),
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => format!("x509: certificate is not valid for {}", target.host),
        _ => return error.to_string(),
    };
    format!("tls: failed to verify certificate: {why}")
}
