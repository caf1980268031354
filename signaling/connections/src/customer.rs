//! Who is counted as one.

use std::net::IpAddr;

/// An IPv4 address, or the /64 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Customer {
    /// The address.
    V4(u32),
    /// Its first 64 bits.
    V6(u64),
}

impl Customer {
    /// Whose address it is; an IPv4 address may be written as one of IPv6.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}
