//! An interface that takes packets and drops them, in a network namespace of the thread's own.

use std::io;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};

/// Puts this thread where everything from `address` on leads to an interface that drops. Takes root.
pub(super) fn enter_namespace_that_drops(address: Ipv4Addr) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    let address = format!("{address}/15");
    // A child is born into the namespace of the thread that makes it.
    for arguments in [
        &["link", "add", "drop", "type", "dummy"][..],
        &["address", "add", &address, "dev", "drop"],
        &["link", "set", "drop", "up"],
    ] {
        let status = Command::new("ip")
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(io::Error::other(format!(
                "ip {}: {status}",
                arguments.join(" ")
            )));
        }
    }
    Ok(())
}
