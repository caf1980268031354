//! What is missing, and when to ask for it again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a packet may be overtaken before it counts as lost; as long as was seen in the last [`TOLERANCE_HOLDS`], within
/// these bounds.
const MIN_TOLERANCE: Duration = Duration::from_millis(5);
const MAX_TOLERANCE: Duration = Duration::from_millis(20);
const TOLERANCE_HOLDS: Duration = Duration::from_secs(10);
/// The wait for an answer, and what it is before any came.
const MIN_WAIT: Duration = Duration::from_millis(20);
const MAX_WAIT: Duration = Duration::from_millis(200);
const FIRST_WAIT: Duration = Duration::from_millis(80);
/// Requests that an answer may take before its packet is given up.
const PATIENT_FOR: u32 = 3;
/// The bounds of that time. A picture that is given up costs all until the next keyframe.
const MIN_PATIENCE: Duration = Duration::from_millis(40);
const MAX_PATIENCE: Duration = Duration::from_millis(250);
const MAX_TRIES: u32 = 10;
/// The most packets that are missed at a time. A longer gap is a jump, and none of it is asked for.
pub(super) const MAX_MISSING: usize = 500;
/// The most that one request names: at worst, none near another, it still fits a datagram.
const MAX_PER_REQUEST: usize = 250;

/// The gaps of one track.
///
/// `note` what is missing, tell what `arrived`, `forget` what is given up; ask for `due` packets at `next_timeout`.
#[derive(Debug, Default)]
pub(super) struct Repair {
    missing: BTreeMap<i64, Missing>,
    answers: Option<Answers>,
    /// How far a packet was overtaken, and when.
    overtaken: Option<(Duration, Instant)>,
}

#[derive(Debug)]
struct Missing {
    noticed: Instant,
    due: Instant,
    /// When it was first asked for.
    asked: Option<Instant>,
    tries: u32,
}

/// How long answers take (RFC 6298 §2).
#[derive(Debug, Clone, Copy)]
struct Answers {
    smoothed: Duration,
    deviation: Duration,
}

impl Repair {
    /// These packets didn't come, although later ones did.
    pub(super) fn note(&mut self, now: Instant, gap: std::ops::Range<i64>) {
        let tolerance = self.tolerance(now);
        if gap.end - gap.start + self.missing.len() as i64 > MAX_MISSING as i64 {
            return;
        }
        for sequence in gap {
            self.missing.insert(
                sequence,
                Missing {
                    noticed: now,
                    due: now + tolerance,
                    asked: None,
                    tries: 0,
                },
            );
        }
    }

    /// A packet came; tells whether it was missing and had been asked for.
    pub(super) fn arrived(&mut self, now: Instant, sequence: i64) -> bool {
        let Some(missing) = self.missing.remove(&sequence) else {
            return false;
        };
        let Some(asked) = missing.asked else {
            let late = now.saturating_duration_since(missing.noticed);
            let known = self.tolerance(now);
            if late > known {
                self.overtaken = Some((late.min(MAX_TOLERANCE), now));
            }
            return false;
        };
        // Of a packet that was asked for twice nobody knows which request was answered (Karn's rule).
        if missing.tries == 1 {
            self.measure(now.saturating_duration_since(asked));
        }
        true
    }

    /// Everything before `sequence` is given up.
    pub(super) fn forget(&mut self, sequence: i64) {
        self.missing = self.missing.split_off(&sequence);
    }

    /// When the wait for `sequence` ends; at once for what isn't missed.
    pub(super) fn deadline(&self, sequence: i64) -> Option<Instant> {
        Some(self.missing.get(&sequence)?.noticed + self.patience())
    }

    /// What to ask for now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<i64> {
        let wait = self.wait();
        let due = self
            .missing
            .iter_mut()
            .filter(|(_, missing)| missing.due <= now && missing.tries < MAX_TRIES);
        due.take(MAX_PER_REQUEST)
            .map(|(sequence, missing)| {
                missing.asked.get_or_insert(now);
                // A path that loses answers is likely full, and not to be filled further.
                missing.due = now + wait + wait * missing.tries / 4;
                missing.tries += 1;
                *sequence
            })
            .collect()
    }

    /// When [`Self::due`] has something.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let asking = self.missing.values().filter(|m| m.tries < MAX_TRIES);
        asking.map(|missing| missing.due).min()
    }

    /// How long a lost packet is waited for.
    pub(super) fn patience(&self) -> Duration {
        match self.answers {
            Some(_) => {
                (MAX_TOLERANCE + self.wait() * PATIENT_FOR).clamp(MIN_PATIENCE, MAX_PATIENCE)
            }
            None => MAX_PATIENCE,
        }
    }

    fn tolerance(&self, now: Instant) -> Duration {
        match self.overtaken {
            Some((by, at)) if now.saturating_duration_since(at) < TOLERANCE_HOLDS => {
                by.max(MIN_TOLERANCE)
            }
            _ => MIN_TOLERANCE,
        }
    }

    fn wait(&self) -> Duration {
        self.answers.map_or(FIRST_WAIT, |answers| {
            (answers.smoothed + answers.deviation * 2).clamp(MIN_WAIT, MAX_WAIT)
        })
    }

    fn measure(&mut self, took: Duration) {
        self.answers = Some(match self.answers {
            None => Answers {
                smoothed: took,
                deviation: took / 2,
            },
            Some(Answers {
                smoothed,
                deviation,
            }) => Answers {
                smoothed: smoothed * 7 / 8 + took / 8,
                deviation: deviation * 3 / 4 + smoothed.abs_diff(took) / 4,
            },
        });
    }
}
