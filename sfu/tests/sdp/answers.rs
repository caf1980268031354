use spillway_sfu::sdp::{Direction, parse_offer};

use super::*;

/// The m-sections of a description, each as its lines.
fn sections(sdp: &str) -> Vec<Vec<&str>> {
    let mut sections: Vec<Vec<&str>> = Vec::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            sections.push(Vec::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push(line);
        }
    }
    sections
}

fn answer(offer: &str) -> String {
    with_local(|local| match publish(offer) {
        Ok(session) => session.answer(local),
        Err(_) => watch(offer).unwrap().answer(local),
    })
}

#[test]
fn the_answer_for_obs_reads_like_this() {
    let candidates = "a=candidate:1 1 udp 2130706431 192.0.2.1 8189 typ host\r\n\
        a=candidate:2 1 udp 1694498559 203.0.113.5 8189 typ srflx raddr 192.0.2.1 rport 8189\r\n\
        a=candidate:3 1 tcp 1526726143 2001:db8::1 8189 typ host tcptype passive\r\n\
        a=end-of-candidates\r\n";
    let transport = format!(
        "a=ice-ufrag:0abc\r\na=ice-pwd:0123456789abcdef0123456789\r\na=fingerprint:sha-256 {}\r\na=setup:passive\r\n",
        ["AB"; 32].join(":")
    );
    let expected = format!(
        "v=0\r\no=- 42 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE 0 1\r\n\
        a=msid-semantic: WMS\r\n\
        m=audio 8189 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 192.0.2.1\r\na=mid:0\r\n{transport}{candidates}\
        a=recvonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
        a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1\r\n\
        m=video 8189 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 192.0.2.1\r\na=mid:1\r\n{transport}\
        a=recvonly\r\na=rtcp-mux\r\n\
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
        a=extmap:2 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
        a=rtpmap:96 H264/90000\r\na=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n\
        a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1\r\n\
        a=rid:0 recv\r\na=rid:1 recv\r\na=rid:2 recv\r\na=simulcast:recv 0;1;2\r\n"
    );
    assert_eq!(answer(OBS_SIMULCAST), expected);
}

#[test]
fn every_answer_keeps_the_sections_of_its_offer() {
    for offer in PUBLISHERS.into_iter().chain(VIEWERS) {
        let answer = answer(offer);
        let (offered, answered) = (sections(offer), sections(&answer));
        assert_eq!(offered.len(), answered.len());
        for (offered, answered) in offered.iter().zip(&answered) {
            let start = |line: &str| line.split(' ').next().unwrap().to_owned();
            assert_eq!(start(offered[0]), start(answered[0]));
            let mid = offered
                .iter()
                .find(|line| line.starts_with("a=mid:"))
                .unwrap();
            assert!(answered.contains(mid));
            assert!(
                !answered[0].contains(" 0 "),
                "not rejected: {}",
                answered[0]
            );
        }
        let group = |sdp: &str| {
            sdp.lines()
                .find(|line| line.starts_with("a=group:BUNDLE"))
                .map(str::to_owned)
        };
        assert_eq!(group(offer), group(&answer));
    }
}

#[test]
fn every_answer_is_sdp_that_we_would_read_ourselves() {
    for offer in PUBLISHERS.into_iter().chain(VIEWERS) {
        let answer = answer(offer);
        let read = parse_offer(&answer).unwrap();
        assert!(read.ice_lite);
        assert_eq!(read.ice.ufrag, "0abc");
        let offered = parse_offer(offer).unwrap();
        assert_eq!(read.setup, offered.setup.answer());
        let mixed = |sdp: &str| sdp.contains("a=extmap-allow-mixed");
        assert_eq!(mixed(offer), mixed(&answer));
        assert_eq!(answer.matches("a=end-of-candidates").count(), 1);
        assert_eq!(answer.matches("a=candidate").count(), 3);
        assert!(!answer.contains("rtcp-mux-only"));
        // SSRCs are named to those who take FlexFEC alone.
        let repaired = answer.contains("flexfec-03");
        assert_eq!(repaired, std::ptr::eq(offer, CHROMIUM_VIEWER));
        assert_eq!(answer.contains("a=ssrc"), repaired);
        for unwanted in ["red/90000", "ulpfec", "G722", "telephone-event"] {
            assert!(!answer.contains(unwanted), "{unwanted}");
        }
    }
}

#[test]
fn viewers_get_one_media_stream_and_publishers_none() {
    let viewer = answer(CHROMIUM_VIEWER);
    assert!(
        viewer.contains("a=msid:spillway video\r\n")
            && viewer.contains("a=msid:spillway audio\r\n")
    );
    assert!(viewer.contains(Direction::SendOnly.name()) && !viewer.contains("recvonly"));
    let publisher = answer(CHROMIUM_PUBLISHER);
    assert!(!publisher.contains("a=msid:"));
    assert!(publisher.contains("a=recvonly") && !publisher.contains("sendonly"));
}

#[test]
fn chromium_publishers_are_asked_for_transport_feedback() {
    let answer = answer(CHROMIUM_SIMULCAST);
    for line in [
        "a=rtcp-fb:96 transport-cc",
        "a=rtcp-fb:111 transport-cc",
        "a=rtcp-fb:96 nack pli",
        "a=rtcp-fb:96 ccm fir",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=simulcast:recv h;m;l",
        "a=rtcp-rsize",
        "a=extmap-allow-mixed",
    ] {
        assert!(answer.contains(&format!("{line}\r\n")), "{line}");
    }
    assert!(!answer.contains("goog-remb") && !answer.contains("abs-send-time"));
}

#[test]
fn data_channels_are_answered() {
    let answer = answer(CHROMIUM_VIEWER);
    assert!(answer.contains("UDP/DTLS/SCTP webrtc-datachannel\r\n"));
    assert!(answer.contains("a=sctp-port:5000\r\na=max-message-size:65536\r\n"));
}

#[test]
fn opus_keeps_its_error_correction_and_is_asked_for_again_where_that_is_offered() {
    for offer in [CHROMIUM_PUBLISHER, CHROMIUM_VIEWER] {
        let plain = answer(offer);
        let fmtp = plain.lines().find(|line| line.starts_with("a=fmtp:111 "));
        assert!(fmtp.unwrap().contains("useinbandfec=1"), "{fmtp:?}");
        assert!(!plain.contains("a=rtcp-fb:111 nack"));
        let opus = "a=rtpmap:111 opus/48000/2";
        let asked = answer(&offer.replace(opus, &format!("a=rtcp-fb:111 nack\r\n{opus}")));
        assert!(asked.contains("a=rtcp-fb:111 nack\r\n"), "{asked}");
    }
}

#[test]
fn redundant_sound_goes_to_viewers_who_take_it_and_comes_from_nobody() {
    let viewer = answer(CHROMIUM_VIEWER);
    assert!(viewer.contains("UDP/TLS/RTP/SAVPF 111 63\r\n"), "{viewer}");
    assert!(viewer.contains("a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n"));
    // Nobody here unwraps it.
    for offer in [CHROMIUM_PUBLISHER, CHROMIUM_SIMULCAST] {
        assert!(offer.contains("red/48000/2") && !answer(offer).contains("red/"));
    }
    // Firefox has it for the picture alone, aiortc not at all.
    for offer in [FIREFOX_VIEWER, AIORTC] {
        assert!(!answer(offer).contains("red/"));
    }
}

#[test]
fn what_the_client_gave_up_itself_stays_so() {
    let stopped = OBS.replacen("m=audio 9", "m=audio 0", 1);
    let answer = answer(&stopped);
    let answered = sections(&answer);
    assert_eq!(
        answered[0],
        [
            "m=audio 0 UDP/TLS/RTP/SAVPF 111",
            "c=IN IP4 0.0.0.0",
            "a=mid:0",
            "a=inactive"
        ]
    );
    assert!(answer.contains("a=group:BUNDLE 1\r\n"));
    assert!(answered[1].contains(&"a=end-of-candidates"));
}

#[test]
fn a_viewer_with_flexfec_is_told_which_stream_repairs_which() {
    let answer = answer(CHROMIUM_VIEWER);
    let video = answer.split("m=").find(|s| s.starts_with("video")).unwrap();
    assert!(video.lines().next().unwrap().ends_with(" 49"));
    for line in [
        "a=rtpmap:49 flexfec-03/90000",
        "a=fmtp:49 repair-window=10000000",
        "a=ssrc-group:FID 1111 2222",
        "a=ssrc-group:FEC-FR 1111 3333",
        "a=ssrc:1111 cname:spillway",
        "a=ssrc:2222 cname:spillway",
        "a=ssrc:3333 cname:spillway",
    ] {
        assert!(video.lines().any(|found| found == line), "{line}");
    }
    let sound = answer.split("m=").find(|s| s.starts_with("audio")).unwrap();
    assert!(!sound.contains("a=ssrc"));
}

#[test]
fn without_transport_wide_feedback_there_is_no_flexfec() {
    let offer = CHROMIUM_VIEWER.replace(" transport-cc", " x-none");
    assert!(!answer(&offer).contains("flexfec"));
}
