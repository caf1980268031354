//! What it costs to send one packet to one viewer: the media core alone, without sockets.
//!
//! `cargo bench -p spillway-sfu` (`-- 1 100` for these numbers of viewers). It fails if forwarding allocates.
//!
//! `-- --count 100` runs the same without clocks, for `scripts/bench-check.sh`, which counts instructions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    unreachable_pub,
    dead_code,
    unused_imports,
    reason = "a benchmark may fail loudly, and uses a part of the tests' support"
)]

#[path = "../tests/engine/support/mod.rs"]
mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use spillway_sfu::{
    Accepted, ChannelName, Engine, Event, Output, Path, PeerMessage, WorkerId,
    srtp::{Profile, Sealer},
};
use support::{Offer, Source, World, ms};

/// Counts what is allocated, and leaves the rest to the system.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[expect(
    unsafe_code,
    reason = "an allocator is an unsafe trait; all calls go to the system's"
)]
// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes datagrams as a socket would: looks at them, and lets them go.
#[derive(Default)]
struct Drain {
    datagrams: u64,
    messages: u64,
    bytes: u64,
}

impl Output for Drain {
    fn send(&mut self, _: Path, datagrams: &[u8], segment: usize) {
        self.messages += 1;
        self.datagrams += datagrams.len().div_ceil(segment) as u64;
        self.bytes += datagrams.len() as u64;
        black_box(datagrams);
    }

    fn peer(&mut self, _: WorkerId, _: PeerMessage) {}

    fn event(&mut self, _: Event) {}
}

/// This thread's CPU time.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

fn spent_since(before: Duration) -> Duration {
    cpu().saturating_sub(before)
}

/// Nanoseconds that sealing one packet of 1,100 bytes with AES-128-GCM takes: nothing can be faster.
fn floor() -> f64 {
    const PACKETS: u32 = 20_000;
    let sealer = Sealer::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 12]).unwrap();
    let payload = vec![7; 1_060];
    let mut packet = vec![0x80; 40 + payload.len() + sealer.tag_len()];
    let rounds = (0..5u64).map(|round| {
        let before = cpu();
        for index in 0..u64::from(PACKETS) {
            let index = round * u64::from(PACKETS) + index;
            sealer.seal_rtp_from(&mut packet, 40, &payload, index);
            black_box(&packet);
        }
        spent_since(before).as_nanos() as f64 / f64::from(PACKETS)
    });
    rounds.fold(f64::MAX, f64::min)
}

/// Frames before those that count: by then nothing grows any more.
const WARM_UP: usize = 80;

/// The call whose instructions `scripts/bench-check.sh` counts, by this name.
#[inline(never)]
fn counted_flush(engine: &mut Engine, now: Instant, out: &mut Drain) {
    engine.flush(now, out);
}

struct Figures {
    nanoseconds: f64,
    per_message: f64,
    allocations: u64,
    floor: f64,
}

/// One channel at its live edge, and its publisher.
fn world_of(viewers: usize) -> (World, usize) {
    let mut world = World::new();
    world.recording = false;
    let source = Source {
        group: 100_000,
        ..Source::new(1)
    };
    let publisher = world.publish(&Offer::publisher(), source);
    world.connect(&[publisher]);
    for batch in 0..viewers.div_ceil(100) {
        let count = (viewers - batch * 100).min(100);
        let ids: Vec<_> = (0..count).map(|_| world.watch(&Offer::viewer())).collect();
        world.connect(&ids);
        // Only the engine's side is of interest from here on.
        for id in ids {
            world.peers[id].dead = true;
        }
        if viewers > 1_000 && batch % 10 == 9 {
            eprintln!("  {} of {viewers} viewers connected", batch * 100 + count);
        }
    }
    // A keyframe for everyone, and the live edge.
    world.peers[publisher].source.as_mut().unwrap().layers[0].wants_keyframe = true;
    world.run(ms(400));
    for _ in 0..WARM_UP {
        let now = take_frame(&mut world, publisher, &mut Drain::default());
        world.engines[0].flush(now, &mut Drain::default());
    }
    (world, publisher)
}

/// The publisher's next frame reaches the engine.
fn take_frame(world: &mut World, publisher: usize, drain: &mut Drain) -> Instant {
    let path = world.peers[publisher].path();
    let now = world.peers[publisher].source.as_ref().unwrap().next();
    world.now = now;
    world.peers[publisher].produce(now);
    for mut datagram in std::mem::take(&mut world.peers[publisher].outbox) {
        world.engines[0].handle_datagram(now, path, &mut datagram, drain);
    }
    now
}

/// Frames that are forwarded to be measured.
fn frames(viewers: usize) -> usize {
    (22_500 / viewers).clamp(60, 1_800)
}

fn count(viewers: usize) {
    let (mut world, publisher) = world_of(viewers);
    let mut drain = Drain::default();
    for _ in 0..frames(viewers) {
        let now = take_frame(&mut world, publisher, &mut drain);
        counted_flush(&mut world.engines[0], now, &mut drain);
    }
    println!("packets: {}", drain.datagrams);
}

fn measure(viewers: usize) -> Figures {
    let (mut world, publisher) = world_of(viewers);
    let floor_before = floor();
    let (mut spent, mut allocations, mut drain) = (Duration::ZERO, 0, Drain::default());
    for _ in 0..frames(viewers) {
        let now = take_frame(&mut world, publisher, &mut drain);
        let before = (cpu(), ALLOCATIONS.load(Ordering::Relaxed));
        world.engines[0].flush(now, &mut drain);
        spent += spent_since(before.0);
        allocations += ALLOCATIONS.load(Ordering::Relaxed) - before.1;
    }
    assert!(drain.datagrams > 0, "nothing was forwarded");
    Figures {
        nanoseconds: spent.as_nanos() as f64 / drain.datagrams as f64,
        per_message: drain.datagrams as f64 / drain.messages as f64,
        allocations,
        floor: floor_before.min(floor()),
    }
}

fn main() {
    let mut counts: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    if counts.is_empty() {
        counts = vec![1, 100, 1_000, 10_000];
    }
    if std::env::args().any(|argument| argument == "--count") {
        return counts.into_iter().for_each(count);
    }
    let mut allocated = 0;
    println!("viewers  ns/packet  floor  ratio  packets/message  allocations");
    for viewers in counts {
        let figures = measure(viewers);
        allocated += figures.allocations;
        println!(
            "{viewers:>7}  {:>9.0}  {:>5.0}  {:>5.2}  {:>15.1}  {:>11}",
            figures.nanoseconds,
            figures.floor,
            figures.nanoseconds / figures.floor,
            figures.per_message,
            figures.allocations,
        );
    }
    if allocated > 0 {
        eprintln!("forwarding allocated {allocated} times; it must not");
        std::process::exit(1);
    }
}
