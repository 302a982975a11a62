//! Asking the config servers, in the version of the protocol that they speak.

use prost::Message;
use sls_api::agent::{
    ConfigDetail, FETCH_PIPELINE_CONFIG_PATH, FetchConfigResponse, HEARTBEAT_PATH, HeartbeatResponse,
    VERSION_DELETED, v1,
};

use super::session::Answer;
use super::transport::{TransportError, post};
use super::{Collect, Control};
use crate::identity::GroupIds;
use crate::instance_config::{HostPort, Protocol};

impl<C: Collect> Control<'_, C> {
    /// Sends a heartbeat; the error names the servers and why none could be asked.
    pub(super) async fn beat(&mut self, ids: &GroupIds) -> Result<Answer, String> {
        match self.instance.protocol {
            Protocol::V2 => {
                let request = self.session.heartbeat(ids, &self.remarks());
                let answer: HeartbeatResponse = self.ask(HEARTBEAT_PATH, &request).await?;
                Ok(self.session.receive(answer))
            }
            Protocol::V1 => {
                let request = self.session.heartbeat_v1(ids, self.instance);
                let answer: v1::HeartBeatResponse = self.ask(v1::HEARTBEAT_PATH, &request).await?;
                Ok(self.session.receive_v1(answer))
            }
        }
    }

    /// Completes updates that came by name and version only.
    pub(super) async fn with_details(
        &mut self,
        updates: Vec<ConfigDetail>,
        fetch: bool,
    ) -> Result<Vec<ConfigDetail>, String> {
        if !fetch {
            return Ok(updates);
        }
        let fetched = match self.instance.protocol {
            Protocol::V2 => {
                let request = self.session.fetch(&updates);
                let fetched: FetchConfigResponse = self.ask(FETCH_PIPELINE_CONFIG_PATH, &request).await?;
                let common = fetched.common_response.unwrap_or_default();
                let message = String::from_utf8_lossy(&common.error_message).into_owned();
                check_fetched(common.status, &message)?;
                fetched.continuous_pipeline_config_updates
            }
            Protocol::V1 => {
                let request = self.session.fetch_v1(&updates);
                let fetched: v1::FetchConfigResponse =
                    self.ask(v1::FETCH_PIPELINE_CONFIG_PATH, &request).await?;
                check_fetched(fetched.code, &fetched.message)?;
                self.session.details_v1(&updates, fetched)
            }
        };
        let deletions = updates.into_iter().filter(|update| update.version == VERSION_DELETED);
        Ok(deletions.chain(fetched).collect())
    }

    /// Asks the servers in turn, beginning with the one that answered last.
    async fn ask<A: Message + Default>(&mut self, path: &str, request: &impl Message) -> Result<A, String> {
        let servers = &self.instance.config_servers;
        let mut reasons = Vec::new();
        for turn in 0..servers.len() {
            let index = (self.preferred + turn) % servers.len();
            let Some(server) = servers.get(index) else { break };
            match post(server, &self.instance.proxies, path, request).await {
                Ok(answer) => {
                    self.preferred = index;
                    return Ok(answer);
                }
                Err(error) => reasons.push(because(server, &error)),
            }
        }
        Err(reasons.join("; "))
    }
}

fn check_fetched(status: i32, message: &str) -> Result<(), String> {
    match status {
        0 => Ok(()),
        _ => Err(format!("configs cannot be fetched: status {status}: {message}")),
    }
}

fn because(server: &HostPort, error: &TransportError) -> String {
    format!("{server}: {error}")
}
