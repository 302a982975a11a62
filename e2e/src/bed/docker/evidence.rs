//! What explains a failure: the log of each container that was made, by its name.

use std::path::Path;

use futures::StreamExt;
use testcontainers_mock_sls::testcontainers::bollard::Docker;
use testcontainers_mock_sls::testcontainers::bollard::query_parameters::LogsOptionsBuilder;
use testcontainers_mock_sls::testcontainers::core::client::docker_client_instance;

use super::Made;

/// Bytes of one container's log that are kept: its end. Source: own choice.
const LOG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Writes `NAME.log` for each container into `root`; what cannot be had is left out.
pub async fn write_logs(made: &Made, root: &Path) {
    let Ok(docker) = docker_client_instance().await else { return };
    for name in made.containers() {
        let path = root.join(format!("{name}.log"));
        if let Err(error) = std::fs::write(&path, log(&docker, &name).await) {
            tracing::warn!("cannot write {}: {error}", path.display());
        }
    }
}

async fn log(docker: &Docker, container: &str) -> Vec<u8> {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).build();
    let mut lines = docker.logs(container, Some(options));
    let mut text = Vec::new();
    while let Some(line) = lines.next().await {
        match line {
            Ok(line) => text.extend_from_slice(&line.into_bytes()),
            Err(error) => text.extend_from_slice(format!("(no more: {error})\n").as_bytes()),
        }
        if text.len() > 2 * LOG_BYTES_MAX {
            text.drain(..text.len() - LOG_BYTES_MAX);
        }
    }
    text
}
