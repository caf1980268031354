//! From sound to cues: what the conductor fills, and the task that empties it.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    Cue, RATE, RecognizeError, Recognizer, Word,
    cues::cues,
    downsample::Downsampler,
    utterances::{Utterance, Utterances},
};
use crate::transcode;

/// Pieces of sound that wait for the task: of 1,024 samples of 48 kHz each, about 40 s.
const QUEUE: usize = 1_900;
/// Recognizers that failed in a row before it is said again.
const SAID_AGAIN: u64 = 100;

/// Where cues go.
pub trait Wall: Send {
    /// In order, each with its true times: microseconds since the broadcast's epoch.
    fn show(&mut self, cue: Cue);
}

/// What the conductor gives sound to.
#[derive(Debug)]
pub struct Ear {
    downsampler: Downsampler,
    queue: mpsc::Sender<Piece>,
    /// The number of the first sample of the next piece, by what came; of [`RATE`] a second.
    next: Option<u64>,
    dropped: u64,
}

#[derive(Debug)]
struct Piece {
    /// The number of its first sample since the epoch.
    first: u64,
    sound: Vec<i16>,
}

impl transcode::Listener for Ear {
    fn hear(&mut self, first: u64, samples: &[f32]) {
        let sound = self.downsampler.take(samples);
        let first = *self.next.get_or_insert(first / 3);
        self.next = Some(first + sound.len() as u64);
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(Piece { first, sound })
        {
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                tracing::warn!(
                    pieces = self.dropped,
                    "this machine is too slow for captions of this broadcast: some sound isn't recognized"
                );
            }
        }
    }
}

/// Recognizes what is heard and shows it, in a task that ends when the ear is dropped. To be called within a tokio runtime.
pub fn listen(channel: &str, recognizer: Arc<dyn Recognizer>, wall: Box<dyn Wall>) -> Ear {
    let (queue, pieces) = mpsc::channel(QUEUE);
    let captioner = Captioner {
        channel: channel.to_owned(),
        recognizer,
        wall,
        failures: 0,
    };
    tokio::spawn(captioner.run(pieces));
    Ear {
        downsampler: Downsampler::new(),
        queue,
        next: None,
        dropped: 0,
    }
}

struct Captioner {
    channel: String,
    recognizer: Arc<dyn Recognizer>,
    wall: Box<dyn Wall>,
    /// In a row.
    failures: u64,
}

impl Captioner {
    async fn run(mut self, mut pieces: mpsc::Receiver<Piece>) {
        let mut utterances: Option<Utterances> = None;
        while let Some(Piece { first, sound }) = pieces.recv().await {
            let utterances = utterances.get_or_insert_with(|| Utterances::new(first));
            if utterances.next() != first
                && let Some(ended) = utterances.skip(first)
            {
                self.recognize(ended).await;
            }
            for utterance in utterances.hear(&sound) {
                self.recognize(utterance).await;
            }
        }
    }

    async fn recognize(&mut self, utterance: Utterance) {
        match self.recognizer.recognize(&utterance.sound).await {
            Ok(words) => {
                self.failures = 0;
                for cue in cues(&placed(words, utterance.start)) {
                    self.wall.show(cue);
                }
            }
            Err(error) => self.complain(&error),
        }
    }

    fn complain(&mut self, error: &RecognizeError) {
        if self.failures.is_multiple_of(SAID_AGAIN) {
            let channel = &self.channel;
            tracing::warn!(channel, %error, "captions are missing");
        }
        self.failures += 1;
    }
}

/// Words of an utterance that begins with that sample, on the broadcast's time line.
fn placed(words: Vec<Word>, start: u64) -> Vec<Word> {
    let start = start * 1_000_000 / u64::from(RATE);
    let place = |word: Word| Word {
        start: start + word.start,
        end: start + word.end,
        ..word
    };
    words.into_iter().map(place).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::transcode::Listener as _;

    /// Says how long an utterance is; fails at those of over 2 s.
    struct Clockmaker;

    impl Recognizer for Clockmaker {
        fn recognize<'a>(
            &'a self,
            utterance: &'a [i16],
        ) -> BoxFuture<'a, Result<Vec<Word>, RecognizeError>> {
            let ms = utterance.len() / 16;
            Box::pin(async move {
                if ms > 2_000 {
                    return Err(RecognizeError::Language);
                }
                Ok(vec![Word {
                    text: format!("{ms}"),
                    start: 0,
                    end: 500_000,
                }])
            })
        }
    }

    struct Kept(mpsc::UnboundedSender<Cue>);

    impl Wall for Kept {
        fn show(&mut self, cue: Cue) {
            self.0.send(cue).unwrap();
        }
    }

    fn hear(ear: &mut Ear, at: &mut u64, ms: u64, loudness: f32) {
        for _ in 0..ms / 20 {
            let samples: Vec<f32> = (0..960)
                .flat_map(|i| [(i as f32 * 0.05).sin() * loudness; 2])
                .collect();
            ear.hear(*at, &samples);
            *at += 960;
        }
    }

    #[tokio::test]
    async fn cues_bear_the_time_at_which_it_was_said() {
        let (sender, mut cues) = mpsc::unbounded_channel();
        let mut ear = listen("demo", Arc::new(Clockmaker), Box::new(Kept(sender)));
        // Since the epoch 100 s have passed.
        let mut at = 4_800_000;
        for (ms, loudness) in [(1_000, 0.0), (600, 0.3), (1_000, 0.0)] {
            hear(&mut ear, &mut at, ms, loudness);
        }
        let cue = cues.recv().await.unwrap();
        let begins = 101_000_000 - cue.start as i64;
        assert!((100_000..500_000).contains(&begins), "{begins}");
        // One that fails is left out, and those that follow are not.
        for (ms, loudness) in [(3_000, 0.3), (1_000, 0.0), (600, 0.3), (1_000, 0.0)] {
            hear(&mut ear, &mut at, ms, loudness);
        }
        let cue = cues.recv().await.unwrap();
        assert!(cue.start > 105_000_000, "{cue:?}");
        drop(ear);
        assert_eq!(cues.recv().await, None);
    }

    #[tokio::test]
    async fn a_full_queue_costs_sound_and_no_time() {
        let (sender, _cues) = mpsc::unbounded_channel();
        let mut ear = listen("demo", Arc::new(Clockmaker), Box::new(Kept(sender)));
        // The task has no turn meanwhile.
        let mut at = 0;
        hear(&mut ear, &mut at, 20 * (QUEUE as u64 + 5), 0.0);
        assert_eq!(ear.dropped, 5);
    }
}
