//! How the operator reaches an emulator.

use mock_sls::{DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, DEFAULT_REGION, Running};
use operator::credentials::{Credentials, Source};
use operator::sls::SlsConfig;

pub fn config(sls: &Running) -> SlsConfig {
    SlsConfig {
        endpoint: sls.endpoint(),
        region: Some(DEFAULT_REGION.to_owned()),
        credentials: Source::Fixed(Credentials {
            access_key_id: DEFAULT_ACCESS_KEY_ID.to_owned(),
            access_key_secret: DEFAULT_ACCESS_KEY_SECRET.into(),
            security_token: None,
        }),
        authorities: None,
    }
}
