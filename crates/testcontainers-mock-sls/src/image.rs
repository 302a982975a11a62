//! The image: its name, when it is ready, and the key pair it is started with.

use std::borrow::Cow;
use std::fmt;

use testcontainers::core::{ContainerPort, Image, WaitFor};

use crate::{ACCESS_KEY_ID, ACCESS_KEY_SECRET, NAME, PORT, TAG};

/// Variable in which the emulator takes a key pair, `ID:SECRET`. Source: `mock-sls serve --help`.
const ACCESS_KEY_ENV: &str = "MOCK_SLS_ACCESS_KEY";
/// The last line that the emulator prints once it listens begins with this. Waiting for it needs no
/// HTTP client, which testcontainers would bring for the health check.
const READY: &str = "access key secret";
const PORTS: [ContainerPort; 1] = [ContainerPort::Tcp(PORT)];

/// The emulator's image, and the key pair that may call it.
#[derive(Clone, PartialEq, Eq)]
pub struct MockSls {
    pub(crate) access_key_id: String,
    pub(crate) access_key_secret: String,
}

impl MockSls {
    /// With this key pair instead of the default one. Neither part may be empty, and the id may not
    /// hold a colon; the emulator ends with a message otherwise.
    #[must_use]
    pub fn with_access_key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.access_key_id = id.into();
        self.access_key_secret = secret.into();
        self
    }
}

impl Default for MockSls {
    /// The default key pair, [`ACCESS_KEY_ID`] and [`ACCESS_KEY_SECRET`].
    fn default() -> Self {
        Self { access_key_id: ACCESS_KEY_ID.to_owned(), access_key_secret: ACCESS_KEY_SECRET.to_owned() }
    }
}

impl fmt::Debug for MockSls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockSls").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl Image for MockSls {
    fn name(&self) -> &str {
        NAME
    }

    fn tag(&self) -> &str {
        TAG
    }

    fn ready_conditions(&self) -> Vec<WaitFor> {
        vec![WaitFor::message_on_stdout(READY)]
    }

    fn env_vars(&self) -> impl IntoIterator<Item = (impl Into<Cow<'_, str>>, impl Into<Cow<'_, str>>)> {
        [(ACCESS_KEY_ENV, format!("{}:{}", self.access_key_id, self.access_key_secret))]
    }

    fn expose_ports(&self) -> &[ContainerPort] {
        &PORTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let image = MockSls::default().with_access_key("id", "hush");
        assert_eq!(format!("{image:?}"), r#"MockSls { access_key_id: "id", .. }"#);
    }
}
