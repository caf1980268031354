use super::{
    Fingerprint, SdpError,
    lines::{Line, Sections},
    media::{self, OfferedMedia},
    transport::TransportAttributes,
};
use crate::IceCredentials;

/// An SDP offer: what a client would send or receive over one BUNDLE transport.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The client's ICE credentials.
    pub ice: IceCredentials,
    /// Whether the client is ICE-lite: it sends checks all the same, or nothing can come of it.
    pub ice_lite: bool,
    /// What the client's certificate must match; the strongest of those offered.
    pub fingerprint: Fingerprint,
    /// The DTLS roles that the client offers.
    pub setup: Setup,
    /// The m-sections in order, at least one of them not rejected by the client itself.
    pub media: Vec<OfferedMedia>,
    /// The mids of `a=group:BUNDLE` in its order; empty if there is but one m-section and no group.
    pub(super) bundle: Vec<String>,
    /// `a=extmap-allow-mixed` for the whole session (RFC 8285 §6).
    pub(super) extmap_allow_mixed: bool,
}

/// Who begins the DTLS handshake (RFC 4145 §4, RFC 8842 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// Either side.
    ActPass,
    /// The side that says so.
    Active,
    /// The other side.
    Passive,
}

impl Setup {
    /// What we answer: passive wherever the client lets us, so that its first flight finds us ready.
    #[must_use]
    pub fn answer(self) -> Self {
        match self {
            Self::ActPass | Self::Active => Self::Passive,
            Self::Passive => Self::Active,
        }
    }

    /// The value of `a=setup`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ActPass => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

/// Which way media flows in an m-section, seen from its author (RFC 8866 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// From the author.
    SendOnly,
    /// To the author.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    const ALL: [Self; 4] = [
        Self::SendRecv,
        Self::SendOnly,
        Self::RecvOnly,
        Self::Inactive,
    ];

    /// The attribute's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    pub(super) fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub(super) fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow seen from the other side.
    pub(super) fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            same => same,
        }
    }
}

/// Reads an offer. [`SdpError::Malformed`] names the line; [`SdpError::Unacceptable`] is for an offer without what
/// every WebRTC session needs: ICE, a fingerprint, BUNDLE and `rtcp-mux`.
pub fn parse_offer(sdp: &str) -> Result<Offer, SdpError> {
    let sections = Sections::parse(sdp)?;
    let session = SessionAttributes::parse(&sections.session)?;
    let mut media = Vec::with_capacity(sections.media.len());
    let mut transports = Vec::with_capacity(sections.media.len());
    for lines in &sections.media {
        media.push(media::parse(lines, session.direction)?);
        transports.push(TransportAttributes::parse(lines)?);
    }
    check_mids(&media)?;
    let tagged = check_bundle(&session.bundle, &media)?;
    let transport = transports
        .into_iter()
        .nth(tagged)
        .unwrap_or_default()
        .or(session.transport);
    Ok(Offer {
        ice: transport.ice()?,
        ice_lite: session.ice_lite,
        fingerprint: transport.fingerprint()?,
        setup: transport.setup(),
        media,
        bundle: session.bundle,
        extmap_allow_mixed: session.extmap_allow_mixed,
    })
}

/// What the lines before the first m-section say.
struct SessionAttributes {
    transport: TransportAttributes,
    ice_lite: bool,
    extmap_allow_mixed: bool,
    direction: Direction,
    bundle: Vec<String>,
}

impl SessionAttributes {
    fn parse(lines: &[Line<'_>]) -> Result<Self, SdpError> {
        let mut session = Self {
            transport: TransportAttributes::parse(lines)?,
            ice_lite: false,
            extmap_allow_mixed: false,
            direction: Direction::SendRecv,
            bundle: Vec::new(),
        };
        for (name, value) in lines.iter().filter_map(Line::attribute) {
            match name {
                "ice-lite" => session.ice_lite = true,
                "extmap-allow-mixed" => session.extmap_allow_mixed = true,
                "group" if session.bundle.is_empty() => {
                    let mut words = value.split_ascii_whitespace();
                    if words.next() == Some("BUNDLE") {
                        session.bundle = words.map(str::to_owned).collect();
                    }
                }
                _ => {
                    if let Some(direction) = Direction::from_name(name) {
                        session.direction = direction;
                    }
                }
            }
        }
        Ok(session)
    }
}

fn check_mids(media: &[OfferedMedia]) -> Result<(), SdpError> {
    for (position, section) in media.iter().enumerate() {
        let earlier = media.iter().take(position);
        if earlier.clone().any(|other| other.mid == section.mid) {
            return Err(SdpError::Malformed {
                line: section.line,
                reason: format!("two m-sections have the mid '{}'", section.mid),
            });
        }
    }
    Ok(())
}

/// Everything must be in one BUNDLE group (RFC 9725 §4.4.1). Returns the position of the offerer-tagged section, whose
/// transport attributes count (RFC 9143 §7.2).
fn check_bundle(bundle: &[String], media: &[OfferedMedia]) -> Result<usize, SdpError> {
    let unacceptable = |reason: String| Err(SdpError::Unacceptable(reason));
    let mut used = media
        .iter()
        .enumerate()
        .filter(|(_, section)| !section.rejected);
    let Some((first, _)) = used.clone().next() else {
        return unacceptable("the offer has no m-section in use".to_owned());
    };
    if bundle.is_empty() {
        return match used.count() {
            1 => Ok(first),
            _ => unacceptable(
                "the m-sections must share one transport: add a=group:BUNDLE with all mids"
                    .to_owned(),
            ),
        };
    }
    if let Some((_, outside)) = used.find(|(_, section)| !bundle.contains(&section.mid)) {
        return unacceptable(format!(
            "mid '{}' isn't in a=group:BUNDLE: all m-sections must share one transport",
            outside.mid
        ));
    }
    let tagged = bundle.iter().find_map(|mid| {
        media
            .iter()
            .position(|section| section.mid == *mid && !section.rejected)
    });
    match tagged {
        Some(tagged)
            if bundle
                .iter()
                .all(|mid| media.iter().any(|section| section.mid == *mid)) =>
        {
            Ok(tagged)
        }
        _ => unacceptable("a=group:BUNDLE names a mid that no m-section has".to_owned()),
    }
}
