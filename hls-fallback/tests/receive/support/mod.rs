//! A sender, a network and a receiver.

pub(crate) mod codecs;
pub(crate) mod world;

pub(crate) use codecs::Source;
pub(crate) use world::World;

/// The seed to replay, or another one each time. A test that fails shows it.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("SPILLWAY_SEED").ok();
    let seed = seed
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random);
    eprintln!("replay with SPILLWAY_SEED={seed}");
    seed
}
