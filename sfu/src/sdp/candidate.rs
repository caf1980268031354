//! ICE candidates as SDP carries them (RFC 8839 §5.1, RFC 6544 §4.5).

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use super::{SdpError, lines::Line};
use crate::{Candidate, CandidateTransport};

/// The only component that `rtcp-mux` leaves.
const COMPONENT: u32 = 1;

/// Appends an `a=candidate` line for each, in falling priority, and `a=end-of-candidates`.
pub(super) fn write_all(text: &mut String, candidates: &[Candidate]) {
    for (position, candidate) in candidates.iter().enumerate() {
        let (transport, ending) = match candidate.transport {
            CandidateTransport::Udp => ("udp", ""),
            CandidateTransport::TcpPassive => ("tcp", " tcptype passive"),
        };
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "a=candidate:{} {COMPONENT} {transport} {} {} {} typ ",
            position + 1,
            priority(candidate, position),
            candidate.address.ip(),
            candidate.address.port(),
        );
        let _ = match candidate.base {
            Some(base) => write!(
                text,
                "srflx raddr {} rport {}{ending}\r\n",
                base.ip(),
                base.port()
            ),
            None => write!(text, "host{ending}\r\n"),
        };
    }
    text.push_str("a=end-of-candidates\r\n");
}

/// RFC 8445 §5.1.2.1. UDP comes before TCP by type preference (RFC 6544 §4.2).
fn priority(candidate: &Candidate, position: usize) -> u32 {
    let type_preference: u32 = match (candidate.transport, candidate.base) {
        (CandidateTransport::Udp, None) => 126,
        (CandidateTransport::Udp, Some(_)) => 100,
        (CandidateTransport::TcpPassive, None) => 90,
        (CandidateTransport::TcpPassive, Some(_)) => 80,
    };
    let local_preference = 65_535_u32.saturating_sub(u32::try_from(position).unwrap_or(u32::MAX));
    (type_preference << 24) | (local_preference << 8) | (256 - COMPONENT)
}

/// What `c=` and `m=` say: the first UDP candidate, since that is where a client without ICE would send to
/// (RFC 8839 §4.2.1.2).
pub(super) fn default_address(candidates: &[Candidate]) -> (&'static str, SocketAddr) {
    let udp = candidates
        .iter()
        .find(|candidate| candidate.transport == CandidateTransport::Udp);
    // Port 9 stands for "none yet" (RFC 8840 §4.1.1); 0 would reject the section.
    let address = udp.map_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9)), |candidate| {
        candidate.address
    });
    match address.ip() {
        IpAddr::V4(_) => ("IP4", address),
        IpAddr::V6(_) => ("IP6", address),
    }
}

/// Reads the value of an `a=candidate` line. `None` for what we could never use: other transports, other components,
/// mDNS names (RFC 9725 §4.3.1 has unknown ones ignored).
pub(super) fn parse(line: &Line<'_>, value: &str) -> Result<Option<Candidate>, SdpError> {
    let mut words = value.split_ascii_whitespace();
    let _foundation = words.next();
    let component: u32 = line.number("the component", words.next())?;
    let transport = words.next().unwrap_or_default();
    let _priority: u32 = line.number("the priority", words.next())?;
    let ip = words.next().unwrap_or_default();
    let port: u16 = line.number("the port", words.next())?;
    if words.next() != Some("typ") || words.next().is_none() {
        return Err(line.malformed("a candidate ends with typ and its type"));
    }
    let extension = |name: &str| {
        let mut rest = words.clone();
        while let (Some(found), Some(value)) = (rest.next(), rest.next()) {
            if found == name {
                return Some(value);
            }
        }
        None
    };
    let transport = match (
        transport.to_ascii_lowercase().as_str(),
        extension("tcptype"),
    ) {
        ("udp", _) => CandidateTransport::Udp,
        ("tcp", Some("passive")) => CandidateTransport::TcpPassive,
        _ => return Ok(None),
    };
    let base_ip = extension("raddr").and_then(|ip| ip.parse::<IpAddr>().ok());
    let base_port = extension("rport").and_then(|port| port.parse::<u16>().ok());
    let Ok(ip) = ip.parse::<IpAddr>() else {
        return Ok(None);
    };
    Ok((component == COMPONENT).then_some(Candidate {
        transport,
        address: SocketAddr::new(ip, port),
        base: base_ip.zip(base_port).map(SocketAddr::from),
    }))
}
