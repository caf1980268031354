//! Where each sample of a recording goes in its MP4 file: all on one time line without breaks, sound and pictures as they were
//! beside each other. Sans-IO.

use mp4_atom::Codec;

use super::super::fragments::SampleInfo;

/// Nanoseconds of a second.
const SECOND: u128 = 1_000_000_000;

/// A segment on its way into the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// What it is called where it comes from.
    pub(super) source: usize,
    /// Which of the track's sample entries it needs.
    pub(super) entry: usize,
    /// Ticks a second of its samples' times.
    pub(super) timescale: u32,
    pub(super) samples: &'a [SampleInfo],
}

/// Samples of a segment that lie behind each other in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) source: usize,
    pub(super) entry: usize,
    /// How many of the segment's samples, from its first on.
    pub(super) samples: usize,
    pub(super) bytes: u64,
    /// Keyframes get the parameter sets of their sample entry before them.
    pub(super) in_band: bool,
}

/// A track's tables.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) timescale: u32,
    /// When its first sample is: ticks.
    pub(super) offset: u64,
    /// Of each sample: ticks until the next, bytes.
    pub(super) deltas: Vec<u32>,
    pub(super) sizes: Vec<u32>,
    /// Of each sample, if any is shown later than it is decoded: ticks.
    pub(super) compositions: Vec<i32>,
    /// The samples that are keyframes, counted from 0.
    pub(super) syncs: Vec<u32>,
    pub(super) chunks: Vec<Chunk>,
    pub(super) entries: Vec<Entry>,
    /// Where its last sample begins.
    last: u64,
}

/// A sample entry, and the parameter sets in it as they are in samples.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) codec: Codec,
    pub(super) sets: Vec<u8>,
}

impl Track {
    fn new(timescale: u32) -> Self {
        Self {
            timescale,
            offset: 0,
            deltas: Vec::new(),
            sizes: Vec::new(),
            compositions: Vec::new(),
            syncs: Vec::new(),
            chunks: Vec::new(),
            entries: Vec::new(),
            last: 0,
        }
    }

    /// How long it is, from its first sample on: ticks.
    pub(super) fn duration(&self) -> u64 {
        self.deltas.iter().map(|delta| u64::from(*delta)).sum()
    }

    fn end(&self) -> u64 {
        self.last + u64::from(self.deltas.last().copied().unwrap_or(0))
    }

    /// Samples that would go on after `time` go; the last that stays lasts until then.
    fn join(&mut self, time: u64) {
        while let Some(delta) = self.deltas.last().copied() {
            let overlap = self.end().saturating_sub(time);
            if overlap * 2 <= u64::from(delta) && self.last < time {
                break;
            }
            self.pop();
        }
        if let Some(delta) = self.deltas.last_mut() {
            *delta = u32::try_from(time - self.last).unwrap_or(u32::MAX);
        }
    }

    fn pop(&mut self) {
        self.deltas.pop();
        let size = self.sizes.pop().unwrap_or(0);
        self.compositions.truncate(self.sizes.len());
        if self
            .syncs
            .last()
            .is_some_and(|sync| *sync as usize == self.sizes.len())
        {
            self.syncs.pop();
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.samples -= 1;
            chunk.bytes -= u64::from(size);
            if chunk.samples == 0 {
                self.chunks.pop();
            }
        }
        let before = self.deltas.last().copied().unwrap_or(0);
        self.last = self.last.saturating_sub(u64::from(before));
    }

    fn push(&mut self, piece: &Piece, at: impl Fn(u64) -> u64) {
        let Some(first) = piece.samples.first() else {
            return;
        };
        let begin = at(first.time);
        if self.deltas.is_empty() {
            self.offset = begin;
        } else {
            self.join(begin);
            if self.deltas.is_empty() {
                self.offset = begin;
            }
        }
        let in_band = self.entries.len() > 1 && !self.entries[piece.entry].sets.is_empty();
        let sets = if in_band {
            self.entries[piece.entry].sets.len() as u32
        } else {
            0
        };
        let mut bytes = 0;
        for sample in piece.samples {
            let (time, end) = (
                at(sample.time),
                at(sample.time + u64::from(sample.duration)),
            );
            let size = sample.size + if sample.sync { sets } else { 0 };
            if sample.sync {
                self.syncs.push(self.sizes.len() as u32);
            }
            if sample.composition != 0 || !self.compositions.is_empty() {
                self.compositions.resize(self.sizes.len(), 0);
                let shift = i64::from(sample.composition) * i64::from(self.timescale)
                    / i64::from(piece.timescale.max(1));
                self.compositions.push(shift as i32);
            }
            self.sizes.push(size);
            self.deltas
                .push(u32::try_from(end - time).unwrap_or(u32::MAX));
            self.last = time;
            bytes += u64::from(size);
        }
        self.chunks.push(Chunk {
            source: piece.source,
            entry: piece.entry,
            samples: piece.samples.len(),
            bytes,
            in_band,
        });
    }
}

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) video: Option<Track>,
    pub(super) sound: Option<Track>,
    /// Where the present section begins in the file, and in its session, and where it ends in the file: nanoseconds.
    begin: u128,
    origin: u128,
    end: u128,
    /// Where in the file the pictures of the present section end.
    pictures_end: Option<u128>,
    is_new: bool,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Video,
    Sound,
}

impl Plan {
    pub(super) fn new() -> Self {
        Self {
            is_new: true,
            ..Self::default()
        }
    }

    /// What comes doesn't continue what came: it follows right behind, whatever its times are.
    pub(super) fn break_off(&mut self) {
        self.is_new = true;
    }

    /// The number of a sample entry, for [`Piece::entry`].
    pub(super) fn entry(&mut self, kind: Kind, timescale: u32, entry: Entry) -> usize {
        let track = self.track(kind, timescale);
        let known = track.entries.iter().position(|known| *known == entry);
        known.unwrap_or_else(|| {
            track.entries.push(entry);
            track.entries.len() - 1
        })
    }

    fn track(&mut self, kind: Kind, timescale: u32) -> &mut Track {
        let track = match kind {
            Kind::Video => &mut self.video,
            Kind::Sound => &mut self.sound,
        };
        track.get_or_insert_with(|| Track::new(timescale))
    }

    /// A segment: what there is of it.
    pub(super) fn push(&mut self, video: Option<Piece>, sound: Option<Piece>) {
        let first = |piece: &Option<Piece>| {
            let piece = piece.as_ref()?;
            Some(nanoseconds(piece.samples.first()?.time, piece.timescale))
        };
        let Some(first) = [first(&video), first(&sound)].into_iter().flatten().min() else {
            return;
        };
        if std::mem::take(&mut self.is_new) {
            self.begin = self.pictures_end.take().unwrap_or(self.end);
            self.origin = first;
            self.end = self.begin;
        }
        if let Some(end) = video.and_then(|piece| self.add(Kind::Video, &piece)) {
            self.pictures_end = Some(end);
            self.end = self.end.max(end);
        } else {
            // Sound goes on alone.
            self.pictures_end = None;
        }
        if let Some(end) = sound.and_then(|piece| self.add(Kind::Sound, &piece)) {
            self.end = self.end.max(end);
        }
    }

    /// Gives where in the file it ends.
    fn add(&mut self, kind: Kind, piece: &Piece) -> Option<u128> {
        let (begin, origin) = (self.begin, self.origin);
        let track = self.track(kind, piece.timescale);
        let (from, to) = (piece.timescale, track.timescale);
        // Whole ticks beside whole ticks: where nothing has to be converted, samples last exactly as long as before.
        let (begin, origin) = (ticks(begin, to), ticks(origin, from));
        let at = |time: u64| {
            let since = u128::from(time.saturating_sub(origin));
            begin + ((since * u128::from(to) + u128::from(from) / 2) / u128::from(from)) as u64
        };
        track.push(piece, at);
        (!piece.samples.is_empty()).then(|| nanoseconds(track.end(), track.timescale))
    }
}

fn nanoseconds(ticks: u64, timescale: u32) -> u128 {
    u128::from(ticks) * SECOND / u128::from(timescale.max(1))
}

/// To the nearest.
fn ticks(nanoseconds: u128, timescale: u32) -> u64 {
    ((nanoseconds * u128::from(timescale) + SECOND / 2) / SECOND) as u64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use mp4_atom::FourCC;

    use super::*;

    /// Samples of `duration` from `time` on.
    fn samples(count: u64, time: u64, duration: u32) -> Vec<SampleInfo> {
        let sample = |index| SampleInfo {
            offset: 0,
            size: 100,
            time: time + index * u64::from(duration),
            duration,
            composition: 0,
            sync: index == 0,
        };
        (0..count).map(sample).collect()
    }

    fn piece(samples: &[SampleInfo], timescale: u32, source: usize) -> Piece<'_> {
        Piece {
            source,
            entry: 0,
            timescale,
            samples,
        }
    }

    fn entry(sets: &[u8]) -> Entry {
        Entry {
            codec: Codec::Unknown(FourCC::new(b"test"), sets.to_vec()),
            sets: sets.to_vec(),
        }
    }

    fn plan() -> Plan {
        let mut plan = Plan::new();
        plan.entry(Kind::Video, 25, entry(&[]));
        plan.entry(Kind::Sound, 48_000, entry(&[]));
        plan
    }

    #[test]
    fn sections_follow_each_other_where_pictures_end_and_sound_keeps_its_distance() {
        let mut plan = plan();
        // Two seconds; sound is cut a third of a frame after pictures, as AAC is.
        let (video, sound) = (samples(50, 0, 1), samples(94, 0, 1_024));
        plan.push(Some(piece(&video, 25, 0)), Some(piece(&sound, 48_000, 1)));
        plan.break_off();
        // Of another time line, where sound begins 10 ms after pictures.
        let (video, sound) = (samples(25, 1_000, 1), samples(46, 1_920_480, 1_024));
        plan.push(Some(piece(&video, 25, 2)), Some(piece(&sound, 48_000, 3)));
        let (video, sound) = (plan.video.unwrap(), plan.sound.unwrap());
        assert!(video.deltas.iter().all(|delta| *delta == 1));
        assert_eq!((video.duration(), video.syncs.clone()), (75, vec![0, 50]));
        // The last frame would have gone on for 256 ticks behind the seam, and lasts 10 ms more than until there now.
        let until: u64 = sound.deltas[..94]
            .iter()
            .map(|delta| u64::from(*delta))
            .sum();
        assert_eq!((sound.sizes.len(), until), (140, 96_480));
    }

    #[test]
    fn samples_that_reach_over_a_seam_by_more_than_half_go() {
        let mut plan = plan();
        let (video, sound) = (samples(50, 0, 1), samples(95, 0, 1_024));
        plan.push(Some(piece(&video, 25, 0)), Some(piece(&sound, 48_000, 1)));
        plan.break_off();
        let (video, sound) = (samples(25, 0, 1), samples(47, 0, 1_024));
        plan.push(Some(piece(&video, 25, 2)), Some(piece(&sound, 48_000, 3)));
        let sound = plan.sound.unwrap();
        let counts: Vec<_> = sound.chunks.iter().map(|chunk| chunk.samples).collect();
        assert_eq!(counts, [94, 47]);
        assert_eq!(sound.chunks[0].bytes, 9_400);
        let until: u64 = sound.deltas[..94]
            .iter()
            .map(|delta| u64::from(*delta))
            .sum();
        assert_eq!(until, 96_000);
    }

    #[test]
    fn over_a_gap_the_last_picture_stays_and_sound_goes_on() {
        let mut plan = plan();
        let all = samples(150, 0, 1);
        for (number, has_video) in [true, false, true].into_iter().enumerate() {
            let video = &all[number * 50..][..50];
            let sound = samples(94, number as u64 * 94 * 1_024, 1_024);
            plan.push(
                has_video.then(|| piece(video, 25, number)),
                Some(piece(&sound, 48_000, 9)),
            );
        }
        let (video, sound) = (plan.video.unwrap(), plan.sound.unwrap());
        assert_eq!((video.sizes.len(), video.deltas[49]), (100, 51));
        assert_eq!(video.duration(), 150);
        assert_eq!(sound.duration(), 3 * 94 * 1_024);
    }

    #[test]
    fn pictures_that_come_later_begin_later() {
        let mut plan = plan();
        let sound = samples(94, 0, 1_024);
        plan.push(None, Some(piece(&sound, 48_000, 0)));
        let (video, sound) = (samples(50, 50, 1), samples(94, 94 * 1_024, 1_024));
        plan.push(Some(piece(&video, 25, 1)), Some(piece(&sound, 48_000, 2)));
        let (video, sound) = (plan.video.unwrap(), plan.sound.unwrap());
        assert_eq!((video.offset, sound.offset), (50, 0));
    }

    #[test]
    fn keyframes_carry_their_parameter_sets_once_there_are_several() {
        let mut plan = plan();
        let all = samples(100, 0, 1);
        plan.push(Some(piece(&all[..50], 25, 0)), None);
        let second = plan.entry(Kind::Video, 25, entry(&[1, 2, 3]));
        assert_eq!(plan.entry(Kind::Video, 25, entry(&[1, 2, 3])), second);
        let next = samples(50, 50, 1);
        plan.push(
            Some(Piece {
                entry: second,
                ..piece(&next, 25, 1)
            }),
            None,
        );
        let video = plan.video.unwrap();
        assert_eq!(video.entries.len(), 2);
        let chunks = &video.chunks;
        assert_eq!((chunks[0].in_band, chunks[1].in_band), (false, true));
        assert_eq!(
            (video.sizes[0], video.sizes[50], video.sizes[51]),
            (100, 103, 100)
        );
        assert_eq!(chunks[1].bytes, 5_003);
    }

    #[test]
    fn a_session_of_another_rate_keeps_its_lengths() {
        let mut plan = plan();
        let video = samples(50, 0, 1);
        plan.push(Some(piece(&video, 25, 0)), None);
        plan.break_off();
        // 30 a second, on a track of 25 ticks a second: to the nearest tick, without drifting.
        let video = samples(60, 0, 1_000);
        plan.push(Some(piece(&video, 30_000, 1)), None);
        assert_eq!(plan.video.unwrap().duration(), 100);
    }
}
