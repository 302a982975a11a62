//! Who this collector is: account ids, machine group ids, address, host name, instance id.
//!
//! The ids come from the environment and from files that may change while the collector runs, so
//! they are read anew for every heartbeat. Called by `service` and `control`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::env::Env;
use crate::layout::{self, Layout};

/// Lines of the id file that are read. Source: own choice.
const ID_LINES_MAX: usize = 1000;

/// Ids that decide which configs this collector gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupIds {
    /// Alibaba Cloud account ids.
    pub user_ids: BTreeSet<String>,
    /// Custom ids of machine groups.
    pub user_defined_ids: BTreeSet<String>,
}

impl GroupIds {
    /// Environment and files together: `/etc/ilogtail/users/<uid>` and `/etc/ilogtail/user_defined_id`
    /// (collector.md §1.5).
    pub fn read(env: &Env, layout: &Layout) -> Self {
        let mut ids = Self {
            user_ids: env.user_ids().into_iter().collect(),
            user_defined_ids: env.user_defined_ids().into_iter().collect(),
        };
        if let Ok(entries) = fs::read_dir(layout.users()) {
            let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
            // A mounted ConfigMap brings dot entries of its own.
            ids.user_ids.extend(names.filter(|name| !name.starts_with('.')));
        }
        if let Ok(text) = fs::read_to_string(layout.user_defined_id()) {
            let lines = text.lines().take(ID_LINES_MAX).map(str::trim);
            ids.user_defined_ids.extend(lines.filter(|id| !id.is_empty()).map(str::to_owned));
        }
        ids
    }

    /// What is wrong with the ids by themselves, each with its remedy. The server decides; these
    /// explain beforehand why it may find no group.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.user_defined_ids.is_empty() {
            problems.push(
                "no machine group id: set ALIYUN_LOGTAIL_USER_DEFINED_ID to the custom id of a machine group, \
                 or write it to /etc/ilogtail/user_defined_id; without one only groups by IP address can match"
                    .to_owned(),
            );
        }
        for id in self.user_defined_ids.iter().filter(|id| id.contains("${")) {
            problems.push(format!(
                "machine group id {id:?} is a placeholder: set ALIYUN_LOGTAIL_USER_DEFINED_ID to the id of your group"
            ));
        }
        if self.user_ids.is_empty() {
            problems.push(
                "no account id: set ALIYUN_LOGTAIL_USER_ID to the id of the Alibaba Cloud account that owns the project"
                    .to_owned(),
            );
        }
        for id in self.user_ids.iter().filter(|id| !id.bytes().all(|b| b.is_ascii_digit())) {
            problems.push(format!(
                "account id {id:?} is not a number: ALIYUN_LOGTAIL_USER_ID must be the id of the Alibaba Cloud \
                 account (RAM user ids and names do not take effect)"
            ));
        }
        problems
    }
}

/// Address and name that heartbeats and the `Source` of logs carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    pub ip: IpAddr,
    pub hostname: String,
}

impl Host {
    /// The configured values, else what the container says of itself.
    ///
    /// Address: `working_ip`, the host table's entry for the host name (the kubelet writes the pod's
    /// address there), the pod address passed in the environment, the address that packets to
    /// `peer` would leave from, `127.0.0.1`. No name service is asked.
    pub fn detect(
        env: &Env,
        layout: &Layout,
        working_ip: Option<IpAddr>,
        working_hostname: Option<&str>,
        peer: Option<&str>,
    ) -> Self {
        let hostname = working_hostname.map(str::to_owned).unwrap_or_else(|| own_hostname(env, layout));
        let from_hosts = || {
            let table = fs::read_to_string(layout.hosts()).ok()?;
            address_in_host_table(&table, &hostname)
        };
        let ip = working_ip
            .or_else(from_hosts)
            .or_else(|| env.pod_ip())
            .or_else(|| peer.and_then(source_address_towards))
            .unwrap_or(IpAddr::from([127, 0, 0, 1]));
        Self { ip, hostname }
    }
}

/// The first address of a network interface, IPv4 before IPv6; a warning if it has none.
pub fn address_of_interface(name: &str) -> Option<IpAddr> {
    let all = nix::ifaddrs::getifaddrs().map_err(io::Error::from);
    let addresses: Vec<IpAddr> = match all {
        Ok(all) => {
            all.filter(|one| one.interface_name == name).filter_map(|one| ip_of(&one.address?)).collect()
        }
        Err(error) => {
            warn!("network interfaces cannot be listed ({error}); bind_interface {name:?} is not used");
            return None;
        }
    };
    let found = addresses.iter().find(|ip| ip.is_ipv4()).or(addresses.first()).copied();
    if found.is_none() {
        warn!(
            "bind_interface {name:?} is no network interface with an address; name another, or set working_ip"
        );
    }
    found
}

fn ip_of(address: &nix::sys::socket::SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// With a path prefix there is no own host name in the kernel; the bed then says it by variable.
fn own_hostname(env: &Env, layout: &Layout) -> String {
    let from_env = env.hostname().filter(|_| layout.prefix().is_some()).map(str::to_owned);
    from_env.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}

/// The address that `/etc/hosts` gives a name, other than the machine's own loopback names.
fn address_in_host_table(table: &str, hostname: &str) -> Option<IpAddr> {
    table.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let ip: IpAddr = words.next()?.parse().ok()?;
        let placeholder = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 1, 1])].contains(&ip)
            || (ip.is_ipv6() && ip.is_loopback());
        (!placeholder && words.any(|name| name == hostname)).then_some(ip)
    })
}

/// Asks the kernel's routing table; sends nothing. Only numeric peers: names would ask DNS.
fn source_address_towards(peer: &str) -> Option<IpAddr> {
    let peer: std::net::SocketAddr = peer.parse().ok()?;
    let any: IpAddr = if peer.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(peer).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

/// The identity under which the config server knows this collector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Random, stable as long as the state directory is.
    pub instance_id: String,
    /// The `MachineUUID` of log groups.
    pub uuid: String,
    /// Host name at the time of creation: another name means that the directory was copied or is
    /// shared between pods, which must not share an identity.
    hostname: String,
}

impl Instance {
    /// Reads `<state dir>/instance.json`, or creates it. The error, if any, is that of storing a
    /// new identity, which then lasts for this run only.
    pub fn load_or_create(state_dir: &Path, hostname: &str) -> (Self, Option<io::Error>) {
        let path = state_dir.join("instance.json");
        let stored = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        if let Some(stored) = stored.filter(|stored| stored.hostname == hostname) {
            return (stored, None);
        }
        let created = Self {
            instance_id: random_uuid(),
            uuid: random_uuid().to_ascii_uppercase(),
            hostname: hostname.to_owned(),
        };
        let stored = serde_json::to_vec_pretty(&created)
            .map_err(io::Error::from)
            .and_then(|bytes| layout::write_whole(&path, &bytes));
        (created, stored.err())
    }
}

/// A random (version 4) UUID in lower case.
fn random_uuid() -> String {
    let mut bytes = [0u8; 16];
    fastrand::fill(&mut bytes);
    let bits = (u128::from_be_bytes(bytes) & !(0xf << 76 | 0b11 << 62)) | 0x4 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    let (time_low, rest) = hex.split_at(8);
    let (time_mid, rest) = rest.split_at(4);
    let (version, rest) = rest.split_at(4);
    let (variant, node) = rest.split_at(4);
    format!("{time_low}-{time_mid}-{version}-{variant}-{node}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn ids_come_from_variables_and_files_together() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(Some(dir.path().to_owned()));
        fs::create_dir_all(layout.users()).unwrap();
        fs::write(layout.users().join("222"), "").unwrap();
        fs::write(layout.users().join("..data"), "").unwrap();
        fs::write(layout.user_defined_id(), "from-file\n\n  second \n").unwrap();
        let env = Env::from_iter([
            ("ALIYUN_LOGTAIL_USER_ID", "111"),
            ("ALIYUN_LOGTAIL_USER_DEFINED_ID", "from-env"),
        ]);
        let ids = GroupIds::read(&env, &layout);
        assert_eq!(ids.user_ids.iter().collect::<Vec<_>>(), ["111", "222"]);
        assert_eq!(ids.user_defined_ids.iter().collect::<Vec<_>>(), ["from-env", "from-file", "second"]);
        assert!(ids.problems().is_empty());
    }

    #[test]
    fn every_problem_with_the_ids_names_the_remedy() {
        let ids = GroupIds {
            user_ids: ["xxxxxxxxxx".to_owned()].into(),
            user_defined_ids: ["${your_machine_group_user_defined_id}".to_owned()].into(),
        };
        let all = [ids.problems(), GroupIds::default().problems()].concat().join("\n");
        expect![[r#"
            machine group id "${your_machine_group_user_defined_id}" is a placeholder: set ALIYUN_LOGTAIL_USER_DEFINED_ID to the id of your group
            account id "xxxxxxxxxx" is not a number: ALIYUN_LOGTAIL_USER_ID must be the id of the Alibaba Cloud account (RAM user ids and names do not take effect)
            no machine group id: set ALIYUN_LOGTAIL_USER_DEFINED_ID to the custom id of a machine group, or write it to /etc/ilogtail/user_defined_id; without one only groups by IP address can match
            no account id: set ALIYUN_LOGTAIL_USER_ID to the id of the Alibaba Cloud account that owns the project"#]]
        .assert_eq(&all);
    }

    #[test]
    fn the_host_table_gives_the_pods_address() {
        let table = "127.0.0.1 localhost pod-1\n# comment\n127.12.0.3\tpod-1 # by the kubelet\n";
        assert_eq!(address_in_host_table(table, "pod-1"), Some(IpAddr::from([127, 12, 0, 3])));
        assert_eq!(address_in_host_table(table, "pod-2"), None);
    }

    #[test]
    fn the_configured_address_wins_and_the_environment_comes_before_the_route() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(Some(dir.path().to_owned()));
        let env = Env::from_iter([("_pod_ip_", "10.2.3.4"), ("HOSTNAME", "pod-1")]);
        let detect = |ip| Host::detect(&env, &layout, ip, None, Some("127.0.0.1:9"));
        assert_eq!(detect(None), Host { ip: [10, 2, 3, 4].into(), hostname: "pod-1".into() });
        assert_eq!(detect(Some([10, 9, 9, 9].into())).ip, IpAddr::from([10, 9, 9, 9]));
        let bare = Host::detect(&Env::default(), &layout, None, Some("named"), Some("127.0.0.1:9"));
        assert_eq!(bare, Host { ip: [127, 0, 0, 1].into(), hostname: "named".into() });
    }

    #[test]
    fn an_interface_has_its_first_address() {
        let loopback = nix::ifaddrs::getifaddrs().unwrap().find(|one| {
            one.address.and_then(|address| ip_of(&address)) == Some(IpAddr::from([127, 0, 0, 1]))
        });
        let name = loopback.expect("a loopback interface").interface_name;
        assert_eq!(address_of_interface(&name), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(address_of_interface("no-such-one"), None);
    }

    #[test]
    fn an_instance_keeps_its_id_until_the_host_name_changes() {
        let dir = tempfile::tempdir().unwrap();
        let (first, error) = Instance::load_or_create(dir.path(), "pod-1");
        assert!(error.is_none());
        assert_eq!(Instance::load_or_create(dir.path(), "pod-1").0, first);
        assert_ne!(Instance::load_or_create(dir.path(), "pod-2").0.instance_id, first.instance_id);
    }

    #[test]
    fn uuids_are_version_4_and_differ() {
        let (a, b) = (random_uuid(), random_uuid());
        assert_ne!(a, b);
        assert_eq!((a.len(), a.as_bytes()[14]), (36, b'4'));
        assert!(b"89ab".contains(&a.as_bytes()[19]));
    }
}
