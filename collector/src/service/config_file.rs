//! Reads `ilogtail_config.json`. Called by `service`.

use std::fs;
use std::io;
use std::path::Path;

use crate::env::Env;
use crate::instance_config::{ConfigError, FILE_BYTES_MAX, InstanceConfig};
use crate::layout::Layout;

pub fn read_config(env: &Env, layout: &Layout) -> Result<InstanceConfig, ConfigError> {
    let path = env.config_path();
    let content = read_file(&path, &layout.on_disk(&path))?;
    InstanceConfig::parse(&path, content.as_deref(), env)
}

/// `None` when there is no file.
fn read_file(path: &Path, on_disk: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    match fs::metadata(on_disk) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
        Ok(meta) if meta.len() > FILE_BYTES_MAX => {
            return Err(ConfigError::TooLarge { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    fs::read(on_disk).map(Some).map_err(unreadable)
}

/// Has the file become one that names a config server? A file that is wrong now may be right later.
pub fn names_a_server(env: &Env, layout: &Layout) -> bool {
    read_config(env, layout).is_ok_and(|instance| !instance.config_servers.is_empty())
}
