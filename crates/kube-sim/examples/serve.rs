//! Runs the simulator by itself, for trying things with kubectl:
//!
//! `cargo run -p kube-sim --example serve -- kubeconfig.yaml [port]`

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use kube_sim::{Config, KubeSim};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let mut args = std::env::args().skip(1);
    let path = PathBuf::from(args.next().ok_or("usage: serve KUBECONFIG [PORT]")?);
    let port = args.next().map_or(Ok(0), |p| p.parse())?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server = KubeSim::start(Config { listen, ..Config::default() }).await?;
    server.write_kubeconfig(&path)?;
    println!("serving at {}; kubeconfig written to {}", server.url(), path.display());
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
