//! What a kind configuration asks of this machine: host ports, which must be free.

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// Of a kind configuration (`kind.x-k8s.io/v1alpha4`) what names ports. Source: kind's documentation.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    kind: String,
    nodes: Vec<Node>,
    networking: Networking,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Node {
    extra_port_mappings: Vec<Mapping>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Mapping {
    /// 0 or less: a free one.
    host_port: i32,
    listen_address: Option<IpAddr>,
    protocol: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Networking {
    api_server_port: i32,
    api_server_address: Option<IpAddr>,
}

/// A port of this machine that the cluster will listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HostPort {
    address: IpAddr,
    port: u16,
    udp: bool,
}

/// Reads the configuration, and sees whether its ports are free.
///
/// # Errors
/// It cannot be read or understood, or a port is in use.
pub fn check(path: &Path) -> Result<()> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read --kind-config {shown}"))?;
    let ports = host_ports(&text).with_context(|| format!("--kind-config {shown} is not one of kind's"))?;
    // A remote engine's ports are not this machine's.
    if std::env::var("DOCKER_HOST").is_ok_and(|host| !host.is_empty() && !host.starts_with("unix:")) {
        return Ok(());
    }
    if let Some(HostPort { address, port, udp }) = ports.into_iter().find(|port| in_use(*port)) {
        bail!(
            "port {port} of {address}, which {shown} asks for, is in use ({}); free it or name another there, \
             see who has it with: ss -lnp{} 'sport = :{port}'",
            if udp { "UDP" } else { "TCP" },
            if udp { "u" } else { "t" },
        );
    }
    Ok(())
}

fn host_ports(text: &str) -> Result<Vec<HostPort>> {
    let config: Config = serde_saphyr::from_str(text)?;
    if config.kind != "Cluster" {
        bail!("it says `kind: {}` where kind wants `kind: Cluster`", config.kind);
    }
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mappings = config.nodes.into_iter().flat_map(|node| node.extra_port_mappings).map(|mapping| {
        let udp = mapping.protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("udp"));
        (mapping.listen_address.unwrap_or(any), mapping.host_port, udp)
    });
    let networking = config.networking;
    let api = (networking.api_server_address.unwrap_or(local), networking.api_server_port, false);
    let wanted = mappings.chain([api]).filter(|(_, port, _)| *port > 0);
    wanted
        .map(|(address, port, udp)| {
            let port = u16::try_from(port).with_context(|| format!("{port} is no port"))?;
            Ok(HostPort { address, port, udp })
        })
        .collect()
}

/// Only a port that another has counts: one that we may not take may be Docker's to take.
fn in_use(wanted: HostPort) -> bool {
    let address = (wanted.address, wanted.port);
    let taken =
        if wanted.udp { UdpSocket::bind(address).map(drop) } else { TcpListener::bind(address).map(drop) };
    taken.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking: {apiServerPort: 6443}
nodes:
- role: control-plane
  extraPortMappings:
  - {containerPort: 30080, hostPort: 8080, listenAddress: 127.0.0.1}
  - {containerPort: 53, hostPort: 5353, protocol: UDP}
  - {containerPort: 80}
- role: worker
";

    #[test]
    fn the_ports_of_nodes_and_api_server_are_found() {
        let port = |address: &str, port, udp| HostPort { address: address.parse().expect("ip"), port, udp };
        let expected =
            [port("127.0.0.1", 8080, false), port("0.0.0.0", 5353, true), port("127.0.0.1", 6443, false)];
        assert_eq!(host_ports(CONFIG).expect("ports"), expected);
        assert_eq!(host_ports("kind: Cluster\n").expect("ports"), []);
    }

    #[test]
    fn what_is_no_configuration_of_kinds_is_refused() {
        assert!(host_ports("kind: Pod\n").is_err_and(|error| error.to_string().contains("kind: Pod")));
        assert!(host_ports("- a\n- b\n").is_err());
        assert!(host_ports("kind: Cluster\nnetworking: {apiServerPort: 70000}\n").is_err());
    }

    #[test]
    fn a_port_is_in_use_as_long_as_another_listens() {
        let other = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = other.local_addr().expect("its address");
        assert!(in_use(HostPort { address: address.ip(), port: address.port(), udp: false }));
        let other = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = other.local_addr().expect("its address");
        assert!(in_use(HostPort { address: address.ip(), port: address.port(), udp: true }));
    }
}
