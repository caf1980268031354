//! What is refused, and what refusing leaves untouched.

use proptest::prelude::*;

use super::*;

#[test]
fn a_replayed_packet_is_refused() {
    for profile in Profile::ALL {
        let keys = Keys::of(profile);
        let mut opener = keys.opener();
        let packet = seal(&keys.sealer(), &rtp(MEDIA, 7, 50), 7);
        assert!(opener.open_rtp(&mut packet.clone()).is_ok());
        assert_eq!(
            opener.open_rtp(&mut packet.clone()),
            Err(SrtpError::Replayed)
        );

        let mut report = rtcp(MEDIA);
        keys.sealer().seal_rtcp(&mut report);
        assert!(opener.open_rtcp(&mut report.clone()).is_ok());
        assert_eq!(
            opener.open_rtcp(&mut report.clone()),
            Err(SrtpError::Replayed)
        );
    }
}

#[test]
fn a_forged_packet_changes_nothing() {
    for profile in Profile::ALL {
        let keys = Keys::of(profile);
        let (sealer, mut opener) = (keys.sealer(), keys.opener());
        opener
            .open_rtp(&mut seal(&sealer, &rtp(MEDIA, 65_000, 50), 65_000))
            .unwrap();
        for position in 1..seal(&sealer, &rtp(MEDIA, 65_001, 50), 65_001).len() {
            // A changed sequence number or SSRC would move the roll-over counter if it counted.
            let mut forged = seal(&sealer, &rtp(MEDIA, 65_001, 50), 65_001);
            forged[position] ^= 0x80;
            let refused = opener.open_rtp(&mut forged);
            // With its high bit changed the sequence number lies out of the window.
            let expected = if position == 2 {
                SrtpError::Replayed
            } else {
                SrtpError::Forged
            };
            assert_eq!(refused, Err(expected), "{profile:?} byte {position}");
        }
        let mut genuine = seal(&sealer, &rtp(MEDIA, 65_001, 50), 65_001);
        assert!(opener.open_rtp(&mut genuine).is_ok());
    }
}

#[test]
fn a_forged_report_is_refused() {
    for profile in Profile::ALL {
        let keys = Keys::of(profile);
        let mut opener = keys.opener();
        let mut sealed = rtcp(MEDIA);
        keys.sealer().seal_rtcp(&mut sealed);
        for position in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[position] ^= 1;
            assert_eq!(
                opener.open_rtcp(&mut forged),
                Err(SrtpError::Forged),
                "{profile:?} byte {position}"
            );
        }
        assert!(opener.open_rtcp(&mut sealed).is_ok());
    }
}

#[test]
fn a_report_in_the_clear_is_refused() {
    let keys = Keys::of(Profile::AeadAes128Gcm);
    let mut sealed = rtcp(MEDIA);
    keys.sealer().seal_rtcp(&mut sealed);
    let flag = sealed.len() - RTCP_INDEX_LEN;
    sealed[flag] &= 0x7f;
    assert_eq!(
        keys.opener().open_rtcp(&mut sealed),
        Err(SrtpError::Unencrypted)
    );
}

#[test]
fn a_truncated_packet_is_refused() {
    for profile in Profile::ALL {
        let keys = Keys::of(profile);
        let mut opener = keys.opener();
        let packet = seal(&keys.sealer(), &rtp(MEDIA, 1, 30), 1);
        let mut report = rtcp(MEDIA);
        keys.sealer().seal_rtcp(&mut report);
        for len in 0..packet.len() {
            assert!(opener.open_rtp(&mut packet[..len].to_vec()).is_err());
        }
        for len in 0..report.len() {
            assert!(opener.open_rtcp(&mut report[..len].to_vec()).is_err());
        }
    }
}

#[test]
fn ssrcs_are_bounded() {
    let keys = Keys::of(Profile::AeadAes128Gcm);
    let (sealer, mut opener) = (keys.sealer(), keys.opener());
    let mut open = |ssrc| opener.open_rtp(&mut seal(&sealer, &rtp(ssrc, 1, 10), 1));
    for ssrc in 0..MAX_SSRCS as u32 {
        assert!(open(ssrc).is_ok());
    }
    assert_eq!(open(1_000_000), Err(SrtpError::TooManySsrcs));
}

#[test]
fn csrcs_and_extensions_stay_readable() {
    for profile in Profile::ALL {
        let keys = Keys::of(profile);
        let mut plain = rtp(MEDIA, 1, 0);
        plain[0] = 0x92;
        plain.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        plain.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, b'0', 0, 0]);
        let header_len = plain.len();
        plain.extend_from_slice(b"payload");
        let mut packet = plain.clone();
        packet.resize(plain.len() + profile.tag_len(), 0);
        keys.sealer().seal_rtp(&mut packet, header_len, 1);
        assert_eq!(packet[..header_len], plain[..header_len]);
        assert_ne!(packet[header_len..plain.len()], plain[header_len..]);
        let len = keys.opener().open_rtp(&mut packet).unwrap();
        assert_eq!(packet[..len], plain[..]);
    }
}

#[test]
fn sealing_from_elsewhere_equals_sealing_in_place() {
    for profile in Profile::ALL {
        let sealer = Keys::of(profile).sealer();
        for index in [3, 70_000] {
            let plain = rtp(MEDIA, index as u16, 333);
            let mut packet = plain[..12].to_vec();
            packet.resize(plain.len() + sealer.tag_len(), 0xff);
            sealer.seal_rtp_from(&mut packet, 12, &plain[12..], index);
            assert_eq!(packet, seal(&sealer, &plain, index));
        }
    }
}

#[test]
fn reports_end_when_their_index_is_used_up() {
    let mut sealer = Keys::of(Profile::AeadAes128Gcm).sealer();
    sealer.set_next_rtcp_index(RTCP_ENCRYPTED - 1);
    let mut last = rtcp(MEDIA);
    sealer.seal_rtcp(&mut last);
    assert!(!last.is_empty());
    let mut beyond = rtcp(MEDIA);
    sealer.seal_rtcp(&mut beyond);
    assert!(beyond.is_empty());
}

#[test]
fn keys_of_the_wrong_length_are_refused() {
    for profile in Profile::ALL {
        let keys = Keys::of(profile);
        assert_eq!(
            Sealer::new(profile, &keys.key[1..], &keys.salt).err(),
            Some(SrtpError::KeyLength)
        );
        assert_eq!(
            Opener::new(profile, &keys.key, &keys.salt[1..]).err(),
            Some(SrtpError::KeyLength)
        );
    }
}

proptest! {
    #[test]
    fn no_datagram_panics(mut datagram in prop::collection::vec(any::<u8>(), 0..200), first in 0x80_u8..0xc0) {
        if let Some(byte) = datagram.first_mut() {
            *byte = first;
        }
        for profile in Profile::ALL {
            let mut opener = Keys::of(profile).opener();
            prop_assert!(opener.open_rtp(&mut datagram.clone()).is_err());
            prop_assert!(opener.open_rtcp(&mut datagram.clone()).is_err());
        }
    }
}
