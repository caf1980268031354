//! The way from the threads that encode to the one that records. It never waits: what there is no room for is left out, and a
//! segment with it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
        mpsc,
    },
};

use bytes::Bytes;

use super::{courier::Report, model::Session, scribe::Lease};
use crate::{
    captions::{Cue, Language},
    media::{Moment, TrackConfig},
    origin::{RenditionInfo, Tap, Unit},
};

/// Bytes that wait to be written, of one broadcast: some seconds of all its renditions.
pub(super) const QUEUE: usize = 48 << 20;
/// What a message takes beside its media, about.
const OVERHEAD: usize = 256;

/// A rendition of a session.
#[derive(Debug)]
pub(super) struct Take {
    pub(super) info: RenditionInfo,
    pub(super) session: Arc<SessionShared>,
}

/// A session, as its renditions know it.
#[derive(Debug)]
pub(super) struct SessionShared {
    pub(super) session: Session,
    /// Counts up within a process: a later session has a higher one.
    pub(super) id: u64,
    discontinuities: Mutex<BTreeSet<u64>>,
    /// Until when the publisher's pictures and sound came: of a [`Moment`].
    heard: AtomicI64,
}

impl SessionShared {
    pub(super) fn new(session: Session, id: u64) -> Self {
        Self {
            session,
            id,
            discontinuities: Mutex::default(),
            heard: AtomicI64::new(i64::MIN),
        }
    }

    pub(super) fn heard(&self, until: Moment) {
        self.heard.fetch_max(until.0, Ordering::Relaxed);
    }

    /// Until when the publisher's pictures and sound came, if any did.
    pub(super) fn heard_until(&self) -> Option<Moment> {
        let heard = self.heard.load(Ordering::Relaxed);
        (heard != i64::MIN).then_some(Moment(heard))
    }

    pub(super) fn discontinuity(&self, segment: u64) {
        let mut known = self.lock();
        known.insert(segment);
        // Renditions are at most some segments apart.
        while known.len() > 64 {
            known.pop_first();
        }
    }

    fn is_discontinuous(&self, segment: u64) -> bool {
        self.lock().contains(&segment)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<u64>> {
        self.discontinuities
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the recording thread is told.
#[derive(Debug)]
pub(super) enum Message {
    Init {
        take: Arc<Take>,
        segment: u64,
        config: TrackConfig,
        data: Bytes,
    },
    Part {
        take: Arc<Take>,
        segment: u64,
        /// Its segment begins with it.
        first: Option<First>,
        /// Ticks.
        time: u64,
        duration: u64,
        data: Bytes,
    },
    SegmentEnd {
        take: Arc<Take>,
    },
    /// There are captions, in that language.
    Captions {
        session: Arc<SessionShared>,
        language: Language,
    },
    Cue {
        session: Arc<SessionShared>,
        cue: Cue,
    },
    /// From the courier.
    Report(Report),
    /// The broadcast is over.
    Over,
}

/// What is known when a segment begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    pub(super) discontinuous: bool,
    /// Something of what came before didn't find room: a segment that is open lacks its end.
    pub(super) after_loss: bool,
}

/// The recording thread's queue, for those who fill it.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    messages: mpsc::Sender<Message>,
    held: Arc<AtomicUsize>,
    limit: usize,
}

/// The same, for the thread.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) messages: mpsc::Receiver<Message>,
    held: Arc<AtomicUsize>,
}

pub(super) fn queue(limit: usize) -> (Sender, Receiver) {
    let (sender, messages) = mpsc::channel();
    let held = Arc::new(AtomicUsize::new(0));
    let receiver = Receiver {
        messages,
        held: held.clone(),
    };
    let sender = Sender {
        messages: sender,
        held,
        limit,
    };
    (sender, receiver)
}

impl Sender {
    /// Media, if there is room.
    pub(super) fn offer(&self, message: Message) -> bool {
        let weight = message.weight();
        let held = self.held.fetch_add(weight, Ordering::Relaxed) + weight;
        if held > self.limit || self.messages.send(message).is_err() {
            self.held.fetch_sub(weight, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// What is no media always finds room: there are few of them. False if nobody listens any more.
    pub(super) fn tell(&self, message: Message) -> bool {
        self.messages.send(message).is_ok()
    }
}

impl Receiver {
    /// A message was worked on.
    pub(super) fn done(&self, weight: usize) {
        self.held.fetch_sub(weight, Ordering::Relaxed);
    }
}

impl Message {
    /// What it takes of the queue.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Init { data, .. } | Self::Part { data, .. } => data.len() + OVERHEAD,
            Self::Cue { cue, .. } => cue.text.len() + OVERHEAD,
            Self::SegmentEnd { .. } | Self::Captions { .. } => OVERHEAD,
            Self::Report(_) | Self::Over => 0,
        }
    }
}

/// Records one rendition: what the origin publishes goes into the queue.
#[derive(Debug)]
pub(super) struct Recorded {
    take: Arc<Take>,
    queue: Sender,
    /// It didn't find room. Without it nothing can be played.
    init: Option<Message>,
    /// The rest of the segment is left out.
    gave_up: bool,
    after_loss: bool,
    losses: u64,
    _lease: Arc<Lease>,
}

impl Recorded {
    pub(super) fn new(take: Take, queue: Sender, lease: Arc<Lease>) -> Self {
        Self {
            take: Arc::new(take),
            queue,
            _lease: lease,
            init: None,
            gave_up: false,
            after_loss: false,
            losses: 0,
        }
    }

    fn give_up(&mut self, segment: u64) {
        self.gave_up = true;
        self.after_loss = true;
        self.losses += 1;
        if self.losses.is_power_of_two() {
            tracing::error!(
                rendition = self.take.info.name,
                segment,
                segments = self.losses,
                "the recording isn't written as fast as it comes: segments are left out of it"
            );
        }
    }

    fn offer_init(&mut self) -> bool {
        let Some(Message::Init {
            take,
            segment,
            config,
            data,
        }) = &self.init
        else {
            return true;
        };
        let taken = self.queue.offer(Message::Init {
            take: take.clone(),
            segment: *segment,
            config: config.clone(),
            data: data.clone(),
        });
        if taken {
            self.init = None;
        }
        taken
    }
}

impl Tap for Recorded {
    fn take(&mut self, unit: &Unit) {
        match unit {
            Unit::Init {
                segment,
                config,
                data,
            } => {
                self.init = Some(Message::Init {
                    take: self.take.clone(),
                    segment: *segment,
                    config: config.clone(),
                    data: data.clone(),
                });
            }
            Unit::Part(part) => {
                let begins = part.index == 0;
                if begins {
                    self.gave_up = false;
                } else if self.gave_up {
                    return;
                }
                let first = begins.then(|| First {
                    discontinuous: self.take.session.is_discontinuous(part.segment),
                    after_loss: self.after_loss,
                });
                let taken = self.offer_init()
                    && self.queue.offer(Message::Part {
                        take: self.take.clone(),
                        segment: part.segment,
                        first,
                        time: part.time,
                        duration: part.duration,
                        data: part.data.clone(),
                    });
                if !taken {
                    self.give_up(part.segment);
                } else if begins {
                    self.after_loss = false;
                }
            }
            Unit::SegmentEnd => {
                let end = Message::SegmentEnd {
                    take: self.take.clone(),
                };
                if !self.gave_up && !self.queue.offer(end) {
                    self.after_loss = true;
                }
            }
        }
    }

    fn discontinuity(&mut self, segment: u64) {
        self.take.session.discontinuity(segment);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::origin::{Part, RenditionKind};

    fn part(segment: u64, index: u32) -> Unit {
        Unit::Part(Part {
            segment,
            index,
            start: 0,
            time: 0,
            duration: 1,
            independent: true,
            data: Bytes::from_static(&[0; 1_000]),
        })
    }

    fn recorded(limit: usize) -> (Recorded, Receiver) {
        let (sender, receiver) = queue(limit);
        let session = Session {
            epoch: Moment(0),
            target: 2,
        };
        let take = Take {
            info: RenditionInfo {
                name: "audio".to_owned(),
                kind: RenditionKind::Audio,
                timescale: 48_000,
            },
            session: Arc::new(SessionShared::new(session, 0)),
        };
        (Recorded::new(take, sender, Arc::new(Lease)), receiver)
    }

    /// What came: `i`, the segment and part of parts (with `!` after a loss), `e`.
    fn seen(receiver: &Receiver) -> String {
        let mut seen = Vec::new();
        while let Ok(message) = receiver.messages.try_recv() {
            receiver.done(message.weight());
            seen.push(match message {
                Message::Init { .. } => "i".to_owned(),
                Message::Part { segment, first, .. } => match first {
                    Some(first) if first.after_loss => format!("{segment}!"),
                    Some(_) => format!("{segment}"),
                    None => "+".to_owned(),
                },
                Message::SegmentEnd { .. } => "e".to_owned(),
                _ => "?".to_owned(),
            });
        }
        seen.join(" ")
    }

    #[test]
    fn a_full_queue_costs_whole_segments_and_nobody_waits() {
        let (mut recorded, receiver) = recorded(4_000);
        let config = TrackConfig::Aac {
            config: Bytes::from_static(&[0x11, 0x90]),
            sample_rate: 48_000,
            channels: 2,
        };
        recorded.take(&Unit::Init {
            segment: 7,
            config,
            data: Bytes::from_static(&[0; 10]),
        });
        for segment in 7..9 {
            for index in 0..4 {
                recorded.take(&part(segment, index));
            }
            recorded.take(&Unit::SegmentEnd);
        }
        assert_eq!(seen(&receiver), "i 7 +", "the rest found no room");
        recorded.take(&part(9, 0));
        recorded.take(&Unit::SegmentEnd);
        recorded.take(&part(10, 0));
        assert_eq!(seen(&receiver), "9! e 10");
    }

    #[test]
    fn the_initialization_segment_is_never_left_out() {
        let (mut recorded, receiver) = recorded(1_400);
        recorded.take(&part(1, 0));
        let config = TrackConfig::Aac {
            config: Bytes::from_static(&[0x11, 0x90]),
            sample_rate: 48_000,
            channels: 2,
        };
        recorded.take(&Unit::Init {
            segment: 2,
            config,
            data: Bytes::from_static(&[0; 100]),
        });
        recorded.take(&part(2, 0));
        assert_eq!(seen(&receiver), "1");
        recorded.take(&part(3, 0));
        assert_eq!(seen(&receiver), "i", "and no room was left for the part");
        recorded.take(&part(4, 0));
        assert_eq!(seen(&receiver), "4!");
    }
}
