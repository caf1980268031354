//! An interface that takes packets and drops them, in a network namespace of the thread's own.

use std::io;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};

/// Puts this thread where everything from `address` on leads to an interface that drops. Takes root.
pub(super) fn enter_namespace_that_drops(address: Ipv4Addr) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    // Not every kernel has dummy interfaces. A TUN device that nobody reads from drops as well.
    ip("link add drop type dummy").or_else(|_| ip("tuntap add dev drop mode tun"))?;
    ip(&format!("address add {address}/15 dev drop"))?;
    ip("link set drop up")
}

/// A child is born into the namespace of the thread that makes it.
fn ip(arguments: &str) -> io::Result<()> {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("ip {arguments}: {status}")))
    }
}
