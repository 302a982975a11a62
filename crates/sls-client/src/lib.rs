//! Sends one operation of `sls-api` at a time: address, sign, send, read, classify.
//!
//! For the collector, the operator and `e2e`. It knows nothing about what the operations mean,
//! and never retries unless asked ([`Client::send_with_retry`]).
//!
//! ```no_run
//! use sls_api::{NoPath, ops::logstores::{ListLogStore, ListLogStoreQuery}, sign::AccessKey};
//! use sls_client::{Client, ClientConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = ClientConfig::new("http://127.0.0.1:8080".parse()?, AccessKey::new("id", "secret"));
//! let client = Client::new(config)?;
//! let project = "k8s-nginx-sidecar-demo".parse()?;
//! let list = client
//!     .send::<ListLogStore>(Some(&project), &NoPath {}, &ListLogStoreQuery::default(), &())
//!     .await?;
//! println!("{:?}", list.0.logstores);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod authorities;
mod client;
mod config;
mod endpoint;
mod error;
mod proxy;
pub mod retry;

pub use authorities::{Authorities, NoAuthority};
pub use client::Client;
pub use config::{ClientConfig, ConfigError};
pub use endpoint::{Endpoint, EndpointError, Target};
pub use error::{ClientError, Retry};
pub use proxy::{NotAProxy, Proxies, Proxy, ProxyUrls, check_proxy};
pub use retry::RetryPolicy;
