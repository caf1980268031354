//! When frames were captured, on the node's clock.
//!
//! A sender report says which RTP timestamp belongs to which moment on the node's clock (RFC 3550 §6.4.1). Each track follows
//! its own reports, so both are on one time line.
//!
//! - What a report corrects by less than [`SLEWED`] is slewed: 1 % faster or slower until it is made up. So is what it corrects of
//!   pictures' times by less than [`PICTURES_SLEWED`], by up to 5 %, and not in the first second, by which their rate is told.
//! - A larger correction is made at once. Forward, the frames' times have a gap. Back, frames that would come before what was
//!   given out already follow each other by a microsecond until the time is reached.
//! - A step of the node's clock (the reports of a track and their arrival jump alike) changes no frame's time: the time line
//!   goes on as before, and is off the node's clock by the step from then on.
//! - Frames may come before their time when a track begins, or goes on after a pause, and keep the distances that they have: a
//!   publisher that reads files, as `FFmpeg`, sends half a second of it and what came up while it connected at once, and its reports
//!   say that this is yet to come. Those of both tracks may come as early from then on.
//! - Any other frame from the future, or one from long ago, is at the moment of its arrival, and the clock is set by it until the
//!   next report: timestamps have jumped. So they do when a node sends its cache once more, as they never go back there.

use std::time::{Duration, Instant};

use super::packet::Unwrap;
use super::statistics::TrackStatistics;
use crate::media::Moment;

/// In microseconds.
pub(super) const SLEWED: i64 = 50_000;
/// A hundredth of the time.
const SLEW: i64 = 100;
/// Pictures' times are slewed by a twentieth, while more is to be made up.
pub(super) const PICTURES_SLEWED: i64 = 1_000_000;
const PICTURES_SLEW: i64 = 20;
/// A larger jump of reports may be a step of the node's clock, if their arrival jumps by as much within the second.
const STEP: i64 = 200_000;
const STEP_ACCURACY: i64 = 100_000;
/// How far a frame may be from the present: reports are under way for a while, and a node sends what it has cached first.
const AHEAD: i64 = 100_000;
const BEHIND: i64 = 60_000_000;
/// How much earlier frames may be when their track begins, ...
const LEAD: i64 = 2_000_000;
/// ... which it does for so long, with its first frame and behind a pause of as much. Later they may get so by a quarter of the time
/// that passes: `FFmpeg` makes up for what held it.
const BEGINS: Duration = Duration::from_secs(1);
const LEAD_GROWS: u32 = 4;
/// How long frames wait for their track's first report. A node sends it within 150 ms; without, the frames' arrival tells the
/// time, and what was cached comes far too early.
pub(super) const FIRST_REPORT: Duration = Duration::from_secs(1);
/// Between 1900, where NTP begins, and 1970 (RFC 868).
const NTP_TO_UNIX: i64 = 2_208_988_800;

/// The moment of an NTP timestamp of 64 bits. Seconds below 2³¹ are of the era that begins in 2036 (RFC 4330 §3).
pub(super) fn moment(ntp: u64) -> Moment {
    let (seconds, fraction) = ((ntp >> 32) as i64, ntp & 0xffff_ffff);
    let era = if seconds < 1 << 31 { 1_i64 << 32 } else { 0 };
    let microseconds = (fraction * 1_000_000) >> 32;
    Moment((seconds + era - NTP_TO_UNIX) * 1_000_000 + microseconds as i64)
}

/// The time line that both tracks share.
#[derive(Debug)]
pub(super) struct TimeLine {
    began: Instant,
    began_at: Moment,
    /// How far the node's clock is ahead of ours, all steps that were kept out included.
    offset: Option<i64>,
    /// From the node's clock to the time line.
    shift: i64,
    /// How much earlier than others may frames come, in microseconds.
    lead: i64,
    steps: u64,
}

impl TimeLine {
    /// `wall` is what our own clock shows now.
    pub(super) fn new(now: Instant, wall: Moment) -> Self {
        Self {
            began: now,
            began_at: wall,
            offset: None,
            shift: 0,
            lead: 0,
            steps: 0,
        }
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    fn local(&self, now: Instant) -> Moment {
        let passed = now.saturating_duration_since(self.began).as_micros();
        self.began_at
            .plus(i64::try_from(passed).unwrap_or(i64::MAX))
    }

    /// The present on the time line, as far as it is known.
    pub(super) fn present(&self, now: Instant) -> Moment {
        self.local(now).plus(self.offset.unwrap_or(0))
    }

    /// Whether a frame may come so far before its time; frames may come so much earlier than before.
    fn allows(&mut self, ahead: i64, earlier: Duration) -> bool {
        let earlier = i64::try_from(earlier.as_micros()).unwrap_or(LEAD);
        let most = self.lead.saturating_add(earlier).min(LEAD);
        self.lead = self.lead.max((ahead - AHEAD).min(most));
        (-BEHIND..=self.lead + AHEAD).contains(&ahead)
    }

    /// A report of `moment` has come.
    fn observe(&mut self, now: Instant, moment: Moment) {
        let seen = moment.since(self.local(now));
        // The report that travelled fastest is right; it ages, since clocks drift.
        self.offset = Some(match self.offset {
            Some(offset) if seen < offset => offset + (seen - offset) / 100,
            _ => seen,
        });
    }

    /// Keeps a step of the node's clock out, if the `jump` of a track is one.
    fn keep_out(&mut self, now: Instant, moment: Moment, jump: i64) -> bool {
        let is_step = match self.offset {
            Some(offset) => {
                let arrival = moment.since(self.local(now)) - offset;
                jump.abs() > STEP && (arrival - jump).abs() < STEP_ACCURACY
            }
            // Frames went by our own clock until now, which is ahead of the node's.
            None => jump < -STEP,
        };
        if is_step {
            self.shift -= jump;
            self.steps += 1;
        }
        is_step
    }
}

/// One track's way from RTP timestamps to the time line.
#[derive(Debug)]
pub(super) struct TrackClock {
    rate: i64,
    /// Corrections that are slewed are less than this.
    slewed: i64,
    timestamps: Unwrap<32>,
    /// A timestamp and its moment.
    anchor: Option<(i64, Moment)>,
    /// What is still to be slewed, and whether that was more than [`SLEWED`].
    correction: i64,
    is_large: bool,
    /// The timestamp and the moment that was given last.
    last: Option<(i64, Moment)>,
    /// When it began, and when its last frame was told its time.
    seen: Option<(Instant, Instant)>,
    jumps: u64,
}

impl TrackClock {
    /// One with so many timestamps a second, whose corrections are slewed up to so many microseconds.
    pub(super) fn new(rate: u32, slewed: i64) -> Self {
        Self {
            rate: i64::from(rate),
            slewed,
            timestamps: Unwrap::new(),
            anchor: None,
            correction: 0,
            is_large: false,
            last: None,
            seen: None,
            jumps: 0,
        }
    }

    /// Frames can be told their time.
    pub(super) fn is_set(&self) -> bool {
        self.anchor.is_some()
    }

    /// The timestamp of a frame, without end. Frames come in order.
    pub(super) fn unwrap(&mut self, timestamp: u32) -> i64 {
        self.timestamps.follow(timestamp)
    }

    /// Sets the clock by frames' arrival: the one that was under way for the shortest time is right.
    pub(super) fn set_by_arrival(
        &mut self,
        line: &TimeLine,
        arrivals: impl Iterator<Item = (i64, Instant)>,
    ) {
        let moments = arrivals.map(|(timestamp, at)| (timestamp, line.present(at)));
        self.anchor =
            moments.min_by_key(|(timestamp, moment)| moment.0 - timestamp * 1_000_000 / self.rate);
    }

    /// A sender report says that `timestamp` is at `ntp` on the node's clock.
    pub(super) fn report(&mut self, now: Instant, line: &mut TimeLine, ntp: u64, timestamp: u32) {
        let timestamp = self.timestamps.begin(timestamp);
        let mut says = moment(ntp).plus(line.shift);
        if let Some(before) = self.map(timestamp) {
            let off = says.since(before);
            if line.keep_out(now, says, off) {
                says = before;
            }
            let off = says.since(before);
            if off.abs() < self.slewed {
                self.anchor = Some((timestamp, before));
                self.correction = off;
                self.is_large |= off.abs() >= SLEWED;
            } else {
                self.anchor = Some((timestamp, says));
                self.correction = 0;
                self.jumps += 1;
            }
        } else {
            self.anchor = Some((timestamp, says));
        }
        line.observe(now, says);
    }

    /// The moment of the next frame; later than all before it.
    pub(super) fn time(&mut self, now: Instant, line: &mut TimeLine, timestamp: i64) -> Moment {
        let (begins, passed) = self.see(now);
        self.slew(timestamp, begins);
        let present = line.present(now);
        let earlier = if begins {
            Duration::MAX
        } else {
            passed / LEAD_GROWS
        };
        let mapped = self.map(timestamp);
        let mapped = mapped.filter(|mapped| line.allows(mapped.since(present), earlier));
        let moment = mapped.unwrap_or_else(|| {
            self.jumps += u64::from(self.anchor.is_some());
            let moment = present.plus(line.lead);
            self.anchor = Some((timestamp, moment));
            self.correction = 0;
            moment
        });
        let moment = match self.last {
            Some((_, last)) => moment.max(last.plus(1)),
            None => moment,
        };
        self.last = Some((timestamp, moment));
        moment
    }

    pub(super) fn count(&self, counts: &mut TrackStatistics) {
        counts.clock_jumps = self.jumps;
    }

    fn map(&self, timestamp: i64) -> Option<Moment> {
        let (anchor, moment) = self.anchor?;
        let ticks = timestamp.saturating_sub(anchor);
        Some(moment.plus(ticks.saturating_mul(1_000_000) / self.rate))
    }

    /// A frame comes: whether its track begins, and how long ago the one before came.
    fn see(&mut self, now: Instant) -> (bool, Duration) {
        let (began, last) = self.seen.unwrap_or((now, now));
        let passed = now.saturating_duration_since(last);
        let began = if passed >= BEGINS { now } else { began };
        self.seen = Some((began, now));
        (now.saturating_duration_since(began) < BEGINS, passed)
    }

    fn slew(&mut self, timestamp: i64, begins: bool) {
        let (Some((last, _)), Some((_, moment))) = (self.last, &mut self.anchor) else {
            return;
        };
        let passed = (timestamp - last).max(0).saturating_mul(1_000_000) / self.rate;
        let most = if !self.is_large {
            passed / SLEW
        } else if begins {
            0
        } else {
            passed / PICTURES_SLEW
        };
        let step = self.correction.clamp(-most, most);
        *moment = moment.plus(step);
        self.correction -= step;
        self.is_large &= self.correction != 0;
    }
}
