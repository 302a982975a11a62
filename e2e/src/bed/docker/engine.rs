//! The Docker engine: reaching it, and all that can be known before anything is made there. What is
//! wrong is said with the command that helps.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use testcontainers_mock_sls::testcontainers::bollard::Docker;
use testcontainers_mock_sls::testcontainers::bollard::errors::Error;
use testcontainers_mock_sls::testcontainers::core::client::{ClientError, docker_client_instance};

/// Variable that names another engine. Source: Docker's command line; testcontainers reads it too.
const HOST_VARIABLE: &str = "DOCKER_HOST";
/// Where the engine listens unless told otherwise.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
/// A file that Docker puts into every container. testcontainers then reaches published ports at the
/// bridge's gateway instead of loopback.
const IN_A_CONTAINER: &str = "/.dockerenv";

/// A Docker engine that answers.
pub struct Engine {
    /// Its API.
    pub docker: Docker,
    /// What it calls its machine.
    pub name: String,
    /// Whether it is reached by a socket of this machine, not by network.
    local: bool,
    /// Whether a port that it publishes on its loopback is on this process's loopback.
    shares_loopback: bool,
}

impl Engine {
    /// Connects to the engine that `DOCKER_HOST` names, or to this machine's.
    ///
    /// # Errors
    /// There is none, or this user may not use it.
    pub async fn connect() -> Result<Self> {
        let host = std::env::var(HOST_VARIABLE).ok().filter(|host| !host.is_empty());
        let host = host.as_deref().unwrap_or(DEFAULT_HOST);
        let docker = docker_client_instance().await.map_err(|error| match error {
            ClientError::Init(error) => unreachable_engine(host, error),
            other => anyhow!("{HOST_VARIABLE}={host} cannot be used: {other}"),
        })?;
        let info = docker.info().await.map_err(|error| unreachable_engine(host, error))?;
        let local = host.starts_with("unix://") || host.starts_with("npipe://");
        Ok(Self {
            docker,
            name: info.name.unwrap_or_else(|| "docker".to_owned()),
            local,
            shares_loopback: local && !Path::new(IN_A_CONTAINER).exists(),
        })
    }

    /// Says which of `images` the engine does not hold.
    ///
    /// # Errors
    /// One is missing.
    pub async fn must_have<'a>(&self, images: impl IntoIterator<Item = &'a str>) -> Result<()> {
        for image in images {
            match self.docker.inspect_image(image).await {
                Ok(_) => {}
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => {
                    bail!("Docker has no image {image}; make it with: just images")
                }
                Err(error) => {
                    return Err(error).with_context(|| format!("image {image} cannot be looked up"));
                }
            }
        }
        Ok(())
    }

    /// The address on which the engine publishes the bed's port: its loopback where this process shares
    /// it, else all of its addresses, since the bed reaches it from outside.
    pub fn publish_on(&self) -> Ipv4Addr {
        if self.shares_loopback { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED }
    }

    /// `port` if it is free on this machine, or a free one if it is 0. Of another machine's ports
    /// nothing is known; Docker says later.
    ///
    /// # Errors
    /// It is in use.
    pub fn free_port(&self, port: u16) -> Result<u16> {
        match TcpListener::bind((self.publish_on(), port)) {
            Ok(listener) => Ok(listener.local_addr()?.port()),
            Err(_) if port != 0 && !self.local => Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
                "port {port} is in use; `ss -ltnp sport = :{port}` says by whom; choose another with \
                 --sls-port, or leave the option out for a free one"
            ),
            Err(error) => Err(error).with_context(|| format!("port {port} cannot be used")),
        }
    }
}

/// Says why the engine at `host` does not answer and what to do.
fn unreachable_engine(host: &str, error: Error) -> anyhow::Error {
    let remedy = match (&error, io_kind(&error)) {
        (Error::SocketNotFoundError(_), _) | (_, Some(ErrorKind::NotFound)) => format!(
            "nothing is there; start Docker (`sudo systemctl start docker`, or Docker Desktop), or name its \
             socket: export {HOST_VARIABLE}=$(docker context inspect --format '{{{{.Endpoints.docker.Host}}}}')"
        ),
        (_, Some(ErrorKind::PermissionDenied)) => {
            "this user may not use it; join its group with `sudo usermod -aG docker \"$USER\"` and log in \
             again, or use rootless Docker"
                .to_owned()
        }
        (_, Some(ErrorKind::ConnectionRefused)) => {
            "nobody listens there; start Docker (`sudo systemctl start docker`, or Docker Desktop)".to_owned()
        }
        _ => "see what `docker info` says".to_owned(),
    };
    anyhow!("no Docker engine answers at {host}: {remedy} ({})", innermost(&error))
}

/// The kind of the I/O error behind an error, if there is one.
fn io_kind(error: &Error) -> Option<ErrorKind> {
    if let Error::IOError { err } = error {
        return Some(err.kind());
    }
    chain(error).filter_map(|e| e.downcast_ref::<std::io::Error>()).map(std::io::Error::kind).last()
}

fn innermost(error: &Error) -> String {
    chain(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&e| e.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: Error) -> String {
        unreachable_engine("unix:///run/d.sock", error).to_string()
    }

    #[test]
    fn an_engine_that_does_not_answer_is_explained_with_the_command_that_helps() {
        let io = |kind: ErrorKind| Error::IOError { err: kind.into() };
        let missing = said(Error::SocketNotFoundError("/run/d.sock".into()));
        assert!(missing.starts_with("no Docker engine answers at unix:///run/d.sock: nothing is there"));
        assert!(missing.contains("systemctl start docker") && missing.contains("{{.Endpoints.docker.Host}}"));
        assert!(said(io(ErrorKind::PermissionDenied)).contains("usermod -aG docker"));
        assert!(said(io(ErrorKind::ConnectionRefused)).contains("nobody listens there"));
        assert!(said(Error::RequestTimeoutError).contains("docker info"));
    }
}
