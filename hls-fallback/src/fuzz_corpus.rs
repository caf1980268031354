//! Replays the corpus that fuzzing left, and small changes of it: what `make soak` does for hours, in seconds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../fuzz/src/entry.rs"]
#[allow(unreachable_pub, reason = "it is a part of another crate, too")]
mod entry;

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};

/// Changed copies of each input.
const MUTATIONS: u64 = 20;

#[test]
fn packets() {
    replay("packets", entry::packets);
}

#[test]
fn pictures() {
    replay("pictures", entry::pictures);
}

/// The corpus is the seed: what fails here fails again.
fn replay(target: &str, entry: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&corpus)
        .expect("a corpus")
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", corpus.display());
    for file in files {
        let input = fs::read(&file).unwrap();
        for seed in 0..=MUTATIONS {
            let input = if seed == 0 {
                input.clone()
            } else {
                mutate(&input, seed)
            };
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| entry(&input)));
            assert!(outcome.is_ok(), "{} with seed {seed}", file.display());
        }
    }
}

/// One to four of: a bit flipped, a byte replaced by a telling one, the end cut off, a part doubled.
fn mutate(input: &[u8], seed: u64) -> Vec<u8> {
    const TELLING: [u8; 6] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF];
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut output = input.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        if output.is_empty() {
            output.push(rng.next_u32() as u8);
        }
        let at = rng.random_range(0..output.len());
        match rng.random_range(0..4) {
            0 => output[at] ^= 1 << rng.random_range(0..8),
            1 => output[at] = TELLING[rng.random_range(0..TELLING.len())],
            2 => output.truncate(at),
            _ => {
                let part = output[at..].to_vec();
                output.extend(part);
            }
        }
    }
    output
}
