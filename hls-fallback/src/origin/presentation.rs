//! One broadcast as it's presented: its renditions, and the playlists of them.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Instant,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    captions::{Cue, Language},
    media::{Demand, Rate, TrackConfig},
};

use super::{
    MAX_NAME, MAX_RENDITIONS,
    captions::{self, CaptionWriter},
    is_name,
    packager::{Packager, PushError, Unit},
    settings::{Settings, SettingsError, Timing},
    state::{Follow, Manifest, Masters, PartState, State, View},
    writer::RenditionWriter,
};

/// One rendition of a presentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenditionInfo {
    /// What it's called in URLs: `[A-Za-z0-9_-]{1,64}`.
    pub name: String,
    /// Picture or sound.
    pub kind: RenditionKind,
    /// Ticks per second of its samples' times. A picture lasts a whole number of them: the rate's numerator always does, 90
    /// kHz doesn't at 23.976 and 59.94. Of sound it is [`Settings::audio_rate`].
    pub timescale: u32,
}

/// What a rendition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenditionKind {
    /// Pictures at that rate.
    Video {
        /// A part holds a whole number of them.
        rate: Rate,
    },
    /// Sound, for all renditions of video.
    Audio,
}

/// Why a rendition can't be added.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddRenditionError {
    /// The name can't be in a URL.
    #[error("a rendition's name is 1 to {MAX_NAME} of A-Z, a-z, 0-9, _ and -")]
    Name,
    /// There's one of that name.
    #[error("the presentation has a rendition {0} already: remove it first")]
    Taken(String),
    /// The presentation is full.
    #[error("a presentation has {MAX_RENDITIONS} renditions at most: remove one first")]
    TooMany,
    /// A timescale of which a picture isn't a whole number, or sound with another one than the presentation's audio rate.
    #[error(
        "a timescale of {0} can't be: take the rate's numerator for video, the presentation's audio rate for sound"
    )]
    Timescale(u32),
    /// The parts would hold a fraction of a picture.
    #[error(
        "a part isn't a whole number of the rendition's pictures: choose a rate that divides the grid's"
    )]
    Rate,
    /// The broadcast is over, or a new presentation has taken this one's place.
    #[error("the presentation has ended: add renditions to the channel's new one")]
    Ended,
}

/// One broadcast of a channel as LL-HLS. Clones are the same presentation.
///
/// Media is kept in memory for the window and three target durations after it, however many ask for it: per rendition, its
/// bit rate times that.
#[derive(Debug, Clone)]
pub struct Presentation(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Settings,
    timing: Timing,
    /// Requests' times are counted from then on.
    made: Instant,
    state: RwLock<State>,
}

impl Presentation {
    /// An empty one.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let timing = settings.timing()?;
        Ok(Self(Arc::new(Shared {
            settings,
            timing,
            made: Instant::now(),
            state: RwLock::new(State::new()),
        })))
    }

    /// What it was made with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Adds a rendition, which is listed once its first segment is whole. In the multivariant playlist they keep the order
    /// in which they were added.
    pub fn add_rendition(&self, info: RenditionInfo) -> Result<RenditionWriter, AddRenditionError> {
        self.check(&info)?;
        let video = info.kind != RenditionKind::Audio;
        let packager = Packager::new(self.0.timing, info.timescale, video);
        let id = self.write().add(info, self.0.timing)?;
        Ok(RenditionWriter::new(self.clone(), id, packager))
    }

    /// The presentation has captions from now on: a rendition `captions`, of the segments that its sound has.
    pub fn add_captions(&self, language: Language) -> CaptionWriter {
        self.write().add_captions(language);
        CaptionWriter::new(self.clone())
    }

    pub(super) fn show(&self, cue: Cue) {
        self.write().show(cue);
    }

    fn check(&self, info: &RenditionInfo) -> Result<(), AddRenditionError> {
        if !is_name(&info.name) {
            return Err(AddRenditionError::Name);
        }
        if info.name == captions::NAME {
            return Err(AddRenditionError::Taken(info.name.clone()));
        }
        let fits = match info.kind {
            RenditionKind::Video { rate } => {
                let ticks = u64::from(info.timescale) * u64::from(rate.denominator);
                ticks > 0 && ticks.is_multiple_of(u64::from(rate.numerator))
            }
            RenditionKind::Audio => info.timescale == self.0.settings.audio_rate,
        };
        if !fits {
            return Err(AddRenditionError::Timescale(info.timescale));
        }
        if let RenditionKind::Video { rate } = info.kind
            && !self.holds_whole_pictures(rate)
        {
            return Err(AddRenditionError::Rate);
        }
        Ok(())
    }

    fn holds_whole_pictures(&self, rate: Rate) -> bool {
        let grid = self.0.settings.grid;
        let pictures = u128::from(self.0.timing.part_frames)
            * u128::from(grid.denominator)
            * u128::from(rate.numerator);
        let unit = u128::from(grid.numerator) * u128::from(rate.denominator);
        unit > 0 && pictures > 0 && pictures.is_multiple_of(unit)
    }

    /// All renditions have a discontinuity before segment `number`: what follows isn't the continuation of what was before,
    /// as when a publisher comes back. Say it before any rendition has come to that segment.
    pub fn discontinuity(&self, number: u64) {
        self.write().insert_discontinuity(number);
    }

    /// Who asks for a rendition: its playlists and media.
    pub fn demand(&self, rendition: &str) -> Demand {
        let now = self.0.made.elapsed();
        let demand = self.read().demand(rendition, now);
        demand.unwrap_or_default()
    }

    /// Somebody asks for a rendition.
    pub(super) fn ask(&self, rendition: &str) {
        let now = self.0.made.elapsed();
        self.read().ask(rendition, now);
    }

    pub(super) fn expect(&self, id: u64, config: TrackConfig, bitrate: u32) {
        self.write().expect(id, config, bitrate);
    }

    pub(super) fn may_be(&self, id: u64, configs: Vec<TrackConfig>) {
        self.write().may_be(id, configs);
    }

    pub(super) fn rest(&self, id: u64, offered: bool) {
        self.write().rest(id, offered, self.0.timing);
    }

    /// Whether all renditions are finished or removed, or another presentation has taken this one's place.
    pub fn has_ended(&self) -> bool {
        self.read().has_ended()
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The number of the last segment that was begun, announced ones included.
    pub(super) fn last_number(&self) -> Option<u64> {
        self.read().last_number()
    }

    /// Segments have numbers above this one.
    pub(super) fn set_floor(&self, number: u64) {
        self.write().set_floor(number);
    }

    /// Another presentation has taken this one's place: who waits for something of it stops waiting. Its media stays.
    pub(super) fn close(&self) {
        self.write().close();
    }

    pub(super) fn timing(&self) -> &Timing {
        &self.0.timing
    }

    /// A writer is about to begin a segment.
    pub(super) fn reserve(&self, number: u64, start: u64) -> Result<(), PushError> {
        self.write().reserve(number, start)
    }

    pub(super) fn publish(&self, id: u64, units: Vec<Unit>) -> Result<(), PushError> {
        if units.is_empty() {
            return Ok(());
        }
        self.write().publish(id, units, &self.0.timing)
    }

    pub(super) fn finish(&self, id: u64, units: Vec<Unit>) -> Result<(), PushError> {
        let mut state = self.write();
        state.publish(id, units, &self.0.timing)?;
        state.finish(id, &self.0.timing);
        Ok(())
    }

    pub(super) fn remove(&self, id: u64) {
        self.write().remove(id, &self.0.timing);
    }

    pub(super) fn follow(&self, rendition: &str) -> Option<Follow<View>> {
        let state = self.read();
        if rendition == captions::NAME {
            return Some(state.captions()?.view.subscribe());
        }
        Some(state.rendition(rendition)?.view.subscribe())
    }

    pub(super) fn caption(&self, number: u64) -> Option<Bytes> {
        self.read().captions()?.segment(number)
    }

    /// The media playlist as it is now.
    pub(super) fn view(&self, rendition: &str) -> Option<Arc<View>> {
        self.follow(rendition)?.borrow().clone()
    }

    pub(super) fn follow_masters(&self) -> Option<Follow<Masters>> {
        self.read().follow_masters()
    }

    pub(super) fn follow_manifest(&self) -> Option<Follow<Manifest>> {
        self.read().follow_manifest()
    }

    pub(super) fn is_video(&self, rendition: &str) -> Option<bool> {
        let state = self.read();
        Some(state.rendition(rendition)?.info.kind != RenditionKind::Audio)
    }

    pub(super) fn init(&self, rendition: &str, segment: u64) -> Option<Bytes> {
        self.read().rendition(rendition)?.shelf.init(segment)
    }

    pub(super) fn segment(&self, rendition: &str, number: u64) -> Option<Bytes> {
        self.read().rendition(rendition)?.shelf.whole(number)
    }

    /// The segments of a row that plain playlists list.
    pub(super) fn row(&self, rendition: &str, first: u64, last: u64) -> Option<Vec<Bytes>> {
        self.read().row(rendition, first, last)
    }

    pub(super) fn part(&self, rendition: &str, segment: u64, index: u32) -> PartState {
        self.read().part(rendition, segment, index)
    }

    // A writer that panicked has at worst left a part out.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
