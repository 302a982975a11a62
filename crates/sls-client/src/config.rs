//! What a client needs to know.

use http::HeaderValue;
use sls_api::sign::{AccessKey, Secret, SignVersion};
use std::time::Duration;

use crate::{Authorities, Endpoint, Proxies};

/// Time to connect. Source: own choice; the agent's own HTTP timeout covers everything.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a whole request. Source: LoongCollector's default HTTP timeout.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Settings of a [`crate::Client`].
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where to send.
    pub endpoint: Endpoint,
    /// Key pair to sign with.
    pub access_key: AccessKey,
    /// Token of temporary (STS) credentials.
    pub security_token: Option<Secret>,
    /// Signature scheme.
    pub sign: SignVersion,
    /// `User-Agent` header.
    pub user_agent: String,
    /// Proxies to connect through.
    pub proxies: Proxies,
    /// Who may have signed the server's certificate; `None`: the public authorities.
    pub authorities: Option<Authorities>,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Time for a whole request, the answer's body included.
    pub request_timeout: Duration,
}

/// Settings that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No key id or secret.
    #[error("the AccessKey {0} is empty: set both id and secret")]
    EmptyKey(&'static str),
    /// Characters that a header cannot carry.
    #[error("the {0} contains characters that cannot be sent in a header")]
    Unprintable(&'static str),
    /// The library refuses the settings of TLS.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

impl ClientConfig {
    /// Settings with scheme v1 and default timeouts.
    #[must_use]
    pub fn new(endpoint: Endpoint, access_key: AccessKey) -> Self {
        Self {
            endpoint,
            access_key,
            security_token: None,
            sign: SignVersion::V1,
            user_agent: format!("sls-client/{}", env!("CARGO_PKG_VERSION")),
            proxies: Proxies::default(),
            authorities: None,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
        }
    }

    /// Checks the settings; the value is the `User-Agent` header.
    pub(crate) fn check(&self) -> Result<HeaderValue, ConfigError> {
        if self.access_key.id.is_empty() {
            return Err(ConfigError::EmptyKey("id"));
        }
        if self.access_key.secret.expose().is_empty() {
            return Err(ConfigError::EmptyKey("secret"));
        }
        HeaderValue::from_str(&self.access_key.id).map_err(|_| ConfigError::Unprintable("AccessKey id"))?;
        HeaderValue::from_str(&self.user_agent).map_err(|_| ConfigError::Unprintable("user agent"))
    }
}
