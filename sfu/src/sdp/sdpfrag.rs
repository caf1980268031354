//! The bodies of WHIP's and WHEP's `PATCH`: `application/trickle-ice-sdpfrag` (RFC 8840 §9, RFC 9725 §4.3).

use std::fmt::Write as _;

use super::{
    SdpError, candidate,
    lines::{Line, Sections},
    transport::TransportAttributes,
};
use crate::{Candidate, IceCredentials};

/// The most candidates that are read from one fragment.
pub const MAX_CANDIDATES: usize = 64;

/// What a fragment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdpFrag {
    /// The ICE credentials that it is about; new ones ask for an ICE restart (RFC 9725 §4.3.3).
    pub ice: Option<IceCredentials>,
    /// UDP and passive TCP candidates with an IP address; others are left out, as they may be.
    pub candidates: Vec<Candidate>,
    /// No more will come.
    pub end_of_candidates: bool,
}

/// Reads a fragment. With BUNDLE its m-sections are about the same transport, so where one is first doesn't matter.
pub fn parse_sdpfrag(text: &str) -> Result<SdpFrag, SdpError> {
    let lines = Line::all(text)?;
    let Some(first) = lines.first().copied() else {
        return Err(SdpError::Malformed {
            line: 1,
            reason: "the fragment is empty".to_owned(),
        });
    };
    let sections = Sections::split(lines)?;
    let mut frag = SdpFrag {
        ice: None,
        candidates: Vec::new(),
        end_of_candidates: false,
    };
    // Credentials for the whole session come first, then those of the first m-section that has its own.
    for lines in std::iter::once(&sections.session).chain(&sections.media) {
        let transport = TransportAttributes::parse(lines)?;
        if frag.ice.is_none() && transport.has_ice() {
            let head = lines.first().unwrap_or(&first);
            frag.ice = Some(
                transport
                    .ice()
                    .map_err(|_| head.malformed("a=ice-ufrag and a=ice-pwd come together"))?,
            );
        }
        for line in lines {
            match line.attribute() {
                Some(("candidate", value)) => add_candidate(&mut frag.candidates, line, value)?,
                Some(("end-of-candidates", _)) => frag.end_of_candidates = true,
                _ => {}
            }
        }
    }
    Ok(frag)
}

fn add_candidate(
    candidates: &mut Vec<Candidate>,
    line: &Line<'_>,
    value: &str,
) -> Result<(), SdpError> {
    if let Some(candidate) = candidate::parse(line, value)? {
        if candidates.len() == MAX_CANDIDATES {
            return Err(line.malformed(format!("more than {MAX_CANDIDATES} candidates")));
        }
        candidates.push(candidate);
    }
    Ok(())
}

/// Our new credentials and all our candidates, for the bundled m-sections `mids`.
pub fn write_sdpfrag(ice: &IceCredentials, candidates: &[Candidate], mids: &[String]) -> String {
    let mut text = String::with_capacity(1024);
    text.push_str("a=ice-lite\r\n");
    if mids.len() > 1 {
        // Writing to a String can't fail.
        let _ = write!(text, "a=group:BUNDLE {}\r\n", mids.join(" "));
    }
    if let Some(mid) = mids.first() {
        // A pseudo m-line: it only opens the section (RFC 8840 §9.1).
        let _ = write!(text, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\n");
    }
    let _ = write!(
        text,
        "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n",
        ice.ufrag, ice.pwd
    );
    candidate::write_all(&mut text, candidates);
    text
}
