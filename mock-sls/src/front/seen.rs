//! What becomes known of a request while it is answered, for the access log and the journal. Whatever
//! ends the request, also a client that goes away meanwhile, [`Seen`] is dropped and tells both.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use axum::body::{Bytes, HttpBody as _};
use axum::extract::Request;
use axum::response::Response;
use http::HeaderValue;
use http::header::USER_AGENT;
use jiff::Timestamp;
use sls_api::names::ProjectName;

use crate::app::App;
use crate::faults::Plan;
use crate::journal::{Record, Sent, Writing};
use crate::route::Entry;
use crate::server::cut::Peer;

/// Where the emulator's own calls are, which are no requests to the service.
const OWN_PATHS: &str = "/_mock/";

/// A request on its way.
pub struct Seen<'a> {
    app: &'a App,
    began: Instant,
    /// Taken when it is told.
    record: Option<Record>,
    user_agent: Option<HeaderValue>,
    /// Who sent it; nobody where the server is asked without a connection.
    pub peer: Option<Peer>,
    /// What faults do to it.
    pub plan: Option<Box<Plan>>,
}

impl<'a> Seen<'a> {
    /// A request that has just come.
    pub fn new(app: &'a App, request: &Request, request_id: String, now: Timestamp) -> Self {
        let peer = request.extensions().get::<Peer>().cloned();
        let record = Record {
            time: now,
            request_id,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            operation: None,
            project: None,
            status: None,
            lost: true,
            error: None,
            bytes_in: 0,
            bytes_out: 0,
            took: Duration::ZERO,
            client: address(peer.as_ref()),
            writing: None,
            faults: Vec::new(),
            sent: app.journal.keeps_sent().then(|| {
                let uri = request.uri();
                Box::new(Sent::new(uri.query(), request.headers()))
            }),
        };
        let user_agent = request.headers().get(USER_AGENT).cloned();
        Self { app, began: Instant::now(), record: Some(record), user_agent, peer, plan: None }
    }

    /// Who sent it.
    pub fn client(&self) -> SocketAddr {
        address(self.peer.as_ref())
    }

    /// Id of its answer.
    pub fn request_id(&self) -> &str {
        self.record.as_ref().map_or("", |record| record.request_id.as_str())
    }

    /// Its project is known.
    pub fn project(&mut self, project: Option<&ProjectName>) {
        self.with(|record| record.project = project.map(ToString::to_string));
    }

    /// Its operation is known.
    pub fn operation(&mut self, entry: &Entry) {
        self.with(|record| record.operation = Some((entry.endpoint.name, entry.endpoint.path)));
    }

    /// Its body was read.
    pub fn body(&mut self, bytes: &Bytes) {
        self.with(|record| {
            record.bytes_in = bytes.len() as u64;
            if let Some(sent) = &mut record.sent {
                sent.came(bytes);
            }
        });
    }

    /// Its handler will say here what it writes.
    pub fn writing(&mut self, writing: &Writing) {
        self.with(|record| record.writing = Some(writing.clone()));
    }

    /// It is answered with an error.
    pub fn error(&mut self, code: impl Into<Cow<'static, str>>, message: String) {
        self.with(|record| record.error = Some((code.into(), message)));
    }

    /// It has an answer, which is on its way unless [`Seen::lost`] follows.
    pub fn answered(&mut self, response: &Response) {
        let bytes = response.body().size_hint().exact().unwrap_or_default();
        self.with(|record| {
            record.status = Some(response.status().as_u16());
            record.bytes_out = bytes;
            record.lost = false;
        });
    }

    /// Nobody gets the answer.
    pub fn lost(&mut self) {
        self.with(|record| record.lost = true);
    }

    fn with(&mut self, change: impl FnOnce(&mut Record)) {
        if let Some(record) = &mut self.record {
            change(record);
        }
    }
}

/// The sender's address; none where the server is asked without a connection.
fn address(peer: Option<&Peer>) -> SocketAddr {
    peer.map_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), |peer| peer.address)
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take() else { return };
        record.took = self.began.elapsed();
        if let Some(plan) = &mut self.plan {
            record.faults = std::mem::take(&mut plan.names);
        }
        // The writer of nothing needs no place.
        record.writing = record.writing.take().filter(|writing| writing.get().is_some());
        let Record { request_id, method, path, project, operation, status, .. } = &record;
        tracing::info!(
            target: "mock_sls::access",
            request_id,
            %method,
            path,
            project,
            operation = operation.map(|(name, _)| name),
            status,
            lost = record.lost,
            micros = u64::try_from(record.took.as_micros()).unwrap_or(u64::MAX),
        );
        if !record.path.starts_with(OWN_PATHS) {
            self.app.journal.add(record, self.user_agent.as_ref());
        }
    }
}
