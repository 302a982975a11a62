//! A webhook that answers as a test says, over HTTPS with a certificate of its own.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Json;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The running webhook; it ends with this value.
pub struct Webhook {
    pub address: SocketAddr,
    /// What must be trusted, as a `caBundle`.
    pub ca_bundle: String,
    requests: Arc<Mutex<Vec<Value>>>,
    server: JoinHandle<()>,
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What the webhook gets, without the envelope; its answer is the `response` less the uid.
type Judge = Arc<dyn Fn(&Value) -> Value + Send + Sync>;

impl Webhook {
    /// A webhook for these host names, which answers with what `judge` makes of a request.
    pub async fn start(names: &[&str], judge: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        let (acceptor, ca_pem) = tls(names);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, judge): (_, Judge) = (Arc::clone(&requests), Arc::new(judge));
        let app = Router::new().fallback(post(move |Json(review): Json<Value>| {
            let request = review["request"].clone();
            let mut response = judge(&request);
            seen.lock().unwrap().push(request.clone());
            if response.get("uid").is_none() {
                response["uid"] = request["uid"].clone();
            }
            async move {
                Json(json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}))
            }
        }));
        let server = tokio::spawn(async move {
            axum::serve(Tls { listener, acceptor }, app).await.expect("it serves");
        });
        Self { address, ca_bundle: STANDARD.encode(ca_pem), requests, server }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://{}/admit", self.address)
    }

    /// Requests so far.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

/// A patch as a response carries it.
pub fn patched(operations: &Value) -> Value {
    json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(operations.to_string())})
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

fn tls(names: &[&str]) -> (TlsAcceptor, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let ca_pem = authority.self_signed(&authority_key).expect("an authority").pem();
    let issuer = Issuer::new(authority, authority_key);
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().expect("a key");
    let certificate =
        CertificateParams::new(names).expect("names").signed_by(&key, &issuer).expect("a certificate");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .expect("a certificate");
    (TlsAcceptor::from(Arc::new(config)), ca_pem)
}
