use spillway_sfu::{
    codec::{self, Codec, vp8, vp9},
    rtp::{self, AbsCaptureTime, DependencyDescriptor, Packet, rtx},
    srtp::{Opener, Profile},
};

/// RTP: packets, header extensions, what codecs' payloads say, descriptors rewritten, and packets that aren't sealed.
pub fn rtp(data: &[u8]) {
    for profile in Profile::ALL {
        never_authentic(profile, data);
    }
    payload(data);
    let Ok(packet) = Packet::parse(data) else {
        return;
    };
    let len = packet.header_len() + packet.payload().len() + packet.padding_len();
    assert_eq!(
        len,
        data.len(),
        "header, payload and padding are the packet"
    );
    assert_eq!(rtp::header_len(data), Ok(packet.header_len()));
    let mut extended = 0;
    for (id, value) in packet.extensions() {
        assert_ne!(id, 0, "0 is padding");
        extended += value.len();
        AbsCaptureTime::parse(value);
        DependencyDescriptor::parse(value);
    }
    assert!(extended <= packet.header_len());
    if let Some((_, original)) = rtx::unwrap(packet.payload()) {
        assert_eq!(original.len() + 2, packet.payload().len());
    }
    payload(packet.payload());
}

fn never_authentic(profile: Profile, data: &[u8]) {
    let (key, salt) = ([7; 32], [9; 14]);
    let mut opener = Opener::new(
        profile,
        &key[..profile.key_len()],
        &salt[..profile.salt_len()],
    )
    .expect("the lengths are the profile's");
    assert!(opener.open_rtp(&mut data.to_vec()).is_err());
    assert!(opener.open_rtcp(&mut data.to_vec()).is_err());
}

fn payload(data: &[u8]) {
    for codec in Codec::ALL {
        codec::inspect(codec, data);
    }
    let mut rewritten = data.to_vec();
    vp8::rewrite_descriptor(&mut rewritten, 0x1234, 0x56);
    let shape = |d: vp8::Descriptor| (d.picture_id.is_some(), d.tl0picidx.is_some());
    assert_eq!(
        vp8::Descriptor::parse(&rewritten).map(shape),
        vp8::Descriptor::parse(data).map(shape),
        "rewriting leaves the descriptor's form alone"
    );
    let mut rewritten = data.to_vec();
    vp9::rewrite_descriptor(&mut rewritten, 0x1234, 0x56);
    let shape = |d: vp9::Descriptor| (d.picture_id.is_some(), d.tl0picidx.is_some());
    assert_eq!(
        vp9::Descriptor::parse(&rewritten).map(shape),
        vp9::Descriptor::parse(data).map(shape),
        "rewriting leaves the descriptor's form alone"
    );
}
