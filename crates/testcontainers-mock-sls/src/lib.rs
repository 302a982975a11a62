//! The Log Service emulator `mock-sls` in a container, started by a test in one line.
//!
//! ```no_run
//! # async fn example() -> Result<(), testcontainers_mock_sls::StartError> {
//! let sls = testcontainers_mock_sls::start(testcontainers_mock_sls::MockSls::default()).await?;
//! println!("{} {} {}", sls.endpoint(), sls.access_key_id(), sls.access_key_secret());
//! # Ok(())
//! # }
//! ```
//!
//! The container goes when the value is dropped. [`MockSls`] is a [`testcontainers::Image`], so everything
//! of [`testcontainers::ImageExt`] works: another name or tag of the image, a network, a container name,
//! mounts.
//!
//! Used by outside tests, and by `e2e` for its Docker bed. Depends on `testcontainers` and nothing
//! of this workspace.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod image;
mod running;

pub use image::MockSls;
pub use running::{Running, StartError, start};
pub use testcontainers;

/// Name of the image. Source: `deploy/images/build.sh`.
pub const NAME: &str = "sls-bed/mock-sls";
/// Its tag. Source: `deploy/images/build.sh`.
pub const TAG: &str = "dev";
/// Port of the emulator inside the container. Source: `deploy/images/mock-sls.Dockerfile`.
pub const PORT: u16 = 8080;
/// Folder of its database inside the container. Source: `deploy/images/mock-sls.Dockerfile`.
pub const DATA: &str = "/var/lib/mock-sls";

/// Account id of the emulator's key pairs.
pub const ACCOUNT_ID: &str = "1234567890123456";
/// Region that the emulator says it stands in, for version 4 signatures.
pub const REGION: &str = "cn-hangzhou";
/// Id of the default key pair; it opens nothing but this emulator.
pub const ACCESS_KEY_ID: &str = "mockAccessKeyId";
/// Secret of the default key pair.
pub const ACCESS_KEY_SECRET: &str = "mockAccessKeySecret";

/// The README's examples, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    #[test]
    fn the_constants_are_those_of_the_emulator() {
        assert_eq!(super::ACCOUNT_ID, mock_sls::DEFAULT_ACCOUNT_ID);
        assert_eq!(super::REGION, mock_sls::DEFAULT_REGION);
        assert_eq!(super::ACCESS_KEY_ID, mock_sls::DEFAULT_ACCESS_KEY_ID);
        assert_eq!(super::ACCESS_KEY_SECRET, mock_sls::DEFAULT_ACCESS_KEY_SECRET);
    }

    #[test]
    fn port_and_folder_are_those_of_the_image() {
        let file = include_str!("../../../deploy/images/mock-sls.Dockerfile");
        assert!(file.contains(&format!("\"0.0.0.0:{}\", \"--data\", \"{}\"", super::PORT, super::DATA)));
    }
}
