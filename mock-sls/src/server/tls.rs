//! TLS under whatever name a client asks for: a certificate authority of the server's own, which
//! signs a certificate per host name. Called by [`super::MockSls::start`].

use std::collections::HashMap;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{ServerConfig, version};
use tokio_rustls::TlsAcceptor;

/// Host names whose certificates are kept; when there are more, all are made anew (own choice).
const NAMES_MAX: usize = 512;
/// Days that a host's certificate is good for. Source: some clients refuse more than 398.
const LEAF_DAYS: i32 = 390;
/// First and last year of the authority, fixed so that a key yields the same authority again.
const AUTHORITY_YEARS: (i32, i32) = (2020, 2119);
/// Name of the authority, which clients show.
const AUTHORITY_NAME: &str = "mock-sls test authority";

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of the authority cannot be read or written.
    #[error("cannot use the file {path} of the certificate authority: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key file holds something else.
    #[error(
        "the key of the certificate authority in {path} is not usable: {source}; remove it to get a new one"
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// What the library said.
        source: rcgen::Error,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The library refuses the settings.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// An acceptor, and the certificate that clients must trust, in PEM.
pub struct Tls {
    /// Makes TLS streams of TCP streams.
    pub acceptor: TlsAcceptor,
    /// The authority's certificate.
    pub authority_pem: String,
}

/// Sets up TLS. `address` is what a client asks for that names no host.
pub fn prepare(ca: Option<&Path>, address: IpAddr) -> Result<Tls, TlsError> {
    let key = match ca {
        Some(path) => kept_key(&key_path(path))?,
        None => KeyPair::generate()?,
    };
    let params = authority_params();
    let authority_pem = params.self_signed(&key)?.pem();
    if let Some(path) = ca {
        let at_path = |source| TlsError::File { path: path.to_owned(), source };
        std::fs::write(path, &authority_pem).map_err(at_path)?;
    }
    let certificates = Certificates::new(Issuer::new(params, key), address)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), authority_pem })
}

/// `ca.pem.key` of `ca.pem`.
fn key_path(certificate: &Path) -> PathBuf {
    let mut name = certificate.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

/// The key in the file, or a new one that is written there for its owner's eyes only.
fn kept_key(path: &Path) -> Result<KeyPair, TlsError> {
    let at_path = |source| TlsError::File { path: path.to_owned(), source };
    match std::fs::read_to_string(path) {
        Ok(text) => {
            KeyPair::from_pem(&text).map_err(|source| TlsError::Key { path: path.to_owned(), source })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = KeyPair::generate()?;
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .map_err(at_path)?;
            file.write_all(key.serialize_pem().as_bytes()).map_err(at_path)?;
            Ok(key)
        }
        Err(error) => Err(at_path(error)),
    }
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(AUTHORITY_YEARS.0, 1, 1);
    params.not_after = date_time_ymd(AUTHORITY_YEARS.1, 12, 31);
    params
}

/// Certificates by host name, made when first asked for. All have the same key.
struct Certificates {
    issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
    signing: Arc<dyn SigningKey>,
    nameless: Arc<CertifiedKey>,
    by_name: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

/// Does not show keys.
impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    fn new(issuer: Issuer<'static, KeyPair>, address: IpAddr) -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = ring::sign::any_ecdsa_type(&der)?;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), address.to_string()];
        let nameless = certificate(&issuer, &key, &signing, names.to_vec())?;
        Ok(Self { issuer, key, signing, nameless, by_name: Mutex::default() })
    }

    fn of(&self, name: &str) -> Result<Arc<CertifiedKey>, rcgen::Error> {
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = by_name.get(name) {
            return Ok(Arc::clone(known));
        }
        let made = certificate(&self.issuer, &self.key, &self.signing, vec![name.to_owned()])?;
        if by_name.len() >= NAMES_MAX {
            by_name.clear();
        }
        by_name.insert(name.to_owned(), Arc::clone(&made));
        Ok(made)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let Some(name) = hello.server_name() else {
            return Some(Arc::clone(&self.nameless));
        };
        self.of(name).inspect_err(|error| tracing::warn!(name, %error, "cannot make a certificate")).ok()
    }
}

/// A certificate for these host names and addresses. Its dates are by the machine's clock, not
/// by the service's: TLS libraries judge them by theirs.
fn certificate(
    issuer: &Issuer<'static, KeyPair>,
    key: &KeyPair,
    signing: &Arc<dyn SigningKey>,
    names: Vec<String>,
) -> Result<Arc<CertifiedKey>, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "mock-sls");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let day = |date: jiff::civil::Date| {
        date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(today.yesterday().unwrap_or(today));
    params.not_after = day(today.saturating_add(jiff::Span::new().days(LEAF_DAYS)));
    let signed = params.signed_by(key, issuer)?;
    let chain = vec![CertificateDer::from(signed.der().to_vec())];
    Ok(Arc::new(CertifiedKey::new(chain, Arc::clone(signing))))
}
