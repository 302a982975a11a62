//! Accounts and keys known to the server, and who a request is from. The rules of the
//! signature itself are in `sls_api::sign`. Used by [`crate::front`] and [`crate::agent`].

use http::request::Parts;
use jiff::Timestamp;
use sls_api::sign::{self, Policy, Secret};

use crate::DEFAULT_ACCOUNT_ID;
use crate::config::{Account, Auth};
use crate::error::ApiError;

/// Who may call, and how strictly that is checked.
#[derive(Debug)]
pub struct Accounts {
    accounts: Vec<Account>,
    /// None: nothing is checked.
    policy: Option<Policy>,
}

impl Accounts {
    /// Accounts with the policy that `auth` stands for.
    pub fn new(accounts: Vec<Account>, auth: Auth, region: &str) -> Self {
        let policy = match auth {
            Auth::Off => None,
            Auth::Lenient => Some(Policy { require_protocol_headers: false, ..Policy::default() }),
            Auth::Strict => Some(Policy { region: Some(region.to_owned()), ..Policy::default() }),
        };
        Self { accounts, policy }
    }

    /// Whether this is the id of an account, as opposed to that of a RAM user or a typo.
    pub fn has_account(&self, uid: &str) -> bool {
        self.accounts.iter().any(|account| account.uid == uid)
    }

    /// Account id of the caller, if the request's signature holds.
    pub fn verify(&self, parts: &Parts, body: &[u8], now: Timestamp) -> Result<String, ApiError> {
        let Some(policy) = &self.policy else {
            let claimed = sign::claimed(&parts.headers).ok();
            let account = claimed.and_then(|claimed| self.owner_of(&claimed.access_key_id));
            return Ok(account.unwrap_or_else(|| self.first()).to_owned());
        };
        let request = sign::Request {
            method: &parts.method,
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
        };
        let verified = sign::verify(&request, body, |id| self.secret(id), now, policy)?;
        let account = self.owner_of(&verified.access_key_id);
        Ok(account.unwrap_or_else(|| self.first()).to_owned())
    }

    fn first(&self) -> &str {
        self.accounts.first().map_or(DEFAULT_ACCOUNT_ID, |account| account.uid.as_str())
    }

    fn owner_of(&self, access_key_id: &str) -> Option<&str> {
        let owns = |account: &&Account| account.keys.iter().any(|key| key.id == access_key_id);
        self.accounts.iter().find(owns).map(|account| account.uid.as_str())
    }

    fn secret(&self, access_key_id: &str) -> Option<Secret> {
        let mut keys = self.accounts.iter().flat_map(|account| &account.keys);
        keys.find(|key| key.id == access_key_id).map(|key| key.secret.clone())
    }
}
