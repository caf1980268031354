//! The thread that conducts a broadcast.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ffmpeg_next::frame;

use super::{
    Cadence, Description, Presenter, Settings, Sink,
    decoder::Decoder,
    grid::{Grid, Slot},
    ladder::{Rendition, Size},
    layout::Layout,
    rate::RateFinder,
    rendition::Worker,
    sound::{Sound, SoundError},
    sound_grid::SAMPLE_RATE,
    timeline::Timeline,
};
use crate::media::{Content, Frame, Moment, VideoCodec};

/// Frames that wait for the conductor at most.
const QUEUE: usize = 1_024;
/// A broadcast begins without pictures when none came so long after its first sound, and without knowing their rate for sure when
/// they are fewer than it takes.
const PATIENCE: i64 = 3_000_000;
/// Packets of sound that are kept until the broadcast begins.
const HELD: usize = 256;
/// A broadcast without sound is silent up to so long before its last picture, since sound may still come.
const SILENCE_BEHIND: i64 = -500_000;
/// A keyframe is asked for again after so long, in microseconds.
const ASK_AGAIN: i64 = 500_000;
/// Renditions change so many segments after it is known that they will: pictures may be a segment of one second late.
const AHEAD: u64 = 2;
/// The conductor looks around at least so often.
const IDLE: Duration = Duration::from_millis(500);

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is worked on.
    Taken,
    /// There was no room for it, or it needs one that there was none for.
    Dropped,
    /// The same, and a keyframe is to be asked for.
    NeedsKeyframe,
    /// The transcoder has ended by itself, and has said why.
    Ended,
}

/// A broadcast being transcoded. Ends when it is dropped.
pub struct Transcoder {
    frames: SyncSender<Frame>,
    is_over: Arc<AtomicBool>,
    dropped: u64,
    /// A picture was dropped: those after it can't be decoded.
    waits_for_keyframe: bool,
    asked: Option<Instant>,
}

impl Transcoder {
    /// Starts the threads. `request_keyframe` is called when pictures can't be decoded.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        name: &str,
        settings: Settings,
        presenter: Box<dyn Presenter>,
        request_keyframe: Box<dyn Fn() + Send>,
    ) -> Result<Self, std::io::Error> {
        let (frames, queue) = sync_channel(QUEUE);
        let is_over = Arc::new(AtomicBool::new(false));
        let conductor = Conductor {
            name: name.to_owned(),
            is_over: is_over.clone(),
            clock: Clock::start(),
            presenter,
            request_keyframe,
            asked: None,
            decoding: Decoding::default(),
            stage: Stage::Waiting(Waiting::default()),
            settings,
        };
        thread::Builder::new()
            .name(format!("conduct-{name}"))
            .spawn(move || conductor.run(&queue))?;
        Ok(Self {
            frames,
            is_over,
            dropped: 0,
            waits_for_keyframe: false,
            asked: None,
        })
    }

    /// Gives a frame in, without waiting.
    pub fn push(&mut self, frame: Frame) -> Pushed {
        let is_video = frame.content != Content::Audio;
        if let Content::Video { keyframe, .. } = frame.content {
            self.waits_for_keyframe &= !keyframe;
            if self.waits_for_keyframe {
                return self.ask();
            }
        }
        match self.frames.try_send(frame) {
            Ok(()) => Pushed::Taken,
            Err(TrySendError::Disconnected(_)) => Pushed::Ended,
            Err(TrySendError::Full(_)) => {
                self.dropped += 1;
                if self.dropped.is_power_of_two() {
                    tracing::warn!(
                        frames = self.dropped,
                        "this machine is too slow to decode this broadcast: frames are left out"
                    );
                }
                if !is_video {
                    return Pushed::Dropped;
                }
                self.waits_for_keyframe = true;
                self.ask()
            }
        }
    }

    fn ask(&mut self) -> Pushed {
        let again = Duration::from_micros(ASK_AGAIN as u64);
        if self.asked.is_some_and(|asked| asked.elapsed() < again) {
            return Pushed::Dropped;
        }
        self.asked = Some(Instant::now());
        Pushed::NeedsKeyframe
    }
}

impl Drop for Transcoder {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Wall time that no step of the system's clock disturbs.
struct Clock {
    start: Instant,
    at: Moment,
}

impl Clock {
    fn start() -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Instant::now(),
            at: Moment(since_1970.as_micros() as i64),
        }
    }

    fn now(&self) -> Moment {
        self.at.plus(self.start.elapsed().as_micros() as i64)
    }
}

type Picture = Arc<frame::Video>;

struct Conductor {
    name: String,
    is_over: Arc<AtomicBool>,
    settings: Settings,
    clock: Clock,
    presenter: Box<dyn Presenter>,
    request_keyframe: Box<dyn Fn() + Send>,
    /// When a keyframe was asked for.
    asked: Option<Moment>,
    decoding: Decoding,
    stage: Stage,
}

enum Stage {
    Waiting(Waiting),
    Running(Box<Running>),
}

impl Conductor {
    fn run(mut self, queue: &Receiver<Frame>) {
        loop {
            let came = queue.recv_timeout(self.patience());
            // Whoever follows on this channel mustn't be disturbed by what still waits here.
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            match came {
                Ok(frame) => self.on_frame(&frame),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if let Err(error) = self.handle_timeout() {
                tracing::error!(channel = self.name, %error, "LL-HLS of this broadcast ends");
                break;
            }
        }
        if let Stage::Running(running) = self.stage {
            running.finish();
        }
    }

    fn patience(&self) -> Duration {
        let due = match &self.stage {
            Stage::Waiting(_) => None,
            Stage::Running(running) => running.next_timeout(),
        };
        due.map_or(IDLE, |due| {
            Duration::from_micros(due.since(self.clock.now()).max(0) as u64).min(IDLE)
        })
    }

    fn on_frame(&mut self, frame: &Frame) {
        let now = self.clock.now();
        match frame.content {
            Content::Audio => match &mut self.stage {
                Stage::Waiting(waiting) => waiting.on_sound(frame.clone(), now),
                Stage::Running(running) => running.on_sound(frame, now),
            },
            Content::Video { codec, keyframe } => {
                let stage = &mut self.stage;
                let intact = self
                    .decoding
                    .decode(codec, keyframe, frame, |picture, time| match stage {
                        Stage::Waiting(waiting) => waiting.on_picture(picture, time, now),
                        Stage::Running(running) => running.on_picture(picture, time, now),
                    });
                let asked = self.asked.is_some_and(|asked| now.since(asked) < ASK_AGAIN);
                if !intact && !asked {
                    self.asked = Some(now);
                    (self.request_keyframe)();
                }
            }
        }
    }

    fn handle_timeout(&mut self) -> Result<(), SoundError> {
        let now = self.clock.now();
        if let Stage::Waiting(waiting) = &mut self.stage
            && waiting.is_ready(now)
        {
            let waiting = mem::take(waiting);
            self.begin(waiting, now)?;
        }
        match &mut self.stage {
            Stage::Running(running) => running.handle_timeout(now, self.presenter.as_mut()),
            Stage::Waiting(_) => Ok(()),
        }
    }

    fn begin(&mut self, waiting: Waiting, now: Moment) -> Result<(), SoundError> {
        let Some(epoch) = waiting.epoch() else {
            return Ok(());
        };
        let rate = waiting.rates.tell();
        let cadence = Cadence::new(
            (epoch, self.presenter.first_segment(epoch)),
            rate,
            self.settings.part,
            self.settings.segment,
        );
        tracing::info!(
            channel = self.name,
            rate = format_args!("{:.2}", rate.per_second()),
            video = waiting.latest.is_some(),
            "LL-HLS begins"
        );
        self.presenter.begin(cadence);
        let mut audio = self.presenter.rendition(Description::Audio {
            name: "audio".to_owned(),
            timescale: SAMPLE_RATE,
        });
        audio.start(Sound::config());
        // Sound that was kept comes after pictures that were, though it isn't later.
        let latest = waiting.sound.back().map_or(epoch, |sound| sound.time);
        let mut running = Running {
            timeline: Timeline::new(latest.max(epoch), now),
            settings: self.settings.clone(),
            cadence,
            grid: Grid::new(epoch, rate),
            ready: VecDeque::new(),
            layout: None,
            upcoming: None,
            workers: Vec::new(),
            sound: Sound::new(epoch)?,
            audio,
            next_audio_segment: cadence.first_segment,
        };
        if let Some((picture, time)) = waiting.latest {
            running.on_picture(picture, time, now);
        }
        for frame in waiting.sound {
            running.on_sound(&frame, now);
        }
        self.stage = Stage::Running(Box::new(running));
        Ok(())
    }
}

/// The decoder of what is sent now.
#[derive(Default)]
struct Decoding {
    decoder: Option<Decoder>,
    waits_for_keyframe: bool,
    broken: u64,
}

impl Decoding {
    /// Decodes a frame. False if a keyframe is needed.
    fn decode(
        &mut self,
        codec: VideoCodec,
        keyframe: bool,
        frame: &Frame,
        mut take: impl FnMut(Picture, Moment),
    ) -> bool {
        if self.decoder.as_ref().is_none_or(|d| d.codec() != codec) {
            match Decoder::open(codec) {
                Ok(decoder) => self.decoder = Some(decoder),
                Err(error) => return self.failed(&error),
            }
            self.waits_for_keyframe = true;
        }
        self.waits_for_keyframe &= !keyframe;
        if self.waits_for_keyframe {
            return false;
        }
        let Some(decoder) = &mut self.decoder else {
            return false;
        };
        let decoded = decoder.decode(&frame.data, frame.time.0, |mut picture, time| {
            picture.set_kind(ffmpeg_next::picture::Type::None);
            take(Arc::new(picture), Moment(time));
        });
        match decoded {
            Ok(()) => true,
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &super::DecodeError) -> bool {
        self.waits_for_keyframe = true;
        self.broken += 1;
        if self.broken.is_power_of_two() {
            tracing::warn!(%error, times = self.broken, "pictures can't be decoded: waiting for a keyframe");
        }
        false
    }
}

/// What came before the broadcast begins.
#[derive(Default)]
struct Waiting {
    rates: RateFinder,
    latest: Option<(Picture, Moment)>,
    /// How late the last picture was, and how much later than the one before, in microseconds.
    late: Option<i64>,
    is_live: bool,
    knows_rate: bool,
    sound: VecDeque<Frame>,
    since: Option<Moment>,
}

impl Waiting {
    fn on_sound(&mut self, frame: Frame, now: Moment) {
        self.since.get_or_insert(now);
        if self.sound.len() == HELD {
            self.sound.pop_front();
        }
        self.sound.push_back(frame);
    }

    /// Pictures of the past come faster than they were made: what a viewer gets from the cache. The broadcast begins after them.
    fn on_picture(&mut self, picture: Picture, time: Moment, now: Moment) {
        self.since.get_or_insert(now);
        self.knows_rate |= self.rates.on_picture(time).is_some();
        let late = now.since(time);
        if let (Some(before), Some((_, last))) = (self.late.replace(late), &self.latest) {
            self.is_live = before - late < time.since(*last) / 2;
        }
        self.latest = Some((picture, time));
    }

    fn is_ready(&self, now: Moment) -> bool {
        let tried = self.since.is_some_and(|since| now.since(since) > PATIENCE);
        self.is_live && self.knows_rate || tried
    }

    fn epoch(&self) -> Option<Moment> {
        let sound = self.sound.front().map(|frame| frame.time);
        self.latest.as_ref().map(|(_, time)| *time).or(sound)
    }
}

/// A broadcast that has begun.
struct Running {
    timeline: Timeline,
    settings: Settings,
    cadence: Cadence,
    grid: Grid<Picture>,
    /// Slots that the renditions don't have yet.
    ready: VecDeque<Slot<Picture>>,
    layout: Option<Layout>,
    /// The renditions from this segment on.
    upcoming: Option<(u64, Vec<Rendition>)>,
    workers: Vec<Worker>,
    sound: Sound,
    audio: Box<dyn Sink>,
    next_audio_segment: u64,
}

impl Running {
    fn on_picture(&mut self, picture: Picture, time: Moment, now: Moment) {
        let time = self.timeline.place(time, now);
        let ready = &mut self.ready;
        self.grid
            .on_picture(picture, time, now, |slot| ready.push_back(slot));
    }

    fn on_sound(&mut self, frame: &Frame, now: Moment) {
        let time = self.timeline.place(frame.time, now);
        self.sound
            .on_packet(&frame.data, time, now, frame.lost_before);
    }

    fn next_timeout(&self) -> Option<Moment> {
        [self.grid.next_timeout(), self.sound.next_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_timeout(
        &mut self,
        now: Moment,
        presenter: &mut dyn Presenter,
    ) -> Result<(), SoundError> {
        let ready = &mut self.ready;
        self.grid.handle_timeout(now, |slot| ready.push_back(slot));
        while let Some(slot) = self.ready.pop_front() {
            self.on_slot(&slot, presenter);
        }
        self.sound.handle_timeout(now);
        self.drain_sound()
    }

    fn on_slot(&mut self, slot: &Slot<Picture>, presenter: &mut dyn Presenter) {
        let size = Size {
            width: slot.picture.width(),
            height: slot.picture.height(),
        };
        if let Some(layout) = &mut self.layout {
            layout.on_slot(size);
        }
        if let Some(segment) = self.cadence.segment_at(slot.number) {
            self.on_segment((segment, slot.number), size, presenter);
        }
        self.workers
            .retain_mut(|worker| worker.push(slot.number, &slot.picture));
        let until = self.cadence.ticks_at(slot.number, 1_000_000);
        self.sound
            .fill_until(self.cadence.epoch.plus(until as i64 + SILENCE_BEHIND));
    }

    /// The slot that comes begins a segment: the one moment at which renditions change. That is said ahead, since sound may
    /// be further on than pictures.
    fn on_segment(
        &mut self,
        (segment, slot): (u64, u64),
        size: Size,
        presenter: &mut dyn Presenter,
    ) {
        let now = match &mut self.layout {
            Some(layout) => {
                let due = self.upcoming.take_if(|(from, _)| *from <= segment);
                if let Some(renditions) = layout.on_segment() {
                    presenter.discontinuity(segment + AHEAD);
                    self.upcoming = Some((segment + AHEAD, renditions));
                }
                due.map(|(_, renditions)| renditions)
            }
            layout @ None => {
                let first = layout.insert(Layout::new(self.settings.ladder.clone(), size));
                Some(first.renditions())
            }
        };
        for rendition in now.into_iter().flatten() {
            self.change(slot, rendition, presenter);
        }
    }

    /// From slot `slot` on, which begins a segment.
    fn change(&mut self, slot: u64, rendition: Rendition, presenter: &mut dyn Presenter) {
        tracing::info!(name = rendition.name, size = %rendition.size, bitrate = rendition.rung.bitrate, "a rendition begins");
        let name = rendition.name.clone();
        if let Some(worker) = self.workers.iter_mut().find(|w| w.name() == name) {
            worker.change(slot, rendition);
            return;
        }
        let description = Description::Video { name: name.clone() };
        let sink = presenter.rendition(description);
        match Worker::start(self.settings.encoder, rendition, self.cadence, sink) {
            Ok(worker) => self.workers.push(worker),
            Err(error) => tracing::error!(name, %error, "a rendition can't be encoded"),
        }
    }

    fn drain_sound(&mut self) -> Result<(), SoundError> {
        let Self {
            sound,
            audio,
            cadence,
            next_audio_segment: next,
            ..
        } = self;
        sound.drain(|sample| {
            // One ahead: so it is known where each ends.
            while sample.time
                >= cadence.ticks_at(cadence.slot_of_segment(next.saturating_sub(1)), SAMPLE_RATE)
            {
                audio.begin_segment(*next, cadence.slot_of_segment(*next));
                *next += 1;
            }
            audio.push(sample);
        })
    }

    fn finish(mut self) {
        for worker in self.workers.drain(..) {
            worker.finish();
        }
        self.audio.finish();
    }
}
