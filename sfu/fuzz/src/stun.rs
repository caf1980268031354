use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, LazyLock},
    time::Instant,
};

use aws_lc_rs::hmac;
use spillway_sfu::{
    IceCredentials, Path, Protocol,
    dtls::Certificate,
    ice::stun_ufrag,
    transport::{DtlsRole, Incoming, Transport, TransportConfig},
};

pub(crate) static CERTIFICATE: LazyLock<Arc<Certificate>> =
    LazyLock::new(|| Arc::new(Certificate::generate().expect("OpenSSL makes certificates")));

/// STUN, from strangers as it is, and as the body of a request whose sender knows the password.
pub fn stun(data: &[u8]) {
    stun_ufrag(data);
    let (ours, theirs) = (credentials("aaabcdefgh"), credentials("peer"));
    let mut transport = transport(&ours, &theirs);
    let mut buffer = Vec::new();

    let taken = matches!(
        transport.handle(Instant::now(), path(1), &mut data.to_vec()),
        Incoming::Handled | Incoming::Rtp(_) | Incoming::Rtcp(_)
    );
    assert!(!taken, "a stranger changes nothing");
    assert_eq!(transport.path(), None);
    if let Some(to) = transport.poll_transmit(&mut buffer) {
        assert_eq!(to, path(1));
        assert!(buffer.len() <= 3 * data.len(), "no amplification");
    }

    let mut request = request(&ours, &theirs, data);
    assert_eq!(stun_ufrag(&request), Some(ours.ufrag.as_str()));
    transport.handle(Instant::now(), path(1), &mut request);
    while transport.poll_transmit(&mut buffer).is_some() {}
}

pub(crate) fn path(port: u16) -> Path {
    Path {
        protocol: Protocol::Udp,
        local: IpAddr::V4(Ipv4Addr::LOCALHOST),
        remote: (Ipv4Addr::LOCALHOST, port).into(),
    }
}

fn credentials(ufrag: &str) -> IceCredentials {
    IceCredentials {
        ufrag: ufrag.to_owned(),
        pwd: "abcdefghijklmnopqrstuvwxyz234567".to_owned(),
    }
}

fn transport(ours: &IceCredentials, theirs: &IceCredentials) -> Transport {
    let config = TransportConfig {
        local_ice: ours.clone(),
        remote_ice: theirs.clone(),
        remote_fingerprint: CERTIFICATE.fingerprint().clone(),
        role: DtlsRole::Server,
        certificate: Arc::clone(&CERTIFICATE),
        data_channels: None,
    };
    Transport::new(Instant::now(), config).expect("OpenSSL makes associations")
}

/// A binding request of `theirs` to `ours` (RFC 8489 §5, §14) with `attributes` as they come, cut to whole words.
pub(crate) fn request(
    ours: &IceCredentials,
    theirs: &IceCredentials,
    attributes: &[u8],
) -> Vec<u8> {
    const BINDING_REQUEST: [u8; 2] = [0, 1];
    const HEADER: usize = 20;
    const USERNAME: u16 = 6;
    const MESSAGE_INTEGRITY: u16 = 8;
    const FINGERPRINT: u16 = 0x8028;
    /// More than any datagram has, and less than the length field can say.
    const MAX_ATTRIBUTES: usize = 2048;

    let mut message = BINDING_REQUEST.to_vec();
    message.extend([0, 0, 0x21, 0x12, 0xa4, 0x42]);
    message.extend(*b"transaction!");
    attribute(
        &mut message,
        USERNAME,
        format!("{}:{}", ours.ufrag, theirs.ufrag).as_bytes(),
    );
    let whole_words = attributes.len().min(MAX_ATTRIBUTES) & !3;
    message.extend(&attributes[..whole_words]);

    // Each of the two is counted in the header's length when it is computed (RFC 8489 §14.5, §14.7).
    set_length(&mut message, HEADER, 24);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, ours.pwd.as_bytes());
    let tag = hmac::sign(&key, &message);
    attribute(&mut message, MESSAGE_INTEGRITY, tag.as_ref());
    set_length(&mut message, HEADER, 8);
    let crc = crc32fast::hash(&message) ^ 0x5354_554e;
    attribute(&mut message, FINGERPRINT, &crc.to_be_bytes());
    message
}

fn attribute(message: &mut Vec<u8>, typ: u16, value: &[u8]) {
    message.extend(typ.to_be_bytes());
    message.extend(
        u16::try_from(value.len())
            .expect("short values")
            .to_be_bytes(),
    );
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// Writes the length of what follows the header, `more` bytes that are still to come included.
fn set_length(message: &mut [u8], header: usize, more: usize) {
    let length = u16::try_from(message.len() - header + more).expect("short messages");
    message[2..4].copy_from_slice(&length.to_be_bytes());
}
