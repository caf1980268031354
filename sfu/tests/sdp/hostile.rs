use std::time::{Duration, Instant};

use proptest::prelude::*;
use spillway_sfu::sdp::{MAX_MEDIA, MAX_RIDS, MAX_SDP_BYTES, parse_sdpfrag};

use super::*;

/// Reads it in every way; if it can be served the answer must be sound.
fn read(text: &str) {
    let _ = parse_sdpfrag(text);
    for answer in [
        publish(text)
            .ok()
            .map(|session| with_local(|local| session.answer(local))),
        watch(text)
            .ok()
            .map(|session| with_local(|local| session.answer(local))),
    ]
    .into_iter()
    .flatten()
    {
        parse_offer(&answer).expect("our own answer can be read");
    }
}

fn joined<T>(items: impl Iterator<Item = T>, text: impl Fn(T) -> String) -> String {
    items.map(text).collect::<Vec<_>>().concat()
}

#[test]
fn the_description_is_bounded() {
    let long = format!("{OBS}a=x:{}\n", "y".repeat(MAX_SDP_BYTES));
    assert!(matches!(
        parse_offer(&long),
        Err(SdpError::Malformed { line: 41, .. })
    ));
    let many = format!("{OBS}{}", "m=video 9 UDP/TLS/RTP/SAVPF 96\n".repeat(1000));
    assert!(
        matches!(parse_offer(&many), Err(SdpError::Malformed { line, .. }) if line == 40 + MAX_MEDIA - 1)
    );
    let rids = joined(0..=MAX_RIDS, |rid| format!("a=rid:{rid} send\n"));
    assert!(matches!(
        parse_offer(&format!("{OBS}{rids}")),
        Err(SdpError::Malformed { .. })
    ));
    let ssrcs = joined(0..2000, |ssrc| format!("a=ssrc:{ssrc} cname:x\n"));
    assert!(matches!(
        parse_offer(&format!("{OBS}{ssrcs}")),
        Err(SdpError::Malformed { .. })
    ));
}

#[test]
fn the_longest_descriptions_are_read_fast() {
    let fill = |line: &str| {
        let mut text = OBS.to_owned();
        while text.len() + line.len() <= MAX_SDP_BYTES {
            text.push_str(line);
        }
        text
    };
    let all_types = joined(0..128, |payload_type| format!(" {payload_type}"));
    for line in [
        "a=rtcp-fb:* x\n",
        "a=x\n",
        "a=rtcp-fb:96 nack\n",
        "a=ssrc-group:FID 1 2\n",
        "\n",
    ] {
        let text = fill(line)
            .replace("SAVPF 96", &format!("SAVPF{all_types}"))
            .replace("SAVPF 111\n", "SAVPF 1\n");
        let start = Instant::now();
        read(&text);
        assert!(start.elapsed() < Duration::from_secs(1), "{line}");
    }
}

#[test]
fn truncated_offers_never_panic() {
    for offer in PUBLISHERS.into_iter().chain(VIEWERS) {
        for (end, _) in offer.char_indices().step_by(7) {
            read(&offer[..end]);
        }
    }
}

#[test]
fn offers_without_one_line_never_panic() {
    for offer in PUBLISHERS.into_iter().chain(VIEWERS) {
        let lines: Vec<&str> = offer.lines().collect();
        for missing in 0..lines.len() {
            let mut kept = lines.clone();
            kept.remove(missing);
            read(&kept.join("\r\n"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutated_offers_never_panic(
        which in 0..10_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let offer = PUBLISHERS.into_iter().chain(VIEWERS).nth(which).unwrap();
        let mut bytes = offer.as_bytes().to_vec();
        for (position, byte) in edits {
            let position = position.index(bytes.len());
            bytes[position] = byte & 0x7f;
        }
        read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn shuffled_lines_never_panic(
        which in 0..10_usize,
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..20),
    ) {
        let offer = PUBLISHERS.into_iter().chain(VIEWERS).nth(which).unwrap();
        let mut lines: Vec<&str> = offer.lines().collect();
        for (one, other) in swaps {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            lines.swap(one, other);
        }
        read(&lines.join("\n"));
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,200}") {
        read(&text);
        read(&format!("v=0\n{text}"));
        read(&format!("{OBS}a={text}\n"));
    }
}
