//! Against an independent implementation, both ways.

use ::rtc_srtp::{
    context::Context, crypto::default_provider, option, protection_profile::ProtectionProfile,
};

use super::*;

fn other(profile: Profile, keys: &Keys) -> Context {
    let profile = match profile {
        Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Profile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        Profile::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
    };
    let crypto = default_provider().unwrap();
    Context::new(
        &keys.key,
        &keys.salt,
        profile,
        Some(option::srtp_replay_protection(1024)),
        Some(option::srtcp_replay_protection(1024)),
        crypto.crypto(),
    )
    .unwrap()
}

/// Indices around two roll-overs, with a step back across the first.
const INDICES: [u64; 10] = [
    65_000, 65_534, 65_536, 65_535, 65_537, 98_000, 120_000, 131_071, 131_072, 131_073,
];

#[test]
fn our_rtp_is_opened_by_another_implementation() {
    for profile in Profile::ALL {
        let keys = Keys::of(profile);
        let ours = keys.sealer();
        let mut theirs = other(profile, &keys);
        for ssrc in [MEDIA, RTX] {
            for index in INDICES {
                let plain = rtp(ssrc, index as u16, 700);
                let sealed = seal(&ours, &plain, index);
                assert_eq!(
                    theirs.decrypt_rtp(&sealed).unwrap()[..],
                    plain[..],
                    "{profile:?} {index}"
                );
            }
        }
    }
}

#[test]
fn rtp_of_another_implementation_is_opened_by_us() {
    for profile in Profile::ALL {
        let keys = Keys::of(profile);
        let mut theirs = other(profile, &keys);
        let mut ours = keys.opener();
        for ssrc in [MEDIA, RTX] {
            for sequence in (65_000..=65_535).chain(0..500) {
                let plain = rtp(ssrc, sequence, 90);
                let mut packet = theirs.encrypt_rtp(&plain).unwrap().to_vec();
                let len = ours.open_rtp(&mut packet).unwrap();
                assert_eq!(packet[..len], plain[..], "{profile:?} {sequence}");
            }
        }
    }
}

#[test]
fn rtcp_goes_both_ways() {
    for profile in Profile::ALL {
        let keys = Keys::of(profile);
        let (mut ours, mut theirs) = (keys.sealer(), other(profile, &keys));
        let (mut our_opener, mut their_opener) = (keys.opener(), other(profile, &keys));
        for round in 0..5 {
            let plain = rtcp(MEDIA + round % 2);
            let mut packet = plain.clone();
            ours.seal_rtcp(&mut packet);
            assert_eq!(their_opener.decrypt_rtcp(&packet).unwrap()[..], plain[..]);

            let mut packet = theirs.encrypt_rtcp(&plain).unwrap().to_vec();
            let len = our_opener.open_rtcp(&mut packet).unwrap();
            assert_eq!(packet[..len], plain[..]);
        }
    }
}
