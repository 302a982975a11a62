//! The images of the document, as the embedded bed knows them: which of our programs stands at
//! which path, and the files the vendor's image brings.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::REGION;
use crate::component::name;
use crate::manifest::{SIDECAR, WRITER};
use crate::pods::Image;

/// Seconds between heartbeats of collectors in the bed; the vendor's agent has 10, which a run of a
/// few seconds would spend waiting.
const HEARTBEAT_SECONDS: u64 = 1;

/// Image of the emulator. Source: `deploy/images/build.sh`.
pub const MOCK_SLS_IMAGE: &str = "sls-bed/mock-sls:dev";

/// Image of the collector. Source: `deploy/images/build.sh`.
pub const SIDECAR_IMAGE: &str = "sls-bed/collector:dev";

/// Images of ours that take the place of the document's where images are Docker's: for the container of that
/// name in its manifest. Source: `deploy/images/build.sh`.
pub const STAND_INS: [(&str, &str); 2] = [(SIDECAR, SIDECAR_IMAGE), (WRITER, "sls-bed/mock_log:dev")];

/// Image of ours for the container of that name in the document's manifest.
///
/// # Errors
/// There is none.
pub fn stand_in(container: &str) -> Result<&'static str> {
    let found = STAND_INS.iter().find(|(name, _)| *name == container);
    found.map(|(_, image)| *image).with_context(|| format!("no image of ours stands in for {container}"))
}

/// Where the programs in the containers find the Log Service, and who they are there.
pub struct Service {
    /// `host:port`.
    pub authority: String,
    pub access_key_id: String,
    pub access_key_secret: String,
}

/// The two images of the example; the collector's also under the name that the operator gives to sidecars.
pub fn table(service: &Service) -> Vec<Image> {
    vec![writer(), logtail(service, "*/log-service/logtail*"), logtail(service, SIDECAR_IMAGE)]
}

fn writer() -> Image {
    Image {
        pattern: "*/log-service/docker-log-test*".to_owned(),
        entrypoint: vec!["/bin/mock_log".to_owned()],
        programs: vec![("/bin/mock_log".into(), name::MOCK_LOG.to_owned())],
        ..Image::default()
    }
}

/// The collector's instance config that leads to `service` in the region that the bed plays.
pub fn instance_config(service: &Service) -> Value {
    json!({
        "primary_region": REGION,
        "config_server_list": [{"cluster": "bed", "endpoint_list": [service.authority]}],
        "data_servers": [{"region": REGION, "endpoint_list": [format!("http://{}", service.authority)]}],
        "default_access_key_id": service.access_key_id,
        "default_access_key": service.access_key_secret,
        "heartbeat_interval": HEARTBEAT_SECONDS,
    })
}

/// The vendor's image holds a config for every region and network; ours holds those of the region
/// that the bed plays, pointing at the emulator.
fn logtail(service: &Service, pattern: &str) -> Image {
    let config = instance_config(service);
    let files = ["", "-internet"]
        .map(|network| {
            let path = format!("/etc/ilogtail/conf/{REGION}{network}/ilogtail_config.json");
            (path.into(), config.to_string().into_bytes())
        })
        .to_vec();
    Image {
        pattern: pattern.to_owned(),
        entrypoint: vec!["/usr/local/ilogtail/ilogtail".to_owned()],
        programs: vec![
            ("/usr/local/ilogtail/ilogtail".into(), name::ILOGTAIL.to_owned()),
            ("/etc/init.d/ilogtaild".into(), name::ILOGTAILD.to_owned()),
            ("/etc/init.d/loongcollectord".into(), name::LOONGCOLLECTORD.to_owned()),
        ],
        files,
        // The pod runner's pods have no network interface of their own to take the address from, and
        // without namespaces no host name either.
        env: vec![
            ("ALIYUN_LOGTAIL_WORKING_IP".to_owned(), "$(POD_IP)".to_owned()),
            ("ALIYUN_LOGTAIL_WORKING_HOSTNAME".to_owned(), "$(POD_NAME)".to_owned()),
        ],
        ..Image::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulators_image_is_that_of_the_crate_for_testcontainers() {
        use testcontainers_mock_sls::{NAME, TAG};
        assert_eq!(MOCK_SLS_IMAGE, format!("{NAME}:{TAG}"));
    }
}
