//! A broadcast that has begun.

use ffmpeg_next::frame;

use super::{
    Cadence, Description, Presenter, Settings, SoundError,
    asking::Asking,
    decoding::{Decoding, Picture},
    fitness::{Fitness, Reason},
    grid::{Grid, Slot},
    history::History,
    home::Home,
    inspector::{Inspector, Look, Needs},
    ladder::{Ladder, Size},
    layout::Layout,
    passing::Passing,
    renditions::Renditions,
    segments::{Beginning, Segments},
    sound_encoder::{Aac, Opus, SoundEncoder},
    sound_track::SoundTrack,
    timeline::Timeline,
};
use crate::media::{Content, Frame, Moment};

/// How long a packet of sound lasts, as a rule: microseconds.
const SOUND: i64 = 20_000;

/// Owned by the conductor, which gives frames in, and calls [`Self::handle_timeout`] after each of them and at
/// [`Self::next_timeout`].
pub(super) struct Running {
    pub(super) cadence: Cadence,
    pub(super) presenter: Box<dyn Presenter>,
    pub(super) timeline: Timeline,
    pub(super) segments: Segments,
    pub(super) sound: SoundTrack,
    pub(super) inspector: Inspector,
    pub(super) fitness: Fitness,
    pub(super) asking: Asking,
    pub(super) decoding: Decoding,
    pub(super) ladder: Ladder,
    pub(super) layout: Option<Layout>,
    pub(super) renditions: Renditions,
    pub(super) mode: Mode,
    pub(super) history: History,
    /// What players were told that they need for the source, when there were pictures first, besides H.264.
    pub(super) told: Option<Needs>,
    /// What was said of why the source isn't passed through.
    pub(super) said: Option<Reason>,
}

/// What the best rendition is.
pub(super) enum Mode {
    /// Encoded of the pictures on the grid, as all others.
    Encoding(Grid<Picture>),
    /// The source.
    Passing(Passing),
}

/// A picture of the source, as it came.
pub(super) struct Coming<'a> {
    pub(super) frame: &'a Frame,
    pub(super) look: Look,
    pub(super) keyframe: bool,
    /// On the broadcast's time line.
    pub(super) time: Moment,
}

/// Why a broadcast can't go on like this: it is to be begun anew.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error(transparent)]
    Sound(#[from] SoundError),
    #[error("its best rendition broke off")]
    Best,
}

impl Running {
    /// One without pictures yet.
    pub(super) fn begin(
        settings: &Settings,
        cadence: Cadence,
        mut presenter: Box<dyn Presenter>,
        timeline: Timeline,
        now: Moment,
    ) -> Result<Self, SoundError> {
        presenter.begin(cadence);
        let mut sounds: Vec<(Box<dyn SoundEncoder>, _)> = Vec::new();
        let aac = presenter.rendition(Description::sound("audio", true));
        sounds.push((Box::new(Aac::new()?), aac));
        if settings.opus {
            let opus = presenter.rendition(Description::sound("opus", false));
            sounds.push((Box::new(Opus::new()?), opus));
        }
        let segments = Segments::new(cadence);
        let mut sound = SoundTrack::new(cadence, sounds, presenter.listener())?;
        if let Some(first) = segments.next() {
            sound.announce(first);
        }
        let home = Home::new(settings.encoder);
        let interval = cadence.ticks_at(u64::from(cadence.segment), 1_000_000);
        Ok(Self {
            timeline,
            segments,
            sound,
            inspector: Inspector::new(settings.pass_through, cadence.rate),
            fitness: Fitness::new(&cadence),
            asking: Asking::new(interval as i64, now),
            decoding: Decoding::new(home.clone()),
            ladder: settings.ladder.clone(),
            layout: None,
            renditions: Renditions::new(settings, home, cadence),
            mode: Mode::Encoding(Grid::new(cadence.epoch, cadence.rate)),
            history: History::default(),
            told: None,
            said: None,
            presenter,
            cadence,
        })
    }

    pub(super) fn on_sound(&mut self, frame: &Frame, now: Moment) {
        let time = self.timeline.place(frame.time, now);
        self.presenter.heard(time.plus(SOUND));
        self.sound.on_packet(frame, time, now);
    }

    /// False if a keyframe is needed.
    pub(super) fn on_video(&mut self, frame: &Frame, now: Moment) -> bool {
        let time = self.timeline.place(frame.time, now);
        let Some(coming) = self.look(frame, time) else {
            return true;
        };
        if coming.keyframe {
            self.asking.on_keyframe(now);
        }
        if let Mode::Passing(passing) = &mut self.mode {
            passing.on_live(time, now);
        }
        self.on_coming(&coming, now)
    }

    /// What there is to know of a picture before it is shown.
    pub(super) fn look<'a>(&mut self, frame: &'a Frame, time: Moment) -> Option<Coming<'a>> {
        let Content::Video { codec, keyframe } = frame.content else {
            return None;
        };
        let lasts = self.cadence.ticks_at(1, 1_000_000) as i64;
        self.presenter.heard(time.plus(lasts));
        let mut look = self.inspector.look(codec, keyframe, &frame.data);
        if let Ok(track) = &look.track
            && !self.is_told(track.needs)
        {
            look.track = Err(Reason::Untold);
        }
        self.fitness
            .on_picture(&look, keyframe, frame.lost_before, time);
        Some(Coming {
            frame,
            look,
            keyframe,
            time,
        })
    }

    /// Players choose by what they were told when they began, and can't take what needs something else.
    fn is_told(&self, needs: Needs) -> bool {
        self.layout.is_none() || needs.is_familiar() || self.told == Some(needs)
    }

    /// There are pictures of this size: renditions of them, from the segment on that begins.
    pub(super) fn begin_layout(&mut self, size: Size, begun: Beginning) {
        let track = self.inspector.track();
        let special =
            track.filter(|track| self.fitness.is_passable() && !track.needs.is_familiar());
        if let Some(track) = special {
            self.told = Some(track.needs);
            self.renditions.expect_special(track.config.clone());
        }
        let layout = self.layout.insert(Layout::new(self.ladder.clone(), size));
        self.renditions
            .lay_out(layout.renditions(), begun, self.presenter.as_mut());
    }

    pub(super) fn on_coming(&mut self, coming: &Coming<'_>, now: Moment) -> bool {
        match &self.mode {
            Mode::Passing(passing) => match passing.accept(coming, &self.segments) {
                Ok(slot) => self.pass(slot, coming),
                Err(reason) => {
                    self.take_over(reason, Some(coming.time), now);
                    self.encode(coming.frame, coming.time, now)
                }
            },
            Mode::Encoding(_) => {
                if coming.keyframe && self.may_pass(coming.time) && self.hand_over(coming, now) {
                    return true;
                }
                self.encode(coming.frame, coming.time, now)
            }
        }
    }

    /// Has a picture encoded. False if a keyframe is needed.
    pub(super) fn encode(&mut self, frame: &Frame, time: Moment, now: Moment) -> bool {
        let Mode::Encoding(grid) = &mut self.mode else {
            return true;
        };
        let mut ready = Vec::new();
        let intact = self.decoding.decode(frame, time, |picture, time| {
            grid.on_picture(picture, time, now, |slot| ready.push(slot));
        });
        self.show(ready);
        intact
    }

    pub(super) fn next_timeout(&self) -> Option<Moment> {
        let pictures = match &self.mode {
            Mode::Encoding(grid) => grid.next_timeout(),
            Mode::Passing(passing) => passing.next_timeout(),
        };
        let asking = self
            .fitness
            .is_passable()
            .then(|| self.asking.next_timeout());
        [pictures, self.sound.next_timeout(), asking]
            .into_iter()
            .flatten()
            .min()
    }

    /// True if a keyframe is to be asked for. `is_idle`: no frame waits. While some do, this machine is late, not the source, and to
    /// encode would make it later.
    pub(super) fn handle_timeout(&mut self, now: Moment, is_idle: bool) -> Result<bool, RunError> {
        if self.renditions.is_broken() {
            return Err(RunError::Best);
        }
        let segment = self.segments.current().map(|current| current.number);
        let one_waits = self.renditions.look(self.presenter.as_ref(), segment, now);
        match &mut self.mode {
            Mode::Passing(passing) => {
                if one_waits {
                    self.renditions.join(&self.history);
                }
                if is_idle && passing.next_timeout().is_some_and(|due| due <= now) {
                    self.pause(now);
                }
            }
            Mode::Encoding(grid) => {
                let frontier = grid.frontier().max(self.sound.ahead());
                if one_waits && self.segments.shorten(frontier) {
                    self.announce_next();
                }
            }
        }
        let mut ready = Vec::new();
        if let Mode::Encoding(grid) = &mut self.mode {
            grid.handle_timeout(now, |slot| ready.push(slot));
        }
        self.show(ready);
        self.sound.handle_timeout(now)?;
        self.release_sound();
        Ok(self.fitness.is_passable() && self.asking.asks(now))
    }

    /// Pictures on the grid.
    pub(super) fn show(&mut self, slots: Vec<Slot<Picture>>) {
        for slot in slots {
            self.on_slot(slot.number, &slot.picture);
        }
    }

    fn on_slot(&mut self, slot: u64, picture: &Picture) {
        let size = size_of(picture);
        while let Some(next) = self.segments.next().filter(|next| next.slot <= slot) {
            self.begin_encoded(next.slot, Some(size));
        }
        if let Some(layout) = &mut self.layout {
            layout.on_slot(size);
        }
        self.renditions.push(slot, picture);
        self.sound.on_slot(slot);
    }

    /// A segment begins with this slot, whose pictures are encoded: the one moment at which renditions change. Nobody has come
    /// there, neither pictures nor sound. `size`: of the source, if there is any.
    pub(super) fn begin_encoded(&mut self, slot: u64, size: Option<Size>) -> Beginning {
        let begun = self.segments.begin(slot, true);
        if let Some(layout) = &mut self.layout {
            if let Some(changed) = layout.on_segment() {
                let presenter = self.presenter.as_mut();
                presenter.discontinuity(begun.number);
                self.renditions.lay_out(changed, begun, presenter);
            }
        } else if let Some(size) = size {
            self.begin_layout(size, begun);
            self.renditions.encode_best(begun);
        }
        self.renditions.on_segment(begun, true);
        self.announce_next();
        begun
    }

    pub(super) fn announce_next(&mut self) {
        if let Some(next) = self.segments.next() {
            self.announce(next);
        }
    }

    pub(super) fn announce(&mut self, beginning: Beginning) {
        self.sound.announce(beginning);
        self.renditions.announce(beginning);
    }

    /// Sound is handed on when it is known which segment it belongs to.
    fn release_sound(&mut self) {
        match &self.mode {
            Mode::Passing(passing) => self.sound.release(passing.frontier()),
            Mode::Encoding(grid) if grid.shows() => self.sound.release(grid.frontier()),
            // Without pictures, segments begin as its time comes.
            Mode::Encoding(_) => self.release_sound_alone(),
        }
    }

    fn release_sound_alone(&mut self) {
        while let Some(next) = self.segments.next()
            && let Some(begins) = self.sound.has_come_to(next.slot)
        {
            if begins {
                self.begin_encoded(next.slot, None);
            } else {
                self.sound.release_next();
            }
        }
    }

    pub(super) fn finish(mut self) {
        if let Err(error) = self.sound.encode() {
            tracing::warn!(%error, "the last sound can't be encoded");
        }
        self.release_sound();
        if let Mode::Passing(passing) = self.mode {
            let mut renditions = self.renditions;
            passing.finish_at_part(|sample| renditions.sample(sample));
            renditions.finish();
        } else {
            self.renditions.finish();
        }
        self.sound.finish();
    }
}

fn size_of(picture: &frame::Video) -> Size {
    Size {
        width: picture.width(),
        height: picture.height(),
    }
}
