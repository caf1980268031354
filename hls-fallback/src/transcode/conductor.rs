//! The thread that conducts a broadcast.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    Cadence, Presenter, Settings, SoundError,
    inspector::Inspector,
    running::{RunError, Running},
    timeline::Timeline,
    waiting::{Kept, Waiting},
};
use crate::media::{Content, Frame, KeyframeWish, Moment, Rate};

/// A keyframe is asked for again where pictures are missing after so long, in microseconds.
pub(super) const ASK_AGAIN: i64 = 500_000;
/// The conductor looks around at least so often.
const IDLE: Duration = Duration::from_millis(500);

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

pub(super) struct Conductor {
    is_over: Arc<AtomicBool>,
    settings: Settings,
    clock: Clock,
    request_keyframe: Box<dyn Fn(KeyframeWish) + Send>,
    /// When a keyframe was asked for since pictures were missing.
    asked: Option<Moment>,
    stage: Stage,
}

enum Stage {
    Waiting(Waiting, Box<dyn Presenter>),
    Running(Box<Running>),
    /// It broke, or is between the two.
    Over,
}

impl Conductor {
    pub(super) fn new(
        settings: Settings,
        presenter: Box<dyn Presenter>,
        request_keyframe: Box<dyn Fn(KeyframeWish) + Send>,
        is_over: Arc<AtomicBool>,
    ) -> Self {
        Self {
            is_over,
            settings,
            clock: Clock::start(),
            request_keyframe,
            asked: None,
            stage: Stage::Waiting(Waiting::default(), presenter),
        }
    }

    pub(super) fn run(mut self, queue: &Receiver<Frame>) {
        loop {
            let came = queue.recv_timeout(self.patience());
            // Whoever follows on this channel mustn't be disturbed by what still waits here.
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            let is_idle = match came {
                Ok(frame) => {
                    self.on_frame(frame);
                    false
                }
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Err(error) = self.handle_timeout(is_idle) {
                tracing::error!(%error, "LL-HLS of this broadcast ends");
                break;
            }
        }
        if let Stage::Running(running) = self.stage {
            running.finish();
        }
    }

    fn patience(&self) -> Duration {
        let due = match &self.stage {
            Stage::Waiting(..) | Stage::Over => None,
            Stage::Running(running) => running.next_timeout(),
        };
        due.map_or(IDLE, |due| {
            Duration::from_micros(due.since(self.clock.now()).max(0) as u64).min(IDLE)
        })
    }

    fn on_frame(&mut self, frame: Frame) {
        let now = self.clock.now();
        let is_sound = frame.content == Content::Audio;
        let intact = match &mut self.stage {
            Stage::Waiting(waiting, _) if is_sound => {
                waiting.on_sound(frame, now);
                true
            }
            Stage::Waiting(waiting, _) => waiting.on_picture(frame, now),
            Stage::Running(running) if is_sound => {
                running.on_sound(&frame, now);
                true
            }
            Stage::Running(running) => running.on_video(&frame, now),
            Stage::Over => true,
        };
        if !intact {
            self.ask_for_missing(now);
        }
    }

    fn ask_for_missing(&mut self, now: Moment) {
        if self.asked.is_none_or(|asked| now.since(asked) >= ASK_AGAIN) {
            self.asked = Some(now);
            (self.request_keyframe)(KeyframeWish::Missing);
        }
    }

    /// `is_idle`: no frame waits.
    fn handle_timeout(&mut self, is_idle: bool) -> Result<(), RunError> {
        let now = self.clock.now();
        if matches!(&self.stage, Stage::Waiting(waiting, _) if waiting.is_ready(now))
            && let Stage::Waiting(waiting, presenter) = mem::replace(&mut self.stage, Stage::Over)
        {
            let running = begin(&self.settings, waiting.finish(), presenter, now)?;
            self.stage = Stage::Running(Box::new(running));
        }
        let is_due = match &mut self.stage {
            Stage::Waiting(waiting, _) => waiting.asks(self.settings.segment),
            Stage::Running(running) => running.handle_timeout(now, is_idle)?,
            Stage::Over => false,
        };
        if is_due {
            (self.request_keyframe)(KeyframeWish::Due);
        }
        Ok(())
    }
}

/// A broadcast begins with what came so far: with the keyframe, if the source can be passed through from there, else with the last
/// picture, so that nothing old is encoded, nor recorded twice; without pictures, with the first sound.
fn begin(
    settings: &Settings,
    kept: Kept,
    presenter: Box<dyn Presenter>,
    now: Moment,
) -> Result<Running, SoundError> {
    let Kept { rate, group, sound } = kept;
    let cadence =
        |epoch, number| Cadence::new((epoch, number), rate, settings.part, settings.segment);
    // Sound that was kept comes after pictures that were, though it isn't later.
    let latest = group.last().into_iter().chain(sound.back());
    let timeline = latest.max_by_key(|frame| frame.time).map_or_else(
        || Timeline::new(now, 0, now),
        |frame| Timeline::new(frame.time, frame.arrived.since(frame.time), now),
    );
    let time = |frame: &Frame| timeline.shifted(frame.time);
    let [first, last] = [group.first(), group.last()].map(|frame| frame.map(time));
    let is_new = |first| {
        presenter
            .recorded_until()
            .is_none_or(|until| first >= until)
    };
    let passes = first.is_some_and(|first| {
        let cadence = cadence(first, 0);
        let slots = last.map_or(0.0, |last| cadence.place_of(last));
        is_new(first) && slots < f64::from(cadence.longest) && can_pass(settings, rate, &group)
    });
    let begins = if passes { first } else { last };
    let epoch = begins.or(sound.front().map(time));
    let epoch = epoch.unwrap_or(now);
    let cadence = cadence(epoch, presenter.first_segment(epoch));
    tracing::info!(
        rate = format_args!("{:.2}", rate.per_second()),
        video = !group.is_empty(),
        "LL-HLS begins"
    );
    let mut running = Running::begin(settings, cadence, presenter, timeline, now)?;
    if let (Some(first), Some(last)) = (first, last) {
        running.asking.on_group(now.plus(-last.since(first)));
    }
    if passes {
        running.begin_passing(&group, now);
    } else {
        running.begin_encoding(&group, now);
    }
    for frame in sound {
        running.on_sound(&frame, now);
    }
    Ok(running)
}

/// Whether a broadcast can begin with these pictures as they are.
fn can_pass(settings: &Settings, rate: Rate, group: &[Frame]) -> bool {
    let mut inspector = Inspector::new(settings.pass_through, rate);
    let fit = |frame: &Frame| {
        let Content::Video { codec, keyframe } = frame.content else {
            return false;
        };
        inspector.look(codec, keyframe, &frame.data).track.is_ok()
    };
    group.iter().all(fit)
}
