//! Speech becomes cues: pocketsphinx hears what espeak-ng says.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{process::Command, time::Duration};

use spillway_hls::{
    captions::{self, Cue, Engine, Wall},
    transcode::Listener as _,
};
use tokio::sync::mpsc;

/// What a machine's voice says well enough for a machine; of most else pocketsphinx understands little when it's espeak-ng that speaks.
const SAID: &str =
    "We are going to the park with our children. We are going to the park with our children.";
/// Words of it.
const EXPECTED: [&str; 6] = ["we", "going", "to", "park", "our", "children"];
/// The epoch of the broadcast was so long before the first sentence: samples.
const BEGINS: u64 = 48_000 * 100;
const RATE: u64 = 48_000;

/// What espeak-ng says, at 48 kHz. Nothing without espeak-ng.
fn speech(text: &str) -> Option<Vec<f32>> {
    let output = Command::new("espeak-ng")
        .args(["-v", "en-us", "-s", "150", "--stdout", text])
        .output()
        .ok()?;
    // A header of 44 bytes, then 16 bits of 22,050 Hz.
    let (samples, _) = output.stdout[44..].as_chunks::<2>();
    let samples: Vec<f32> = samples
        .iter()
        .map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32_768.0)
        .collect();
    let count = samples.len() * 48_000 / 22_050;
    let at = |index: usize| {
        let place = index as f32 * 22_050.0 / 48_000.0;
        let (before, share) = (place as usize, place.fract());
        let after = (before + 1).min(samples.len() - 1);
        samples[before] * (1.0 - share) + samples[after] * share
    };
    Some((0..count).map(at).collect())
}

struct Kept(mpsc::UnboundedSender<Cue>);

impl Wall for Kept {
    fn show(&mut self, cue: Cue) {
        self.0.send(cue).unwrap();
    }
}

#[tokio::test]
async fn what_is_said_is_recognized_with_its_times() {
    let settings = captions::Settings {
        engine: Engine::PocketSphinx,
        language: "en-US".parse().unwrap(),
        model: None,
    };
    let recognizer = match settings.recognizer() {
        Ok(recognizer) => recognizer,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    let Some(said) = speech(SAID) else {
        return eprintln!("skipped: no espeak-ng; tests/e2e/setup.sh installs it");
    };
    let (sender, mut shown) = mpsc::unbounded_channel();
    let mut ear = captions::listen("demo", recognizer.into(), Box::new(Kept(sender)));
    let mut at = BEGINS;
    let mut spoken = Vec::new();
    let pause = vec![0.0; RATE as usize * 2];
    for sound in [&pause[..], &said, &pause, &said, &pause] {
        if sound != &pause[..] {
            let micros = |samples: u64| samples * 1_000_000 / RATE;
            spoken.push((micros(at), micros(at + sound.len() as u64)));
        }
        for piece in sound.chunks(1_024) {
            let both: Vec<f32> = piece.iter().flat_map(|sample| [*sample; 2]).collect();
            ear.hear(at, &both);
            at += piece.len() as u64;
        }
    }
    drop(ear);
    let mut cues = Vec::new();
    let gathering = async {
        while let Some(cue) = shown.recv().await {
            cues.push(cue);
        }
    };
    tokio::time::timeout(Duration::from_secs(150), gathering)
        .await
        .expect("recognized within the time that two utterances have");
    let text: Vec<&str> = cues.iter().map(|cue| cue.text.as_str()).collect();
    let text = text.join(" ").replace('\n', " ");
    let words: Vec<&str> = text.split(' ').collect();
    let right = EXPECTED.iter().filter(|word| words.contains(word)).count();
    assert!(right >= 4, "{right} words of {EXPECTED:?} in: {text}");
    for cue in &cues {
        let near =
            |&(start, end): &(u64, u64)| cue.start + 200_000 >= start && cue.end <= end + 1_500_000;
        assert!(spoken.iter().any(near), "{cue:?} isn't within {spoken:?}");
    }
}
