//! Connectivity checks (RFC 8445 §7.2) as a controlling agent makes them.

use rtc_stun::{
    attributes::{
        ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, RawAttribute,
    },
    crypto::providers::AwsLcRsCrypto,
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, Message, Setter, TransactionId},
};
use spillway_sfu::IceCredentials;

/// A nominating binding request toward the owner of `to`.
pub fn binding_request(to: &IceCredentials, from: &IceCredentials) -> Vec<u8> {
    let mut request = Message::new();
    request.set_type(BINDING_REQUEST);
    request.write_header();
    TransactionId::new().add_to(&mut request).unwrap();
    let username = format!("{}:{}", to.ufrag, from.ufrag);
    for (typ, value) in [
        (ATTR_USERNAME, username.as_bytes()),
        (ATTR_PRIORITY, &[0x7e, 0, 0, 255]),
        (ATTR_ICE_CONTROLLING, &[7; 8]),
        (ATTR_USE_CANDIDATE, &[]),
    ] {
        let value = value.to_vec();
        RawAttribute {
            typ,
            length: 0,
            value,
        }
        .add_to(&mut request)
        .unwrap();
    }
    MessageIntegrity::new_raw_integrity_with_provider(to.pwd.as_bytes(), &AwsLcRsCrypto)
        .add_to(&mut request)
        .unwrap();
    FINGERPRINT.add_to(&mut request).unwrap();
    request.raw
}
