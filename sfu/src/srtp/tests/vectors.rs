//! The published test vectors.

use super::*;

const SALT: &str = "5175 6964 2070 726f 2071 756f";
const RTP: &str =
    "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070
    61727465 73207472 6573";
const RTCP: &str =
    "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef
    deadbeef deadbeef deadbeef";

fn gcm_keys(profile: Profile) -> Ciphers {
    let key: Vec<u8> = (0..profile.key_len() as u8).collect();
    let cipher = || Cipher::with_session_keys(profile, &key, &bytes(SALT), &[]).unwrap();
    Ciphers {
        rtp: cipher(),
        rtcp: cipher(),
    }
}

fn check_gcm(profile: Profile, sealed_media: &str, sealed_report: &str) {
    let mut sealer = Sealer::with_ciphers(profile, gcm_keys(profile));
    let mut opener = Opener::with_ciphers(profile, gcm_keys(profile));

    let mut packet = bytes(RTP);
    packet.resize(packet.len() + 16, 0);
    sealer.seal_rtp(&mut packet, 12, 0xf17b);
    assert_eq!(packet, bytes(sealed_media));
    let len = opener.open_rtp(&mut packet).unwrap();
    assert_eq!(packet[..len], bytes(RTP));

    let mut packet = bytes(RTCP);
    sealer.set_next_rtcp_index(0x5d4);
    sealer.seal_rtcp(&mut packet);
    assert_eq!(packet, bytes(sealed_report));
    let len = opener.open_rtcp(&mut packet).unwrap();
    assert_eq!(packet[..len], bytes(RTCP));
}

/// RFC 7714 §16.1.1, §16.1.2, §17.1, §17.2.
#[test]
fn rfc_7714_aes_128_gcm() {
    check_gcm(
        Profile::AeadAes128Gcm,
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b
         36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46
         86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
    );
}

/// RFC 7714 §16.2.1, §16.2.2, §17.2.
#[test]
fn rfc_7714_aes_256_gcm() {
    check_gcm(
        Profile::AeadAes256Gcm,
        "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f
         1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658
         c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
    );
}

/// RFC 3711 §B.3.
#[test]
fn rfc_3711_key_derivation() {
    let master_key = bytes("E1F97A0D3E018BE0D64FA32C06DE4139");
    let master_salt = bytes("0EC675AD498AFEEBB6960B3AABE6");
    let derived = |label, len| {
        let mut key = vec![0; len];
        derive(&master_key, &master_salt, label, &mut key).unwrap();
        key
    };
    assert_eq!(
        derived(Label::RtpCipher, 16),
        bytes("C61E7A93744F39EE10734AFE3FF7A087")
    );
    assert_eq!(
        derived(Label::RtpSalt, 14),
        bytes("30CBBC08863D8C85D49DB34A9AE1")
    );
    assert_eq!(
        derived(Label::RtpAuthentication, AUTHENTICATION_KEY_LEN),
        bytes("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
    );
}
