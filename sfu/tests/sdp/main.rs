//! Offers of real clients, and of hostile ones, against the rules of WHIP and WHEP.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod fragments;
mod hostile;
mod matching;
mod publishers;
mod refusals;
mod viewers;

use spillway_sfu::{
    Candidate, CandidateTransport, IceCredentials,
    sdp::{Fingerprint, Local, Payload, SdpError, Ssrcs, parse_offer},
};

const OBS: &str = include_str!("../fixtures/sdp/obs.sdp");
const OBS_SIMULCAST: &str = include_str!("../fixtures/sdp/obs_simulcast.sdp");
const CHROMIUM_PUBLISHER: &str = include_str!("../fixtures/sdp/chromium_publisher.sdp");
const CHROMIUM_SIMULCAST: &str = include_str!("../fixtures/sdp/chromium_simulcast.sdp");
const CHROMIUM_VIEWER: &str = include_str!("../fixtures/sdp/chromium_viewer.sdp");
const FIREFOX_PUBLISHER: &str = include_str!("../fixtures/sdp/firefox_publisher.sdp");
const FIREFOX_VIEWER: &str = include_str!("../fixtures/sdp/firefox_viewer.sdp");
const FFMPEG: &str = include_str!("../fixtures/sdp/ffmpeg.sdp");
const GSTREAMER: &str = include_str!("../fixtures/sdp/gstreamer.sdp");
const AIORTC: &str = include_str!("../fixtures/sdp/aiortc.sdp");

const PUBLISHERS: [&str; 7] = [
    OBS,
    OBS_SIMULCAST,
    CHROMIUM_PUBLISHER,
    CHROMIUM_SIMULCAST,
    FIREFOX_PUBLISHER,
    FFMPEG,
    GSTREAMER,
];
const VIEWERS: [&str; 3] = [CHROMIUM_VIEWER, FIREFOX_VIEWER, AIORTC];

/// Our side, as a node with UDP, ICE-TCP and an address behind a NAT would fill it in.
fn with_local<T>(use_it: impl FnOnce(&Local<'_>) -> T) -> T {
    let ice = IceCredentials {
        ufrag: "0abc".to_owned(),
        pwd: "0123456789abcdef0123456789".to_owned(),
    };
    let fingerprint: Fingerprint = format!("sha-256 {}", ["AB"; 32].join(":")).parse().unwrap();
    let candidates = [
        Candidate {
            transport: CandidateTransport::Udp,
            address: "192.0.2.1:8189".parse().unwrap(),
            base: None,
        },
        Candidate {
            transport: CandidateTransport::Udp,
            address: "203.0.113.5:8189".parse().unwrap(),
            base: Some("192.0.2.1:8189".parse().unwrap()),
        },
        Candidate {
            transport: CandidateTransport::TcpPassive,
            address: "[2001:db8::1]:8189".parse().unwrap(),
            base: None,
        },
    ];
    use_it(&Local {
        ice: &ice,
        fingerprint: &fingerprint,
        candidates: &candidates,
        session_id: 42,
        stream_id: "spillway",
        video: Some(Ssrcs {
            media: 1111,
            rtx: 2222,
            flexfec: 3333,
        }),
    })
}

fn publish(offer: &str) -> Result<spillway_sfu::sdp::PublisherSession, SdpError> {
    spillway_sfu::sdp::accept_publisher(&parse_offer(offer)?)
}

fn watch(offer: &str) -> Result<spillway_sfu::sdp::ViewerSession, SdpError> {
    spillway_sfu::sdp::accept_viewer(&parse_offer(offer)?)
}

fn types(payloads: &[Payload]) -> Vec<u8> {
    payloads
        .iter()
        .map(|payload| payload.payload_type)
        .collect()
}
