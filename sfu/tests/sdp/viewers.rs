use spillway_sfu::{codec::Codec, rtp::Extension};

use super::*;

#[test]
fn chromium_gets_every_codec_and_data_channels() {
    let session = watch(CHROMIUM_VIEWER).unwrap();
    assert_eq!(session.tracks[0].mid, "0");
    assert_eq!(session.tracks[0].payloads.len(), 10);
    assert_eq!(session.tracks[1].payloads[0].codec, Codec::Opus);
    let data = session.data.unwrap();
    assert_eq!(
        (data.mid.as_str(), data.sctp_port, data.max_message_size),
        ("2", 5000, 262_144)
    );
    let extensions = session.extensions;
    assert_eq!(extensions.id(Extension::Mid), Some(4));
    assert_eq!(extensions.id(Extension::TransportSequence), Some(3));
    assert_eq!(extensions.id(Extension::AbsSendTime), Some(2));
    assert_eq!(extensions.id(Extension::PlayoutDelay), Some(5));
    assert_eq!(extensions.id(Extension::Rid), None);
}

#[test]
fn firefox_has_an_extension_for_one_way_only() {
    let session = watch(FIREFOX_VIEWER).unwrap();
    assert_eq!(session.extensions.id(Extension::PlayoutDelay), Some(6));
    let answer = with_local(|local| session.answer(local));
    assert!(answer.contains(
        "a=extmap:6/sendonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n"
    ));
}

#[test]
fn aiortc_without_transport_cc_falls_back_to_remb() {
    let session = watch(AIORTC).unwrap();
    assert_eq!(session.extensions.id(Extension::TransportSequence), None);
    assert!(
        session.tracks[1]
            .payloads
            .iter()
            .all(|payload| payload.remb && !payload.transport_cc)
    );
    assert!(session.data.is_some());
}

#[test]
fn redundant_sound_must_be_of_the_opus_that_is_taken() {
    let red = |offer: &str| {
        let session = watch(offer).unwrap();
        let sound = session.tracks.into_iter().find(|t| t.mid == "1").unwrap();
        sound.payloads[0].red
    };
    assert_eq!(red(CHROMIUM_VIEWER), Some(63));
    let fmtp = "a=fmtp:63 111/111";
    for good in ["a=fmtp:63 111/111/111", "a=fmtp:63  111/111 "] {
        assert_eq!(
            red(&CHROMIUM_VIEWER.replace(fmtp, good)),
            Some(63),
            "{good}"
        );
    }
    for broken in [
        "a=fmtp:63 111",
        "a=fmtp:63 111/9",
        "a=fmtp:63 9/111",
        "a=fmtp:63 111/111/9",
        "a=fmtp:63 111/",
        "a=fmtp:63 /111",
        "a=fmtp:63 111 111",
        "a=fmtp:63 111/111;x=1",
        "a=fmtp:63 4294967407/111",
        "a=ptime:20",
    ] {
        assert_eq!(
            red(&CHROMIUM_VIEWER.replace(fmtp, broken)),
            None,
            "{broken}"
        );
    }
    for rtpmap in [
        "red/8000",
        "red/48000",
        "red/48000/1",
        "red/90000/2",
        "rod/48000/2",
    ] {
        let other = CHROMIUM_VIEWER.replace("63 red/48000/2", &format!("63 {rtpmap}"));
        assert_eq!(red(&other), None, "{rtpmap}");
    }
    // Its number looks like RTCP (RFC 5761 §4), or isn't in the m-line.
    let looks_like_rtcp = CHROMIUM_VIEWER
        .replace(" 63 ", " 72 ")
        .replace(":63 ", ":72 ");
    assert_eq!(red(&looks_like_rtcp), None);
    assert_eq!(red(&CHROMIUM_VIEWER.replacen(" 63 ", " ", 1)), None);
}

#[test]
fn sendrecv_is_fine() {
    assert!(watch(CHROMIUM_PUBLISHER).is_ok());
}

#[test]
fn ids_that_need_the_two_byte_form_are_left_out() {
    let odd = CHROMIUM_VIEWER.replace("a=extmap:5 ", "a=extmap:20 ");
    assert_eq!(
        watch(&odd).unwrap().extensions.id(Extension::PlayoutDelay),
        None
    );
}

#[test]
fn where_sections_disagree_on_an_id_the_first_counts() {
    let odd = CHROMIUM_VIEWER.replace(
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:5 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    );
    let extensions = watch(&odd).unwrap().extensions;
    assert_eq!(extensions.id(Extension::PlayoutDelay), Some(5));
    assert_eq!(extensions.id(Extension::AudioLevel), None);
}
