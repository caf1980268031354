//! What a player would show: pure, in seconds of two clocks, that of the machine and that of the media.

/// The player of one client.
///
/// It begins where it is told to as soon as all its tracks have that, stands still when one has nothing more, and goes on with
/// what it stood at. It doesn't catch up: what a stall cost stays as latency.
#[derive(Debug, Clone)]
pub struct Playback {
    /// How far each track has come: media time.
    tracks: Vec<Option<f64>>,
    /// So much is wanted before it begins or goes on: seconds.
    reserve: f64,
    head: Head,
    stalls: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
enum Head {
    /// `since`: it had played before, and stopped then.
    Waiting {
        at: Option<f64>,
        since: Option<f64>,
    },
    Playing {
        behind: f64,
    },
    Stalled {
        at: f64,
        since: f64,
    },
}

impl Playback {
    /// Of so many tracks; `reserve` is a part's length.
    pub fn new(tracks: usize, reserve: f64) -> Self {
        Self {
            tracks: vec![None; tracks],
            reserve,
            head: Head::Waiting {
                at: None,
                since: None,
            },
            stalls: Vec::new(),
        }
    }

    /// Another player takes its place: until that plays, it's a stall.
    pub fn begin_anew(&mut self, tracks: usize, reserve: f64, now: f64) {
        self.handle_time(now);
        let since = match self.head {
            Head::Waiting { since, .. } => since,
            Head::Playing { .. } => Some(now),
            Head::Stalled { since, .. } => Some(since),
        };
        self.tracks = vec![None; tracks];
        self.reserve = reserve;
        self.head = Head::Waiting { at: None, since };
    }

    /// It is to begin at this media time, or at a later one that was told before.
    pub fn start_at(&mut self, media: f64) {
        if let Head::Waiting { at, .. } = &mut self.head {
            *at = Some(at.map_or(media, |at| at.max(media)));
        }
    }

    /// A track has come so far.
    pub fn on_media(&mut self, track: usize, end: f64, now: f64) {
        self.handle_time(now);
        if let Some(known) = self.tracks.get_mut(track) {
            *known = Some(known.map_or(end, |known| known.max(end)));
        }
        let Some(buffered) = self.buffered() else {
            return;
        };
        match self.head {
            Head::Waiting {
                at: Some(at),
                since,
            } if buffered >= at + self.reserve => {
                self.stalls.extend(since.map(|since| now - since));
                self.head = Head::Playing { behind: now - at };
            }
            Head::Stalled { at, since } if buffered >= at + self.reserve => {
                self.stalls.push(now - since);
                self.head = Head::Playing { behind: now - at };
            }
            _ => {}
        }
    }

    /// It is now so late: whether it ran out of media since.
    pub fn handle_time(&mut self, now: f64) {
        let Head::Playing { behind } = self.head else {
            return;
        };
        if let Some(end) = self.buffered().filter(|end| now - behind > *end) {
            self.head = Head::Stalled {
                at: end,
                since: end + behind,
            };
        }
    }

    /// How far behind the clock it plays, in seconds; none while it doesn't.
    pub fn behind(&self) -> Option<f64> {
        match self.head {
            Head::Playing { behind } => Some(behind),
            Head::Waiting { .. } | Head::Stalled { .. } => None,
        }
    }

    /// It has begun.
    pub fn has_begun(&self) -> bool {
        !matches!(self.head, Head::Waiting { since: None, .. })
    }

    /// Takes the stalls so far, in seconds; one that isn't over counts up to now.
    pub fn take_stalls(&mut self, now: f64) -> Vec<f64> {
        self.handle_time(now);
        let mut stalls = std::mem::take(&mut self.stalls);
        if let Head::Stalled { since, .. }
        | Head::Waiting {
            since: Some(since), ..
        } = &mut self.head
        {
            stalls.push(now - *since);
            *since = now;
        }
        stalls
    }

    /// Where the shortest track ends.
    fn buffered(&self) -> Option<f64> {
        self.tracks
            .iter()
            .copied()
            .try_fold(f64::INFINITY, |least, track| Some(least.min(track?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playing() -> Playback {
        let mut playback = Playback::new(2, 0.2);
        playback.start_at(100.0);
        playback.on_media(0, 100.4, 101.0);
        assert_eq!(playback.behind(), None, "the other track has nothing");
        playback.on_media(1, 100.4, 101.1);
        playback
    }

    #[test]
    fn it_begins_when_all_tracks_have_the_start() {
        let playback = playing();
        assert!(playback.has_begun());
        assert!((playback.behind().unwrap_or_default() - 1.1).abs() < 1e-9);
    }

    #[test]
    fn media_in_time_stalls_nothing() {
        let mut playback = playing();
        for step in 0..50 {
            let (end, now) = (100.6 + 0.2 * f64::from(step), 101.2 + 0.2 * f64::from(step));
            playback.on_media(0, end, now);
            playback.on_media(1, end, now);
        }
        assert_eq!(playback.take_stalls(111.0), Vec::<f64>::new());
    }

    #[test]
    fn a_track_that_is_late_stalls_it_and_stays_as_latency() {
        let mut playback = playing();
        // It has media until 100.4, which is shown at 101.5.
        playback.on_media(0, 101.0, 101.2);
        playback.on_media(1, 101.0, 102.0);
        let stalls = playback.take_stalls(102.0);
        assert_eq!(stalls.len(), 1);
        assert!((stalls[0] - 0.5).abs() < 1e-9, "{stalls:?}");
        assert!((playback.behind().unwrap_or_default() - 1.6).abs() < 1e-9);
    }

    #[test]
    fn until_another_player_plays_it_is_a_stall() {
        let mut playback = playing();
        playback.begin_anew(1, 0.2, 101.2);
        playback.start_at(200.0);
        assert!(playback.has_begun());
        playback.on_media(0, 200.4, 102.0);
        let stalls = playback.take_stalls(102.0);
        assert_eq!(stalls.len(), 1);
        assert!((stalls[0] - 0.8).abs() < 1e-9, "{stalls:?}");
    }

    #[test]
    fn a_stall_that_lasts_is_counted_once() {
        let mut playback = playing();
        let first: f64 = playback.take_stalls(103.0).iter().sum();
        let second: f64 = playback.take_stalls(104.0).iter().sum();
        assert!((first - 1.5).abs() < 1e-9);
        assert!((second - 1.0).abs() < 1e-9);
    }
}
