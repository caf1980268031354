//! What of an offer is used: the rules of WHIP and WHEP.

use super::{
    Direction, Offer, OfferedMedia, Payload, SdpError, SsrcGroup,
    answer::{Answer, AnsweredContent, AnsweredExtension, AnsweredMedia, AnsweredRtp, Local},
    media::{OfferedContent, OfferedExtension, OfferedRtp},
};
use crate::{
    Candidate, IceCredentials, MediaKind,
    codec::Codec,
    rtp::{Extension, ExtensionMap},
};

/// A publisher that can be served.
#[derive(Debug, Clone)]
pub struct PublisherSession {
    /// At most one of audio and one of video.
    pub tracks: Vec<IncomingTrack>,
    /// The header extensions that its packets carry.
    pub extensions: ExtensionMap,
    /// Its data channels, if it wants any.
    pub data: Option<DataSection>,
    answer: Answer,
}

/// A track that a publisher sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingTrack {
    /// The m-section.
    pub mid: String,
    /// Audio or video.
    pub kind: MediaKind,
    /// What it may send, in its order; never empty. The feedback flags are as negotiated.
    pub payloads: Vec<Payload>,
    /// Its layers by RTP stream id (RFC 8852) in the order of the offer; empty without. The order says nothing of their
    /// sizes.
    pub rids: Vec<String>,
    /// Its SSRCs, if it announced them; empty otherwise.
    pub ssrcs: Vec<SsrcGroup>,
}

/// A viewer that can be served, if the broadcast's codec is one of its own.
#[derive(Debug, Clone)]
pub struct ViewerSession {
    /// At most one of audio and one of video.
    pub tracks: Vec<OutgoingTrack>,
    /// The header extensions that it understands, with ids that the one-byte form can bear.
    pub extensions: ExtensionMap,
    /// Packets may bear the two-byte form where a value needs it (`a=extmap-allow-mixed`, RFC 8285 §6).
    pub extmap_allow_mixed: bool,
    /// Its data channels, if it wants any.
    pub data: Option<DataSection>,
    answer: Answer,
}

/// A track that a viewer receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingTrack {
    /// The m-section.
    pub mid: String,
    /// Audio or video.
    pub kind: MediaKind,
    /// What it understands, in its order; never empty. The feedback flags are as negotiated.
    pub payloads: Vec<Payload>,
    /// The payload type under which it takes repair packets.
    pub flexfec: Option<u8>,
}

impl OutgoingTrack {
    /// The viewer's payload under which media published as `published` is sent: of the same codec, and of the same
    /// packetization and profile if there is one. Of equals the one that the viewer prefers. `None` if the viewer
    /// doesn't have the codec.
    pub fn matching(&self, published: &Payload) -> Option<&Payload> {
        // max_by_key takes the last of equals, and the viewer's favourite comes first.
        self.payloads
            .iter()
            .rev()
            .filter_map(|payload| Some((payload.fit(published)?, payload)))
            .max_by_key(|(fit, _)| *fit)
            .map(|(_, payload)| payload)
    }
}

/// The m-section of the data channels (RFC 8841).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSection {
    /// The m-section.
    pub mid: String,
    /// The client's SCTP port.
    pub sctp_port: u16,
    /// The largest message that the client takes in bytes; 0 for any.
    pub max_message_size: u32,
}

/// Whom a session serves; decides what of an offer is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Publisher,
    Viewer,
}

impl Role {
    fn direction(self) -> Direction {
        match self {
            Self::Publisher => Direction::RecvOnly,
            Self::Viewer => Direction::SendOnly,
        }
    }

    /// Whether media flows our way in what the client offers as `offered`.
    fn flows(self, offered: Direction) -> bool {
        match self {
            Self::Publisher => offered.sends(),
            Self::Viewer => offered.receives(),
        }
    }

    fn check_direction(self, section: &OfferedMedia, offered: Direction) -> Result<(), SdpError> {
        let (endpoint, wanted) = match self {
            Self::Publisher => ("WHIP", "sendonly"),
            Self::Viewer => ("WHEP", "recvonly"),
        };
        if self.flows(offered) {
            return Ok(());
        }
        Err(SdpError::Unacceptable(format!(
            "m={} in line {} is {}: {endpoint} needs {wanted} or sendrecv",
            section.media,
            section.line,
            offered.name()
        )))
    }

    /// Whether the extension is of use. `transport_cc` tells whether transport-wide feedback is negotiated: send times
    /// for REMB are needed from publishers without it only.
    fn takes(self, extension: Extension, transport_cc: bool) -> bool {
        match extension {
            Extension::Mid
            | Extension::TransportSequence
            | Extension::AbsCaptureTime
            | Extension::VideoOrientation
            | Extension::AudioLevel
            | Extension::DependencyDescriptor => true,
            Extension::Rid | Extension::RepairedRid => self == Self::Publisher,
            Extension::AbsSendTime => self == Self::Viewer || !transport_cc,
            Extension::PlayoutDelay => self == Self::Viewer,
        }
    }

    /// The highest extension id that is taken. What we send has one-byte extension headers (RFC 8285 §4.2).
    fn highest_id(self) -> u8 {
        match self {
            Self::Publisher => 255,
            Self::Viewer => 14,
        }
    }
}

/// Takes a WHIP offer (RFC 9725 §4.2): all its layers and every codec that we forward.
/// [`SdpError::Unacceptable`] says what can't be served; no m-section is ever dropped silently.
pub fn accept_publisher(offer: &Offer) -> Result<PublisherSession, SdpError> {
    let accepted = Accepted::new(offer, Role::Publisher)?;
    let tracks = accepted.rtp.into_iter().map(|section| IncomingTrack {
        mid: section.mid,
        kind: section.kind,
        payloads: section.payloads,
        rids: section.rids,
        ssrcs: section.ssrcs,
    });
    Ok(PublisherSession {
        tracks: tracks.collect(),
        extensions: accepted.extensions,
        data: accepted.data,
        answer: accepted.answer,
    })
}

/// Takes a WHEP offer (draft-ietf-wish-whep §4.2): every codec that we forward, so that the broadcast may change its
/// codec without a new negotiation.
pub fn accept_viewer(offer: &Offer) -> Result<ViewerSession, SdpError> {
    let accepted = Accepted::new(offer, Role::Viewer)?;
    let tracks = accepted.rtp.into_iter().map(|section| OutgoingTrack {
        mid: section.mid,
        kind: section.kind,
        payloads: section.payloads,
        flexfec: section.flexfec,
    });
    Ok(ViewerSession {
        tracks: tracks.collect(),
        extensions: accepted.extensions,
        extmap_allow_mixed: offer.extmap_allow_mixed,
        data: accepted.data,
        answer: accepted.answer,
    })
}

impl PublisherSession {
    /// The SDP answer: `recvonly`, with all our candidates.
    pub fn answer(&self, local: &Local<'_>) -> String {
        self.answer.write(local)
    }

    /// Our side of an ICE restart (RFC 9725 §4.3.3), in the form that [`super::parse_sdpfrag`] reads.
    pub fn sdpfrag(&self, ice: &IceCredentials, candidates: &[Candidate]) -> String {
        super::write_sdpfrag(ice, candidates, &self.answer.bundle)
    }
}

impl ViewerSession {
    /// The SDP answer: `sendonly`, with all our candidates. SSRCs are named where `FlexFEC` is taken; elsewhere the mid
    /// extension replaces them.
    pub fn answer(&self, local: &Local<'_>) -> String {
        self.answer.write(local)
    }

    /// Our side of an ICE restart (RFC 9725 §4.3.3), in the form that [`super::parse_sdpfrag`] reads.
    pub fn sdpfrag(&self, ice: &IceCredentials, candidates: &[Candidate]) -> String {
        super::write_sdpfrag(ice, candidates, &self.answer.bundle)
    }
}

/// An audio or video section that is used.
struct AcceptedRtp {
    mid: String,
    kind: MediaKind,
    payloads: Vec<Payload>,
    flexfec: Option<u8>,
    rids: Vec<String>,
    ssrcs: Vec<SsrcGroup>,
}

/// What both roles have in common.
struct Accepted {
    rtp: Vec<AcceptedRtp>,
    extensions: ExtensionMap,
    data: Option<DataSection>,
    answer: Answer,
}

impl Accepted {
    fn new(offer: &Offer, role: Role) -> Result<Self, SdpError> {
        let mut accepted = Self {
            rtp: Vec::new(),
            extensions: ExtensionMap::default(),
            data: None,
            answer: Answer::new(offer, role.direction()),
        };
        let transport_cc = uses_transport_cc(offer);
        for section in &offer.media {
            let content = match &section.content {
                _ if section.rejected => AnsweredContent::Rejected,
                OfferedContent::Rtp(rtp) => accepted.add_rtp(section, rtp, role, transport_cc)?,
                OfferedContent::Data {
                    sctp_port,
                    max_message_size,
                } => accepted.add_data(section, *sctp_port, *max_message_size)?,
                OfferedContent::Unknown => return Err(unknown_section(section)),
            };
            accepted
                .answer
                .sections
                .push(AnsweredMedia::new(section, content));
        }
        if accepted.rtp.is_empty() {
            return Err(SdpError::Unacceptable(
                "the offer has neither audio nor video".to_owned(),
            ));
        }
        accepted.check_payload_types()?;
        Ok(accepted)
    }

    fn add_rtp(
        &mut self,
        section: &OfferedMedia,
        offered: &OfferedRtp,
        role: Role,
        transport_cc: bool,
    ) -> Result<AnsweredContent, SdpError> {
        role.check_direction(section, offered.direction)?;
        if self.rtp.iter().any(|other| other.kind == offered.kind) {
            return Err(SdpError::Unacceptable(format!(
                "a second m={} in line {}: a channel has one of each kind",
                section.media, section.line
            )));
        }
        if !offered.rtcp_mux {
            return Err(SdpError::Unacceptable(format!(
                "m={} in line {} lacks a=rtcp-mux",
                section.media, section.line
            )));
        }
        if offered.payloads.is_empty() {
            return Err(no_common_codec(section, offered.kind));
        }
        let extensions = self.take_extensions(&offered.extensions, role, transport_cc);
        let sequenced = extensions
            .iter()
            .any(|taken| taken.extension == Extension::TransportSequence);
        let payloads: Vec<Payload> = offered
            .payloads
            .iter()
            .map(|payload| Payload {
                transport_cc: payload.transport_cc && sequenced,
                remb: payload.remb && !transport_cc,
                red: payload.red.filter(|_| role == Role::Viewer),
                ..payload.clone()
            })
            .collect();
        // Whether repair packets are worth sending is told by transport-wide feedback alone.
        let repairs = role == Role::Viewer && payloads.iter().any(|payload| payload.transport_cc);
        let flexfec = offered.flexfec.clone().filter(|_| repairs);
        self.rtp.push(AcceptedRtp {
            mid: section.mid.clone(),
            kind: offered.kind,
            payloads: payloads.clone(),
            flexfec: flexfec.as_ref().map(|flexfec| flexfec.payload_type),
            rids: offered.rids.clone(),
            ssrcs: offered.ssrcs.clone(),
        });
        Ok(AnsweredContent::Rtp(AnsweredRtp {
            payloads,
            flexfec,
            extensions,
            rids: if role == Role::Publisher {
                offered.rids.clone()
            } else {
                Vec::new()
            },
            simulcast: offered.simulcast,
            rtcp_rsize: offered.rtcp_rsize,
            extmap_allow_mixed: offered.extmap_allow_mixed,
        }))
    }

    /// With BUNDLE an id must mean the same everywhere (RFC 9143 §9.2): where sections disagree the first one counts.
    fn take_extensions(
        &mut self,
        offered: &[OfferedExtension],
        role: Role,
        transport_cc: bool,
    ) -> Vec<AnsweredExtension> {
        let mut taken = Vec::new();
        for OfferedExtension {
            extension,
            id,
            direction,
        } in offered.iter().copied()
        {
            let known = (self.extensions.id(extension), self.extensions.extension(id));
            let consistent = known == (None, None) || known == (Some(id), Some(extension));
            let wanted = role.takes(extension, transport_cc)
                && (extension != Extension::TransportSequence || transport_cc)
                && id <= role.highest_id()
                && direction.is_none_or(|direction| role.flows(direction));
            if wanted && consistent {
                self.extensions.insert(extension, id);
                taken.push(AnsweredExtension {
                    extension,
                    id,
                    direction: direction.map(Direction::reversed),
                });
            }
        }
        taken
    }

    fn add_data(
        &mut self,
        section: &OfferedMedia,
        sctp_port: u16,
        max_message_size: u32,
    ) -> Result<AnsweredContent, SdpError> {
        if self.data.is_some() {
            return Err(SdpError::Unacceptable(format!(
                "a second m=application in line {}: one carries all data channels",
                section.line
            )));
        }
        self.data = Some(DataSection {
            mid: section.mid.clone(),
            sctp_port,
            max_message_size,
        });
        Ok(AnsweredContent::Data)
    }

    /// Packets without a mid are told apart by payload type, so audio and video may not share any (RFC 9143 §10.1.2).
    fn check_payload_types(&self) -> Result<(), SdpError> {
        let mut used = [None; 128];
        for section in &self.rtp {
            let own = section
                .payloads
                .iter()
                .flat_map(|payload| [Some(payload.payload_type), payload.rtx, payload.red]);
            for payload_type in own.flatten().chain(section.flexfec) {
                let owner = &mut used[usize::from(payload_type & 127)];
                if owner.is_some_and(|kind| kind != section.kind) {
                    return Err(SdpError::Unacceptable(format!(
                        "audio and video share payload type {payload_type}, which BUNDLE doesn't allow"
                    )));
                }
                *owner = Some(section.kind);
            }
        }
        Ok(())
    }
}

/// Transport-wide feedback needs both the feedback and the extension, in one section at least.
fn uses_transport_cc(offer: &Offer) -> bool {
    offer
        .media
        .iter()
        .filter(|section| !section.rejected)
        .any(|section| match &section.content {
            OfferedContent::Rtp(rtp) => {
                rtp.payloads.iter().any(|payload| payload.transport_cc)
                    && rtp
                        .extensions
                        .iter()
                        .any(|offered| offered.extension == Extension::TransportSequence)
            }
            _ => false,
        })
}

fn unknown_section(section: &OfferedMedia) -> SdpError {
    SdpError::Unacceptable(format!(
        "m={} {} in line {} can't be served: only audio and video over SRTP (UDP/TLS/RTP/SAVPF) and webrtc-datachannel can",
        section.media, section.protocol, section.line
    ))
}

fn no_common_codec(section: &OfferedMedia, kind: MediaKind) -> SdpError {
    let ours: Vec<&str> = Codec::ALL
        .into_iter()
        .filter(|codec| codec.kind() == kind)
        .map(Codec::name)
        .collect();
    SdpError::Unacceptable(format!(
        "m={} in line {} offers no codec that can be forwarded: {}",
        section.media,
        section.line,
        ours.join(", ")
    ))
}
