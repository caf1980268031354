//! What is known of one recording: what its journal adds up to, and what is kept beside it in the storage.

use serde::{Deserialize, Serialize};

use crate::{
    captions::{Cue, Language},
    media::{Moment, TrackConfig},
    origin::RenditionKind,
};

/// Of [`Recording::version`]: one that is read by another sidecar than wrote it.
pub(super) const VERSION: u32 = 1;
/// Segments of a rendition, at most: two days and a half of those of two seconds. What comes then isn't recorded.
pub(super) const MAX_SEGMENTS: usize = 108_000;
/// Cues of captions, at most: a day of one every two seconds. What is said then has none.
pub(super) const MAX_CUES: usize = 43_200;
/// A segment with so much or less of what the publisher sent last is taken for one without: a part, in microseconds.
const LAST: i64 = 250_000;

/// How far a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The broadcast is under way.
    Recording,
    /// It is over; what is made of the whole is being made.
    Finishing,
    /// Everything is in the storage.
    Ready,
    /// There is nothing to watch, or no more than the playlists.
    Failed,
}

/// One recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recording {
    pub(super) version: u32,
    pub(super) broadcast: String,
    pub(super) channel: String,
    pub(super) state: State,
    /// Why it failed.
    pub(super) failure: Option<String>,
    /// Segments that were given up.
    pub(super) lost: u64,
    /// Bytes of what was made of the whole.
    pub(super) made_bytes: u64,
    /// Each begins a time line of its own: a transcoder's life.
    pub(super) sessions: Vec<Session>,
    pub(super) renditions: Vec<Rendition>,
    /// What is spoken, if it's recognized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<Language>,
    /// What was said, in order. There are thousands, of which `recording.json` needs none.
    #[serde(skip)]
    pub(super) cues: Vec<Said>,
    /// The publisher pauses: until when its pictures and sound came. What is recorded beyond is the last picture, and silence, and
    /// belongs to the recording only if the publisher comes back.
    #[serde(skip)]
    pub(super) heard: Option<Moment>,
}

/// A cue of captions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    /// Which of [`Recording::sessions`].
    pub(super) session: usize,
    /// With times since its session's epoch.
    pub(super) cue: Cue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// When its time 0 is.
    pub(super) epoch: Moment,
    /// `EXT-X-TARGETDURATION`: seconds.
    pub(super) target: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rendition {
    pub(super) name: String,
    /// In the order of their segments.
    pub(super) inits: Vec<Init>,
    pub(super) segments: Vec<Segment>,
}

/// An initialization segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Init {
    /// The first segment that needs it.
    pub(super) segment: u64,
    pub(super) kind: RenditionKind,
    /// Ticks a second.
    pub(super) timescale: u32,
    pub(super) config: TrackConfig,
    /// Of what was filled in where there were no pictures yet ([`super::lead_in`]).
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) blank: bool,
    #[serde(default)]
    pub(super) stored: bool,
}

/// A whole segment. There are thousands of them in a `recording.json`: the names there are short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    #[serde(rename = "n")]
    pub(super) number: u64,
    /// Which of [`Recording::sessions`].
    #[serde(rename = "s")]
    pub(super) session: usize,
    /// When it begins: microseconds since its session's epoch.
    #[serde(rename = "t")]
    pub(super) start: u64,
    /// Microseconds.
    #[serde(rename = "d")]
    pub(super) duration: u64,
    #[serde(rename = "b")]
    pub(super) bytes: u64,
    /// It doesn't continue the one before it.
    #[serde(rename = "x", default, skip_serializing_if = "is_false")]
    pub(super) discontinuous: bool,
    #[serde(rename = "o", default, skip_serializing_if = "is_false")]
    pub(super) stored: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A file of a recording that goes from the spool to the storage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) rendition: String,
    pub(super) segment: u64,
    /// The initialization segment, not the segment.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) init: bool,
}

impl Piece {
    /// Its name below the recording's folder, in the spool as in the storage.
    pub(super) fn path(&self) -> String {
        let Self {
            rendition,
            segment,
            init,
        } = self;
        if *init {
            format!("{rendition}/init-{segment}.mp4")
        } else {
            format!("{rendition}/{segment}.m4s")
        }
    }
}

/// What happens to a recording: a line of its journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Entry {
    Begin {
        version: u32,
        broadcast: String,
        channel: String,
    },
    Session(Session),
    Init {
        rendition: String,
        init: Init,
    },
    Segment {
        rendition: String,
        segment: Segment,
    },
    /// There are captions.
    Captions {
        language: Language,
    },
    Cue(Said),
    /// The publisher pauses, and what it sent goes until then; or has come back.
    Heard(Option<Moment>),
    /// From this segment on there is nothing of the publisher.
    Cut(u64),
    Stored(Piece),
    /// It was given up, before it was whole or since its file is gone.
    Lost(Piece),
    State {
        state: State,
        failure: Option<String>,
        made_bytes: u64,
    },
}

impl Recording {
    pub(super) fn new(broadcast: &str, channel: &str) -> Self {
        Self {
            version: VERSION,
            broadcast: broadcast.to_owned(),
            channel: channel.to_owned(),
            state: State::Recording,
            failure: None,
            lost: 0,
            made_bytes: 0,
            sessions: Vec::new(),
            renditions: Vec::new(),
            language: None,
            cues: Vec::new(),
            heard: None,
        }
    }

    pub(super) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Begin {
                version,
                broadcast,
                channel,
            } => {
                *self = Self::new(&broadcast, &channel);
                self.version = version;
            }
            Entry::Session(session) => self.sessions.push(session),
            Entry::Init { rendition, init } => {
                let inits = &mut self.rendition_mut(&rendition).inits;
                let at = inits.partition_point(|known| known.segment < init.segment);
                inits.insert(at, init);
            }
            Entry::Segment { rendition, segment } => {
                let segments = &mut self.rendition_mut(&rendition).segments;
                let at = segments.partition_point(|known| known.number < segment.number);
                segments.insert(at, segment);
            }
            Entry::Captions { language } => self.language = Some(language),
            Entry::Cue(said) if self.cues.len() < MAX_CUES => self.cues.push(said),
            Entry::Cue(_) => {}
            Entry::Heard(heard) => self.heard = heard,
            Entry::Cut(from) => {
                for rendition in &mut self.renditions {
                    rendition.segments.retain(|segment| segment.number < from);
                    rendition.inits.retain(|init| init.segment < from);
                }
                self.heard = None;
            }
            Entry::Stored(piece) => self.stored(&piece),
            Entry::Lost(piece) => {
                self.lost += 1;
                let rendition = self.rendition_mut(&piece.rendition);
                if piece.init {
                    rendition.inits.retain(|init| init.segment != piece.segment);
                } else {
                    rendition
                        .segments
                        .retain(|known| known.number != piece.segment);
                }
            }
            Entry::State {
                state,
                failure,
                made_bytes,
            } => {
                self.state = state;
                self.failure = failure;
                self.made_bytes = made_bytes;
            }
        }
    }

    fn stored(&mut self, piece: &Piece) {
        let rendition = self.rendition_mut(&piece.rendition);
        if piece.init {
            let inits = &mut rendition.inits;
            for init in inits.iter_mut().filter(|i| i.segment == piece.segment) {
                init.stored = true;
            }
        } else if let Some(at) = rendition.index_of(piece.segment) {
            rendition.segments[at].stored = true;
        }
    }

    fn rendition_mut(&mut self, name: &str) -> &mut Rendition {
        let at = self.renditions.iter().position(|known| known.name == name);
        let at = at.unwrap_or_else(|| {
            self.renditions.push(Rendition {
                name: name.to_owned(),
                inits: Vec::new(),
                segments: Vec::new(),
            });
            self.renditions.len() - 1
        });
        &mut self.renditions[at]
    }

    pub(super) fn rendition(&self, name: &str) -> Option<&Rendition> {
        self.renditions
            .iter()
            .find(|rendition| rendition.name == name)
    }

    /// What the storage doesn't have yet, in order.
    pub(super) fn unstored(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for rendition in &self.renditions {
            let piece = |segment, init| Piece {
                rendition: rendition.name.clone(),
                segment,
                init,
            };
            let inits = rendition.inits.iter().filter(|init| !init.stored);
            pieces.extend(inits.map(|init| piece(init.segment, true)));
            let segments = rendition.segments.iter().filter(|segment| !segment.stored);
            pieces.extend(segments.map(|segment| piece(segment.number, false)));
        }
        pieces.sort_by_key(|piece| (piece.segment, !piece.init));
        pieces
    }

    /// The last segment that any rendition has.
    pub(super) fn last_number(&self) -> Option<u64> {
        let last = |rendition: &Rendition| rendition.segments.last().map(|s| s.number);
        self.renditions.iter().filter_map(last).max()
    }

    /// When the last of what it has ends.
    pub(super) fn until(&self) -> Option<Moment> {
        let lasts = self.renditions.iter().filter_map(|r| r.segments.last());
        let end = |last: &Segment| {
            let duration = i64::try_from(last.duration).unwrap_or(i64::MAX);
            self.wall(last).plus(duration)
        };
        lasts.map(end).max()
    }

    /// How long the longest rendition is, up to where the publisher pauses: microseconds.
    pub(super) fn duration(&self) -> u64 {
        let pause = self.pause().unwrap_or(u64::MAX);
        let length = |rendition: &Rendition| {
            let segments = rendition.segments.iter();
            let until = segments.take_while(|segment| segment.number < pause);
            until.map(|segment| segment.duration).sum()
        };
        self.renditions.iter().map(length).max().unwrap_or(0)
    }

    /// The first segment of the end of it that has nothing of the publisher, which pauses.
    pub(super) fn pause(&self) -> Option<u64> {
        let heard = self.heard?.plus(-LAST);
        // A number belongs to it when all have nothing of the publisher there.
        let pause = |rendition: &Rendition| {
            let segments = rendition.segments.iter().rev();
            let beyond = segments.take_while(|segment| self.wall(segment) >= heard);
            let first = beyond.last().map(|segment| segment.number);
            first.or(rendition.segments.last().map(|last| last.number + 1))
        };
        let first = self.renditions.iter().filter_map(pause).max()?;
        // The first of all stays, so that there is something.
        let begins = self.renditions.iter().filter_map(|r| r.segments.first());
        let begins = begins.map(|segment| segment.number).min()?;
        let first = first.max(begins + 1);
        (self.last_number()? >= first).then_some(first)
    }

    /// What it has from this segment on.
    pub(super) fn from(&self, number: u64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for rendition in &self.renditions {
            let piece = |segment, init| Piece {
                rendition: rendition.name.clone(),
                segment,
                init,
            };
            let inits = rendition.inits.iter().map(|init| piece(init.segment, true));
            let segments = rendition.segments.iter();
            let segments = segments.map(|segment| piece(segment.number, false));
            pieces.extend(inits.chain(segments).filter(|p| p.segment >= number));
        }
        pieces
    }

    /// Of what is in the storage.
    pub(super) fn stored_bytes(&self) -> u64 {
        let segments = self.renditions.iter().flat_map(|r| &r.segments);
        let stored = segments.filter(|segment| segment.stored);
        stored.map(|segment| segment.bytes).sum::<u64>() + self.made_bytes
    }

    /// When a segment begins.
    pub(super) fn wall(&self, segment: &Segment) -> Moment {
        let epoch = self.sessions.get(segment.session).map(|s| s.epoch);
        let start = i64::try_from(segment.start).unwrap_or(i64::MAX);
        epoch.unwrap_or(Moment(0)).plus(start)
    }
}

impl Rendition {
    pub(super) fn index_of(&self, number: u64) -> Option<usize> {
        self.segments
            .binary_search_by_key(&number, |segment| segment.number)
            .ok()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Segment> {
        self.index_of(number).map(|at| &self.segments[at])
    }

    /// The one that segment `number` needs.
    pub(super) fn init_of(&self, number: u64) -> Option<&Init> {
        let after = self.inits.partition_point(|init| init.segment <= number);
        self.inits.get(after.checked_sub(1)?)
    }

    pub(super) fn is_audio(&self) -> bool {
        self.inits
            .first()
            .is_some_and(|init| init.kind == RenditionKind::Audio)
    }
}
