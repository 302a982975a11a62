//! HTTP proxies, as `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` name them.
//!
//! Requests for `http` go to the proxy with their whole address, those for `https` through a tunnel that it is asked
//! for (`CONNECT`). Which targets are excepted is as for curl: names with all their subdomains, addresses, networks
//! (`10.0.0.0/8`), `*` for all; `localhost` only if it is named. Passwords show in no message.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

/// Port of a proxy whose URL has none. Source: that of http; curl takes 1080.
const PORT: u16 = 80;

/// What the variables say; a URL may have a name and password, `http://NAME:PASSWORD@HOST:PORT`.
#[derive(Clone, Copy, Default)]
pub struct ProxyUrls<'a> {
    /// For targets of `http`.
    pub http: Option<&'a str>,
    /// For targets of `https`.
    pub https: Option<&'a str>,
    /// For both, where they have none of their own.
    pub all: Option<&'a str>,
    /// Targets that are connected to directly, separated by commas.
    pub except: Option<&'a str>,
}

/// A text that is no URL of a proxy. It is not repeated, since it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAProxy {
    /// It cannot be read.
    #[error("is no URL of a proxy: write http://HOST:PORT")]
    Unreadable,
    /// SOCKS, or TLS to the proxy itself.
    #[error(
        "has a scheme other than http, in which this program does not speak to proxies: write http://HOST:PORT"
    )]
    Scheme,
}

/// Checks the URL of one proxy.
///
/// # Errors
/// [`NotAProxy`], without the text.
pub fn check_proxy(url: &str) -> Result<(), NotAProxy> {
    let target = Uri::from_static("http://target.test/");
    let found = Matcher::builder().all(url).build().intercept(&target).ok_or(NotAProxy::Unreadable)?;
    if found.uri().scheme() == Some(&Scheme::HTTP) { Ok(()) } else { Err(NotAProxy::Scheme) }
}

/// Decides which proxy a target is reached through.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Option<Arc<Matcher>>);

/// A proxy for one target.
#[derive(Debug, Clone)]
pub struct Proxy {
    uri: Uri,
    authorization: Option<HeaderValue>,
}

impl Proxies {
    /// No proxy where no URL is one by [`check_proxy`].
    #[must_use]
    pub fn new(urls: &ProxyUrls<'_>) -> Self {
        let usable =
            |url: Option<&str>| url.filter(|url| check_proxy(url).is_ok()).unwrap_or_default().to_owned();
        let (http, https, all) = (usable(urls.http), usable(urls.https), usable(urls.all));
        if http.is_empty() && https.is_empty() && all.is_empty() {
            return Self(None);
        }
        let except = urls.except.unwrap_or_default();
        Self(Some(Arc::new(Matcher::builder().http(http).https(https).all(all).no(except).build())))
    }

    /// The proxy for a target with scheme and host; `None`: it is connected to directly.
    #[must_use]
    pub fn of(&self, target: &Uri) -> Option<Proxy> {
        let found = self.0.as_ref()?.intercept(target)?;
        Some(Proxy { uri: found.uri().clone(), authorization: found.basic_auth().cloned() })
    }
}

impl Proxy {
    /// `HOST:PORT` to connect to.
    #[must_use]
    pub fn address(&self) -> String {
        let host = self.uri.host().unwrap_or_default();
        format!("{host}:{}", self.uri.port_u16().unwrap_or(PORT))
    }

    /// Value of the header `Proxy-Authorization`.
    #[must_use]
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

/// Connects to targets, or to their proxies.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    proxies: Proxies,
}

impl Connector {
    pub fn new(tcp: HttpConnector, proxies: Proxies) -> Self {
        Self { tcp, proxies }
    }
}

/// A connection to the proxy failed, or the proxy did not connect.
#[derive(Debug)]
struct ProxyError {
    proxy: String,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through the proxy {}: {}", self.proxy, crate::error::root(self.source.as_ref()))
    }
}

// Without a source of its own: its text names the root already.
impl Error for ProxyError {}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.of(&target) else {
            let connecting = self.tcp.call(target);
            return Box::pin(
                async move { Ok(Stream { tcp: connecting.await?, takes_whole_targets: false }) },
            );
        };
        let is_tunnel = target.scheme() == Some(&Scheme::HTTPS);
        let address = proxy.address();
        let failed = |source| ProxyError { proxy: address, source };
        if is_tunnel {
            let mut tunnel = Tunnel::new(proxy.uri, self.tcp.clone());
            if let Some(authorization) = proxy.authorization {
                tunnel = tunnel.with_auth(authorization);
            }
            let connecting = tunnel.call(target);
            Box::pin(async move {
                let tcp = connecting.await.map_err(|error| failed(error.into()))?;
                Ok(Stream { tcp, takes_whole_targets: false })
            })
        } else {
            let connecting = self.tcp.call(proxy.uri);
            Box::pin(async move {
                let tcp = connecting.await.map_err(|error| failed(error.into()))?;
                Ok(Stream { tcp, takes_whole_targets: true })
            })
        }
    }
}

/// A connection, and whether what is at its end wants the whole address of a target in each request.
#[derive(Debug)]
pub(crate) struct Stream {
    tcp: TokioIo<TcpStream>,
    takes_whole_targets: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.tcp.connected().proxy(self.takes_whole_targets)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(context, parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(urls: &ProxyUrls<'_>, target: &str) -> Option<String> {
        Proxies::new(urls).of(&target.parse().unwrap()).map(|proxy| proxy.address())
    }

    #[test]
    fn each_scheme_has_its_proxy_or_that_for_all() {
        let urls =
            ProxyUrls { http: Some("http://plain:3128"), all: Some("rest:8080"), ..ProxyUrls::default() };
        assert_eq!(through(&urls, "http://sls.test/").unwrap(), "plain:3128");
        assert_eq!(through(&urls, "https://sls.test/").unwrap(), "rest:8080");
        let urls = ProxyUrls { https: Some("http://tunnel"), ..ProxyUrls::default() };
        assert_eq!(through(&urls, "https://sls.test/").unwrap(), "tunnel:80");
        assert_eq!(through(&urls, "http://sls.test/"), None);
    }

    #[test]
    fn exceptions_are_names_with_subdomains_addresses_and_networks() {
        let urls = ProxyUrls {
            all: Some("http://proxy:3128"),
            except: Some("sls.test, .inner.test,10.0.0.0/8,192.168.1.7,fd00::/8"),
            ..ProxyUrls::default()
        };
        for direct in
            ["sls.test", "proj.sls.test:80", "a.inner.test", "10.200.1.2:8080", "192.168.1.7", "[fd00::1]"]
        {
            assert_eq!(through(&urls, &format!("http://{direct}/")), None, "{direct}");
        }
        for proxied in ["notsls.test", "11.0.0.1", "192.168.1.8", "localhost", "[fe80::1]"] {
            assert!(through(&urls, &format!("http://{proxied}/")).is_some(), "{proxied}");
        }
        let urls = ProxyUrls { except: Some("*"), ..urls };
        assert_eq!(through(&urls, "https://sls.test/"), None);
    }

    #[test]
    fn a_password_is_sent_and_not_shown() {
        let urls = ProxyUrls { http: Some("http://me:pa%24s@proxy:3128"), ..ProxyUrls::default() };
        let proxies = Proxies::new(&urls);
        let proxy = proxies.of(&Uri::from_static("http://sls.test/")).unwrap();
        assert_eq!(proxy.authorization().unwrap(), "Basic bWU6cGEkcw==");
        let shown = format!("{proxies:?} {proxy:?}");
        assert!(!shown.contains("pa%24s") && !shown.contains("bWU6"), "{shown}");
    }

    #[test]
    fn what_is_no_http_proxy_is_told_and_not_used() {
        for url in ["", "http://", "a b", "ftp://proxy:21"] {
            assert_eq!(check_proxy(url), Err(NotAProxy::Unreadable), "{url}");
        }
        for url in ["socks5://proxy:1080", "https://proxy:443"] {
            assert_eq!(check_proxy(url), Err(NotAProxy::Scheme), "{url}");
            let urls = ProxyUrls { all: Some(url), ..ProxyUrls::default() };
            assert_eq!(through(&urls, "http://sls.test/"), None);
        }
    }
}
