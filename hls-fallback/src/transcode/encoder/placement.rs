//! Which GPU a rendition goes to. Pure: what is measured comes in, and what time it is.

use std::time::{Duration, Instant};

use spillway_cuda::Reading;

/// A GPU whose encoders are busier, in percent, gets no more renditions.
const MOST_BUSY: u32 = 90;
/// What a rendition is thought to take of one, in percent, until the measure shows it: 1080p at 30 a second on an encoder of today.
const EXPECTED: u32 = 5;
/// The measure is an average of up to a second, and a rendition's first pictures come late: it shows in it after so long.
const SHOWS: Duration = Duration::from_secs(2);
/// One that refused a rendition isn't asked again for so long: others' sessions end when they like, and to ask costs a session's
/// beginning.
const REFUSES: Duration = Duration::from_secs(30);

/// What is known of all GPUs, by their numbers.
#[derive(Debug)]
pub(super) struct Placement {
    gpus: Vec<Gpu>,
}

#[derive(Debug, Clone, Default)]
struct Gpu {
    /// When each of this process's renditions on it began.
    seats: Vec<Instant>,
    refused: Option<Instant>,
    reading: Option<Reading>,
}

impl Gpu {
    /// In percent: as measured, with what that can't show yet; as expected, where nothing is measured.
    fn load(&self, now: Instant) -> u32 {
        let is_new = |began: &&Instant| now.duration_since(**began) < SHOWS;
        let expected = |seats: usize| seats as u32 * EXPECTED;
        match self.reading {
            Some(reading) => reading.busy + expected(self.seats.iter().filter(is_new).count()),
            None => expected(self.seats.len()),
        }
    }

    /// Where nothing is measured, only the driver knows.
    fn has_room(&self, now: Instant) -> bool {
        let refuses = |refused| now.duration_since(refused) < REFUSES;
        let is_busy = self.reading.is_some() && self.load(now) > MOST_BUSY;
        !is_busy && !self.refused.is_some_and(refuses)
    }

    fn sessions(&self) -> u32 {
        let known = self.seats.len() as u32;
        self.reading.map_or(known, |r| r.sessions.max(known))
    }
}

impl Placement {
    /// Of none yet.
    pub(super) const fn new() -> Self {
        Self { gpus: Vec::new() }
    }

    /// There are so many.
    pub(super) fn count(&mut self, gpus: usize) {
        if self.gpus.len() < gpus {
            self.gpus.resize(gpus, Gpu::default());
        }
    }

    /// One was measured, or can't be.
    pub(super) fn measured(&mut self, gpu: usize, reading: Option<Reading>) {
        self.count(gpu + 1);
        self.gpus[gpu].reading = reading;
    }

    /// Those that have room, in the order in which they are to be asked: the one where a rendition's pictures are, then the least busy,
    /// and among equals the one with the fewest sessions.
    pub(super) fn order(&self, near: Option<usize>, now: Instant) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.gpus.len())
            .filter(|gpu| self.gpus[*gpu].has_room(now))
            .collect();
        order.sort_by_key(|number| {
            let gpu = &self.gpus[*number];
            (Some(*number) != near, gpu.load(now), gpu.sessions())
        });
        order
    }

    /// A rendition begins on one.
    pub(super) fn take(&mut self, gpu: usize, now: Instant) {
        self.count(gpu + 1);
        self.gpus[gpu].seats.push(now);
        self.gpus[gpu].refused = None;
    }

    /// The rendition that began on it then has ended.
    pub(super) fn give_back(&mut self, gpu: usize, began: Instant) {
        let seats = self.gpus.get_mut(gpu).map(|gpu| &mut gpu.seats);
        if let Some(seats) = seats
            && let Some(place) = seats.iter().position(|seat| *seat == began)
        {
            seats.swap_remove(place);
        }
    }

    /// It took no rendition.
    pub(super) fn refused(&mut self, gpu: usize, now: Instant) {
        self.count(gpu + 1);
        self.gpus[gpu].refused = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn gpus(count: usize) -> (Placement, Instant) {
        let mut placement = Placement::new();
        placement.count(count);
        (placement, Instant::now())
    }

    fn busy(busy: u32, sessions: u32) -> Reading {
        Reading { busy, sessions }
    }

    #[test]
    fn the_least_busy_is_asked_first_and_one_without_room_not_at_all() {
        let (mut gpus, now) = gpus(4);
        assert_eq!(gpus.order(None, now), [0, 1, 2, 3]);
        for (gpu, reading) in [busy(60, 3), busy(20, 9), busy(91, 1), busy(20, 2)]
            .into_iter()
            .enumerate()
        {
            gpus.measured(gpu, Some(reading));
        }
        assert_eq!(gpus.order(None, now), [3, 1, 0]);
    }

    #[test]
    fn a_rendition_stays_where_its_pictures_are_while_there_is_room() {
        let (mut gpus, now) = gpus(2);
        gpus.measured(0, Some(busy(80, 12)));
        gpus.measured(1, Some(busy(10, 1)));
        assert_eq!(gpus.order(Some(0), now), [0, 1]);
        gpus.measured(0, Some(busy(95, 14)));
        assert_eq!(gpus.order(Some(0), now), [1]);
    }

    /// Several that begin at once don't all go to the one that was idle when it was measured last.
    #[test]
    fn renditions_count_before_the_measure_shows_them() {
        let (mut gpus, now) = gpus(2);
        gpus.measured(0, Some(busy(0, 0)));
        gpus.measured(1, Some(busy(8, 1)));
        gpus.take(0, now);
        assert_eq!(gpus.order(None, now), [0, 1]);
        gpus.take(0, now);
        assert_eq!(gpus.order(None, now), [1, 0]);
        assert_eq!(gpus.order(None, now + 3 * SECOND), [0, 1]);
        for _ in 0..19 {
            gpus.take(0, now);
            gpus.take(1, now);
        }
        assert!(gpus.order(None, now).is_empty());
    }

    /// How many a GPU takes, its driver alone knows then.
    #[test]
    fn without_a_measure_renditions_spread_and_only_a_refusal_ends_that() {
        let (mut gpus, now) = gpus(2);
        for number in 0..100 {
            let gpu = gpus.order(None, now)[0];
            assert_eq!(gpu, number % 2);
            gpus.take(gpu, now);
        }
        gpus.give_back(1, now);
        assert_eq!(gpus.order(None, now), [1, 0]);
        gpus.refused(1, now);
        assert_eq!(gpus.order(Some(1), now), [0]);
        gpus.refused(0, now);
        assert!(gpus.order(None, now + 29 * SECOND).is_empty());
        assert_eq!(gpus.order(None, now + 30 * SECOND), [1, 0]);
    }
}
