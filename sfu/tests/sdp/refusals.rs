use super::*;

#[track_caller]
fn unacceptable<T: std::fmt::Debug>(result: Result<T, SdpError>, part: &str) {
    match result {
        Err(SdpError::Unacceptable(reason)) => assert!(reason.contains(part), "{reason}"),
        other => panic!("expected a refusal with '{part}': {other:?}"),
    }
}

#[track_caller]
fn malformed(offer: &str, line: usize) {
    match parse_offer(offer) {
        Err(SdpError::Malformed {
            line: found,
            reason,
        }) => assert_eq!(found, line, "{reason}"),
        other => panic!("expected line {line} to be malformed: {other:?}"),
    }
}

/// The number of the line that begins with `start`.
fn line_of(offer: &str, start: &str) -> usize {
    1 + offer
        .lines()
        .position(|line| line.starts_with(start))
        .unwrap()
}

#[test]
fn directions_must_fit_the_endpoint() {
    unacceptable(publish(CHROMIUM_VIEWER), "recvonly: WHIP needs sendonly");
    unacceptable(watch(OBS), "sendonly: WHEP needs recvonly");
    unacceptable(
        publish(&OBS.replace("a=sendonly", "a=inactive")),
        "inactive",
    );
}

#[test]
fn a_second_track_of_a_kind_is_refused() {
    let video = &OBS[OBS.find("m=video").unwrap()..];
    let twice = format!("{OBS}{}", video.replace("a=mid:1", "a=mid:2"))
        .replace("BUNDLE 0 1", "BUNDLE 0 1 2");
    unacceptable(publish(&twice), "a second m=video");
    let viewer = twice.replace("sendonly", "recvonly");
    unacceptable(watch(&viewer), "a second m=video");
}

#[test]
fn no_common_codec_is_refused_by_name() {
    unacceptable(
        publish(&OBS.replace("H264/90000", "H263/90000")),
        "H264, H265, VP8, VP9, AV1",
    );
    unacceptable(
        publish(&OBS.replace("opus/48000/2", "PCMU/8000")),
        "m=audio",
    );
}

#[test]
fn red_alone_is_no_codec() {
    unacceptable(publish(&OBS.replace("H264/90000", "red/90000")), "m=video");
}

#[test]
fn what_every_session_needs_is_asked_for() {
    let without = |start: &str| {
        let kept = OBS.lines().filter(|line| !line.starts_with(start));
        kept.collect::<Vec<_>>().join("\n")
    };
    unacceptable(publish(&without("a=ice-ufrag")), "ice-ufrag");
    unacceptable(publish(&without("a=ice-pwd")), "ice-pwd");
    unacceptable(publish(&without("a=fingerprint")), "a=fingerprint");
    unacceptable(publish(&without("a=group:BUNDLE")), "a=group:BUNDLE");
    unacceptable(publish(&without("a=mid")), "a=mid");
    unacceptable(publish(&without("a=rtcp-mux")), "a=rtcp-mux");
    unacceptable(publish(&without("m=")), "no m-section");
    unacceptable(
        publish(&OBS.replace("BUNDLE 0 1", "BUNDLE 0")),
        "isn't in a=group:BUNDLE",
    );
    unacceptable(
        publish(&OBS.replace("BUNDLE 0 1", "BUNDLE 0 1 7")),
        "names a mid",
    );
    unacceptable(publish(&OBS.replace("sha-256", "md5")), "md5");
    unacceptable(publish(&OBS.replace("actpass", "holdconn")), "holdconn");
}

#[test]
fn what_is_not_media_over_srtp_is_refused() {
    unacceptable(
        publish(&OBS.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")),
        "RTP/AVP",
    );
    unacceptable(publish(&OBS.replace("m=video", "m=text")), "m=text");
    unacceptable(
        publish(
            &OBS.replace("SAVPF 96", "SAVPF 111")
                .replace(":96 ", ":111 "),
        ),
        "payload type 111",
    );
}

#[test]
fn data_channels_alone_are_refused() {
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:0\na=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\n";
    let head = &OBS[..OBS.find("m=audio").unwrap()];
    let only = format!("{head}{data}").replace("BUNDLE 0 1", "BUNDLE 0");
    unacceptable(watch(&only), "neither audio nor video");
}

#[test]
fn malformed_offers_name_the_line() {
    malformed("", 1);
    malformed("hello", 1);
    malformed("v=1\n", 1);
    malformed("o=- 1 1 IN IP4 0.0.0.0\n", 1);
    for (start, replacement) in [
        ("m=video", "m=video UDP/TLS/RTP/SAVPF 96"),
        ("m=video", "m=video 9 UDP/TLS/RTP/SAVPF"),
        ("m=video", "m=video 9 UDP/TLS/RTP/SAVPF 96 96"),
        ("m=video", "m=video 9 UDP/TLS/RTP/SAVPF 128"),
        ("m=video", "m=video 99999 UDP/TLS/RTP/SAVPF 96"),
        ("s=-", "s"),
        ("s=-", "q=?"),
        ("s=-", "s=\u{1}"),
        ("a=rtpmap:96", "a=rtpmap:96"),
        ("a=rtpmap:96", "a=rtpmap:96 H264/many"),
        (
            "a=rtpmap:96",
            "a=rtpmap:999999999999999999999999 H264/90000",
        ),
        ("a=fmtp:96", "a=fmtp:x packetization-mode=1"),
        ("a=extmap:1", "a=extmap:1"),
        ("a=extmap:1", "a=extmap:-1 urn:x"),
        ("a=extmap:1", "a=extmap:1/up urn:x"),
        ("a=ice-ufrag", "a=ice-ufrag:x"),
        ("a=ice-pwd", "a=ice-pwd:short"),
        ("a=fingerprint", "a=fingerprint:sha-256 AB:CD"),
        ("a=fingerprint", "a=fingerprint:sha-256 ZZ"),
        ("a=setup", "a=setup:perhaps"),
        ("a=ssrc:1402948182 cname", "a=ssrc:99999999999 cname:x"),
        ("a=mid:1", "a=mid:"),
        ("a=mid:1", "a=mid:a b"),
    ] {
        let line = line_of(OBS, start);
        let old = OBS.lines().nth(line - 1).unwrap();
        malformed(&OBS.replacen(old, replacement, 1), line);
    }
    malformed(&OBS.replace("a=mid:1", "a=mid:0"), line_of(OBS, "m=video"));
    malformed(
        &OBS.replace("a=fmtp:96", "a=rtpmap:96 VP8/90000\na=fmtp:96"),
        line_of(OBS, "a=fmtp:96"),
    );
    for (rids, line) in [
        ("a=rid:0 send\na=rid:0 send", 1),
        ("a=rid:0", 0),
        ("a=rid:0 sideways", 0),
        ("a=rid:a/b send", 0),
        ("a=rid:0 send\na=simulcast:send", 1),
        ("a=rid:0 send\na=simulcast:both 0", 1),
        ("a=rid:0 send\na=simulcast:send 0;0", 1),
        ("a=rid:0 send\na=simulcast:send 0;;", 1),
    ] {
        let at = line_of(OBS, "a=extmap:2");
        let offer = OBS.replace("a=extmap:2 ", &format!("{rids}\na=extmap:2 "));
        malformed(&offer, at + line);
    }
}
