use spillway_sfu::{
    Candidate, CandidateTransport, IceCredentials,
    sdp::{self, Fingerprint, Local, SdpError, Ssrcs},
};

/// SDP offers, as publisher's and as viewer's: read, accepted and answered.
pub fn sdp(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let offer = match sdp::parse_offer(&text) {
        Ok(offer) => offer,
        Err(error) => return explains(&error),
    };
    let (ice, fingerprint, candidates) = ours();
    let local = Local {
        ice: &ice,
        fingerprint: &fingerprint,
        candidates: &candidates,
        session_id: 1,
        stream_id: "spillway",
        video: Some(Ssrcs {
            media: 1,
            rtx: 2,
            flexfec: 3,
        }),
    };
    match sdp::accept_publisher(&offer) {
        Ok(session) => {
            sound(&session.answer(&local), offer.media.len());
            sdpfrag(session.sdpfrag(&ice, &candidates).as_bytes());
        }
        Err(error) => explains(&error),
    }
    match sdp::accept_viewer(&offer) {
        Ok(session) => {
            sound(&session.answer(&local), offer.media.len());
            for track in &session.tracks {
                for payload in &track.payloads {
                    assert!(track.matching(payload).is_some(), "a payload fits itself");
                }
            }
        }
        Err(error) => explains(&error),
    }
}

/// Trickled candidates and ICE restarts.
pub fn sdpfrag(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let frag = match sdp::parse_sdpfrag(&text) {
        Ok(frag) => frag,
        Err(error) => return explains(&error),
    };
    assert!(frag.candidates.len() <= sdp::MAX_CANDIDATES);
    if let Some(ice) = &frag.ice {
        let again = sdp::write_sdpfrag(ice, &frag.candidates, &["0".to_owned()]);
        let again = sdp::parse_sdpfrag(&again).expect("what was written can be read");
        assert_eq!(again.ice.as_ref(), Some(ice));
        assert_eq!(again.candidates.len(), frag.candidates.len());
    }
}

/// RFC 3264 §6: as many m-sections as offered. No line of the offer breaks out of its place in the answer.
fn sound(answer: &str, sections: usize) {
    assert!(answer.starts_with("v=0\r\n") && answer.ends_with("\r\n"));
    assert!(!answer.replace("\r\n", "").contains(['\r', '\n', '\0']));
    let lines = || answer.lines();
    assert_eq!(
        lines().filter(|line| line.starts_with("m=")).count(),
        sections
    );
    assert!(
        lines().all(|line| line.as_bytes().get(1) == Some(&b'=')),
        "{answer}"
    );
}

fn explains(error: &SdpError) {
    assert!(!error.to_string().is_empty());
}

fn ours() -> (IceCredentials, Fingerprint, [Candidate; 2]) {
    let ice = IceCredentials {
        ufrag: "aaabcdefgh".to_owned(),
        pwd: "abcdefghijklmnopqrstuvwxyz234567".to_owned(),
    };
    let fingerprint = format!("sha-256 {}", ["AB"; 32].join(":"));
    let candidate = |transport| Candidate {
        transport,
        address: "192.0.2.1:8189".parse().expect("an address"),
        base: None,
    };
    (
        ice,
        fingerprint.parse().expect("a fingerprint"),
        [
            candidate(CandidateTransport::Udp),
            candidate(CandidateTransport::TcpPassive),
        ],
    )
}
