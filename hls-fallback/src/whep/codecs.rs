//! What the offer says that we understand, and what a payload type stands for.

use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_AV1, MIME_TYPE_H264, MIME_TYPE_HEVC, MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8,
    MIME_TYPE_VP9, MediaEngine,
};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind,
};
use rtc::shared::error::Error;

use crate::media::VideoCodec;
use crate::receive::Coding;

const OPUS: u8 = 111;
const OPUS_PARAMETERS: &str = "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1";
const VIDEO_CLOCK_RATE: u32 = 90_000;
const AUDIO_FEEDBACK: &[(&str, &str)] = &[("transport-cc", ""), ("nack", "")];
const VIDEO_FEEDBACK: &[(&str, &str)] = &[
    ("transport-cc", ""),
    ("ccm", "fir"),
    ("nack", ""),
    ("nack", "pli"),
];

/// A kind of video that we take.
struct Offered {
    codec: VideoCodec,
    payload_type: u8,
    /// Its retransmissions (RFC 4588).
    rtx: u8,
    parameters: &'static str,
}

/// In the order of our preference, which is of little weight: the node sends what is published.
const VIDEO: &[Offered] = &[
    h264(
        102,
        103,
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ),
    h264(
        104,
        105,
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640032",
    ),
    h264(
        106,
        107,
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d0032",
    ),
    h264(
        108,
        109,
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=420032",
    ),
    h264(
        112,
        113,
        "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f",
    ),
    Offered {
        codec: VideoCodec::H265,
        payload_type: 114,
        rtx: 115,
        parameters: "profile-id=1;tier-flag=0;level-id=180;tx-mode=SRST",
    },
    Offered {
        codec: VideoCodec::Av1,
        payload_type: 45,
        rtx: 46,
        parameters: "profile=0",
    },
    Offered {
        codec: VideoCodec::Vp9,
        payload_type: 98,
        rtx: 99,
        parameters: "profile-id=0",
    },
    Offered {
        codec: VideoCodec::Vp9,
        payload_type: 100,
        rtx: 101,
        parameters: "profile-id=2",
    },
    Offered {
        codec: VideoCodec::Vp8,
        payload_type: 96,
        rtx: 97,
        parameters: "",
    },
];

const fn h264(payload_type: u8, rtx: u8, parameters: &'static str) -> Offered {
    Offered {
        codec: VideoCodec::H264,
        payload_type,
        rtx,
        parameters,
    }
}

/// What a packet is, by its payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Media(Coding),
    /// Media that is sent again, wrapped.
    Resent(Coding),
}

pub(super) fn meaning(payload_type: u8) -> Option<Meaning> {
    if payload_type == OPUS {
        return Some(Meaning::Media(Coding::Opus));
    }
    VIDEO.iter().find_map(|offered| {
        let coding = Coding::Video(offered.codec);
        if payload_type == offered.payload_type {
            Some(Meaning::Media(coding))
        } else if payload_type == offered.rtx {
            Some(Meaning::Resent(coding))
        } else {
            None
        }
    })
}

/// Registers all of them.
pub(super) fn register(media: &mut MediaEngine) -> Result<(), Error> {
    let opus = codec(MIME_TYPE_OPUS, (48_000, 2), OPUS_PARAMETERS, AUDIO_FEEDBACK);
    media.register_codec(parameters(opus, OPUS), RtpCodecKind::Audio)?;
    for offered in VIDEO {
        let video = codec(
            mime_type(offered.codec),
            (VIDEO_CLOCK_RATE, 0),
            offered.parameters,
            VIDEO_FEEDBACK,
        );
        media.register_codec(parameters(video, offered.payload_type), RtpCodecKind::Video)?;
        let apt = format!("apt={}", offered.payload_type);
        let rtx = codec(MIME_TYPE_RTX, (VIDEO_CLOCK_RATE, 0), &apt, &[]);
        media.register_codec(parameters(rtx, offered.rtx), RtpCodecKind::Video)?;
    }
    Ok(())
}

fn mime_type(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::H264 => MIME_TYPE_H264,
        VideoCodec::H265 => MIME_TYPE_HEVC,
        VideoCodec::Vp8 => MIME_TYPE_VP8,
        VideoCodec::Vp9 => MIME_TYPE_VP9,
        VideoCodec::Av1 => MIME_TYPE_AV1,
    }
}

fn codec(
    mime_type: &str,
    (clock_rate, channels): (u32, u16),
    parameters: &str,
    feedback: &[(&str, &str)],
) -> RTCRtpCodec {
    let feedback = feedback.iter().map(|(typ, parameter)| RTCPFeedback {
        typ: (*typ).to_owned(),
        parameter: (*parameter).to_owned(),
    });
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: parameters.to_owned(),
        rtcp_feedback: feedback.collect(),
    }
}

fn parameters(rtp_codec: RTCRtpCodec, payload_type: u8) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec,
        payload_type,
    }
}
