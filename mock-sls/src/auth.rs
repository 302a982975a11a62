//! Accounts and keys known to the server, who a request is from and whether he may. The rules of
//! the signature itself are in `sls_api::sign`. Used by [`crate::front`] and [`crate::agent`].

use http::HeaderMap;
use http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use sls_api::header;
use sls_api::sign::{self, Policy, VerifyError};

use crate::DEFAULT_ACCOUNT_ID;
use crate::config::{Account, Auth, Key, Rights};
use crate::error::ApiError;

/// Beginnings of the names of operations that change nothing. Source: RAM's policy
/// `AliyunLogReadOnlyAccess` allows `log:Get*`, `log:List*` and `log:Query*`; PullLogs is
/// `log:GetCursorOrData` there.
const READING: [&str; 4] = ["Get", "List", "Pull", "Describe"];

/// Who may call, and how strictly that is checked.
#[derive(Debug)]
pub struct Accounts {
    accounts: Vec<Account>,
    region: String,
    /// None: nothing is checked.
    policy: Option<Policy>,
}

/// Who a request is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Account id.
    pub account: String,
    rights: Rights,
}

impl Accounts {
    /// Accounts with the policy that `auth` stands for.
    pub fn new(accounts: Vec<Account>, auth: Auth, region: &str, clock_window: SignedDuration) -> Self {
        let lenient = Policy { clock_window, require_protocol_headers: false, region: None };
        let policy = match auth {
            Auth::Off => None,
            Auth::Lenient => Some(lenient),
            Auth::Strict => {
                Some(Policy { require_protocol_headers: true, region: Some(region.to_owned()), ..lenient })
            }
        };
        Self { accounts, region: region.to_owned(), policy }
    }

    /// Whether this is the id of an account, as opposed to that of a RAM user or a typo.
    pub fn has_account(&self, uid: &str) -> bool {
        self.accounts.iter().any(|account| account.uid == uid)
    }

    /// The caller, if the request's signature holds and its key is still good.
    pub fn verify(&self, parts: &Parts, body: &[u8], now: Timestamp) -> Result<Caller, ApiError> {
        let Some(policy) = &self.policy else {
            let claimed = sign::claimed(&parts.headers).ok();
            let known = claimed.and_then(|claimed| self.key(&claimed.access_key_id));
            let account = known.map_or_else(|| self.owner(), |(account, _)| account.uid.as_str());
            return Ok(Caller { account: account.to_owned(), rights: Rights::Full });
        };
        let request = sign::Request {
            method: &parts.method,
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
        };
        let token = token(&parts.headers);
        // A temporary key without its token is looked for among the lasting ones, and not found.
        let usable = |id: &str| self.key(id).filter(|(_, key)| key.token.is_none() || token.is_some());
        let secret = |id: &str| usable(id).map(|(_, key)| key.pair.secret.clone());
        let verified = sign::verify(&request, body, secret, now, policy)?;
        let (account, key) = usable(&verified.access_key_id)
            .ok_or_else(|| VerifyError::UnknownKey(verified.access_key_id.clone()))?;
        check_key(key, token, now)?;
        Ok(Caller { account: account.uid.clone(), rights: key.rights })
    }

    /// Whether the caller may run the operation; `resource` is what he wants it for, as in
    /// `project/p/logstore/ls`.
    pub fn permit(
        &self,
        caller: &Caller,
        operation: &str,
        resource: impl FnOnce() -> String,
    ) -> Result<(), ApiError> {
        let reads = READING.iter().any(|verb| operation.starts_with(verb));
        if caller.rights == Rights::Full || reads {
            return Ok(());
        }
        let resource = format!("acs:log:{}:{}:{}", self.region, caller.account, resource());
        Err(ApiError::Denied { action: format!("log:{operation}"), resource })
    }

    pub fn owner(&self) -> &str {
        self.accounts.first().map_or(DEFAULT_ACCOUNT_ID, |account| account.uid.as_str())
    }

    fn key(&self, id: &str) -> Option<(&Account, &Key)> {
        let mut all =
            self.accounts.iter().flat_map(|account| account.keys.iter().map(move |key| (account, key)));
        all.find(|(_, key)| key.pair.id == id)
    }
}

fn token(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(header::SECURITY_TOKEN).map(|value| value.as_bytes()).filter(|token| !token.is_empty())
}

/// A token that comes with a lasting key is part of the signature and otherwise ignored. Source:
/// guess.
fn check_key(key: &Key, token: Option<&[u8]>, now: Timestamp) -> Result<(), ApiError> {
    if key.disabled {
        return Err(ApiError::KeyDisabled(key.pair.id.clone()));
    }
    let wanted = key.token.as_ref().map(|token| token.expose().as_bytes());
    if wanted.is_some() && wanted != token {
        return Err(ApiError::TokenInvalid);
    }
    if key.expires.is_some_and(|end| end <= now) {
        return Err(ApiError::TokenExpired);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use sls_api::sign::AccessKey;

    fn accounts() -> Accounts {
        let key = Key { rights: Rights::ReadOnly, ..AccessKey::new("reader", "hush").into() };
        let account = Account { uid: "42".to_owned(), keys: vec![key] };
        Accounts::new(vec![account], Auth::Strict, "r", SignedDuration::from_mins(15))
    }

    #[test]
    fn whoever_may_read_only_is_denied_every_change() {
        let accounts = accounts();
        let caller = Caller { account: "42".to_owned(), rights: Rights::ReadOnly };
        let project = || "project/p".to_owned();
        for endpoint in sls_api::ops::all_endpoints() {
            let permitted = accounts.permit(&caller, endpoint.name, project).is_ok();
            let (get, post) = (endpoint.method == Method::GET, endpoint.method == Method::POST);
            let anonymous = endpoint.path.contains("/track");
            assert!(permitted || !get || anonymous, "{} is denied", endpoint.name);
            assert!(!permitted || get || post, "{} is permitted", endpoint.name);
            let full = Caller { rights: Rights::Full, ..caller.clone() };
            assert!(accounts.permit(&full, endpoint.name, project).is_ok(), "{}", endpoint.name);
        }
        let denied = accounts.permit(&caller, "PutLogs", || "project/p/logstore/ls".to_owned()).unwrap_err();
        assert_eq!(
            denied.to_string(),
            "denied by sts or ram, action: log:PutLogs, resource: acs:log:r:42:project/p/logstore/ls"
        );
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        assert!(!format!("{:?}", accounts()).contains("hush"));
    }
}
