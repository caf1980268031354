//! Finds where somebody speaks, by how loud it is. Sans-IO.

use std::{collections::VecDeque, mem};

use super::downsample::RATE;

/// Loudness is measured over 20 ms.
const FRAME: usize = RATE as usize / 50;
/// Speech is so much louder than what is around it: decibels.
const ABOVE_NOISE: f32 = 9.0;
/// What is quieter than that is none: decibels below the loudest that there can be.
const SILENCE: f32 = -55.0;
/// The measure of what is around rises by so many decibels a frame: what goes on evenly for some seconds isn't speech.
const NOISE_RISE: f32 = 0.04;
/// An utterance begins with so many loud frames of the last so many ...
const ONSET: usize = 3;
const ONSET_OF: usize = 6;
/// ... and what was before them: 300 ms.
const BEFORE: usize = 15;
/// It ends with a pause of so many frames, by how many frames it has: the longer it is, the shorter a pause has to be.
const PAUSES: [(usize, usize); 4] = [(0, 25), (200, 15), (300, 8), (400, 3)];
/// And in any case after 12 s.
const LONGEST: usize = 600;

/// A piece of speech that is recognized by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Utterance {
    /// The number of its first sample.
    pub(super) start: u64,
    pub(super) sound: Vec<i16>,
}

/// Driving contract: [`Self::hear`] with sound that follows what was before it, or [`Self::skip`] where some is missing.
#[derive(Debug)]
pub(super) struct Utterances {
    /// Samples that don't make a frame yet.
    rest: Vec<i16>,
    /// The number of the first sample of `rest`.
    next: u64,
    /// Decibels.
    noise: f32,
    /// The last frames before an utterance, with whether they are loud.
    before: VecDeque<(Vec<i16>, bool)>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    start: u64,
    sound: Vec<i16>,
    /// Frames since the last loud one.
    quiet: usize,
}

impl Utterances {
    /// The first sample has that number.
    pub(super) fn new(first: u64) -> Self {
        Self {
            rest: Vec::new(),
            next: first,
            noise: SILENCE,
            before: VecDeque::new(),
            open: None,
        }
    }

    /// The number of the sample that comes next.
    pub(super) fn next(&self) -> u64 {
        self.next + self.rest.len() as u64
    }

    /// Sound; and the utterances that end with it.
    pub(super) fn hear(&mut self, sound: &[i16]) -> Vec<Utterance> {
        self.rest.extend_from_slice(sound);
        let rest = mem::take(&mut self.rest);
        let frames = rest.chunks_exact(FRAME);
        self.rest = frames.remainder().to_vec();
        frames.filter_map(|frame| self.on_frame(frame)).collect()
    }

    /// What follows begins with that sample. What was open ends.
    pub(super) fn skip(&mut self, to: u64) -> Option<Utterance> {
        let ended = self.close();
        self.rest.clear();
        self.before.clear();
        self.next = to;
        ended
    }

    fn on_frame(&mut self, frame: &[i16]) -> Option<Utterance> {
        self.next += FRAME as u64;
        let loud = self.is_loud(frame);
        let Some(open) = &mut self.open else {
            self.wait(frame, loud);
            return None;
        };
        open.sound.extend_from_slice(frame);
        open.quiet = if loud { 0 } else { open.quiet + 1 };
        let length = open.sound.len() / FRAME;
        let pause = PAUSES.iter().rev().find(|(from, _)| length >= *from);
        let over = pause.is_some_and(|(_, pause)| open.quiet >= *pause);
        if over || length >= LONGEST {
            return self.close();
        }
        None
    }

    fn wait(&mut self, frame: &[i16], loud: bool) {
        self.before.push_back((frame.to_vec(), loud));
        let recent = self.before.iter().rev().take(ONSET_OF);
        if recent.filter(|(_, loud)| *loud).count() >= ONSET {
            let sound: Vec<i16> = self.before.drain(..).flat_map(|(frame, _)| frame).collect();
            self.open = Some(Open {
                start: self.next - sound.len() as u64,
                sound,
                quiet: 0,
            });
        } else if self.before.len() > BEFORE + ONSET_OF {
            self.before.pop_front();
        }
    }

    fn close(&mut self) -> Option<Utterance> {
        let Open { start, sound, .. } = self.open.take()?;
        Some(Utterance { start, sound })
    }

    fn is_loud(&mut self, frame: &[i16]) -> bool {
        let energy: f64 = frame.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
        let mean = energy / frame.len() as f64 / (32_768.0 * 32_768.0);
        let level = 10.0 * (mean.max(1e-10).log10() as f32);
        self.noise = (self.noise + NOISE_RISE).min(level.max(SILENCE));
        level > SILENCE && level > self.noise + ABOVE_NOISE
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// So many milliseconds of a tone that comes and goes as syllables do, 100 ms each, with 40 ms between them.
    fn speech(ms: usize) -> Vec<i16> {
        let samples = ms * RATE as usize / 1_000;
        (0..samples)
            .map(|i| {
                let within = (i % 2_240) as f32 / 1_600.0;
                let syllable = (within.min(1.0) * std::f32::consts::PI).sin();
                ((i as f32 * 0.1).sin() * syllable * 8_000.0) as i16
            })
            .collect()
    }

    fn noise(ms: usize, loudness: i32) -> Vec<i16> {
        let mut seed = 1_u32;
        (0..ms * RATE as usize / 1_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((seed >> 16) as i32 % (2 * loudness + 1) - loudness) as i16
            })
            .collect()
    }

    fn heard(sound: &[Vec<i16>]) -> Vec<Utterance> {
        let mut utterances = Utterances::new(0);
        let all = sound.concat();
        // As it comes: by frames of AAC, a third of their samples.
        all.chunks(341)
            .flat_map(|piece| utterances.hear(piece))
            .collect()
    }

    #[test]
    fn speech_is_found_between_pauses_with_what_is_around_it() {
        let found = heard(&[
            noise(2_000, 30),
            speech(1_500),
            noise(1_000, 30),
            speech(800),
            noise(1_000, 30),
        ]);
        assert_eq!(
            found.len(),
            2,
            "{:?}",
            found
                .iter()
                .map(|u| (u.start, u.sound.len()))
                .collect::<Vec<_>>()
        );
        for (utterance, (begins, lasts)) in found.iter().zip([(2_000, 1_500), (4_500, 800)]) {
            let start = utterance.start as i64 / 16;
            let end = start + utterance.sound.len() as i64 / 16;
            assert!((begins - 450..=begins - 100).contains(&start), "{start}");
            assert!(
                (begins + lasts + 350..=begins + lasts + 650).contains(&end),
                "{end}"
            );
        }
    }

    #[test]
    fn noise_that_goes_on_is_no_speech() {
        let found = heard(&[noise(1_000, 20), noise(60_000, 3_000)]);
        // Until it's clear that it stays, it may be.
        assert!(found.len() <= 2, "{}", found.len());
        assert!(heard(&[vec![0; 160_000]]).is_empty());
    }

    #[test]
    fn who_never_pauses_is_cut() {
        let found = heard(&[noise(1_000, 30), speech(30_000), noise(1_000, 30)]);
        assert!(found.len() >= 3);
        let samples: usize = found.iter().map(|utterance| utterance.sound.len()).sum();
        assert!(samples >= 29 * RATE as usize, "nothing is left out");
        assert!(
            found
                .iter()
                .all(|utterance| utterance.sound.len() <= LONGEST * FRAME)
        );
    }

    #[test]
    fn what_is_missing_ends_an_utterance() {
        let mut utterances = Utterances::new(0);
        assert!(utterances.hear(&speech(1_000)).is_empty());
        let ended = utterances.skip(160_000).unwrap();
        assert!(ended.sound.len() > 14_000);
        assert_eq!(utterances.next(), 160_000);
        utterances.hear(&speech(1_000));
        let next = utterances.skip(400_000).unwrap();
        assert!((160_000..163_200).contains(&next.start), "{}", next.start);
    }
}
