//! The webhook's certificates: authorities of the operator's own, and the serving certificate that one of them has
//! signed. Pure but for random keys: what there is and what time it is, to what there should be.
//!
//! API servers must trust an authority before a certificate of it is served. So a new one stands beside the old one
//! for a while ([`Lives::overlap`]) before it signs anything, and an old one is trusted until it expires.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

/// A certificate begins to be valid so long before it is made: clocks of API servers may be behind. Source: guess.
const CLOCKS_DIFFER_SECONDS: i64 = 300;
/// What is left of its life when a certificate is made anew: one part of so many. Source: habit of ACME clients.
const LEFT_PART: i64 = 3;

/// How long certificates live. An authority must live more than three times as long as what it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lives {
    /// Of an authority.
    pub authority: Duration,
    /// Of a serving certificate.
    pub serving: Duration,
    /// For which an authority is only trusted before it signs.
    pub overlap: Duration,
}

impl Default for Lives {
    /// A year, a month, ten minutes. Source: guess; the overlap is ten times what replicas need to see a change.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { authority: DAY * 365, serving: DAY * 30, overlap: Duration::from_secs(600) }
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("the serving certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the serving certificate is not PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
}

/// All certificates, with their keys: what the Secret holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificates {
    /// Oldest first, never empty.
    authorities: Vec<Authority>,
    serving: Serving,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Authority {
    /// Its name ends with it.
    number: u64,
    certificate: String,
    key: String,
    /// Unix time at which it was made.
    since: i64,
    /// Unix time at which it expires.
    until: i64,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Serving {
    hosts: Vec<String>,
    certificate: String,
    key: String,
    since: i64,
    until: i64,
}

/// Does not show keys.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<u64> = self.authorities.iter().map(|one| one.number).collect();
        f.debug_struct("Certificates").field("authorities", &numbers).finish_non_exhaustive()
    }
}

impl Certificates {
    /// What there should be at `now` (Unix time, seconds) in place of `known`; `None` if that is as it should be.
    ///
    /// # Errors
    /// No certificate can be made for these hosts.
    pub fn renewed(
        known: Option<&Self>,
        hosts: &[String],
        lives: &Lives,
        now: i64,
    ) -> Result<Option<Self>, CertificateError> {
        let mut authorities: Vec<Authority> =
            known.map(|known| known.authorities.clone()).unwrap_or_default();
        authorities.retain(|one| one.until > now);
        let newest = authorities.last();
        if newest.is_none_or(|one| is_old(one.since, one.until, now)) {
            let number = known.and_then(|known| known.authorities.last()).map_or(1, |one| one.number + 1);
            authorities.push(Authority::make(number, seconds(lives.authority), now)?);
        }
        let is_known = |one: &&Authority| one.since + seconds(lives.overlap) <= now;
        let signer = authorities.iter().rev().find(is_known).or(authorities.first());
        let serving = known.map(|known| &known.serving).filter(|serving| {
            // Signed by one that is trusted still, for the same hosts.
            serving.hosts == hosts && serving.until > now && !is_old(serving.since, serving.until, now)
        });
        let serving = match (serving, signer) {
            (Some(serving), _) => serving.clone(),
            (None, Some(signer)) => signer.sign(hosts, seconds(lives.serving), now)?,
            (None, None) => return Ok(None),
        };
        let renewed = Self { authorities, serving };
        Ok((known != Some(&renewed)).then_some(renewed))
    }

    /// The certificates of all authorities, the newest first: what API servers trust.
    pub fn trusted(&self) -> String {
        self.authorities.iter().rev().map(|one| one.certificate.as_str()).collect()
    }

    /// What is served.
    ///
    /// # Errors
    /// It is none: the Secret was written by somebody else.
    pub fn certified(&self) -> Result<Arc<CertifiedKey>, CertificateError> {
        let certificate = CertificateDer::from_pem_slice(self.serving.certificate.as_bytes())?;
        let key = KeyPair::from_pem(&self.serving.key)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Arc::new(CertifiedKey::new(vec![certificate], ring::sign::any_ecdsa_type(&key)?)))
    }

    /// Unix time at which the serving certificate expires.
    pub fn expiry(&self) -> i64 {
        self.serving.until
    }
}

impl Authority {
    fn make(number: u64, life: i64, now: i64) -> Result<Self, CertificateError> {
        let key = KeyPair::generate()?;
        let (since, until) = (now, now.saturating_add(life));
        let certificate = params(number, since, until).self_signed(&key)?.pem();
        Ok(Self { number, certificate, key: key.serialize_pem(), since, until })
    }

    fn sign(&self, hosts: &[String], life: i64, now: i64) -> Result<Serving, CertificateError> {
        let authority =
            Issuer::new(params(self.number, self.since, self.until), KeyPair::from_pem(&self.key)?);
        let key = KeyPair::generate()?;
        let until = now.saturating_add(life).min(self.until);
        let mut params = CertificateParams::new(hosts.to_vec())?;
        params.distinguished_name.push(DnType::CommonName, "sls-operator");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(1970, 1, 1) + from_zero(now - CLOCKS_DIFFER_SECONDS);
        params.not_after = date_time_ymd(1970, 1, 1) + from_zero(until);
        let certificate = params.signed_by(&key, &authority)?.pem();
        Ok(Serving { hosts: hosts.to_vec(), certificate, key: key.serialize_pem(), since: now, until })
    }
}

/// Of an authority; the same again yields the same issuer.
fn params(number: u64, since: i64, until: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, format!("sls-operator webhook authority {number}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(1970, 1, 1) + from_zero(since - CLOCKS_DIFFER_SECONDS);
    params.not_after = date_time_ymd(1970, 1, 1) + from_zero(until);
    params
}

/// Whether it is time for another one.
fn is_old(since: i64, until: i64, now: i64) -> bool {
    until.saturating_sub(now) <= until.saturating_sub(since) / LEFT_PART
}

fn seconds(life: Duration) -> i64 {
    i64::try_from(life.as_secs()).unwrap_or(i64::MAX)
}

fn from_zero(unix: i64) -> Duration {
    Duration::from_secs(u64::try_from(unix).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: Lives = Lives {
        authority: Duration::from_secs(10_000),
        serving: Duration::from_secs(900),
        overlap: Duration::from_secs(60),
    };
    /// Some time in 2026.
    const START: i64 = 1_780_000_000;

    fn hosts() -> Vec<String> {
        vec!["hook.system.svc".to_owned()]
    }

    fn renewed(known: Option<&Certificates>, now: i64) -> Option<Certificates> {
        Certificates::renewed(known, &hosts(), &LIVES, now).unwrap()
    }

    fn numbers(certificates: &Certificates) -> Vec<u64> {
        certificates.authorities.iter().map(|one| one.number).collect()
    }

    /// Whether a client that trusts `trusting` accepts what `serving` serves, at a time.
    fn accepts(trusting: &Certificates, serving: &Certificates, now: i64) -> Result<(), rustls::Error> {
        use rustls::client::WebPkiServerVerifier;
        use rustls::client::danger::ServerCertVerifier as _;
        use rustls::pki_types::{ServerName, UnixTime};
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(trusting.trusted().as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let name = ServerName::try_from("hook.system.svc").unwrap();
        let at = UnixTime::since_unix_epoch(from_zero(now));
        verifier.verify_server_cert(&serving.certified().unwrap().cert[0], &[], &name, &[], at).map(drop)
    }

    #[test]
    fn the_first_certificate_is_trusted_by_its_authority_and_stays_for_two_thirds_of_its_life() {
        let first = renewed(None, START).unwrap();
        assert_eq!(accepts(&first, &first, START), Ok(()));
        assert_eq!(accepts(&first, &first, START - 200), Ok(()), "clocks may differ");
        assert!(accepts(&first, &first, START + 901).is_err());
        assert_eq!(renewed(Some(&first), START + 599), None);
        let second = renewed(Some(&first), START + 600).unwrap();
        assert!(second.authorities == first.authorities);
        assert!(second.serving != first.serving);
        assert_eq!(accepts(&first, &second, START + 600), Ok(()), "nobody has to learn of it");
    }

    #[test]
    fn whoever_saw_the_certificates_a_while_ago_accepts_what_is_served_now_and_later() {
        let mut now = START;
        let mut known = renewed(None, now).unwrap();
        let mut history = vec![(now, known.clone())];
        for _ in 0..400 {
            now += 30;
            if let Some(next) = renewed(Some(&known), now) {
                known = next;
                history.push((now, known.clone()));
            }
            assert!(known.expiry() > now);
            // As API servers and other replicas: up to a minute behind.
            for behind in [0, 30, 60] {
                let (_, seen) =
                    history.iter().rev().find(|(at, _)| *at <= now - behind).unwrap_or(&history[0]);
                assert_eq!(accepts(seen, &known, now), Ok(()), "trust is {behind} s behind");
                assert_eq!(accepts(&known, seen, now), Ok(()), "a replica is {behind} s behind");
            }
        }
        assert!(numbers(&known).last() > Some(&1), "authorities have changed: {known:?}");
        assert!(history.iter().all(|(_, known)| known.authorities.len() <= 2));
    }

    #[test]
    fn another_host_gets_another_certificate_of_the_same_authority() {
        let first = renewed(None, START).unwrap();
        let hosts = vec!["other.system.svc".to_owned(), "127.0.0.1".to_owned()];
        let second = Certificates::renewed(Some(&first), &hosts, &LIVES, START + 100).unwrap().unwrap();
        assert!(second.authorities == first.authorities);
        assert!(accepts(&first, &second, START + 100).is_err());
    }

    #[test]
    fn certificates_that_were_left_alone_too_long_are_made_anew() {
        let first = renewed(None, START).unwrap();
        let late = START + 20_000;
        let second = renewed(Some(&first), late).unwrap();
        assert_eq!(numbers(&second), [2]);
        assert_eq!(accepts(&second, &second, late), Ok(()));
    }

    #[test]
    fn no_key_is_shown() {
        let text = format!("{:?}", renewed(None, START).unwrap());
        assert_eq!(text, "Certificates { authorities: [1], .. }");
    }
}
