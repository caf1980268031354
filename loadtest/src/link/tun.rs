//! A TUN device in another network namespace.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::thread;

use nix::sched::{CloneFlags, setns};
use thiserror::Error;
use tun_rs::{AsyncDevice, DeviceBuilder, SyncDevice};

/// Bits of the network that the two ends share.
const PREFIX: u8 = 30;
const MTU: u16 = 1500;
/// The device's name in its namespace.
pub const NAME: &str = "link0";

/// Why an end of the link couldn't be made.
#[derive(Debug, Error)]
pub enum TunError {
    /// The namespace doesn't exist or can't be opened.
    #[error(
        "network namespace {path} can't be opened ({source}): make it with `ip netns add`, and run as root"
    )]
    Namespace {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The namespace can't be entered.
    #[error("the network namespace can't be entered ({0}): run as root")]
    Enter(nix::Error),
    /// The device can't be made.
    #[error("the TUN device can't be made ({0}): /dev/net/tun and CAP_NET_ADMIN are needed")]
    Device(io::Error),
}

/// Stands for the namespace that the program runs in.
pub const OWN_NAMESPACE: &str = ".";

/// Makes the device [`NAME`] with `address` in network namespace `netns`, or in [`OWN_NAMESPACE`].
///
/// It goes away when it is dropped.
pub fn create(netns: &str, address: Ipv4Addr) -> Result<AsyncDevice, TunError> {
    let device = if netns == OWN_NAMESPACE {
        build(address)?
    } else {
        create_within(netns, address)?
    };
    AsyncDevice::new(device).map_err(TunError::Device)
}

fn create_within(netns: &str, address: Ipv4Addr) -> Result<SyncDevice, TunError> {
    let path = Path::new("/var/run/netns").join(netns);
    let namespace = File::open(&path).map_err(|source| TunError::Namespace { path, source })?;
    // Only a thread of its own may change namespaces without moving the rest of the program.
    let device = thread::spawn(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).map_err(TunError::Enter)?;
        build(address)
    });
    device
        .join()
        .map_err(|_| TunError::Device(io::Error::other("the thread panicked")))?
}

fn build(address: Ipv4Addr) -> Result<SyncDevice, TunError> {
    DeviceBuilder::new()
        .name(NAME)
        .ipv4(address, PREFIX, None)
        .mtu(MTU)
        .build_sync()
        .map_err(TunError::Device)
}
