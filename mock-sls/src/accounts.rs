//! The file that `--accounts` names: who may call, with which keys. Called by [`crate::cli`].
//!
//! ```json
//! { "accounts": [ { "accountId": "1234567890123456", "keys": [
//!     { "accessKeyId": "writer", "accessKeySecret": "…" },
//!     { "accessKeyId": "reader", "accessKeySecret": "…", "rights": "read-only" },
//!     { "accessKeyId": "STS.one", "accessKeySecret": "…", "securityToken": "…",
//!       "expiration": "2030-01-01T00:00:00Z" },
//!     { "accessKeyId": "old", "accessKeySecret": "…", "disabled": true } ] } ] }
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sls_api::sign::{AccessKey, Secret};

use crate::config::{Account, Key, Rights};

/// Largest file that is read, in bytes (own choice; some ten thousand keys).
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// An accounts file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// It cannot be read.
    #[error("cannot read the accounts file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not a list of accounts. The text names the place, never a value.
    #[error("the accounts file {path} is wrong: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountsFile {
    accounts: Vec<AccountEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AccountEntry {
    account_id: String,
    keys: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct KeyEntry {
    access_key_id: String,
    access_key_secret: String,
    #[serde(default)]
    rights: RightsEntry,
    security_token: Option<String>,
    #[serde(default, deserialize_with = "time")]
    expiration: Option<Timestamp>,
    #[serde(default)]
    disabled: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum RightsEntry {
    #[default]
    Full,
    ReadOnly,
}

fn time<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
    let text: Option<String> = Option::deserialize(d)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

impl From<KeyEntry> for Key {
    fn from(entry: KeyEntry) -> Self {
        Self {
            pair: AccessKey::new(entry.access_key_id, entry.access_key_secret),
            rights: match entry.rights {
                RightsEntry::Full => Rights::Full,
                RightsEntry::ReadOnly => Rights::ReadOnly,
            },
            token: entry.security_token.map(Secret::new),
            expires: entry.expiration,
            disabled: entry.disabled,
        }
    }
}

/// Reads an accounts file.
pub fn read(path: &Path) -> Result<Vec<Account>, AccountsError> {
    let unreadable = |source| AccountsError::Read { path: path.to_owned(), source };
    let wrong = |problem| AccountsError::Content { path: path.to_owned(), problem };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(wrong(format!("it has {bytes} bytes, more than {FILE_BYTES_MAX}")));
    }
    parse(&std::fs::read_to_string(path).map_err(unreadable)?).map_err(wrong)
}

fn parse(text: &str) -> Result<Vec<Account>, String> {
    let file: AccountsFile = serde_json::from_str(text).map_err(|error| {
        // The library's words may quote a value, which may be a secret.
        format!("line {} column {}: {}", error.line(), error.column(), hint(&error))
    })?;
    if file.accounts.is_empty() {
        return Err("it has no account: write at least one".to_owned());
    }
    let mut ids = BTreeSet::new();
    for account in &file.accounts {
        let id = &account.account_id;
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("accountId {id:?} is not a decimal number"));
        }
        for key in &account.keys {
            let id = &key.access_key_id;
            if id.is_empty() || key.access_key_secret.is_empty() {
                return Err(format!("account {}: an accessKeyId or its secret is empty", account.account_id));
            }
            if key.security_token.as_ref().is_some_and(String::is_empty) {
                return Err(format!("key {id:?}: its securityToken is empty: leave it out"));
            }
            if !ids.insert(id.as_str()) {
                return Err(format!("accessKeyId {id:?} is given twice"));
            }
        }
    }
    let account = |entry: AccountEntry| Account {
        uid: entry.account_id,
        keys: entry.keys.into_iter().map(Key::from).collect(),
    };
    Ok(file.accounts.into_iter().map(account).collect())
}

fn hint(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => {
            "something is missing, unknown or of the wrong type; `mock-sls serve --help` shows the form"
        }
        _ => "this is not JSON",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&parse(text).unwrap_err());
    }

    #[test]
    fn every_kind_of_key_is_read() {
        let accounts = parse(
            r#"{"accounts":[{"accountId":"42","keys":[
                {"accessKeyId":"a","accessKeySecret":"s","rights":"read-only"},
                {"accessKeyId":"b","accessKeySecret":"s","securityToken":"t",
                 "expiration":"2030-01-01T00:00:00Z","disabled":true}]}]}"#,
        )
        .unwrap();
        let [a, b] = &accounts[0].keys[..] else { panic!("two keys") };
        assert_eq!((a.rights, a.disabled, &a.token), (Rights::ReadOnly, false, &None));
        assert_eq!((b.rights, b.disabled), (Rights::Full, true));
        assert_eq!(b.expires, Some("2030-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_said_without_any_secret() {
        check("{", expect!["line 1 column 1: this is not JSON"]);
        check(r#"{"accounts":[]}"#, expect!["it has no account: write at least one"]);
        check(
            r#"{"accounts":[{"accountId":"x","keys":[]}]}"#,
            expect![[r#"accountId "x" is not a decimal number"#]],
        );
        check(
            r#"{"accounts":[{"accountId":"1","keys":[{"accessKeyId":"a","accessKeySecret":["hush"]}]}]}"#,
            expect![
                "line 1 column 75: something is missing, unknown or of the wrong type; `mock-sls serve --help` shows the form"
            ],
        );
        let twice = r#"{"accessKeyId":"a","accessKeySecret":"s"}"#;
        check(
            &format!(r#"{{"accounts":[{{"accountId":"1","keys":[{twice},{twice}]}}]}}"#),
            expect![[r#"accessKeyId "a" is given twice"#]],
        );
    }
}
