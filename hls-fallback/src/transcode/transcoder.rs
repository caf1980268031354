//! A broadcast's transcoder, as those see it who have its frames.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Presenter, Settings,
    conductor::{ASK_AGAIN, Conductor},
};
use crate::media::{Content, Frame, KeyframeWish};

/// Frames that wait for the conductor at most.
const QUEUE: usize = 1_024;

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
    /// Names the channel in what is logged of it.
    span: tracing::Span,
    frames: SyncSender<Frame>,
    is_over: Arc<AtomicBool>,
    dropped: u64,
    /// A picture was dropped: those after it can't be decoded.
    waits_for_keyframe: bool,
    asked: Option<Instant>,
}

impl Transcoder {
    /// Starts the threads. `request_keyframe` is called when pictures can't be decoded, and when a keyframe is due.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        name: &str,
        settings: Settings,
        presenter: Box<dyn Presenter>,
        request_keyframe: Box<dyn Fn(KeyframeWish) + Send>,
    ) -> Result<Self, std::io::Error> {
        let span = tracing::error_span!("broadcast", channel = name);
        let (frames, queue) = sync_channel(QUEUE);
        let is_over = Arc::new(AtomicBool::new(false));
        let conductor = Conductor::new(settings, presenter, request_keyframe, is_over.clone());
        thread::Builder::new()
            .name(format!("conduct-{name}"))
            .spawn({
                let span = span.clone();
                move || span.in_scope(|| conductor.run(&queue))
            })?;
        Ok(Self {
            span,
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
                    let _in = self.span.enter();
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
