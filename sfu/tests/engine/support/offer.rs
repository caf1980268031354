//! SDP offers of the test peers.

use std::fmt::Write;

use spillway_sfu::{IceCredentials, dtls::Fingerprint};

use super::Codec;

/// Ids of header extensions in all offers made here.
pub const MID: u8 = 1;
pub const RID: u8 = 2;
pub const TRANSPORT_SEQUENCE: u8 = 3;
pub const REPAIRED_RID: u8 = 4;
pub const DEPENDENCY_DESCRIPTOR: u8 = 5;
pub const SEND_TIME: u8 = 6;

pub const OPUS: u8 = 111;
/// Opus with copies of packets before (RFC 2198).
pub const RED: u8 = 63;
pub const FLEXFEC: u8 = 49;

/// What a peer offers.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one trait of a client"
)]
pub struct Offer {
    pub direction: &'static str,
    pub codecs: Vec<Codec>,
    pub rtx: bool,
    pub nack: bool,
    /// Of sound: browsers offer it only where a page asks for it.
    pub audio_nack: bool,
    /// Copies of sound.
    pub red: bool,
    pub transport_cc: bool,
    /// Repair packets.
    pub flexfec: bool,
    pub remb: bool,
    pub rids: Vec<&'static str>,
    pub audio: bool,
    pub video: bool,
    /// Dependency descriptors.
    pub descriptors: bool,
    /// An offer as a real client made it, instead.
    pub text: Option<&'static str>,
}

impl Offer {
    /// As a browser that watches.
    pub fn viewer() -> Self {
        Self {
            direction: "recvonly",
            codecs: vec![Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Av1],
            rtx: true,
            nack: true,
            audio_nack: false,
            red: false,
            transport_cc: true,
            flexfec: false,
            remb: false,
            rids: Vec::new(),
            audio: true,
            video: true,
            descriptors: true,
            text: None,
        }
    }

    /// As a browser that publishes.
    pub fn publisher() -> Self {
        Self {
            direction: "sendonly",
            codecs: vec![Codec::H264],
            ..Self::viewer()
        }
    }

    /// As a browser that publishes three layers.
    pub fn simulcast() -> Self {
        Self {
            rids: vec!["0", "1", "2"],
            ..Self::publisher()
        }
    }

    /// As OBS: neither RTX nor transport-wide feedback.
    pub fn obs() -> Self {
        Self {
            rtx: false,
            transport_cc: false,
            remb: true,
            ..Self::publisher()
        }
    }

    /// As aiortc: it estimates its path itself.
    pub fn viewer_with_remb() -> Self {
        Self {
            transport_cc: false,
            remb: true,
            ..Self::viewer()
        }
    }

    pub fn write(&self, ice: &IceCredentials, fingerprint: &Fingerprint) -> String {
        if let Some(text) = self.text {
            return rewritten(text, ice, fingerprint);
        }
        let mids: Vec<&str> = [(self.audio, "0"), (self.video, "1")]
            .into_iter()
            .filter_map(|(has, mid)| has.then_some(mid))
            .collect();
        let mut sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\na=extmap-allow-mixed\r\n",
            mids.join(" ")
        );
        let common = format!(
            "c=IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:{fingerprint}\r\na=setup:actpass\r\na=rtcp-mux\r\na=rtcp-rsize\r\na={}\r\na=extmap:{MID} urn:ietf:params:rtp-hdrext:sdes:mid\r\n",
            ice.ufrag, ice.pwd, self.direction
        );
        let transport_sequence = format!(
            "a=extmap:{TRANSPORT_SEQUENCE} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
        );
        let send_time = format!(
            "a=extmap:{SEND_TIME} http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n"
        );
        let common = if self.remb {
            common + &send_time
        } else {
            common
        };
        if self.audio {
            let red = if self.red {
                format!(" {RED}")
            } else {
                String::new()
            };
            write!(
                sdp,
                "m=audio 9 UDP/TLS/RTP/SAVPF {OPUS}{red}\r\na=mid:0\r\n{common}a=rtpmap:{OPUS} opus/48000/2\r\na=fmtp:{OPUS} minptime=10;useinbandfec=1\r\n"
            )
            .unwrap();
            if self.red {
                write!(
                    sdp,
                    "a=rtpmap:{RED} red/48000/2\r\na=fmtp:{RED} {OPUS}/{OPUS}\r\n"
                )
                .unwrap();
            }
            if self.audio_nack {
                write!(sdp, "a=rtcp-fb:{OPUS} nack\r\n").unwrap();
            }
            if self.transport_cc {
                write!(sdp, "a=rtcp-fb:{OPUS} transport-cc\r\n{transport_sequence}").unwrap();
            }
        }
        if self.video {
            self.write_video(&mut sdp, &common, &transport_sequence);
        }
        sdp
    }

    fn write_video(&self, sdp: &mut String, common: &str, transport_sequence: &str) {
        let mut types = Vec::new();
        let mut lines = String::new();
        for codec in &self.codecs {
            let (pt, rtx) = (codec.payload_type(), codec.payload_type() + 1);
            types.push(pt.to_string());
            write!(
                lines,
                "a=rtpmap:{pt} {}/90000\r\na=rtcp-fb:{pt} nack pli\r\n",
                codec.name()
            )
            .unwrap();
            if *codec == Codec::H264 {
                write!(lines, "a=fmtp:{pt} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n").unwrap();
            }
            for (wanted, feedback) in [
                (self.nack, "nack"),
                (self.transport_cc, "transport-cc"),
                (self.remb, "goog-remb"),
            ] {
                if wanted {
                    write!(lines, "a=rtcp-fb:{pt} {feedback}\r\n").unwrap();
                }
            }
            if self.rtx {
                types.push(rtx.to_string());
                write!(
                    lines,
                    "a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={pt}\r\n"
                )
                .unwrap();
            }
        }
        if self.flexfec {
            types.push(FLEXFEC.to_string());
            write!(
                lines,
                "a=rtpmap:{FLEXFEC} flexfec-03/90000\r\na=fmtp:{FLEXFEC} repair-window=10000000\r\n"
            )
            .unwrap();
        }
        write!(
            sdp,
            "m=video 9 UDP/TLS/RTP/SAVPF {}\r\na=mid:1\r\n{common}{lines}",
            types.join(" ")
        )
        .unwrap();
        if self.descriptors {
            write!(sdp, "a=extmap:{DEPENDENCY_DESCRIPTOR} https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension\r\n").unwrap();
        }
        if self.transport_cc {
            sdp.push_str(transport_sequence);
        }
        if !self.rids.is_empty() {
            write!(sdp, "a=extmap:{RID} urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\na=extmap:{REPAIRED_RID} urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n").unwrap();
            for rid in &self.rids {
                write!(sdp, "a=rid:{rid} send\r\n").unwrap();
            }
            write!(sdp, "a=simulcast:send {}\r\n", self.rids.join(";")).unwrap();
        }
    }
}

/// A recorded offer with our credentials in it.
fn rewritten(text: &str, ice: &IceCredentials, fingerprint: &Fingerprint) -> String {
    let mut sdp = String::new();
    for line in text.lines() {
        if line.starts_with("a=ice-ufrag:") {
            writeln!(sdp, "a=ice-ufrag:{}\r", ice.ufrag).unwrap();
        } else if line.starts_with("a=ice-pwd:") {
            writeln!(sdp, "a=ice-pwd:{}\r", ice.pwd).unwrap();
        } else if line.starts_with("a=fingerprint:") {
            writeln!(sdp, "a=fingerprint:{fingerprint}\r").unwrap();
        } else {
            writeln!(sdp, "{}\r", line.trim_end()).unwrap();
        }
    }
    sdp
}
