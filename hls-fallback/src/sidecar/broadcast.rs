//! One broadcast: from the node's WHEP to the origin.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::Notify};

use super::{
    Captions,
    prompter::{Prompt, Prompter},
};
use crate::{
    captions::{Cue, Wall, listen},
    media::{Demand, KeyframeWish, Moment, Sample, TrackConfig},
    origin::{
        CaptionWriter, Origin, Presentation, PushError, RenditionInfo, RenditionKind,
        RenditionWriter, Settings as Presented,
    },
    record::{RecordedCaptions, Recording, Session},
    transcode::{
        Cadence, Description, Listener, Pause, Presenter, Pushed, Settings, Sink, Transcoder,
    },
    whep::{Ended, KeyframeWishes, Options, Update, follow},
};

/// A broadcast that broke is begun anew after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// What it takes to make LL-HLS of a channel.
#[derive(Debug, Clone)]
pub struct Making {
    /// What is watched.
    pub options: Options,
    /// Where it's presented.
    pub origin: Origin,
    /// How it's encoded.
    pub settings: Settings,
    /// How much of its past is listed.
    pub window: Duration,
    /// Where it's recorded, if it is.
    pub recording: Option<Recording>,
    /// What makes its captions, if it has any.
    pub captions: Option<Captions>,
    /// Where captions are told as well, for those who watch over WebRTC.
    pub prompter: Option<Prompter>,
    /// Told when the origin has the channel.
    pub changed: Arc<Notify>,
}

impl Making {
    /// What presents and records the channel's broadcast, of whatever a transcoder makes of it.
    ///
    /// # Panics
    /// Outside of a runtime of tokio.
    pub fn presenter(&self) -> Box<dyn Presenter> {
        Box::new(OnOrigin {
            making: self.clone(),
            runtime: Handle::current(),
            cadence: None,
            session: None,
        })
    }
}

/// Makes LL-HLS of a channel until the future is dropped, or the node says that it may not be watched.
pub(super) async fn make(making: Making) {
    let channel = making.options.channel.clone();
    loop {
        match Box::pin(once(&making)).await {
            Outcome::Refused(why) => {
                tracing::warn!(channel, %why, "the channel can't be watched");
                return;
            }
            Outcome::Broke => tracing::warn!(channel, "LL-HLS begins anew in {AGAIN:?}"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

enum Outcome {
    Refused(Ended),
    Broke,
}

async fn once(making: &Making) -> Outcome {
    let channel = making.options.channel.as_str();
    let (wishes, broke) = (Arc::new(KeyframeWishes::default()), Notify::new());
    let wished = wishes.clone();
    let request = Box::new(move |wish| wished.add(wish));
    let mut settings = making.settings.clone();
    settings.keeps_h264 &= making.recording.is_some();
    let mut transcoder = match Transcoder::start(channel, settings, making.presenter(), request) {
        Ok(transcoder) => transcoder,
        Err(error) => {
            tracing::error!(channel, %error, "no thread for a broadcast");
            return Outcome::Broke;
        }
    };
    let mut was_interrupted = false;
    let watching = follow(&making.options, &wishes, |update| match update {
        Update::Frame(frame) => match transcoder.push(frame) {
            Pushed::Taken | Pushed::Dropped => {}
            Pushed::NeedsKeyframe => wishes.add(KeyframeWish::Missing),
            Pushed::Ended => broke.notify_one(),
        },
        Update::Connected => {
            was_interrupted = false;
            tracing::info!(channel, "watching");
        }
        // The next try comes at once; and a node that stops ends its sessions, and then its sidecar.
        Update::Interrupted { why, again_in } if !was_interrupted => {
            was_interrupted = true;
            tracing::info!(channel, %why, ?again_in, "the node's media is interrupted");
        }
        Update::Interrupted { why, again_in } => {
            tracing::warn!(channel, %why, ?again_in, "the node's media is interrupted");
        }
        Update::Statistics(statistics) => tracing::trace!(channel, ?statistics),
    });
    tokio::select! {
        why = Box::pin(watching) => Outcome::Refused(why),
        () = broke.notified() => Outcome::Broke,
    }
}

/// Presents a broadcast on the origin.
struct OnOrigin {
    making: Making,
    runtime: Handle,
    cadence: Option<(Cadence, Presentation)>,
    /// Of the recording.
    session: Option<Session>,
}

impl Presenter for OnOrigin {
    fn first_segment(&self, epoch: Moment) -> u64 {
        let making = &self.making;
        let next = making.origin.next_number(&making.options.channel, epoch);
        let recorded = making.recording.as_ref().map_or(0, Recording::next_number);
        next.max(recorded)
    }

    fn recorded_until(&self) -> Option<Moment> {
        self.making.recording.as_ref()?.until()
    }

    fn begin(&mut self, cadence: Cadence) {
        let channel = &self.making.options.channel;
        let settings = Presented {
            grid: cadence.rate,
            part_frames: cadence.part,
            target_duration: cadence.segment_seconds(),
            audio_rate: crate::transcode::SAMPLE_RATE,
            opus: self.making.settings.opus,
            epoch: cadence.epoch,
            window: self.making.window,
        };
        let made = Presentation::new(settings)
            .map_err(|error| error.to_string())
            .and_then(|presentation| {
                self.making
                    .origin
                    .publish(channel, &presentation)
                    .map_err(|error| error.to_string())
                    .map(|()| presentation)
            });
        match made {
            Ok(presentation) => {
                self.cadence = Some((cadence, presentation));
                let recording = self.making.recording.as_ref();
                self.session = recording
                    .map(|recording| recording.session(cadence.epoch, cadence.segment_seconds()));
                self.making.changed.notify_one();
            }
            Err(error) => {
                tracing::error!(channel, error, "LL-HLS can't be presented");
            }
        }
    }

    fn heard(&mut self, until: Moment) {
        if let Some(session) = &self.session {
            session.heard(until);
        }
    }

    fn discontinuity(&mut self, segment: u64) {
        if let Some((_, presentation)) = &self.cadence {
            presentation.discontinuity(segment);
        }
        if let Some(session) = &self.session {
            session.discontinuity(segment);
        }
    }

    fn rendition(&mut self, description: Description) -> Box<dyn Sink> {
        let channel = self.making.options.channel.clone();
        let Some((cadence, presentation)) = &self.cadence else {
            return Box::new(OnRendition {
                channel,
                name: String::new(),
                writer: None,
            });
        };
        let is_recorded = description.is_recorded();
        let info = match description {
            Description::Video { name, .. } => RenditionInfo {
                name,
                kind: RenditionKind::Video { rate: cadence.rate },
                timescale: cadence.video_timescale(),
            },
            Description::Audio {
                name, timescale, ..
            } => RenditionInfo {
                name,
                kind: RenditionKind::Audio,
                timescale,
            },
        };
        let name = info.name.clone();
        let mut writer = presentation
            .add_rendition(info.clone())
            .inspect_err(
                |error| tracing::error!(channel, name, %error, "a rendition can't be presented"),
            )
            .ok();
        if let (Some(writer), Some(session), true) = (&mut writer, &self.session, is_recorded) {
            writer.tee(session.rendition(info));
        }
        Box::new(OnRendition {
            channel,
            name,
            writer,
        })
    }

    fn demand(&self, rendition: &str) -> Demand {
        let demand = |(_, presentation): &(_, Presentation)| presentation.demand(rendition);
        self.cadence.as_ref().map(demand).unwrap_or_default()
    }

    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        let captions = self.making.captions.as_ref()?;
        let (cadence, presentation) = self.cadence.as_ref()?;
        let channel = &self.making.options.channel;
        let _runtime = self.runtime.enter();
        let prompter = self.making.prompter.as_ref();
        let wall = Shown {
            told: prompter
                .map(|prompter| prompter.open(channel, &captions.language, cadence.epoch)),
            live: presentation.add_captions(captions.language.clone()),
            recorded: self
                .session
                .as_ref()
                .map(|session| session.captions(captions.language.clone())),
        };
        let recognizer = captions.recognizer.clone();
        Some(Box::new(listen(channel, recognizer, Box::new(wall))))
    }
}

/// Cues are shown live, late as they are, and where they belong in the recording; the node is told of them.
struct Shown {
    told: Option<Prompt>,
    live: CaptionWriter,
    recorded: Option<RecordedCaptions>,
}

impl Wall for Shown {
    fn show(&mut self, cue: Cue) {
        if let Some(told) = &self.told {
            told.tell(&cue);
        }
        if let Some(recorded) = &self.recorded {
            recorded.show(&cue);
        }
        self.live.show(cue);
    }
}

/// A rendition of it; nowhere, once something went wrong, which was said then.
struct OnRendition {
    channel: String,
    name: String,
    writer: Option<RenditionWriter>,
}

impl OnRendition {
    fn write(&mut self, act: impl FnOnce(&mut RenditionWriter) -> Result<(), PushError>) {
        let Some(writer) = &mut self.writer else {
            return;
        };
        if let Err(error) = act(writer) {
            tracing::error!(channel = self.channel, rendition = self.name, %error, "a rendition ends");
            self.writer = None;
        }
    }
}

impl Sink for OnRendition {
    fn expect(&mut self, config: TrackConfig, bitrate: u32) {
        self.write(|writer| {
            writer.expect(config, bitrate);
            Ok(())
        });
    }

    fn may_be(&mut self, configs: Vec<TrackConfig>) {
        self.write(|writer| {
            writer.may_be(configs);
            Ok(())
        });
    }

    fn rest(&mut self, pause: Pause) {
        self.write(|writer| {
            writer.rest(pause == Pause::Unasked);
            Ok(())
        });
    }

    fn start(&mut self, config: TrackConfig) {
        self.write(|writer| writer.start(config));
    }

    fn begin_segment(&mut self, number: u64, slot: u64) {
        self.write(|writer| writer.begin_segment(number, slot));
    }

    fn push(&mut self, sample: Sample) {
        self.write(|writer| writer.push(sample));
    }

    fn finish(&mut self) {
        if let Some(writer) = self.writer.take()
            && let Err(error) = writer.finish()
        {
            tracing::warn!(channel = self.channel, rendition = self.name, %error, "a rendition's end");
        }
    }
}
