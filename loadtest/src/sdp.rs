//! The offers that publishers and viewers make (RFC 8829 as browsers do it), and what of the answer matters to us.

use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};

use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;

use crate::media::source::Codec;
use crate::peer::{Credentials, Remote};

/// Header extensions that we offer, with their numbers.
pub const MID: (u8, &str) = (1, "urn:ietf:params:rtp-hdrext:sdes:mid");
/// See [`MID`].
pub const RID: (u8, &str) = (2, "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id");
/// See [`MID`].
pub const REPAIRED_RID: (u8, &str) = (3, "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id");
/// See [`MID`].
pub const TRANSPORT_CC: (u8, &str) = (
    4,
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
);

const OPUS: u8 = 111;
const VP8: u8 = 96;
const VP8_RTX: u8 = 97;
const H264: u8 = 102;
const H264_RTX: u8 = 103;
/// Candidates that are tried.
const MAX_CANDIDATES: usize = 32;

/// `profile-level-id` of what we make ourselves: constrained baseline, level 3.1.
pub const BASELINE: [u8; 3] = [0x42, 0xe0, 0x1f];

/// The numbers that a codec is offered under: itself, and its retransmissions.
pub fn payload_types(codec: Codec) -> (u8, u8) {
    match codec {
        Codec::H264 => (H264, H264_RTX),
        Codec::Vp8 => (VP8, VP8_RTX),
    }
}

/// The number that Opus is offered under.
pub const fn opus() -> u8 {
    OPUS
}

/// One SSRC that a publisher sends under, and that of its retransmissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The media.
    pub ssrc: u32,
    /// The retransmissions (RFC 4588).
    pub rtx: u32,
}

/// What a publisher sends.
#[derive(Debug, Clone)]
pub struct Sending {
    /// How pictures are coded.
    pub codec: Codec,
    /// One for each layer.
    pub video: Vec<Source>,
    /// The sound's, if there is any.
    pub audio: Option<u32>,
}

/// The rid of a layer, 0 the best.
pub fn rid(layer: usize) -> String {
    format!("l{layer}")
}

/// Writes a publisher's or viewer's offer.
pub struct Offer<'a> {
    /// Of our agent.
    pub credentials: &'a Credentials,
    /// SHA-256 of our certificate, as SDP writes it.
    pub fingerprint: &'a str,
    /// None for a viewer, who takes everything.
    pub sending: Option<&'a Sending>,
    /// Offers a picture, beside the sound.
    pub picture: bool,
    /// Offers data channels.
    pub data_channels: bool,
    /// Of H.264: profile, constraints and level.
    pub profile: [u8; 3],
}

impl Offer<'_> {
    /// The offer's text.
    pub fn to_sdp(&self) -> String {
        let mut sections = Vec::new();
        if self.sending.is_none_or(|sending| sending.audio.is_some()) {
            sections.push(self.audio(sections.len()));
        }
        if self.picture {
            sections.push(self.video(sections.len()));
        }
        if self.data_channels {
            sections.push(self.application(sections.len()));
        }
        let mids: Vec<String> = (0..sections.len()).map(|mid| mid.to_string()).collect();
        format!(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n\
             a=extmap-allow-mixed\r\na=msid-semantic: WMS load\r\n{}",
            mids.join(" "),
            sections.concat()
        )
    }

    /// The lines that all sections of a bundle have.
    fn transport(&self, mid: usize) -> String {
        let Credentials { ufrag, password } = self.credentials;
        format!(
            "c=IN IP4 0.0.0.0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=ice-options:trickle\r\n\
             a=fingerprint:sha-256 {}\r\na=setup:actpass\r\na=mid:{mid}\r\n",
            self.fingerprint
        )
    }

    fn direction(&self, track: &str) -> String {
        if self.sending.is_some() {
            format!("a=sendonly\r\na=msid:load {track}\r\n")
        } else {
            "a=recvonly\r\n".to_owned()
        }
    }

    fn audio(&self, mid: usize) -> String {
        let source = self
            .sending
            .and_then(|sending| sending.audio)
            .map(|ssrc| format!("a=ssrc:{ssrc} cname:load\r\n"));
        [
            format!("m=audio 9 UDP/TLS/RTP/SAVPF {OPUS}\r\n"),
            self.transport(mid),
            "a=rtcp:9 IN IP4 0.0.0.0\r\n".to_owned(),
            extmap(&[MID, TRANSPORT_CC]),
            self.direction("sound"),
            format!(
                "a=rtcp-mux\r\na=rtpmap:{OPUS} opus/48000/2\r\na=rtcp-fb:{OPUS} transport-cc\r\n\
                 a=fmtp:{OPUS} minptime=10;useinbandfec=1\r\n"
            ),
            source.unwrap_or_default(),
        ]
        .concat()
    }

    fn video(&self, mid: usize) -> String {
        let codecs = match self.sending {
            Some(sending) => vec![sending.codec],
            None => vec![Codec::H264, Codec::Vp8],
        };
        let numbers: Vec<String> = codecs
            .iter()
            .flat_map(|codec| {
                let (media, rtx) = payload_types(*codec);
                [media.to_string(), rtx.to_string()]
            })
            .collect();
        let lines: Vec<String> = codecs
            .into_iter()
            .map(|codec| video_codec(codec, self.profile))
            .collect();
        let sources = self.sending.map(|sending| video_sources(&sending.video));
        [
            format!("m=video 9 UDP/TLS/RTP/SAVPF {}\r\n", numbers.join(" ")),
            self.transport(mid),
            "a=rtcp:9 IN IP4 0.0.0.0\r\n".to_owned(),
            extmap(&[MID, RID, REPAIRED_RID, TRANSPORT_CC]),
            self.direction("picture"),
            "a=rtcp-mux\r\na=rtcp-rsize\r\n".to_owned(),
            lines.concat(),
            sources.unwrap_or_default(),
        ]
        .concat()
    }

    fn application(&self, mid: usize) -> String {
        [
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
            &self.transport(mid),
            "a=sctp-port:5000\r\na=max-message-size:262144\r\n",
        ]
        .concat()
    }
}

fn extmap(extensions: &[(u8, &str)]) -> String {
    let lines: Vec<String> = extensions
        .iter()
        .map(|(id, uri)| format!("a=extmap:{id} {uri}\r\n"))
        .collect();
    lines.concat()
}

fn video_codec(codec: Codec, [profile, constraints, level]: [u8; 3]) -> String {
    let (media, rtx) = payload_types(codec);
    let (name, parameters) = match codec {
        Codec::H264 => (
            "H264",
            format!(
                "a=fmtp:{media} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile:02x}{constraints:02x}{level:02x}\r\n"
            ),
        ),
        Codec::Vp8 => ("VP8", String::new()),
    };
    let feedback = ["nack", "nack pli", "ccm fir", "transport-cc"]
        .map(|kind| format!("a=rtcp-fb:{media} {kind}\r\n"))
        .concat();
    format!(
        "a=rtpmap:{media} {name}/90000\r\n{feedback}{parameters}a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={media}\r\n"
    )
}

/// One encoding is told by its SSRC, several by their rids (RFC 8853), as browsers do.
fn video_sources(sources: &[Source]) -> String {
    if let [Source { ssrc, rtx }] = sources {
        return format!(
            "a=ssrc-group:FID {ssrc} {rtx}\r\na=ssrc:{ssrc} cname:load\r\na=ssrc:{rtx} cname:load\r\n"
        );
    }
    let rids: Vec<String> = (0..sources.len()).map(rid).collect();
    let lines: Vec<String> = rids
        .iter()
        .map(|rid| format!("a=rid:{rid} send\r\n"))
        .collect();
    format!("{}a=simulcast:send {}\r\n", lines.concat(), rids.join(";"))
}

/// What the answer says of one kind of media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredTrack {
    /// Its section's name.
    pub mid: String,
    /// The number of our header extensions that were taken.
    pub extensions: Vec<u8>,
    /// Retransmissions were taken.
    pub rtx: bool,
    /// The rids that were taken.
    pub rids: Vec<String>,
}

/// What of an answer matters to us.
#[derive(Debug, Clone)]
pub struct Answer {
    /// How to connect.
    pub remote: Remote,
    /// Pictures, if any were taken.
    pub video: Option<AnsweredTrack>,
    /// Sound, if any was taken.
    pub audio: Option<AnsweredTrack>,
}

/// Why an answer can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not SDP.
    #[error("the answer isn't SDP: {0}")]
    Unreadable(String),
    /// What a connection can't do without.
    #[error("the answer has no {0}")]
    Lacks(&'static str),
}

impl Answer {
    /// Reads an answer.
    pub fn read(text: &str) -> Result<Self, AnswerError> {
        let session = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes()))
            .map_err(|error| AnswerError::Unreadable(error.to_string()))?;
        let accepted = |kind: &str| {
            session.media_descriptions.iter().find(|section| {
                section.media_name.media == kind && section.media_name.port.value != 0
            })
        };
        let remote = Remote {
            credentials: Credentials {
                ufrag: transport_attribute(&session, "ice-ufrag")
                    .ok_or(AnswerError::Lacks("ice-ufrag"))?,
                password: transport_attribute(&session, "ice-pwd")
                    .ok_or(AnswerError::Lacks("ice-pwd"))?,
            },
            candidates: candidates(&session),
            fingerprint: transport_attribute(&session, "fingerprint")
                .and_then(|value| fingerprint(&value))
                .ok_or(AnswerError::Lacks("SHA-256 fingerprint"))?,
            opens_dtls: transport_attribute(&session, "setup").as_deref() == Some("active"),
            data_channels: accepted("application").is_some(),
        };
        if remote.candidates.is_empty() {
            return Err(AnswerError::Lacks("UDP candidate with an address"));
        }
        Ok(Self {
            remote,
            video: accepted("video").map(answered),
            audio: accepted("audio").map(answered),
        })
    }
}

/// The first section's value, or the session's: with BUNDLE there is one transport.
fn transport_attribute(session: &SessionDescription, key: &str) -> Option<String> {
    session
        .media_descriptions
        .iter()
        .find_map(|section| section.attribute(key).flatten().map(str::to_owned))
        .or_else(|| session.attribute(key).cloned())
}

fn fingerprint(value: &str) -> Option<[u8; 32]> {
    let (hash, hex) = value.trim().split_once(' ')?;
    if !hash.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let bytes: Vec<u8> = hex
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).ok())
        .collect::<Option<_>>()?;
    bytes.try_into().ok()
}

/// RFC 8839 §5.1. Names (mDNS) and TCP are left out.
fn candidates(session: &SessionDescription) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = Vec::new();
    let attributes = session
        .media_descriptions
        .iter()
        .flat_map(|section| &section.attributes)
        .chain(&session.attributes);
    for attribute in attributes.filter(|attribute| attribute.key == "candidate") {
        let value = attribute.value.as_deref().unwrap_or_default();
        let mut words = value.split_whitespace().skip(2);
        let (Some(protocol), _, Some(ip), Some(port)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        if let (true, Ok(ip), Ok(port)) = (
            protocol.eq_ignore_ascii_case("udp"),
            ip.parse::<IpAddr>(),
            port.parse(),
        ) {
            let address = SocketAddr::new(ip, port);
            if !found.contains(&address) && found.len() < MAX_CANDIDATES {
                found.push(address);
            }
        }
    }
    found
}

fn answered(section: &MediaDescription) -> AnsweredTrack {
    let values = |key: &'static str| {
        section
            .attributes
            .iter()
            .filter(move |attribute| attribute.key == key)
            .filter_map(|attribute| attribute.value.as_deref())
    };
    AnsweredTrack {
        mid: values("mid").next().unwrap_or_default().to_owned(),
        extensions: values("extmap")
            .filter_map(|value| value.split([' ', '/']).next()?.parse().ok())
            .collect(),
        rtx: values("rtpmap").any(|value| value.to_ascii_lowercase().contains(" rtx/")),
        rids: values("rid")
            .filter_map(|value| value.split(' ').next())
            .map(str::to_owned)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ANSWER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE 0 1 2\r\n\
        a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
        a=setup:passive\r\na=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n\
        a=candidate:1 1 udp 2130706431 192.0.2.7 8189 typ host\r\na=candidate:2 1 tcp 1 192.0.2.7 8189 typ host tcptype passive\r\n\
        a=candidate:3 1 UDP 1 2001:db8::7 8190 typ host\r\na=candidate:4 1 udp 1 abc.local 8190 typ host\r\n\
        m=video 0 UDP/TLS/RTP/SAVPF 102 103\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=inactive\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=sctp-port:5000\r\n";

    #[test]
    fn an_answer_tells_how_to_connect_and_what_was_taken() {
        let answer = Answer::read(ANSWER).unwrap();
        let remote = answer.remote;
        assert_eq!(remote.credentials.ufrag, "abcd");
        assert_eq!((remote.fingerprint[1], remote.fingerprint[31]), (1, 0xff));
        assert!(!remote.opens_dtls && remote.data_channels);
        let addresses: Vec<String> = remote.candidates.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.7:8189", "[2001:db8::7]:8190"]);
        assert_eq!(answer.video, None);
        let audio = answer.audio.unwrap();
        assert_eq!((audio.extensions, audio.rtx), (vec![1], false));
    }

    #[test]
    fn an_answer_without_what_it_takes_is_refused_by_name() {
        for (removed, named) in [
            ("a=ice-ufrag:abcd\r\n", "ice-ufrag"),
            ("a=fingerprint:sha-256", "SHA-256 fingerprint"),
        ] {
            let text = ANSWER.replacen(removed, "a=x:", 1);
            let error = Answer::read(&text).unwrap_err();
            assert_eq!(error, AnswerError::Lacks(named));
        }
        assert!(Answer::read("hello").is_err());
    }

    #[test]
    fn an_offer_is_sdp_with_all_layers() {
        let credentials = Credentials::random();
        let sources = [1, 2, 3].map(|ssrc| Source {
            ssrc,
            rtx: ssrc + 9,
        });
        let sending = Sending {
            codec: Codec::Vp8,
            video: sources.to_vec(),
            audio: Some(7),
        };
        let offer = Offer {
            credentials: &credentials,
            fingerprint: "00",
            sending: Some(&sending),
            picture: true,
            data_channels: true,
            profile: BASELINE,
        };
        let text = offer.to_sdp();
        let parsed = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes())).unwrap();
        assert_eq!(parsed.media_descriptions.len(), 3);
        assert!(text.contains("a=simulcast:send l0;l1;l2\r\n"), "{text}");
    }
}
