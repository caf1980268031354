use std::collections::HashMap;

use spillway_sfu::MediaKind;

use crate::support::{peer::Told, viewer::whole_frames, *};

#[test]
fn receiver_reports_that_are_right() {
    let mut world = World::new();
    let publisher = world.publish(
        &Offer {
            rtx: false,
            nack: false,
            ..Offer::publisher()
        },
        Source::new(1),
    );
    world.connect(&[publisher]);
    for sequence in [65_510u16, 65_520, 65_530] {
        world.peers[publisher]
            .withhold
            .insert(((1 << 16) + 1, sequence));
    }
    world.run(seconds(4));
    let told = &world.peers[publisher].told;
    let blocks = told.iter().rev().find_map(|(_, told)| match told {
        Told::ReceiverReport(blocks) => Some(blocks.clone()),
        _ => None,
    });
    let blocks = blocks.expect("no receiver report");
    let video = blocks.iter().find(|b| b.ssrc == (1 << 16) + 1).unwrap();
    assert_eq!(video.cumulative_lost, 3);
    let source = world.peers[publisher].source.as_ref().unwrap();
    // The last packets are under way, and the last report is up to a second old.
    let newest = source.layers[0].next as u32;
    let behind = (newest as u16).wrapping_sub(video.highest_sequence as u16);
    assert!((1..400).contains(&behind), "{behind}");
    assert!(video.last_sr != 0);
    assert!(
        blocks
            .iter()
            .any(|b| b.ssrc == source.audio_ssrc && b.cumulative_lost == 0)
    );
}

#[test]
fn transport_wide_feedback_that_is_right() {
    let mut world = World::new();
    // A retransmission would bear the number of the packet that was lost.
    let offer = Offer {
        nack: false,
        ..Offer::publisher()
    };
    let publisher = world.publish(&offer, Source::new(1));
    world.connect(&[publisher]);
    world.links[publisher].1 = Link {
        jitter: ms(3),
        loss: 0.02,
        ..Link::default()
    };
    world.run(seconds(3));
    let peer = &world.peers[publisher];
    let mut arrivals: HashMap<u16, i64> = HashMap::new();
    let mut reported = 0;
    for (_, told) in &peer.told {
        if let Told::Arrivals(statuses) = told {
            reported += 1;
            for (number, at) in statuses {
                if let Some(at) = at {
                    arrivals.insert(*number, *at);
                }
            }
        }
    }
    assert!(reported >= 40, "{reported} reports in 3 s");
    let sent = peer.departures.len();
    assert!(
        arrivals.len() * 100 > sent * 92,
        "{} of {sent}",
        arrivals.len()
    );
    // Each arrived 10 to 13 ms after it left, up to the distance of the clocks.
    let first = peer.departures[arrivals.keys().next().unwrap()];
    let delays: Vec<i64> = arrivals
        .iter()
        .map(|(number, at)| {
            let left = peer.departures[number];
            let left = left.saturating_duration_since(first).as_micros() as i64
                - first.saturating_duration_since(left).as_micros() as i64;
            at - left
        })
        .collect();
    let spread = delays.iter().max().unwrap() - delays.iter().min().unwrap();
    assert!(spread <= 3_600, "{spread} µs");
    assert!(!peer.told.iter().any(|(_, t)| matches!(t, Told::Remb(_))));
}

#[test]
fn an_estimate_where_it_knows_no_transport_wide_feedback() {
    let mut world = World::new();
    let source = Source {
        transport_cc: false,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::obs(), source);
    world.connect(&[publisher]);
    world.run(seconds(4));
    let peer = &world.peers[publisher];
    let estimates: Vec<u64> = peer
        .told
        .iter()
        .filter_map(|(_, told)| match told {
            Told::Remb(bitrate) => Some(*bitrate),
            _ => None,
        })
        .collect();
    assert!(estimates.len() >= 3);
    assert!(*estimates.last().unwrap() > 2_500_000, "{estimates:?}");
    assert!(
        !peer
            .told
            .iter()
            .any(|(_, t)| matches!(t, Told::Arrivals(_)))
    );
}

#[test]
fn requests_for_lost_packets_whose_repair_viewers_get() {
    for rtx in [true, false] {
        let mut world = World::new();
        let publisher = world.publish(
            &Offer {
                rtx,
                ..Offer::publisher()
            },
            Source::new(1),
        );
        let viewer = world.watch(&Offer::viewer());
        world.connect(&[publisher, viewer]);
        for sequence in (65_520..=65_535).step_by(5).chain([2, 3, 40]) {
            world.peers[publisher]
                .withhold
                .insert(((1 << 16) + 1, sequence));
        }
        world.run(seconds(3));
        let asked: Vec<u16> = world.peers[publisher]
            .told
            .iter()
            .flat_map(|(_, told)| match told {
                Told::Nack { lost, .. } => lost.clone(),
                _ => Vec::new(),
            })
            .collect();
        assert!(asked.contains(&65_520) && asked.contains(&3), "{asked:?}");
        assert!(asked.len() < 20, "{asked:?}");
        let frames = whole_frames(&world.peers[viewer].heard);
        for pair in frames.windows(2) {
            assert!(pair[1].frame >= pair[0].frame);
        }
        let mut numbers: Vec<u32> = frames.iter().map(|f| f.frame).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(
            numbers.len() as u32,
            numbers.last().unwrap() - numbers[0] + 1
        );
        world.assert_continuous(viewer, MediaKind::Video);
    }
}
