//! The certificate authorities that a server's certificate may come from.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Authorities that are trusted in the place of the public ones.
#[derive(Debug, Clone)]
pub struct Authorities(Arc<RootCertStore>);

/// A text that holds no certificate authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAuthority {
    /// Not PEM, or a certificate in it that cannot be read.
    #[error("holds what is no certificate in PEM form: {0}")]
    Unreadable(String),
    /// No `BEGIN CERTIFICATE`.
    #[error("holds no certificate in PEM form")]
    Empty,
}

impl Authorities {
    /// All certificates of a text in PEM form.
    ///
    /// # Errors
    /// There is none, or one that cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, NoAuthority> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| NoAuthority::Unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| NoAuthority::Unreadable(error.to_string()))?;
        }
        if roots.is_empty() { Err(NoAuthority::Empty) } else { Ok(Self(Arc::new(roots))) }
    }

    pub(crate) fn tls(&self) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?;
        Ok(builder.with_root_certificates(Arc::clone(&self.0)).with_no_client_auth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_told() {
        assert_eq!(Authorities::from_pem(b"nothing").unwrap_err(), NoAuthority::Empty);
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(Authorities::from_pem(broken), Err(NoAuthority::Unreadable(_))));
    }
}
