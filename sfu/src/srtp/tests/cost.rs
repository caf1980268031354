//! What sealing costs: `cargo test --release -p spillway-sfu srtp::tests::cost -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::*;

const PACKETS: u32 = 20_000;
const PAYLOAD: usize = 1200;

/// The least time of several runs, per packet.
fn cost(mut run: impl FnMut(u64)) -> Duration {
    let rounds = (0..9_u64).map(|round| {
        let start = Instant::now();
        for packet in 0..u64::from(PACKETS) {
            run(round * u64::from(PACKETS) + packet);
        }
        start.elapsed() / PACKETS
    });
    rounds.min().unwrap()
}

#[test]
#[ignore = "measures; meaningful in release builds on a quiet machine"]
fn sealing_in_place_and_from_elsewhere() {
    for profile in Profile::ALL {
        let sealer = Keys::of(profile).sealer();
        let payload = vec![7; PAYLOAD];
        let mut packet = rtp(MEDIA, 0, PAYLOAD + sealer.tag_len());
        let copied = cost(|index| {
            packet[12..12 + PAYLOAD].copy_from_slice(&payload);
            sealer.seal_rtp(&mut packet, 12, index);
        });
        let direct = cost(|index| sealer.seal_rtp_from(&mut packet, 12, &payload, index));
        println!("{profile:?}: copied and sealed {copied:?}, sealed from elsewhere {direct:?}");
    }
}
