//! One m-section of an offer.

use super::{
    Direction, FlexFec, Payload, SdpError,
    lines::Line,
    payload::Formats,
    streams::{SsrcGroup, Streams},
};
use crate::{MediaKind, rtp::Extension};

/// The longest mid or rid: what a one-byte header extension can carry (RFC 8285 §4.2).
const MAX_ID_LEN: usize = 16;

/// One m-section of an offer.
#[derive(Debug, Clone)]
pub struct OfferedMedia {
    /// The number of its `m=` line.
    pub line: usize,
    /// Its name (RFC 5888).
    pub mid: String,
    /// Whether the client itself has given it up: port 0, and not because it is `bundle-only` (RFC 9143 §6).
    pub rejected: bool,
    /// What it is about.
    pub content: OfferedContent,
    /// `<media>`, `<proto>` and `<fmt> …` of the `m=` line, for the answer.
    pub(super) media: String,
    pub(super) protocol: String,
    pub(super) formats: String,
}

/// What an m-section is about.
#[derive(Debug, Clone)]
pub enum OfferedContent {
    /// Audio or video.
    Rtp(OfferedRtp),
    /// `webrtc-datachannel` (RFC 8841).
    Data {
        /// The client's SCTP port.
        sctp_port: u16,
        /// The largest message that it takes in bytes; 0 for any.
        max_message_size: u32,
    },
    /// Something else, which can only be answered if it is rejected anyway.
    Unknown,
}

/// An audio or video section.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one line of the SDP")]
pub struct OfferedRtp {
    /// Audio or video.
    pub kind: MediaKind,
    /// Seen from the client.
    pub direction: Direction,
    /// The codecs that we know, in the client's order.
    pub payloads: Vec<Payload>,
    /// Its payload type for repair packets.
    pub flexfec: Option<FlexFec>,
    /// The layers that the client would send, in its order; one or none without simulcast.
    pub rids: Vec<String>,
    /// The SSRCs that it announces, if it does.
    pub ssrcs: Vec<SsrcGroup>,
    pub(super) simulcast: bool,
    pub(super) extensions: Vec<OfferedExtension>,
    pub(super) rtcp_mux: bool,
    pub(super) rtcp_rsize: bool,
    pub(super) extmap_allow_mixed: bool,
}

/// One `a=extmap` that we know (RFC 8285 §5).
#[derive(Debug, Clone, Copy)]
pub(super) struct OfferedExtension {
    pub(super) extension: Extension,
    pub(super) id: u8,
    pub(super) direction: Option<Direction>,
}

/// Reads the section whose `m=` line comes first in `lines`.
pub(super) fn parse(
    lines: &[Line<'_>],
    session_direction: Direction,
) -> Result<OfferedMedia, SdpError> {
    let Some((head, attributes)) = lines.split_first() else {
        return Err(SdpError::Unacceptable(
            "the offer has no m-section".to_owned(),
        ));
    };
    let mut words = head.value.split_ascii_whitespace();
    let media = words.next().unwrap_or_default();
    let port = words
        .next()
        .map(|port| port.split_once('/').map_or(port, |(port, _)| port));
    let port: u16 = head.number("the port", port)?;
    let protocol = words.next().unwrap_or_default();
    let formats: Vec<&str> = words.collect();
    if formats.is_empty() {
        return Err(head.malformed("an m-section is m=<media> <port> <proto> <fmt> …"));
    }
    let has = |name: &str| {
        attributes
            .iter()
            .filter_map(Line::attribute)
            .any(|(found, _)| found == name)
    };
    let rejected = port == 0 && !has("bundle-only");
    let kind = match media {
        "audio" => Some(MediaKind::Audio),
        "video" => Some(MediaKind::Video),
        _ => None,
    };
    let content = match kind {
        Some(kind) if protocol.ends_with("RTP/SAVPF") || protocol.ends_with("RTP/SAVP") => {
            OfferedContent::Rtp(parse_rtp(
                kind,
                head,
                &formats,
                attributes,
                session_direction,
            )?)
        }
        None if media == "application" && formats == ["webrtc-datachannel"] => {
            parse_data(attributes)?
        }
        _ => OfferedContent::Unknown,
    };
    Ok(OfferedMedia {
        line: head.number,
        mid: parse_mid(head, attributes)?,
        rejected,
        content,
        media: media.to_owned(),
        protocol: protocol.to_owned(),
        formats: formats.join(" "),
    })
}

fn parse_mid(head: &Line<'_>, attributes: &[Line<'_>]) -> Result<String, SdpError> {
    let mid = attributes.iter().find_map(|line| match line.attribute() {
        Some(("mid", value)) => Some((line, value)),
        _ => None,
    });
    let Some((line, mid)) = mid else {
        return Err(SdpError::Unacceptable(format!(
            "the m-section in line {} has no a=mid, which BUNDLE needs",
            head.number
        )));
    };
    checked_id(line, mid)
}

/// A mid or rid: characters of RFC 8851 §10 and of the tokens of RFC 8866, of a length that fits in a packet.
pub(super) fn checked_id(line: &Line<'_>, id: &str) -> Result<String, SdpError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte);
    if (1..=MAX_ID_LEN).contains(&id.len()) && id.bytes().all(allowed) {
        Ok(id.to_owned())
    } else {
        Err(line.malformed(format!(
            "a mid or rid is 1 to {MAX_ID_LEN} letters, digits or marks"
        )))
    }
}

fn parse_data(attributes: &[Line<'_>]) -> Result<OfferedContent, SdpError> {
    // RFC 8841 §5.1, §6.1: the port has no default, but everybody means 5000; 64 KiB is the default size.
    let (mut sctp_port, mut max_message_size) = (5000, 65_536);
    for line in attributes {
        match line.attribute() {
            Some(("sctp-port", value)) => sctp_port = line.number("the SCTP port", Some(value))?,
            Some(("max-message-size", value)) => {
                let size: u64 = line.number("the largest message", Some(value))?;
                max_message_size = size.try_into().unwrap_or(u32::MAX);
            }
            _ => {}
        }
    }
    Ok(OfferedContent::Data {
        sctp_port,
        max_message_size,
    })
}

fn parse_rtp(
    kind: MediaKind,
    head: &Line<'_>,
    formats: &[&str],
    attributes: &[Line<'_>],
    session_direction: Direction,
) -> Result<OfferedRtp, SdpError> {
    let mut codecs = Formats::new(head, formats)?;
    let mut streams = Streams::default();
    let mut rtp = OfferedRtp {
        kind,
        direction: session_direction,
        payloads: Vec::new(),
        flexfec: None,
        rids: Vec::new(),
        ssrcs: Vec::new(),
        simulcast: false,
        extensions: Vec::new(),
        rtcp_mux: false,
        rtcp_rsize: false,
        extmap_allow_mixed: false,
    };
    for line in attributes {
        let Some((name, value)) = line.attribute() else {
            continue;
        };
        match name {
            "rtpmap" => codecs.add_rtpmap(line, value)?,
            "fmtp" => codecs.add_fmtp(line, value)?,
            "rtcp-fb" => codecs.add_feedback(line, value)?,
            "rid" => streams.add_rid(line, value)?,
            "simulcast" => streams.add_simulcast(line, value)?,
            "ssrc" => streams.add_ssrc(line, value)?,
            "ssrc-group" => streams.add_ssrc_group(line, value)?,
            "extmap" => rtp.extensions.extend(parse_extmap(line, value)?),
            "rtcp-mux" => rtp.rtcp_mux = true,
            "rtcp-rsize" => rtp.rtcp_rsize = true,
            "extmap-allow-mixed" => rtp.extmap_allow_mixed = true,
            _ => rtp.direction = Direction::from_name(name).unwrap_or(rtp.direction),
        }
    }
    rtp.payloads = codecs.payloads(kind);
    rtp.flexfec = codecs.flexfec(kind);
    rtp.simulcast = streams.is_simulcast();
    (rtp.rids, rtp.ssrcs) = streams.finish();
    Ok(rtp)
}

/// `<id>[/<direction>] <uri> …`; `None` if we don't know the URI, or can't write the id in a packet.
fn parse_extmap(line: &Line<'_>, value: &str) -> Result<Option<OfferedExtension>, SdpError> {
    let mut words = value.split_ascii_whitespace();
    let (id, direction) = match words.next().map(|first| first.split_once('/').ok_or(first)) {
        Some(Ok((id, direction))) => (Some(id), Some(direction)),
        Some(Err(id)) => (Some(id), None),
        None => (None, None),
    };
    let id: u16 = line.number("the extension's id", id)?;
    let direction = match direction.map(Direction::from_name) {
        None => None,
        Some(Some(direction)) => Some(direction),
        Some(None) => {
            return Err(line.malformed(
                "an extension's direction is sendonly, recvonly, sendrecv or inactive",
            ));
        }
    };
    let uri = words
        .next()
        .ok_or_else(|| line.malformed("a=extmap needs a URI"))?;
    // 0 is padding, 15 is reserved (RFC 8285 §4.2); above 255 are provisional ids, which we don't assign (§6).
    let id = u8::try_from(id).ok().filter(|id| !matches!(id, 0 | 15));
    Ok(id
        .zip(Extension::from_uri(uri))
        .map(|(id, extension)| OfferedExtension {
            extension,
            id,
            direction,
        }))
}
