//! The client: one request at a time over pooled connections.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, DATE, HOST, PROXY_AUTHORIZATION, RETRY_AFTER, USER_AGENT},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use sls_api::{
    Operation, Payload, WireBody,
    error::ErrorBody,
    header,
    names::ProjectName,
    operation::{Endpoint as OperationEndpoint, Scope},
    sign::{self, Md5, Request},
};
use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::{
    ClientConfig, ClientError, ConfigError, Proxy, Retry, RetryPolicy, Target, error::BAD_RESPONSE,
    proxy::Connector, retry::backoff,
};

/// Largest answer that is read, in bytes before decompression. Source: own bound, above a pull
/// of many groups and below what would hurt a small container.
pub const REPLY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest part of an unreadable error answer that is repeated, in characters.
const SHOWN_CHARS_MAX: usize = 300;
/// How long an unused connection is kept. Source: own choice; below usual server timeouts.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Compressions that our answers' bodies understand; servers that do not compress ignore it.
const ACCEPTED: HeaderValue = HeaderValue::from_static("lz4");

/// Sends operations. Cloning is cheap and shares connections and the corrected clock.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
    request_timeout: Duration,
}

#[derive(Debug)]
struct Inner {
    config: ClientConfig,
    user_agent: HeaderValue,
    http: Http<HttpsConnector<Connector>, Full<Bytes>>,
    /// What to add to our clock to get the server's, in seconds.
    clock_offset: AtomicI64,
}

/// Everything about a request but its target.
struct Call<'a> {
    endpoint: OperationEndpoint,
    path: String,
    query: String,
    payload: &'a Payload,
    digest: Option<Md5>,
}

impl Client {
    /// A client; nothing is connected yet.
    ///
    /// # Errors
    /// [`ConfigError`] when the key or the user agent cannot be sent.
    pub fn new(config: ClientConfig) -> Result<Self, ConfigError> {
        let user_agent = config.check()?;
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(config.connect_timeout));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let builder = HttpsConnectorBuilder::new();
        let builder = match &config.authorities {
            None => builder.with_webpki_roots(),
            Some(authorities) => {
                let tls = authorities.tls().map_err(|error| ConfigError::Tls(error.to_string()))?;
                builder.with_tls_config(tls)
            }
        };
        let connector = builder
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector::new(tcp, config.proxies.clone()));
        let http = Http::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .build(connector);
        let clock_offset = AtomicI64::new(0);
        let request_timeout = config.request_timeout;
        Ok(Self { inner: Arc::new(Inner { config, user_agent, http, clock_offset }), request_timeout })
    }

    /// The same with another time for a whole request.
    #[must_use]
    pub fn with_request_timeout(&self, request_timeout: Duration) -> Self {
        Self { request_timeout, ..self.clone() }
    }

    /// Time for a whole request.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.inner.config
    }

    /// From now on signs with the server's clock, as learned from [`Retry::ClockSkew`].
    pub fn correct_clock(&self, server_time: i64) {
        let offset = server_time.saturating_sub(Timestamp::now().as_second());
        self.inner.clock_offset.store(offset, Ordering::Relaxed);
        tracing::warn!(
            offset_s = offset,
            "the clock differs from the server's: signing with the server's time"
        );
    }

    /// Sends one request, once.
    ///
    /// # Errors
    /// [`ClientError`]; its [`ClientError::class`] says whether trying again can help.
    pub async fn send<O: Operation>(
        &self,
        project: Option<&ProjectName>,
        path: &O::Path,
        query: &O::Query,
        body: &O::Body,
    ) -> Result<O::Reply, ClientError> {
        self.send_digested::<O>(project, path, query, body, None).await
    }

    /// As [`Self::send`], with the MD5 of the body as it is sent, if that was made already.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_digested<O: Operation>(
        &self,
        project: Option<&ProjectName>,
        path: &O::Path,
        query: &O::Query,
        body: &O::Body,
        digest: Option<Md5>,
    ) -> Result<O::Reply, ClientError> {
        let payload = body.to_payload();
        let call = Call { digest, ..call::<O>(path, query, &payload)? };
        read::<O>(self.send_once(project, &call).await?)
    }

    /// Sends one request, again while [`ClientError::class`] is `Later` or `Quota`, and at once
    /// after correcting a wrong clock.
    ///
    /// # Errors
    /// The last [`ClientError`].
    pub async fn send_with_retry<O: Operation>(
        &self,
        project: Option<&ProjectName>,
        path: &O::Path,
        query: &O::Query,
        body: &O::Body,
        policy: RetryPolicy,
    ) -> Result<O::Reply, ClientError> {
        let payload = body.to_payload();
        let call = call::<O>(path, query, &payload)?;
        let seed = fastrand::u64(..);
        let mut attempt = 0;
        loop {
            let error = match self.send_once(project, &call).await {
                Ok(reply) => return read::<O>(reply),
                Err(error) => error,
            };
            if attempt + 1 >= policy.attempts {
                return Err(error);
            }
            match error.class() {
                Retry::Later | Retry::Quota => {
                    let wait = backoff(attempt, seed, policy.base, policy.cap);
                    tracing::debug!(%error, ?wait, "trying again");
                    tokio::time::sleep(wait).await;
                }
                Retry::ClockSkew { server_time: Some(time) } => self.correct_clock(time),
                _ => return Err(error),
            }
            attempt += 1;
        }
    }

    /// Sends and reads whatever comes, within the time allowed.
    async fn send_once(
        &self,
        project: Option<&ProjectName>,
        call: &Call<'_>,
    ) -> Result<Payload, ClientError> {
        let operation = call.endpoint.name;
        let project = match call.endpoint.scope {
            Scope::Account => None,
            Scope::Either => project,
            Scope::Project => Some(project.ok_or(ClientError::ProjectMissing { operation })?),
        };
        let config = &self.inner.config;
        let mut target = config.endpoint.target(project);
        let proxy = self.plain_proxy(&target, operation)?;
        if proxy.is_some() && !target.base.ends_with(&format!("//{}", target.host)) {
            // A proxy replaces `Host` by the host of the address (RFC 9112, 3.2.2).
            target.project_header = project.cloned();
        }
        let request = self.request(&target, proxy.as_ref(), call)?;
        let after = self.request_timeout;
        let exchange = tokio::time::timeout(after, self.exchange(operation, &target, request));
        match exchange.await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Timeout { operation, endpoint: target.base, after }),
        }
    }

    /// The proxy that reads the requests for this target; a tunnel's does not.
    fn plain_proxy(&self, target: &Target, operation: &'static str) -> Result<Option<Proxy>, ClientError> {
        let uri = target.base.parse::<Uri>().map_err(|source| ClientError::Transport {
            operation,
            endpoint: target.base.clone(),
            source: source.into(),
        })?;
        let is_plain = uri.scheme() == Some(&http::uri::Scheme::HTTP);
        Ok(is_plain.then(|| self.inner.config.proxies.of(&uri)).flatten())
    }

    /// Builds and signs.
    fn request(
        &self,
        target: &Target,
        proxy: Option<&Proxy>,
        call: &Call<'_>,
    ) -> Result<http::Request<Full<Bytes>>, ClientError> {
        let Inner { config, user_agent, .. } = &*self.inner;
        let unsendable = |e: http::Error| ClientError::Transport {
            operation: call.endpoint.name,
            endpoint: target.base.clone(),
            source: e.into(),
        };
        let mut headers = call.payload.headers.clone();
        headers.insert(HOST, HeaderValue::from_str(&target.host).map_err(|e| unsendable(e.into()))?);
        headers.insert(USER_AGENT, user_agent.clone());
        headers.insert(ACCEPT_ENCODING, ACCEPTED);
        if let Some(project) = &target.project_header {
            let value = HeaderValue::from_str(project.as_str()).map_err(|e| unsendable(e.into()))?;
            headers.insert(HeaderName::from_static(header::PROJECT), value);
        }
        let body = &call.payload.bytes;
        if body.is_empty() && matches!(call.endpoint.method, Method::POST | Method::PUT) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        let signed = sign::sign_digested(
            &Request {
                method: &call.endpoint.method,
                path: &call.path,
                query: &call.query,
                headers: &headers,
            },
            (body, call.digest),
            &config.access_key,
            &config.sign,
            self.now(),
            config.security_token.as_ref(),
        )?;
        headers.extend(signed);
        if let Some(authorization) = proxy.and_then(Proxy::authorization) {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        let separator = if call.query.is_empty() { "" } else { "?" };
        let uri = format!("{}{}{separator}{}", target.base, call.path, call.query);
        let mut request = http::Request::builder()
            .method(call.endpoint.method.clone())
            .uri(uri)
            .body(Full::new(body.clone()))
            .map_err(unsendable)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn exchange(
        &self,
        operation: &'static str,
        target: &Target,
        request: http::Request<Full<Bytes>>,
    ) -> Result<Payload, ClientError> {
        let transport = |source: Box<dyn Error + Send + Sync>| ClientError::Transport {
            operation,
            endpoint: target.base.clone(),
            source,
        };
        let answer = self.inner.http.request(request).await.map_err(|e| transport(e.into()))?;
        let (head, body) = answer.into_parts();
        let collected = Limited::new(body, REPLY_BYTES_MAX).collect().await.map_err(|e| {
            if e.is::<LengthLimitError>() {
                ClientError::TooLarge { operation, limit: REPLY_BYTES_MAX }
            } else {
                transport(e)
            }
        })?;
        let payload = Payload { headers: head.headers, bytes: collected.to_bytes() };
        // Success is exactly 200, as for every SDK, and not that of a proxy or a login page in between: what they
        // answered would count as delivered. Source of the sign: LoongCollector's verification of responses.
        if head.status == StatusCode::OK && payload.header(header::REQUEST_ID).is_some() {
            return Ok(payload);
        }
        Err(api_error(operation, head.status, &payload))
    }

    fn now(&self) -> Timestamp {
        let offset = self.inner.clock_offset.load(Ordering::Relaxed);
        let now = Timestamp::now();
        now.saturating_add(SignedDuration::from_secs(offset)).unwrap_or(now)
    }
}

fn call<'a, O: Operation>(
    path: &O::Path,
    query: &O::Query,
    payload: &'a Payload,
) -> Result<Call<'a>, ClientError> {
    let endpoint = O::ENDPOINT;
    let path = endpoint.fill_path(path)?;
    let query = endpoint.fill_query(query)?;
    Ok(Call { endpoint, path, query, payload, digest: None })
}

fn read<O: Operation>(answer: Payload) -> Result<O::Reply, ClientError> {
    O::Reply::from_payload(answer)
        .map_err(|source| ClientError::Decode { operation: O::ENDPOINT.name, source })
}

fn api_error(operation: &'static str, status: StatusCode, answer: &Payload) -> ClientError {
    let (code, message) = match serde_json::from_slice::<ErrorBody>(&answer.bytes) {
        Ok(body) => (body.error_code, body.error_message),
        Err(_) => {
            let text = String::from_utf8_lossy(&answer.bytes);
            let shown: String = text.trim().chars().take(SHOWN_CHARS_MAX).collect();
            let message = match status {
                StatusCode::OK => format!(
                    "the answer has no {}, so the Log Service did not give it; is a proxy or a login page in \
                     between? It says: {shown:?}",
                    header::REQUEST_ID
                ),
                _ => shown,
            };
            (BAD_RESPONSE.to_owned(), message)
        }
    };
    ClientError::Api {
        operation,
        status: status.as_u16(),
        code,
        message,
        request_id: answer.header(header::REQUEST_ID).unwrap_or_default().to_owned(),
        server_time: server_time(&answer.headers),
        retry_after: retry_after(&answer.headers),
    }
}

/// `Retry-After` in seconds; the form with a date is not used by the service and says nothing here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// `x-log-time`, else `Date`. Source: LoongCollector's clock correction.
fn server_time(headers: &HeaderMap) -> Option<i64> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let told = text(header::TIME).and_then(|t| t.parse().ok());
    told.or_else(|| {
        let parser = rfc2822::DateTimeParser::new();
        Some(parser.parse_timestamp(text(DATE.as_str())?).ok()?.as_second())
    })
}
