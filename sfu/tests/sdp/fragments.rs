use spillway_sfu::sdp::{MAX_CANDIDATES, parse_sdpfrag, write_sdpfrag};

use super::*;

const TRICKLE: &str = "a=group:BUNDLE 0 1\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
    a=mid:0\r\n\
    a=ice-ufrag:EsAw\r\n\
    a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
    a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
    a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ srflx raddr 10.0.0.1 rport 61765 generation 0\r\n\
    a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0\r\n\
    a=candidate:2154773085 1 tcp 1518214911 198.51.100.2 443 typ host tcptype passive\r\n\
    a=candidate:1 1 udp 2113937151 3f2c1a9e-0b7d-4c58-9e21-5a6b7c8d9e0f.local 52314 typ host\r\n\
    a=candidate:1 2 udp 2113937150 192.0.2.1 61766 typ host\r\n\
    a=candidate:1 1 quic 1 192.0.2.1 61766 typ host\r\n\
    a=end-of-candidates\r\n";

#[test]
fn candidates_that_we_could_use_are_kept() {
    let frag = parse_sdpfrag(TRICKLE).unwrap();
    assert_eq!(frag.ice.unwrap().ufrag, "EsAw");
    assert!(frag.end_of_candidates);
    let kept: Vec<String> = frag
        .candidates
        .iter()
        .map(|kept| kept.address.to_string())
        .collect();
    assert_eq!(
        kept,
        ["192.0.2.1:61764", "198.51.100.2:61765", "198.51.100.2:443"]
    );
    assert_eq!(
        frag.candidates[1].base,
        Some("10.0.0.1:61765".parse().unwrap())
    );
    assert_eq!(frag.candidates[2].transport, CandidateTransport::TcpPassive);
}

#[test]
fn credentials_may_come_first_or_not_at_all() {
    let first = "a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\nm=audio 9 RTP/AVP 0\na=mid:0\na=end-of-candidates\n";
    let frag = parse_sdpfrag(first).unwrap();
    assert_eq!(frag.ice.unwrap().ufrag, "EsAw");
    assert!(frag.candidates.is_empty() && frag.end_of_candidates);
    assert_eq!(
        parse_sdpfrag("m=audio 9 RTP/AVP 0\na=mid:0\n").unwrap().ice,
        None
    );
}

#[test]
fn ours_can_be_read_back() {
    let text = with_local(|local| {
        write_sdpfrag(
            local.ice,
            local.candidates,
            &["0".to_owned(), "1".to_owned()],
        )
    });
    let frag = parse_sdpfrag(&text).unwrap();
    with_local(|local| {
        assert_eq!(frag.ice.as_ref(), Some(local.ice));
        assert_eq!(frag.candidates, local.candidates);
    });
    assert!(frag.end_of_candidates);
    assert!(text.starts_with("a=ice-lite\r\na=group:BUNDLE 0 1\r\nm=audio 9 "));
    let session = publish(OBS).unwrap();
    assert_eq!(
        with_local(|local| session.sdpfrag(local.ice, local.candidates)),
        text
    );
}

#[test]
fn malformed_fragments_name_the_line() {
    for (text, line) in [
        ("", 1),
        ("nonsense", 1),
        ("a=ice-ufrag:EsAw\nm=audio 9 RTP/AVP 0\n", 1),
        ("m=audio 9 RTP/AVP 0\na=mid:0\na=candidate:1 1 udp\n", 3),
        ("a=candidate:1 1 udp 1 192.0.2.1 99999 typ host\n", 1),
        (
            "a=mid:0\na=candidate:1 1 udp 99999999999999 192.0.2.1 9 typ host\n",
            2,
        ),
        ("a=candidate:1 1 udp 1 192.0.2.1 9\n", 1),
    ] {
        match parse_sdpfrag(text) {
            Err(SdpError::Malformed { line: found, .. }) => assert_eq!(found, line, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn candidates_are_bounded() {
    let line = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\n";
    assert!(parse_sdpfrag(&line.repeat(MAX_CANDIDATES)).is_ok());
    assert!(parse_sdpfrag(&line.repeat(MAX_CANDIDATES + 1)).is_err());
}
