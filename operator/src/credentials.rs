//! The operator's access key: from a file (a mounted Secret, read again when it changes) or from the
//! environment. Secrets are never printed: their type hides them.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use sls_api::sign::Secret;

/// Environment variable of the access key's id.
pub const ACCESS_KEY_ID_ENV: &str = "ALICLOUD_ACCESS_KEY_ID";
/// Environment variable of the access key's secret.
pub const ACCESS_KEY_SECRET_ENV: &str = "ALICLOUD_ACCESS_KEY_SECRET";
/// Environment variable of the token that comes with temporary keys.
pub const SECURITY_TOKEN_ENV: &str = "ALICLOUD_SECURITY_TOKEN";
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
        let read = |source| CredentialsError::Read { path: path.clone(), source };
        if std::fs::metadata(path).map_err(read)?.len() > FILE_BYTES_MAX {
            return Err(CredentialsError::TooLarge { path: path.clone() });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
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
    fn an_empty_secret_is_named() {
        let (_file, source) = file(r#"{"accessKeyId":"id","accessKeySecret":""}"#);
        assert!(source.load().unwrap_err().to_string().contains("accessKeySecret is empty"));
    }
}
