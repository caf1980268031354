//! Replays the corpus of the fuzz targets, and small changes of it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a library of its own, too")]
mod entry;

use std::{fs, path::Path};

use proptest::{prelude::*, sample::Index};

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files = fs::read_dir(&folder).expect("a corpus");
    let inputs: Vec<_> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

/// An input with some bytes changed, left out or doubled.
fn changed(inputs: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<Index>(), any::<u8>(), 0..3_u8), 0..6);
    (proptest::sample::select(inputs), changes).prop_map(|(mut input, changes)| {
        for (place, byte, how) in changes {
            if input.is_empty() {
                break;
            }
            let place = place.index(input.len());
            match how {
                0 => input[place] = byte,
                1 => drop(input.remove(place)),
                _ => input.insert(place, byte),
            }
        }
        input
    })
}

proptest! {
    #[test]
    fn protocol(input in changed(corpus("protocol"))) {
        entry::protocol(&input);
    }

    #[test]
    fn room(input in changed(corpus("room"))) {
        entry::room(&input);
    }
}
