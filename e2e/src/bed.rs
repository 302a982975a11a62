//! A bed: a Kubernetes API and a Log Service that scenarios can reach, and what surrounds them.

pub mod embedded;
pub mod image;

pub use embedded::{Embedded, Options};

/// Region of the document's example; the embedded bed plays it.
pub const REGION: &str = "cn-hangzhou";
