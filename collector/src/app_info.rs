//! `app_info.json`: what support asks for first (collector.md §1.5).
//!
//! Written once at start by `service`.

use std::io;
use std::path::Path;

use serde::Serialize;

use crate::identity::{Host, Instance};
use crate::layout;

/// Version that heartbeats and `app_info.json` carry.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The file's content, in the vendor's order and spelling; `host_id` is of the vendor's own machines only.
#[derive(Debug, Serialize)]
struct AppInfo<'a> {
    #[serde(rename = "UUID")]
    uuid: &'a str,
    compiler: &'a str,
    hostname: &'a str,
    instance_id: &'a str,
    ip: String,
    os: String,
    update_time: String,
    version: &'a str,
}

/// Name, release, build and machine of the system.
pub fn os_detail() -> String {
    let uname = rustix::system::uname();
    [uname.sysname(), uname.release(), uname.version(), uname.machine()]
        .map(|part| part.to_string_lossy())
        .join("; ")
}

/// Writes the file as a whole.
///
/// # Errors
/// Those of the file system.
pub fn write(path: &Path, host: &Host, instance: &Instance, now: &jiff::Zoned) -> io::Result<()> {
    let info = AppInfo {
        uuid: &instance.uuid,
        compiler: env!("COLLECTOR_COMPILER"),
        hostname: &host.hostname,
        instance_id: &instance.instance_id,
        ip: host.ip.to_string(),
        os: os_detail(),
        update_time: now.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        version: VERSION,
    };
    let mut text = serde_json::to_vec_pretty(&info)?;
    text.push(b'\n');
    layout::write_whole(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_what_support_asks_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app_info.json");
        let host = Host { ip: [10, 0, 0, 7].into(), hostname: "pod-1".into() };
        let (instance, _) = Instance::load_or_create(dir.path(), "pod-1");
        write(&path, &host, &instance, &"2026-01-02T03:04:05+08[+08]".parse().unwrap()).unwrap();
        let info: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let keys: Vec<_> = info.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            ["UUID", "compiler", "hostname", "instance_id", "ip", "os", "update_time", "version"]
        );
        assert_eq!((&info["ip"], &info["update_time"]), (&"10.0.0.7".into(), &"2026-01-02 03:04:05".into()));
        assert!(info["compiler"].as_str().unwrap().starts_with("rustc "), "{info}");
        assert_eq!(info["instance_id"], instance.instance_id);
    }
}
