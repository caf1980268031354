use spillway_sfu::codec::Codec;

use super::*;

/// The payload type under which media that `publisher` sends as `sent_as` reaches a viewer.
fn matched(viewer: &str, publisher: &str, sent_as: u8) -> Option<u8> {
    let viewer = watch(viewer).unwrap();
    let session = publish(publisher).unwrap();
    let sent = session
        .tracks
        .iter()
        .flat_map(|track| &track.payloads)
        .find(|payload| payload.payload_type == sent_as)
        .unwrap();
    viewer
        .tracks
        .iter()
        .find(|track| track.kind == sent.codec.kind())
        .unwrap()
        .matching(sent)
        .map(|payload| payload.payload_type)
}

#[test]
fn the_same_profile_and_packetization_are_found() {
    assert_eq!(matched(CHROMIUM_VIEWER, OBS, 96), Some(109));
    assert_eq!(matched(CHROMIUM_VIEWER, OBS, 111), Some(111));
    for payload_type in [96, 103, 107, 109, 115, 117, 39, 45, 98, 100] {
        assert_eq!(
            matched(CHROMIUM_VIEWER, CHROMIUM_PUBLISHER, payload_type),
            Some(payload_type)
        );
    }
}

#[test]
fn spellings_of_one_profile_are_equal() {
    // 42c0 and 4d80 are constrained baseline too (RFC 6184, table 5).
    for spelling in ["42c01f", "42F028", "4d8015"] {
        let publisher = OBS.replace("42e01f", spelling);
        assert_eq!(
            matched(CHROMIUM_VIEWER, &publisher, 96),
            Some(109),
            "{spelling}"
        );
    }
    let main = OBS.replace("42e01f", "4d0033");
    assert_eq!(matched(CHROMIUM_VIEWER, &main, 96), Some(117));
}

#[test]
fn packetization_counts_more_than_profile() {
    let high = OBS.replace("42e01f", "640028");
    assert_eq!(matched(CHROMIUM_VIEWER, &high, 96), Some(103));
    let single_nal = high.replace("packetization-mode=1", "packetization-mode=0");
    assert_eq!(matched(CHROMIUM_VIEWER, &single_nal, 96), Some(107));
}

#[test]
fn a_codec_that_the_viewer_lacks_has_no_match() {
    assert_eq!(matched(FIREFOX_VIEWER, CHROMIUM_PUBLISHER, 45), None);
    let h265 = OBS.replace("H264/90000", "H265/90000");
    assert_eq!(
        publish(&h265).unwrap().tracks[1].payloads[0].codec,
        Codec::H265
    );
    assert_eq!(matched(CHROMIUM_VIEWER, &h265, 96), None);
}
