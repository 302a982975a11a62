//! A running emulator: starting one, and what a client needs to reach it.

use std::net::Ipv4Addr;

use testcontainers::core::IntoContainerPort;
use testcontainers::core::error::{ClientError, TestcontainersError};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest};

use crate::{MockSls, PORT};

/// Why there is no emulator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Docker does not have the image, and no registry gives it.
    #[error(
        "image {image} is not in Docker and cannot be pulled ({source}); build it with `just images` in the \
         emulator's repository, or name another with ImageExt::with_name and with_tag"
    )]
    NoImage {
        /// Name and tag.
        image: String,
        /// What Docker said.
        source: TestcontainersError,
    },
    /// Anything else that went wrong on the way.
    #[error("the emulator cannot be started in a container ({0}); does `docker info` answer?")]
    Container(#[from] TestcontainersError),
}

/// A running emulator. Its container is removed when this is dropped.
#[derive(Debug)]
pub struct Running {
    container: ContainerAsync<MockSls>,
    endpoint: String,
}

/// Starts the emulator and waits until it answers.
///
/// # Errors
/// See [`StartError`].
pub async fn start(request: impl Into<ContainerRequest<MockSls>>) -> Result<Running, StartError> {
    let request = request.into();
    let image = request.descriptor();
    let container = request.start().await.map_err(|error| match error {
        TestcontainersError::Client(ClientError::PullImage { .. }) => {
            StartError::NoImage { image, source: error }
        }
        other => StartError::Container(other),
    })?;
    let host = match container.get_host().await?.to_string() {
        // The published IPv6 port may be another one; only the IPv4 one is asked for below.
        name if name == "localhost" => Ipv4Addr::LOCALHOST.to_string(),
        other => other,
    };
    let port = container.get_host_port_ipv4(PORT.tcp()).await?;
    Ok(Running { container, endpoint: format!("http://{host}:{port}") })
}

impl Running {
    /// `http://host:port`, as this machine reaches it. SDKs that put the project before the host name
    /// take it as their HTTP proxy, with any plain-http endpoint name; `sls-client` takes it as it is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Id of the key pair that may call.
    pub fn access_key_id(&self) -> &str {
        &self.container.image().access_key_id
    }

    /// Secret of the key pair that may call.
    pub fn access_key_secret(&self) -> &str {
        &self.container.image().access_key_secret
    }

    /// The container: its logs, its files, stopping and starting it.
    pub fn container(&self) -> &ContainerAsync<MockSls> {
        &self.container
    }
}
