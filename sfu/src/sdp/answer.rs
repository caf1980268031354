//! Writing the answer.

use std::fmt::{self, Write as _};

use super::{
    Direction, Fingerprint, FlexFec, Offer, OfferedMedia, Payload, Setup,
    candidate::{self, default_address},
};
use crate::{Candidate, IceCredentials, rtp::Extension};

/// The largest data channel message that we take, in bytes: chat and reactions are far smaller.
pub const MAX_MESSAGE_BYTES: u32 = 65_536;
/// Our SCTP port (RFC 8841 §5).
pub const SCTP_PORT: u16 = 5000;

/// Our side of a session, for its answer.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    /// Our ICE credentials.
    pub ice: &'a IceCredentials,
    /// Of our certificate.
    pub fingerprint: &'a Fingerprint,
    /// All of them, the best one first: clients neither wait for more nor could be told of them.
    pub candidates: &'a [Candidate],
    /// Names the session in `o=`; below 2⁶³ (RFC 9429 §5.2.1).
    pub session_id: u64,
    /// Names the one `MediaStream` that a viewer gets, and is the canonical name of its tracks (RFC 3550 §6.5.1): a token
    /// without spaces.
    pub stream_id: &'a str,
    /// The SSRCs of the video that a viewer gets. An answer names them only where it has to: a receiver of `FlexFEC` must
    /// know beforehand which stream repairs which.
    pub video: Option<Ssrcs>,
}

/// The SSRCs of a track that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ssrcs {
    /// The media.
    pub media: u32,
    /// Its retransmissions (RFC 4588).
    pub rtx: u32,
    /// Its repair packets.
    pub flexfec: u32,
}

/// What will be answered, all but our own side of it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    direction: Direction,
    setup: Setup,
    extmap_allow_mixed: bool,
    /// The mids of the sections in use; the first one's section carries the transport (RFC 9143 §7.3).
    pub(super) bundle: Vec<String>,
    has_group: bool,
    pub(super) sections: Vec<AnsweredMedia>,
}

#[derive(Debug, Clone)]
pub(super) struct AnsweredMedia {
    mid: String,
    media: String,
    protocol: String,
    formats: String,
    content: AnsweredContent,
}

#[derive(Debug, Clone)]
pub(super) enum AnsweredContent {
    /// The client had rejected it itself.
    Rejected,
    Data,
    Rtp(AnsweredRtp),
}

#[derive(Debug, Clone)]
pub(super) struct AnsweredRtp {
    pub(super) payloads: Vec<Payload>,
    pub(super) flexfec: Option<FlexFec>,
    pub(super) extensions: Vec<AnsweredExtension>,
    pub(super) rids: Vec<String>,
    pub(super) simulcast: bool,
    pub(super) rtcp_rsize: bool,
    pub(super) extmap_allow_mixed: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct AnsweredExtension {
    pub(super) extension: Extension,
    pub(super) id: u8,
    pub(super) direction: Option<Direction>,
}

impl AnsweredMedia {
    pub(super) fn new(offered: &OfferedMedia, content: AnsweredContent) -> Self {
        Self {
            mid: offered.mid.clone(),
            media: offered.media.clone(),
            protocol: offered.protocol.clone(),
            formats: offered.formats.clone(),
            content,
        }
    }
}

impl Answer {
    pub(super) fn new(offer: &Offer, direction: Direction) -> Self {
        let is_used = |mid: &str| {
            offer
                .media
                .iter()
                .any(|section| section.mid == mid && !section.rejected)
        };
        let has_group = !offer.bundle.is_empty();
        let bundle = if has_group {
            offer
                .bundle
                .iter()
                .filter(|mid| is_used(mid))
                .cloned()
                .collect()
        } else {
            let used = offer.media.iter().filter(|section| !section.rejected);
            used.map(|section| section.mid.clone()).collect()
        };
        Self {
            direction,
            setup: offer.setup.answer(),
            extmap_allow_mixed: offer.extmap_allow_mixed,
            bundle,
            has_group,
            sections: Vec::with_capacity(offer.media.len()),
        }
    }

    pub(super) fn write(&self, local: &Local<'_>) -> String {
        let mut text = Text(String::with_capacity(4096));
        self.write_session(&mut text, local);
        for section in &self.sections {
            self.write_section(&mut text, section, local);
        }
        text.0
    }

    fn write_session(&self, text: &mut Text, local: &Local<'_>) {
        text.line(format_args!("v=0"));
        text.line(format_args!("o=- {} 1 IN IP4 127.0.0.1", local.session_id));
        text.line(format_args!("s=-"));
        text.line(format_args!("t=0 0"));
        text.line(format_args!("a=ice-lite"));
        if self.has_group {
            text.line(format_args!("a=group:BUNDLE {}", self.bundle.join(" ")));
        }
        if self.extmap_allow_mixed {
            text.line(format_args!("a=extmap-allow-mixed"));
        }
        if self.direction == Direction::SendOnly {
            text.line(format_args!("a=msid-semantic: WMS {}", local.stream_id));
        } else {
            text.line(format_args!("a=msid-semantic: WMS"));
        }
    }

    fn write_section(&self, text: &mut Text, section: &AnsweredMedia, local: &Local<'_>) {
        let AnsweredMedia {
            mid,
            media,
            protocol,
            formats,
            content,
        } = section;
        match content {
            AnsweredContent::Rejected => {
                text.line(format_args!("m={media} 0 {protocol} {formats}"));
                text.line(format_args!("c=IN IP4 0.0.0.0"));
                text.line(format_args!("a=mid:{mid}"));
                text.line(format_args!("a=inactive"));
            }
            AnsweredContent::Data => {
                self.write_head(text, section, formats, local);
                text.line(format_args!("a=sctp-port:{SCTP_PORT}"));
                text.line(format_args!("a=max-message-size:{MAX_MESSAGE_BYTES}"));
            }
            AnsweredContent::Rtp(rtp) => {
                self.write_head(text, section, &payload_types(rtp), local);
                self.write_rtp(text, section, rtp, local);
            }
        }
    }

    /// The lines that every section in use begins with. Clients look for the transport's attributes in all of them,
    /// although one would do; the candidates go with the first of the group alone (RFC 9143 §7.3).
    fn write_head(
        &self,
        text: &mut Text,
        section: &AnsweredMedia,
        formats: &str,
        local: &Local<'_>,
    ) {
        let (family, address) = default_address(local.candidates);
        text.line(format_args!(
            "m={} {} {} {formats}",
            section.media,
            address.port(),
            section.protocol
        ));
        text.line(format_args!("c=IN {family} {}", address.ip()));
        text.line(format_args!("a=mid:{}", section.mid));
        text.line(format_args!("a=ice-ufrag:{}", local.ice.ufrag));
        text.line(format_args!("a=ice-pwd:{}", local.ice.pwd));
        text.line(format_args!("a=fingerprint:{}", local.fingerprint));
        text.line(format_args!("a=setup:{}", self.setup.name()));
        if self.bundle.first() == Some(&section.mid) {
            candidate::write_all(&mut text.0, local.candidates);
        }
    }

    fn write_rtp(
        &self,
        text: &mut Text,
        section: &AnsweredMedia,
        rtp: &AnsweredRtp,
        local: &Local<'_>,
    ) {
        text.line(format_args!("a={}", self.direction.name()));
        if self.direction == Direction::SendOnly {
            text.line(format_args!("a=msid:{} {}", local.stream_id, section.media));
        }
        text.line(format_args!("a=rtcp-mux"));
        if rtp.rtcp_rsize {
            text.line(format_args!("a=rtcp-rsize"));
        }
        if rtp.extmap_allow_mixed {
            text.line(format_args!("a=extmap-allow-mixed"));
        }
        for AnsweredExtension {
            extension,
            id,
            direction,
        } in &rtp.extensions
        {
            let uri = extension.uri();
            match direction {
                Some(direction) => {
                    text.line(format_args!("a=extmap:{id}/{} {uri}", direction.name()));
                }
                None => text.line(format_args!("a=extmap:{id} {uri}")),
            }
        }
        for payload in &rtp.payloads {
            write_payload(text, payload);
        }
        if let Some(flexfec) = &rtp.flexfec {
            write_flexfec(text, flexfec);
            let repeats = rtp.payloads.iter().any(|payload| payload.rtx.is_some());
            if let Some(ssrcs) = local.video {
                write_ssrcs(text, ssrcs, repeats, local.stream_id);
            }
        }
        for rid in &rtp.rids {
            text.line(format_args!("a=rid:{rid} recv"));
        }
        if rtp.simulcast && !rtp.rids.is_empty() {
            text.line(format_args!("a=simulcast:recv {}", rtp.rids.join(";")));
        }
    }
}

/// The `<fmt> …` of an `m=` line: each payload type with those of its retransmissions and its redundant form, and that of repair packets.
fn payload_types(rtp: &AnsweredRtp) -> String {
    let media = rtp
        .payloads
        .iter()
        .flat_map(|payload| [Some(payload.payload_type), payload.rtx, payload.red]);
    let flexfec = rtp.flexfec.as_ref().map(|flexfec| flexfec.payload_type);
    let words: Vec<String> = media
        .flatten()
        .chain(flexfec)
        .map(|payload_type| payload_type.to_string())
        .collect();
    words.join(" ")
}

fn write_payload(text: &mut Text, payload: &Payload) {
    let payload_type = payload.payload_type;
    let clock_rate = payload.codec.clock_rate();
    let name = payload.codec.name();
    match payload.channels {
        Some(channels) => text.line(format_args!(
            "a=rtpmap:{payload_type} {name}/{clock_rate}/{channels}"
        )),
        None => text.line(format_args!("a=rtpmap:{payload_type} {name}/{clock_rate}")),
    }
    for (negotiated, feedback) in [
        (payload.remb, "goog-remb"),
        (payload.transport_cc, "transport-cc"),
        (payload.fir, "ccm fir"),
        (payload.nack, "nack"),
        (payload.pli, "nack pli"),
    ] {
        if negotiated {
            text.line(format_args!("a=rtcp-fb:{payload_type} {feedback}"));
        }
    }
    if !payload.fmtp.is_empty() {
        text.line(format_args!("a=fmtp:{payload_type} {}", payload.fmtp));
    }
    if let Some(rtx) = payload.rtx {
        text.line(format_args!("a=rtpmap:{rtx} rtx/{clock_rate}"));
        text.line(format_args!("a=fmtp:{rtx} apt={payload_type}"));
    }
    if let Some(red) = payload.red {
        match payload.channels {
            Some(channels) => {
                text.line(format_args!("a=rtpmap:{red} red/{clock_rate}/{channels}"));
            }
            None => text.line(format_args!("a=rtpmap:{red} red/{clock_rate}")),
        }
        text.line(format_args!("a=fmtp:{red} {payload_type}/{payload_type}"));
    }
}

fn write_flexfec(text: &mut Text, flexfec: &FlexFec) {
    let FlexFec { payload_type, fmtp } = flexfec;
    let (name, clock_rate) = (FlexFec::NAME, FlexFec::CLOCK_RATE);
    text.line(format_args!("a=rtpmap:{payload_type} {name}/{clock_rate}"));
    if !fmtp.is_empty() {
        text.line(format_args!("a=fmtp:{payload_type} {fmtp}"));
    }
}

/// Names the streams of a section and what repairs what (RFC 5576 §4, RFC 5956 §4.3). `repeats`: there is one of
/// retransmissions.
fn write_ssrcs(text: &mut Text, ssrcs: Ssrcs, repeats: bool, cname: &str) {
    let Ssrcs {
        media,
        rtx,
        flexfec,
    } = ssrcs;
    if repeats {
        text.line(format_args!("a=ssrc-group:FID {media} {rtx}"));
    }
    text.line(format_args!("a=ssrc-group:FEC-FR {media} {flexfec}"));
    let all = [Some(media), repeats.then_some(rtx), Some(flexfec)];
    for ssrc in all.into_iter().flatten() {
        text.line(format_args!("a=ssrc:{ssrc} cname:{cname}"));
    }
}

/// SDP text as it grows.
struct Text(String);

impl Text {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a String can't fail.
        let _ = self.0.write_fmt(line);
        self.0.push_str("\r\n");
    }
}
