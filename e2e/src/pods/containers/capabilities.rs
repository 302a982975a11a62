//! Takes from a container's processes what container runtimes take by default (Linux).
//!
//! Called by the shims last, before the container's program runs. Without it, a bed run by root
//! would give the programs of its containers power over the machine that they have in no cluster.

use std::io;

use rustix::thread::{CapabilitySet, capability_is_in_bounding_set, remove_capability_from_bounding_set};

/// What containers keep. Source: default of the OCI runtimes' callers (Docker, containerd).
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::AUDIT_WRITE)
    .union(CapabilitySet::SETFCAP);

/// Limits what any program started from here on can do, also as root. This process keeps what it
/// has until it becomes another program.
pub fn limit() -> io::Result<()> {
    for capability in CapabilitySet::all().difference(KEPT).iter() {
        // The kernel may know fewer than we do.
        if capability_is_in_bounding_set(capability).unwrap_or(false) {
            remove_capability_from_bounding_set(capability)
                .map_err(|error| io::Error::other(format!("cannot give up {capability:?}: {error}")))?;
        }
    }
    Ok(())
}
