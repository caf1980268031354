use super::{SdpError, lines::Line};
use crate::{MediaKind, codec::Codec};

/// One payload type that both sides can use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one line of the SDP")]
pub struct Payload {
    /// The RTP payload type: below 64 or above 95, since RTCP shares the port (RFC 5761 §4).
    pub payload_type: u8,
    /// What it carries.
    pub codec: Codec,
    /// The text after `a=fmtp:<payload type> `, empty without.
    pub fmtp: String,
    /// Audio channels of the `a=rtpmap`.
    pub channels: Option<u8>,
    /// The payload type of its retransmissions (RFC 4588).
    pub rtx: Option<u8>,
    /// The payload type under which it comes with copies of packets before (RFC 2198).
    pub red: Option<u8>,
    /// `nack` (RFC 4585 §6.2.1)
    pub nack: bool,
    /// `nack pli` (RFC 4585 §6.3.1)
    pub pli: bool,
    /// `ccm fir` (RFC 5104 §4.3.1)
    pub fir: bool,
    /// `goog-remb`
    pub remb: bool,
    /// `transport-cc`
    pub transport_cc: bool,
}

/// A payload type for repair packets: `FlexFEC` in the form of draft-ietf-payload-flexible-fec-scheme-03, which browsers
/// have. RFC 8627, which came of it, writes other headers under another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlexFec {
    /// The RTP payload type of repair packets.
    pub payload_type: u8,
    /// The text after `a=fmtp:<payload type> `: the repair window that was offered.
    pub fmtp: String,
}

impl FlexFec {
    pub(super) const CLOCK_RATE: u32 = 90_000;
    pub(super) const NAME: &'static str = "flexfec-03";
}

impl Payload {
    /// The value of a format parameter; names are case-insensitive.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        parameter(&self.fmtp, name)
    }

    /// How well media published as `published` can be sent under this payload type: greater is better, `None` is
    /// another codec.
    pub(super) fn fit(&self, published: &Self) -> Option<u8> {
        if self.codec != published.codec {
            return None;
        }
        let equal = |name, default: &str| {
            let ours = self.parameter(name).unwrap_or(default);
            ours.eq_ignore_ascii_case(published.parameter(name).unwrap_or(default))
        };
        let fit = match self.codec {
            Codec::H264 => {
                // A receiver of mode 1 takes mode 0 as well (RFC 6184 §6.2, §6.3), so mode 1 is the next best.
                let mode = match (self.packetization_mode(), published.packetization_mode()) {
                    (ours, theirs) if ours == theirs => 2,
                    ("1", "0") => 1,
                    _ => 0,
                };
                2 * mode + u8::from(self.h264_profile() == published.h264_profile())
            }
            Codec::H265 => {
                2 * u8::from(equal("profile-id", "1")) + u8::from(equal("tier-flag", "0"))
            }
            Codec::Vp9 => u8::from(equal("profile-id", "0")),
            Codec::Av1 => u8::from(equal("profile", "0")),
            Codec::Vp8 | Codec::Opus => 0,
        };
        Some(fit)
    }

    fn packetization_mode(&self) -> &str {
        self.parameter("packetization-mode").unwrap_or("0")
    }

    /// `profile_idc` and `profile_iop` of an H.264 payload; Baseline without (RFC 6184 §8.1).
    fn h264_profile(&self) -> H264Profile {
        let id = self.parameter("profile-level-id").unwrap_or("420010");
        let bytes = u32::from_str_radix(id, 16).unwrap_or_default();
        H264Profile::new((bytes >> 16) as u8, (bytes >> 8) as u8)
    }
}

/// H.264 profiles that sub-profile bits spell in more than one way (RFC 6184 §8.1, table 5).
#[derive(PartialEq, Eq)]
enum H264Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    ConstrainedHigh,
    High,
    Other(u8, u8),
}

impl H264Profile {
    fn new(profile_idc: u8, constraints: u8) -> Self {
        match (profile_idc, constraints) {
            (0x42, bits) if bits & 0x40 != 0 => Self::ConstrainedBaseline,
            (0x4d, bits) if bits & 0x80 != 0 => Self::ConstrainedBaseline,
            (0x58, bits) if bits & 0xc0 == 0xc0 => Self::ConstrainedBaseline,
            (0x42, _) => Self::Baseline,
            (0x58, bits) if bits & 0x80 != 0 => Self::Baseline,
            (0x4d, _) => Self::Main,
            (0x64, 0x0c) => Self::ConstrainedHigh,
            (0x64, 0) => Self::High,
            (profile_idc, constraints) => Self::Other(profile_idc, constraints),
        }
    }
}

/// Collects `a=rtpmap`, `a=fmtp` and `a=rtcp-fb` for the payload types of an `m=` line.
pub(super) struct Formats<'a> {
    formats: Vec<Format<'a>>,
}

#[derive(Default)]
struct Format<'a> {
    payload_type: u8,
    encoding: Option<Encoding<'a>>,
    fmtp: &'a str,
    feedback: Vec<&'a str>,
}

/// `<name>/<clock rate>[/<channels>]` (RFC 8866 §6.6)
struct Encoding<'a> {
    name: &'a str,
    clock_rate: u32,
    channels: Option<u8>,
}

/// The most `a=rtcp-fb` lines that are noted of one payload type.
const MAX_FEEDBACK: usize = 16;

impl<'a> Formats<'a> {
    pub(super) fn new(head: &Line<'_>, payload_types: &[&str]) -> Result<Self, SdpError> {
        let mut formats: Vec<Format<'a>> = Vec::with_capacity(payload_types.len().min(128));
        for text in payload_types {
            let payload_type = parse_payload_type(head, text)?;
            if formats
                .iter()
                .any(|format| format.payload_type == payload_type)
            {
                return Err(head.malformed(format!("payload type {payload_type} comes twice")));
            }
            formats.push(Format {
                payload_type,
                ..Format::default()
            });
        }
        Ok(Self { formats })
    }

    pub(super) fn add_rtpmap(&mut self, line: &Line<'a>, value: &'a str) -> Result<(), SdpError> {
        let (payload_type, encoding) = split_payload_type(line, value)?;
        let mut fields = encoding.trim().split('/');
        let name = fields.next().unwrap_or_default();
        let encoding = Encoding {
            name,
            clock_rate: line.number("the clock rate", fields.next())?,
            channels: match fields.next() {
                Some(channels) => Some(line.number("the number of channels", Some(channels))?),
                None => None,
            },
        };
        if let Some(format) = self.get(payload_type) {
            if format.encoding.is_some() {
                return Err(
                    line.malformed(format!("a second a=rtpmap for payload type {payload_type}"))
                );
            }
            format.encoding = Some(encoding);
        }
        Ok(())
    }

    pub(super) fn add_fmtp(&mut self, line: &Line<'a>, value: &'a str) -> Result<(), SdpError> {
        let (payload_type, parameters) = split_payload_type(line, value)?;
        if let Some(format) = self.get(payload_type) {
            if !format.fmtp.is_empty() {
                return Err(
                    line.malformed(format!("a second a=fmtp for payload type {payload_type}"))
                );
            }
            format.fmtp = parameters.trim();
        }
        Ok(())
    }

    /// `<payload type>|* <feedback>` (RFC 4585 §4.2)
    pub(super) fn add_feedback(&mut self, line: &Line<'a>, value: &'a str) -> Result<(), SdpError> {
        let (target, feedback) = if let Some(feedback) = value.strip_prefix("* ") {
            (None, feedback)
        } else {
            let (payload_type, feedback) = split_payload_type(line, value)?;
            (Some(payload_type), feedback)
        };
        let meant = self
            .formats
            .iter_mut()
            .filter(|format| target.is_none_or(|meant| meant == format.payload_type));
        for format in meant {
            if format.feedback.len() < MAX_FEEDBACK {
                format.feedback.push(feedback.trim());
            }
        }
        Ok(())
    }

    fn get(&mut self, payload_type: u8) -> Option<&mut Format<'a>> {
        self.formats
            .iter_mut()
            .find(|format| format.payload_type == payload_type)
    }

    /// The payloads of codecs that we forward, in the order of the `m=` line.
    pub(super) fn payloads(&self, kind: MediaKind) -> Vec<Payload> {
        self.formats
            .iter()
            .filter_map(|format| self.payload(format, kind))
            .collect()
    }

    /// The payload type for repair packets of video, if there is one.
    pub(super) fn flexfec(&self, kind: MediaKind) -> Option<FlexFec> {
        let is_flexfec = |format: &&Format<'a>| {
            let named = |encoding: &Encoding<'a>| {
                encoding.name.eq_ignore_ascii_case(FlexFec::NAME)
                    && encoding.clock_rate == FlexFec::CLOCK_RATE
            };
            kind == MediaKind::Video
                && format.encoding.as_ref().is_some_and(named)
                && is_free_of_rtcp(format.payload_type)
        };
        let format = self.formats.iter().find(is_flexfec)?;
        Some(FlexFec {
            payload_type: format.payload_type,
            fmtp: format.fmtp.to_owned(),
        })
    }

    fn payload(&self, format: &Format<'a>, kind: MediaKind) -> Option<Payload> {
        let encoding = format.encoding.as_ref()?;
        let codec = Codec::from_name(encoding.name)?;
        let has = |feedback| format.feedback.contains(&feedback);
        let payload = Payload {
            payload_type: format.payload_type,
            codec,
            fmtp: format.fmtp.to_owned(),
            channels: encoding.channels,
            rtx: self.rtx_of(format.payload_type, codec),
            red: self.red_of(format.payload_type, encoding),
            nack: has("nack"),
            pli: has("nack pli"),
            fir: has("ccm fir"),
            remb: has("goog-remb"),
            transport_cc: has("transport-cc"),
        };
        // Interleaved H.264 (mode 2) would need reordering that no WebRTC client does.
        let usable = codec.kind() == kind
            && encoding.clock_rate == codec.clock_rate()
            && is_free_of_rtcp(format.payload_type)
            && (codec != Codec::H264 || matches!(payload.packetization_mode(), "0" | "1"));
        usable.then_some(payload)
    }

    /// The payload type that retransmits `payload_type` (RFC 4588 §8.1).
    fn rtx_of(&self, payload_type: u8, codec: Codec) -> Option<u8> {
        self.formats.iter().find_map(|format| {
            let encoding = format.encoding.as_ref()?;
            let retransmits = encoding.name.eq_ignore_ascii_case("rtx")
                && encoding.clock_rate == codec.clock_rate()
                && parameter(format.fmtp, "apt")?.parse() == Ok(payload_type)
                && is_free_of_rtcp(format.payload_type);
            retransmits.then_some(format.payload_type)
        })
    }

    /// The payload type under which `payload_type` comes with copies of packets before: of the same clock and channels, and for
    /// nothing else.
    fn red_of(&self, payload_type: u8, carried: &Encoding<'_>) -> Option<u8> {
        self.formats.iter().find_map(|format| {
            let encoding = format.encoding.as_ref()?;
            let repeats = encoding.name.eq_ignore_ascii_case("red")
                && carried.name.eq_ignore_ascii_case("opus")
                && encoding.clock_rate == carried.clock_rate
                && encoding.channels == carried.channels
                && is_redundancy_of(format.fmtp, payload_type)
                && is_free_of_rtcp(format.payload_type);
            repeats.then_some(format.payload_type)
        })
    }
}

/// Whether `fmtp` names `payload_type` alone, for the primary and for at least one redundant encoding (RFC 2198 §5).
fn is_redundancy_of(fmtp: &str, payload_type: u8) -> bool {
    let mut encodings = fmtp.trim().split('/');
    let is_ours = |encoding: &str| encoding.parse() == Ok(payload_type);
    encodings.next().is_some_and(is_ours)
        && encodings.next().is_some_and(is_ours)
        && encodings.all(is_ours)
}

/// With `rtcp-mux` these payload types look like RTCP (RFC 5761 §4).
fn is_free_of_rtcp(payload_type: u8) -> bool {
    !(64..96).contains(&payload_type)
}

fn split_payload_type<'a>(line: &Line<'_>, value: &'a str) -> Result<(u8, &'a str), SdpError> {
    let (payload_type, rest) = value
        .split_once(' ')
        .ok_or_else(|| line.malformed("expected a payload type, a space and a value"))?;
    Ok((parse_payload_type(line, payload_type)?, rest))
}

fn parse_payload_type(line: &Line<'_>, text: &str) -> Result<u8, SdpError> {
    let payload_type = line.number("the payload type", Some(text))?;
    if payload_type > 127 {
        return Err(line.malformed("a payload type is at most 127"));
    }
    Ok(payload_type)
}

fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
