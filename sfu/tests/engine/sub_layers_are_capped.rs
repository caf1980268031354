//! A viewer gets what its cap allows of an encoding, and can decode all of what it gets.

use std::collections::{BTreeMap, HashMap, HashSet};

use spillway_sfu::{
    LayerSelection, MediaKind, SubLayerCap,
    codec::{self, Counters},
    rtp::dependency_descriptor::{DependencyDescriptor, attached_structure},
};

use crate::support::{link::Random, source::Tag, viewer::in_order, *};

const KINDS: [(Codec, Scalability); 5] = [
    (Codec::Vp8, Scalability::L1T3),
    (Codec::Vp9, Scalability::L3T3Key),
    (Codec::Vp9, Scalability::L1T3),
    (Codec::Av1, Scalability::L1T3),
    (Codec::Av1, Scalability::L3T3),
];

fn cap(spatial: u8, temporal: u8) -> SubLayerCap {
    SubLayerCap { spatial, temporal }
}

fn source(number: u8, codec: Codec, scalability: Scalability) -> Source {
    Source {
        codec,
        scalability,
        group: 100_000,
        ..Source::new(number)
    }
}

fn offer(codec: Codec) -> Offer {
    Offer {
        codecs: vec![codec],
        ..Offer::publisher()
    }
}

/// A publisher and a viewer of it.
fn world(codec: Codec, scalability: Scalability) -> (World, PeerId, PeerId) {
    let mut world = World::new();
    let publisher = world.publish(&offer(codec), source(1, codec, scalability));
    let viewer = world.watch(&Offer::viewer());
    world.connect(&[publisher, viewer]);
    world.run(seconds(1));
    (world, publisher, viewer)
}

fn set_cap(world: &mut World, viewer: PeerId, cap: SubLayerCap) {
    let session = world.peers[viewer].session;
    let limit = |layer| (layer < u8::MAX).then_some(layer);
    let selection = LayerSelection {
        max_spatial: limit(cap.spatial),
        max_temporal: limit(cap.temporal),
        ..LayerSelection::default()
    };
    world
        .engine(0, |engine, now, out| {
            engine.select_layers(now, session, selection, out)
        })
        .unwrap();
}

/// The highest layers among what came since `from`, and how many pictures.
fn highest_since(world: &World, viewer: PeerId, from: usize) -> (u8, u8, usize) {
    let tags = || {
        world.video(viewer)[from..]
            .iter()
            .filter_map(|p| p.tag)
            .collect::<Vec<_>>()
    };
    let pictures: HashSet<u32> = tags().iter().map(|t| t.picture).collect();
    (
        tags().iter().map(|t| t.spatial).max().unwrap(),
        tags().iter().map(|t| t.temporal).max().unwrap(),
        pictures.len(),
    )
}

/// Every frame that was begun came whole, and so did all that it refers to; each picture ends with a marker. `moot`
/// pictures before a keyframe, some may be missing: nobody asks for them again once the keyframe is there.
fn assert_decodable(world: &World, viewer: PeerId, moot: u32, context: &str) {
    let heard = in_order(&world.peers[viewer].heard, MediaKind::Video);
    let mut parts: HashMap<(u8, u32), HashSet<u8>> = HashMap::new();
    let mut frames: Vec<Tag> = Vec::new();
    for tag in heard.values().filter_map(|p| p.tag) {
        let seen = parts.entry((tag.source, tag.frame)).or_default();
        if seen.is_empty() {
            frames.push(tag);
        }
        seen.insert(tag.index);
    }
    // What is still under way at the end isn't whole.
    frames.truncate(frames.len() - 4);
    let whole = |tag: &Tag, frame: u32, of: Option<u8>| {
        let seen = parts.get(&(tag.source, frame)).map_or(0, HashSet::len);
        of.map_or(seen > 0, |of| seen == usize::from(of))
    };
    let keyframes: HashSet<(u8, u32)> = frames
        .iter()
        .filter(|f| f.keyframe)
        .map(|f| (f.source, f.picture))
        .collect();
    let is_moot =
        |tag: &Tag| (1..=moot).any(|n| keyframes.contains(&(tag.source, tag.picture + n)));
    for tag in frames.iter().filter(|tag| !is_moot(tag)) {
        assert!(
            whole(tag, tag.frame, Some(tag.of)),
            "{context}: a part of {tag:?}"
        );
        for frame in tag.references.into_iter().flatten() {
            assert!(
                whole(tag, frame, None),
                "{context}: {tag:?} refers to {frame}"
            );
        }
    }
    let packets: Vec<&Heard> = heard
        .values()
        .copied()
        .filter(|p| p.tag.is_some())
        .collect();
    for pair in packets.windows(2) {
        let ends = pair[0].timestamp != pair[1].timestamp;
        let lost = moot > 0 && pair[0].sequence.wrapping_add(1) != pair[1].sequence;
        assert!(
            pair[0].marker == ends || lost,
            "{context}: the marker of {:?}",
            pair[0].tag
        );
    }
}

/// Picture ids, TL0PICIDX and frame numbers go on.
fn assert_counted_on(world: &World, viewer: PeerId, codec: Codec, context: &str) {
    let mut before: Option<(Tag, Counters, Option<u16>)> = None;
    for packet in in_order(&world.peers[viewer].heard, MediaKind::Video).values() {
        let Some(tag) = packet.tag else { continue };
        let counters = match codec {
            Codec::Vp8 => Counters::read(codec::Codec::Vp8, &packet.payload),
            Codec::Vp9 => Counters::read(codec::Codec::Vp9, &packet.payload),
            Codec::Av1 | Codec::H264 => Counters::default(),
        };
        let number = packet
            .descriptor
            .as_ref()
            .map(|value| DependencyDescriptor::parse(value).unwrap().frame_number);
        if let Some((former, last, last_number)) = before {
            let same_source = former.source == tag.source;
            let id = |c: Counters| c.picture_id.map(|id| i32::from(id.value));
            if let (Some(now), Some(then)) = (id(counters), id(last)) {
                let step = (now - then).rem_euclid(1 << 15);
                let expected = match codec {
                    _ if former.picture == tag.picture && same_source => 0,
                    Codec::Vp9 if same_source => tag.picture as i32 - former.picture as i32,
                    _ => 1,
                };
                assert_eq!(
                    step, expected,
                    "{context}: picture id from {former:?} to {tag:?}"
                );
            }
            if let (Some(now), Some(then)) = (counters.tl0picidx, last.tl0picidx) {
                let begins = tag.temporal == 0 && (former.picture != tag.picture || !same_source);
                assert_eq!(
                    now.wrapping_sub(then),
                    u8::from(begins),
                    "{context}: {tag:?}"
                );
            }
            if let (Some(now), Some(then)) = (number, last_number) {
                let expected = if same_source {
                    tag.frame as i32 - former.frame as i32
                } else {
                    1
                };
                assert_eq!(
                    i32::from(now.wrapping_sub(then)),
                    expected,
                    "{context}: {tag:?}"
                );
            }
        }
        before = Some((tag, counters, number));
    }
}

#[test]
fn down_at_once_and_without_a_gap() {
    for (codec, scalability) in KINDS {
        let context = format!("{codec:?} {scalability:?}");
        let (mut world, publisher, viewer) = world(codec, scalability);
        let spatial = if matches!(scalability, Scalability::L1T3) {
            0
        } else {
            2
        };
        assert_eq!(
            highest_since(&world, viewer, 0),
            (spatial, 2, 30),
            "{context}"
        );
        for temporal in [1, 0] {
            set_cap(&mut world, viewer, cap(spatial.min(temporal), temporal));
            world.run(ms(120));
            let from = world.video(viewer).len();
            world.run(seconds(2));
            let (s, t, pictures) = highest_since(&world, viewer, from);
            assert_eq!((s, t), (spatial.min(temporal), temporal), "{context}");
            let expected = 15 * (1 + usize::from(temporal));
            assert!(
                pictures.abs_diff(expected) <= 2,
                "{context}: {pictures} pictures"
            );
        }
        assert!(world.keyframe_requests(publisher).is_empty(), "{context}");
        world.assert_continuous(viewer, MediaKind::Video);
        assert_decodable(&world, viewer, 0, &context);
        assert_counted_on(&world, viewer, codec, &context);
    }
}

#[test]
fn up_where_the_stream_allows() {
    for (codec, scalability) in KINDS {
        let context = format!("{codec:?} {scalability:?}");
        let (mut world, publisher, viewer) = world(codec, scalability);
        set_cap(&mut world, viewer, cap(0, 0));
        world.run(seconds(1));
        set_cap(&mut world, viewer, cap(0, u8::MAX));
        let from = world.video(viewer).len();
        world.run(ms(500));
        assert_eq!(highest_since(&world, viewer, from).1, 2, "{context}");
        assert!(world.keyframe_requests(publisher).is_empty(), "{context}");
        set_cap(&mut world, viewer, SubLayerCap::ALL);
        world.run(seconds(1));
        let spatial = if matches!(scalability, Scalability::L1T3) {
            0
        } else {
            2
        };
        let from = world.video(viewer).len();
        world.run(ms(500));
        assert_eq!(highest_since(&world, viewer, from).0, spatial, "{context}");
        let asked = world.keyframe_requests(publisher).len();
        assert_eq!(asked, usize::from(spatial > 0), "{context}: keyframes");
        world.assert_continuous(viewer, MediaKind::Video);
        assert_decodable(&world, viewer, 0, &context);
        assert_counted_on(&world, viewer, codec, &context);
    }
}

#[test]
fn up_and_down_a_hundred_times_on_a_bad_path() {
    for seed in 0..4 {
        for (codec, scalability) in KINDS {
            let context = format!("seed {seed}, {codec:?} {scalability:?}");
            let (mut world, publisher, viewer) = world(codec, scalability);
            let mut random = Random(seed);
            world.links[viewer].0 = Link::bad(0.02);
            world.links[publisher].1 = Link::bad(0.01);
            for _ in 0..100 {
                let all = [0, 1, 2, u8::MAX];
                let (spatial, temporal) = (all[random.below(4)], all[random.below(4)]);
                set_cap(&mut world, viewer, cap(spatial, temporal));
                world.run(ms(20 + 10 * random.below(20) as u64));
            }
            world.links[viewer].0 = Link::default();
            world.links[publisher].1 = Link::default();
            world.run(seconds(1));
            world.assert_ordered(viewer, MediaKind::Video);
            assert_decodable(&world, viewer, 20, &context);
        }
    }
}

#[test]
fn by_what_the_path_carries() {
    for (codec, scalability) in KINDS {
        let context = format!("{codec:?} {scalability:?}");
        let (mut world, publisher, viewer) = world(codec, scalability);
        world.links[viewer].0 = Link::thin(2_200_000);
        world.run(seconds(8));
        let from = world.video(viewer).len();
        world.run(seconds(10));
        let (spatial, temporal, pictures) = highest_since(&world, viewer, from);
        let least = u8::from(scalability != Scalability::L1T3) * 2;
        assert_eq!((spatial, temporal), (least, 1), "{context}");
        assert!(pictures >= 140, "{context}: {pictures} pictures in 10 s");
        let arrivals = world.video(viewer)[from..].to_vec();
        let gaps = arrivals.windows(2).map(|pair| pair[1].at - pair[0].at);
        let gap = gaps.max().unwrap();
        assert!(gap < ms(400), "{context}: nothing for {gap:?}");
        world.links[viewer].0 = Link::default();
        world.run(seconds(10));
        let from = world.video(viewer).len();
        world.run(seconds(1));
        let top = if matches!(scalability, Scalability::L1T3) {
            (0, 2, 30)
        } else {
            (2, 2, 30)
        };
        assert_eq!(highest_since(&world, viewer, from), top, "{context}");
        let asked = world.keyframe_requests(publisher).len();
        assert!(asked <= 8, "{context}: {asked} keyframes");
    }
}

#[test]
fn counters_go_on_over_a_takeover_and_over_layers() {
    for (codec, scalability) in KINDS {
        let context = format!("{codec:?} {scalability:?}");
        let (mut world, _, viewer) = world(codec, scalability);
        set_cap(&mut world, viewer, cap(1, 1));
        world.run(seconds(1));
        let second = world.publish(&offer(codec), source(2, codec, scalability));
        world.connect(&[second]);
        world.run(seconds(2));
        let sources: HashSet<u8> = world
            .video(viewer)
            .iter()
            .filter_map(|p| p.tag.map(|t| t.source))
            .collect();
        assert_eq!(sources.len(), 2, "{context}");
        world.assert_continuous(viewer, MediaKind::Video);
        assert_decodable(&world, viewer, 0, &context);
        assert_counted_on(&world, viewer, codec, &context);
    }
}

#[test]
fn to_one_spatial_layer_of_av1_without_descriptors() {
    let mut world = World::new();
    let publisher = world.publish(&offer(Codec::Av1), source(1, Codec::Av1, Scalability::L3T3));
    let plain = Offer {
        descriptors: false,
        ..Offer::viewer()
    };
    let viewer = world.watch(&plain);
    world.connect(&[publisher, viewer]);
    world.run(seconds(3));
    let (spatial, temporal, pictures) = highest_since(&world, viewer, 0);
    assert_eq!((spatial, temporal), (0, 2));
    assert!(pictures >= 88, "{pictures} pictures");
}

#[test]
fn a_keyframe_names_the_decode_targets_that_are_sent() {
    let (mut world, publisher, viewer) = world(Codec::Av1, Scalability::L3T3);
    set_cap(&mut world, viewer, cap(1, 0));
    world.run(seconds(1));
    world.peer(publisher, |peer, _| {
        peer.source.as_mut().unwrap().layers[0].wants_keyframe = true;
    });
    let from = world.video(viewer).len();
    world.run(ms(200));
    let values: Vec<Vec<u8>> = world.video(viewer)[from..]
        .iter()
        .filter_map(|p| p.descriptor.clone())
        .collect();
    let key = values
        .iter()
        .find(|value| attached_structure(value).is_some())
        .unwrap();
    assert!(DependencyDescriptor::parse(key).unwrap().has_active_targets);
    assert_eq!(attached_structure(key).unwrap().targets.len(), 9);
}

#[test]
fn statistics_tell_sub_layers_from_the_least_to_the_most() {
    let (mut world, publisher, viewer) = world(Codec::Vp9, Scalability::L3T3Key);
    set_cap(&mut world, viewer, cap(1, 2));
    world.run(seconds(6));
    let statistics = world.engines[0].statistics(world.now);
    let of = |id: PeerId| {
        let session = world.peers[id].session;
        let found = statistics
            .sessions
            .iter()
            .find(|s| s.session == session)
            .unwrap();
        let video = found
            .layers
            .iter()
            .find(|l| l.kind == MediaKind::Video)
            .unwrap();
        video.sub_layers.clone()
    };
    let all = of(publisher);
    let layers: BTreeMap<(u8, u8), (u16, u16)> = all
        .iter()
        .map(|l| ((l.spatial, l.temporal), (l.width, l.height)))
        .collect();
    assert_eq!(layers.len(), 9);
    assert_eq!(layers[&(0, 0)], (320, 180));
    assert_eq!(layers[&(2, 2)], (1280, 720));
    assert!(all.is_sorted_by_key(|l| l.bitrate));
    let top = all.last().unwrap();
    assert_eq!((top.spatial, top.temporal), (2, 2));
    assert!((2_000_000..3_000_000).contains(&top.bitrate), "{top:?}");
    assert_eq!(of(viewer).len(), 6);
}
