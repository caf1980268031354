#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

/// What Chromium attaches to a keyframe of `L3T3`, VP9.
const L3T3: &str = "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a0941b820ac1282503157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d";

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn l3t3() -> Structure {
    attached_structure(&bytes(L3T3)).unwrap()
}

#[test]
fn mandatory_fields_are_read() {
    let expected = DependencyDescriptor {
        first_in_frame: true,
        last_in_frame: false,
        template_id: 5,
        frame_number: 0x1234,
        has_structure: false,
        has_active_targets: false,
    };
    let parse = DependencyDescriptor::parse;
    assert_eq!(parse(&[0x85, 0x12, 0x34]), Some(expected));
    let with_targets = DependencyDescriptor {
        has_active_targets: true,
        ..expected
    };
    assert_eq!(parse(&[0x85, 0x12, 0x34, 0x40]), Some(with_targets));
    let with_structure = DependencyDescriptor {
        has_structure: true,
        ..expected
    };
    assert_eq!(parse(&[0x85, 0x12, 0x34, 0x80, 0]), Some(with_structure));
    for len in 0..3 {
        assert_eq!(parse(&[0; 3][..len]), None);
    }
}

#[test]
fn a_browsers_structure_is_read() {
    let structure = l3t3();
    assert_eq!(structure.sizes[..], [(120, 67), (240, 135), (480, 270)]);
    let targets: Vec<_> = structure
        .targets
        .iter()
        .map(|t| (t.spatial, t.temporal))
        .collect();
    let all: Vec<_> = (0..3).flat_map(|s| (0..3).map(move |t| (s, t))).collect();
    assert_eq!(targets, all);
    assert_eq!(structure.chains, 3);
    let layers: std::collections::BTreeSet<_> = structure
        .templates
        .iter()
        .map(|t| (t.spatial, t.temporal))
        .collect();
    assert_eq!(layers.len(), 9);
}

#[test]
fn later_frames_follow_its_templates() {
    let structure = l3t3();
    let key = Frame::parse(&bytes(L3T3), &structure).unwrap();
    assert_eq!((key.spatial, key.temporal), (0, 0));
    assert!(key.references.is_empty());
    assert_eq!(key.indication(8), Indication::Switch);
    // The two larger frames of the same picture, as captured behind it.
    let middle = Frame::parse(&bytes("86017340fc"), &structure).unwrap();
    assert_eq!((middle.spatial, middle.temporal), (1, 0));
    assert_eq!(middle.references[..], [1]);
    assert_eq!(middle.indication(0), Indication::NotPresent);
    assert_eq!(middle.indication(3), Indication::Switch);
    let delta = Frame::parse(&bytes("c30175"), &structure).unwrap();
    assert_eq!((delta.spatial, delta.temporal), (0, 2));
    assert_eq!(delta.indication(2), Indication::Discardable);
    assert_eq!(delta.indication(0), Indication::NotPresent);
    assert_eq!(
        Frame::parse(&bytes("bf0175"), &structure),
        None,
        "no such template"
    );
}

#[test]
fn a_frame_may_refer_to_others_than_its_template_does() {
    // No structure, no targets, custom references: 1 and 300 frames back.
    let value = [
        0x81,
        0,
        9,
        0b0001_0010,
        0b0001_1000,
        0b1001_0101,
        0b1000_0000,
    ];
    let frame = Frame::parse(&value, &l3t3()).unwrap();
    assert_eq!(frame.references[..], [1, 300]);
}

#[test]
fn active_targets_are_put_in_and_replaced() {
    let structure = l3t3();
    let active = structure.active_targets(1, 0);
    assert_eq!(
        active,
        ActiveTargets {
            count: 9,
            mask: 0b1001
        }
    );
    assert_eq!(structure.active_targets(7, 7).mask, 0x1ff);
    let put = |hex: &str| {
        let mut out = [0xff; 255];
        let length = set_active_targets(&bytes(hex), active, &mut out).unwrap();
        out[..length].to_vec()
    };
    // Flags 01000, mask 000001001.
    assert_eq!(put("c30175"), bytes("c301754024"));
    assert_eq!(
        put("86017340fc"),
        bytes("8601734024"),
        "in place of the other mask"
    );
    assert_eq!(
        put("8601734004"),
        bytes("8601734004"),
        "what wasn't active isn't"
    );
    let key = put(L3T3);
    assert_eq!(attached_structure(&key), Some(structure.clone()));
    assert_eq!(
        Frame::parse(&key, &structure),
        Frame::parse(&bytes(L3T3), &structure)
    );
    assert_eq!(key[3] & 0xf8, 0b1100_0000, "structure and mask are present");
    // Behind flags and structure, and no longer than it must be.
    assert!(key.len() <= bytes(L3T3).len() + 2);
    let mut again = [0; 255];
    let length = set_active_targets(&key, active, &mut again).unwrap();
    assert_eq!(again[..length], key);
}

#[test]
fn custom_fields_stay_behind_the_mask() {
    let value = [
        0x81,
        0,
        9,
        0b0001_0010,
        0b0001_1000,
        0b1001_0101,
        0b1000_0000,
    ];
    let structure = l3t3();
    let mut out = [0; 255];
    let length = set_active_targets(&value, structure.active_targets(0, 0), &mut out).unwrap();
    assert_eq!(
        Frame::parse(&out[..length], &structure),
        Frame::parse(&value, &structure)
    );
}

#[test]
fn frame_numbers_are_counted_on() {
    let mut value = [0x81, 0xff, 0xfe, 0x40];
    shift_frame_number(&mut value, 3);
    assert_eq!(value, [0x81, 0, 1, 0x40]);
    shift_frame_number(&mut value[..2], 3);
    assert_eq!(value, [0x81, 0, 1, 0x40]);
}

proptest! {
    #[test]
    fn nothing_panics(value in proptest::collection::vec(any::<u8>(), 0..120)) {
        attached_structure(&value);
        let structure = l3t3();
        Frame::parse(&value, &structure);
        let mut out = [0; 255];
        set_active_targets(&value, structure.active_targets(1, 1), &mut out);
    }

    #[test]
    fn a_changed_or_cut_structure_is_read_or_refused(at in 0..94usize, bit in 0..8u32, len in 0..95usize) {
        let mut value = bytes(L3T3);
        value[at] ^= 1 << bit;
        value.truncate(len);
        if let Some(structure) = attached_structure(&value) {
            Frame::parse(&value, &structure);
            let mut out = [0; 255];
            let active = structure.active_targets(0, 0);
            if let Some(length) = set_active_targets(&value, active, &mut out) {
                prop_assert_eq!(attached_structure(&out[..length]), Some(structure));
            }
        }
    }
}
