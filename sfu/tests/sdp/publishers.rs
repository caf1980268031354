use spillway_sfu::{
    MediaKind,
    codec::Codec,
    rtp::Extension,
    sdp::{Setup, SsrcGroup, parse_offer},
};

use super::*;

#[test]
fn obs_gives_audio_and_h264_without_rtx_or_transport_cc() {
    let offer = parse_offer(OBS).unwrap();
    assert_eq!(offer.ice.ufrag, "wCPZ");
    assert_eq!(
        (offer.setup, offer.setup.answer()),
        (Setup::ActPass, Setup::Passive)
    );
    let session = publish(OBS).unwrap();
    let [audio, video] = session.tracks.as_slice() else {
        panic!("two tracks: {:?}", session.tracks);
    };
    assert_eq!(
        (audio.mid.as_str(), audio.kind, types(&audio.payloads)),
        ("0", MediaKind::Audio, vec![111])
    );
    assert_eq!(audio.payloads[0].channels, Some(2));
    assert_eq!(audio.payloads[0].parameter("stereo"), Some("1"));
    let h264 = &video.payloads[0];
    assert_eq!(
        (h264.codec, h264.payload_type, h264.rtx),
        (Codec::H264, 96, None)
    );
    assert!(h264.nack && h264.pli && h264.remb && !h264.transport_cc && !h264.fir);
    assert_eq!(
        video.ssrcs,
        [SsrcGroup {
            ssrc: 1_402_948_182,
            rtx: None
        }]
    );
    assert_eq!(session.extensions.id(Extension::Mid), Some(1));
    assert_eq!(session.extensions.id(Extension::Rid), Some(2));
    assert!(session.data.is_none());
}

#[test]
fn every_simulcast_layer_is_taken_in_order() {
    let session = publish(OBS_SIMULCAST).unwrap();
    assert_eq!(session.tracks[1].rids, ["0", "1", "2"]);
    assert!(session.tracks[1].ssrcs.is_empty());
    let session = publish(CHROMIUM_SIMULCAST).unwrap();
    assert_eq!(session.tracks[1].rids, ["h", "m", "l"]);
    assert_eq!(session.extensions.id(Extension::RepairedRid), Some(11));
}

#[test]
fn every_codec_of_chromium_that_is_forwarded_is_kept_in_its_order() {
    let session = publish(CHROMIUM_PUBLISHER).unwrap();
    let video = &session.tracks[1];
    assert_eq!(
        types(&video.payloads),
        [96, 103, 107, 109, 115, 117, 39, 45, 98, 100]
    );
    let rtx: Vec<_> = video
        .payloads
        .iter()
        .filter_map(|payload| payload.rtx)
        .collect();
    assert_eq!(rtx, [97, 104, 108, 114, 116, 118, 40, 46, 99, 101]);
    assert_eq!(types(&session.tracks[0].payloads), [111]);
    assert!(
        video
            .payloads
            .iter()
            .all(|payload| payload.transport_cc && !payload.remb && payload.fir)
    );
    assert_eq!(
        video.ssrcs,
        [SsrcGroup {
            ssrc: 2_231_627_014,
            rtx: Some(632_943_048)
        }]
    );
}

#[test]
fn send_times_are_taken_only_where_transport_cc_is_missing() {
    let chromium = publish(CHROMIUM_PUBLISHER).unwrap().extensions;
    assert_eq!(chromium.id(Extension::TransportSequence), Some(3));
    assert_eq!(chromium.id(Extension::AbsSendTime), None);
    assert_eq!(chromium.id(Extension::PlayoutDelay), None);
    assert_eq!(chromium.id(Extension::VideoOrientation), Some(13));
    assert_eq!(chromium.id(Extension::AudioLevel), Some(1));
    assert_eq!(chromium.id(Extension::DependencyDescriptor), Some(9));

    let without = CHROMIUM_PUBLISHER.replace("transport-cc", "x-none");
    let session = publish(&without).unwrap();
    assert_eq!(session.extensions.id(Extension::TransportSequence), None);
    assert_eq!(session.extensions.id(Extension::AbsSendTime), Some(2));
    assert!(
        session.tracks[1]
            .payloads
            .iter()
            .all(|payload| payload.remb)
    );
}

#[test]
fn ffmpeg_waits_for_our_handshake() {
    let offer = parse_offer(FFMPEG).unwrap();
    assert_eq!(
        (offer.setup, offer.setup.answer()),
        (Setup::Passive, Setup::Active)
    );
    let session = publish(FFMPEG).unwrap();
    assert_eq!(session.tracks[1].payloads[0].rtx, Some(105));
    assert_eq!(session.tracks[1].ssrcs[0].rtx, Some(2_882_400_154));
}

#[test]
fn gstreamer_is_taken_with_bundle_only_and_without_red() {
    let session = publish(GSTREAMER).unwrap();
    assert_eq!(session.tracks[0].mid, "video0");
    assert_eq!(session.tracks[1].mid, "audio1");
    assert_eq!(types(&session.tracks[0].payloads), [96]);
    assert_eq!(session.tracks[0].payloads[0].rtx, Some(97));
    assert_eq!(session.tracks[1].payloads[0].codec, Codec::Opus);
}

#[test]
fn firefox_is_taken() {
    let session = publish(FIREFOX_PUBLISHER).unwrap();
    let video = &session.tracks[1];
    assert_eq!(types(&video.payloads), [120, 121, 126, 97]);
    assert_eq!(video.payloads[3].rtx, Some(98));
    assert_eq!(video.ssrcs[0].rtx, Some(2_653_589_793));
}

#[test]
fn one_kind_alone_is_enough() {
    let cut = OBS.find("m=video").unwrap();
    let audio_only = OBS[..cut].replace("BUNDLE 0 1", "BUNDLE 0");
    assert_eq!(publish(&audio_only).unwrap().tracks.len(), 1);
    let start = OBS.find("m=audio").unwrap();
    let video_only =
        format!("{}{}", &OBS[..start], &OBS[cut..]).replace("a=group:BUNDLE 0 1\n", "");
    assert_eq!(
        publish(&video_only).unwrap().tracks[0].kind,
        MediaKind::Video
    );
}

#[test]
fn transport_attributes_may_stand_at_the_top() {
    let ice = "a=ice-ufrag:wCPZ\na=ice-pwd:AbcdEfghIjklMnopQrstUv\n";
    let hoisted = OBS.replace(ice, "").replace("a=setup:actpass\n", "");
    let hoisted = hoisted.replacen("m=audio", &format!("{ice}a=setup:active\nm=audio"), 1);
    let offer = parse_offer(&hoisted).unwrap();
    assert_eq!(
        (offer.ice.ufrag.as_str(), offer.setup),
        ("wCPZ", Setup::Active)
    );
}

#[test]
fn the_strongest_fingerprint_counts() {
    let offer = parse_offer(AIORTC).unwrap();
    assert_eq!(offer.fingerprint.digest().len(), 48);
}

#[test]
fn alternatives_and_paused_layers_keep_their_first_choice() {
    let odd = OBS_SIMULCAST.replace("a=simulcast:send 0;1;2", "a=simulcast:send ~0,1;2 recv 7");
    assert_eq!(publish(&odd).unwrap().tracks[1].rids, ["0", "2"]);
    let restricted = OBS_SIMULCAST.replace(
        "a=rid:1 send",
        "a=rid:1 send pt=96;max-width=640;max-fps=30",
    );
    assert_eq!(
        publish(&restricted).unwrap().tracks[1].rids,
        ["0", "1", "2"]
    );
}
