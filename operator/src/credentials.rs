//! The operator's access key: from a file (a mounted Secret, read again when it changes) or from the
//! environment. Secrets are never printed: their type hides them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sls_api::sign::Secret;

/// Environment variable of the access key's id.
pub const ACCESS_KEY_ID_ENV: &str = "ALICLOUD_ACCESS_KEY_ID";
/// Environment variable of the access key's secret.
pub const ACCESS_KEY_SECRET_ENV: &str = "ALICLOUD_ACCESS_KEY_SECRET";
/// Environment variable of the token that comes with temporary keys.
pub const SECURITY_TOKEN_ENV: &str = "ALICLOUD_SECURITY_TOKEN";
/// Environment variable with the keys of further accounts. Source: vendor's CRD document.
pub const ACCOUNT_INFOS_ENV: &str = "ALICLOUD_LOG_ACCOUNT_INFOS";
/// Largest credentials file, in bytes; they have less than 2 kB, tokens included. Source: guess.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// An access key. Its secrets do not appear in `Debug`.
#[derive(Clone, Debug, PartialEq)]
pub struct Credentials {
    /// Id of the key; not secret.
    pub access_key_id: String,
    /// The key.
    pub access_key_secret: Secret,
    /// Token that comes with temporary keys.
    pub security_token: Option<Secret>,
}

/// Where credentials come from.
#[derive(Clone, PartialEq)]
pub enum Source {
    /// A JSON file `{"accessKeyId", "accessKeySecret", "securityToken"?}`.
    File(PathBuf),
    /// Given once, from the environment.
    Fixed(Credentials),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Fixed(credentials) => f.debug_tuple("Fixed").field(credentials).finish(),
        }
    }
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("credentials file {} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("credentials file {} is larger than {FILE_BYTES_MAX} bytes; is it the right file?", path.display())]
    TooLarge { path: PathBuf },
    /// The parser's own message is left out: it may quote a secret.
    #[error(
        "credentials file {} is not JSON of the form {{\"accessKeyId\": …, \"accessKeySecret\": …}} (line {line}, column {column})",
        path.display()
    )]
    Form { path: PathBuf, line: usize, column: usize },
    /// The same.
    #[error(
        "{place} is not JSON of the form {{\"UID\": {{\"accessKeyID\": …, \"accessKeySecret\": …}}, …}} with uids of digits \
         (line {line}, column {column})"
    )]
    AccountsForm { place: String, line: usize, column: usize },
    #[error("account {uid} has no key in {place}: give accessKeyID and accessKeySecret")]
    AccountEmpty { place: String, uid: String },
    #[error("{what} is empty in credentials file {}", path.display())]
    Empty { path: PathBuf, what: &'static str },
    #[error(
        "no credentials: give --credentials-file FILE, or set {ACCESS_KEY_ID_ENV} and {ACCESS_KEY_SECRET_ENV}"
    )]
    Missing,
}

/// The file's form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    access_key_id: String,
    access_key_secret: String,
    #[serde(default)]
    security_token: Option<String>,
}

impl Source {
    /// The file if there is one, else the environment as seen through `env`.
    pub fn choose(
        file: Option<PathBuf>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, CredentialsError> {
        if let Some(file) = file {
            return Ok(Self::File(file));
        }
        let set = |name| env(name).filter(|value| !value.is_empty());
        match (set(ACCESS_KEY_ID_ENV), set(ACCESS_KEY_SECRET_ENV)) {
            (Some(id), Some(secret)) => Ok(Self::Fixed(Credentials {
                access_key_id: id,
                access_key_secret: Secret::new(secret),
                security_token: set(SECURITY_TOKEN_ENV).map(Secret::new),
            })),
            _ => Err(CredentialsError::Missing),
        }
    }

    /// The credentials as they are now.
    pub fn load(&self) -> Result<Credentials, CredentialsError> {
        let path = match self {
            Self::Fixed(credentials) => return Ok(credentials.clone()),
            Self::File(path) => path,
        };
        let text = read(path)?;
        let file: File = serde_json::from_str(&text).map_err(|error| CredentialsError::Form {
            path: path.clone(),
            line: error.line(),
            column: error.column(),
        })?;
        let empty = |what| CredentialsError::Empty { path: path.clone(), what };
        if file.access_key_id.is_empty() {
            return Err(empty("accessKeyId"));
        }
        if file.access_key_secret.is_empty() {
            return Err(empty("accessKeySecret"));
        }
        Ok(Credentials {
            access_key_id: file.access_key_id,
            access_key_secret: Secret::new(file.access_key_secret),
            security_token: file.security_token.filter(|token| !token.is_empty()).map(Secret::new),
        })
    }
}

fn read(path: &Path) -> Result<String, CredentialsError> {
    let failed = |source| CredentialsError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(CredentialsError::TooLarge { path: path.to_owned() });
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// Where the keys of further accounts come from, which objects name as `uid`.
#[derive(Clone, Default, PartialEq)]
pub enum Accounts {
    /// There are none.
    #[default]
    None,
    /// A JSON file.
    File(PathBuf),
    /// The text, from the environment. It holds secrets.
    Text(Secret),
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.write_str("Text"),
        }
    }
}

/// One account, as the vendor's controller reads it; the newer spelling of the key's id too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    #[serde(rename = "accessKeyID", alias = "accessKeyId", default)]
    access_key_id: String,
    #[serde(default)]
    access_key_secret: String,
    #[serde(default)]
    security_token: Option<String>,
}

impl Accounts {
    /// The file if there is one, else the environment as seen through `env`.
    pub fn choose(file: Option<PathBuf>, env: impl Fn(&str) -> Option<String>) -> Self {
        match (file, env(ACCOUNT_INFOS_ENV).filter(|text| !text.is_empty())) {
            (Some(file), _) => Self::File(file),
            (None, Some(text)) => Self::Text(Secret::new(text)),
            (None, None) => Self::None,
        }
    }

    /// The keys as they are now, by uid.
    pub fn load(&self) -> Result<BTreeMap<String, Credentials>, CredentialsError> {
        let (place, text) = match self {
            Self::None => return Ok(BTreeMap::new()),
            Self::File(path) => (format!("accounts file {}", path.display()), read(path)?),
            Self::Text(text) => (ACCOUNT_INFOS_ENV.to_owned(), text.expose().to_owned()),
        };
        let form = |line, column| CredentialsError::AccountsForm { place: place.clone(), line, column };
        let accounts: BTreeMap<String, Account> =
            serde_json::from_str(&text).map_err(|error| form(error.line(), error.column()))?;
        let credentials = |(uid, account): (String, Account)| {
            // What is no uid may be a secret in the wrong place.
            if uid.is_empty() || !uid.chars().all(|c| c.is_ascii_digit()) {
                return Err(form(1, 1));
            }
            if account.access_key_id.is_empty() || account.access_key_secret.is_empty() {
                return Err(CredentialsError::AccountEmpty { place: place.clone(), uid });
            }
            let credentials = Credentials {
                access_key_id: account.access_key_id,
                access_key_secret: Secret::new(account.access_key_secret),
                security_token: account.security_token.filter(|token| !token.is_empty()).map(Secret::new),
            };
            Ok((uid, credentials))
        };
        accounts.into_iter().map(credentials).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const SECRET: &str = "s3cr3t-value";

    fn file(text: &str) -> (tempfile::NamedTempFile, Source) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let source = Source::File(file.path().to_owned());
        (file, source)
    }

    #[test]
    fn a_file_gives_the_key() {
        let (_file, source) = file(&format!(r#"{{"accessKeyId":"id","accessKeySecret":"{SECRET}"}}"#));
        let credentials = source.load().unwrap();
        assert_eq!(credentials.access_key_id, "id");
        assert_eq!(credentials.access_key_secret, Secret::new(SECRET.to_owned()));
    }

    #[test]
    fn secrets_do_not_appear_in_debug_output_or_errors() {
        let env = |name: &str| Some(if name == ACCESS_KEY_ID_ENV { "id" } else { SECRET }.to_owned());
        let source = Source::choose(None, env).unwrap();
        assert!(!format!("{source:?} {:?}", source.load().unwrap()).contains(SECRET));

        let (_file, source) = file(&format!(r#"{{"accessKeyId":"id","accessKeySecret":"{SECRET}" oops"#));
        let error = source.load().unwrap_err();
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
        let (_file, source) = file(&format!(r#"{{"accessKeyId":{{"{SECRET}":1}}}}"#));
        let error = source.load().unwrap_err();
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
    }

    #[test]
    fn nothing_given_names_both_ways_to_give_it() {
        let error = Source::choose(None, |_| None).unwrap_err().to_string();
        assert!(error.contains("--credentials-file") && error.contains(ACCESS_KEY_ID_ENV), "{error}");
    }

    #[test]
    fn accounts_are_read_in_the_vendors_form() {
        let text = format!(
            r#"{{"42":{{"accessKeyID":"id","accessKeySecret":"{SECRET}"}},"7":{{"accessKeyId":"b","accessKeySecret":"c","securityToken":""}}}}"#
        );
        let accounts = Accounts::choose(None, |name| (name == ACCOUNT_INFOS_ENV).then(|| text.clone()));
        let loaded = accounts.load().unwrap();
        assert_eq!(loaded.keys().collect::<Vec<_>>(), ["42", "7"]);
        assert_eq!(loaded["42"].access_key_secret, Secret::new(SECRET.to_owned()));
        assert_eq!(loaded["7"].security_token, None);
        assert!(!format!("{accounts:?} {loaded:?}").contains(SECRET));
        assert_eq!(Accounts::choose(None, |_| None), Accounts::None);
        assert_eq!(Accounts::None.load().unwrap().len(), 0);
    }

    #[test]
    fn accounts_that_cannot_be_read_are_told_without_their_secrets() {
        for text in [
            format!(r#"{{"42":{{"accessKeyID":"id","accessKeySecret":"{SECRET}" oops"#),
            format!(r#"{{"{SECRET}":{{"accessKeyID":"id","accessKeySecret":"x"}}}}"#),
            format!(r#"{{"42":"{SECRET}"}}"#),
            format!(r#"{{"42":{{"accessKeySecret":"{SECRET}"}}}}"#),
        ] {
            let error = Accounts::Text(Secret::new(text)).load().unwrap_err();
            assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
        }
    }

    #[test]
    fn an_empty_secret_is_named() {
        let (_file, source) = file(r#"{"accessKeyId":"id","accessKeySecret":""}"#);
        assert!(source.load().unwrap_err().to_string().contains("accessKeySecret is empty"));
    }
}
