//! Captions as a rendition of subtitles: `WebVTT`, in the segments of the sound.
//!
//! What was said is known seconds after it was published. So a cue of what is live is shown from the end of what there is on: who
//! plays near live sees it as soon as it can be, and a segment that was published never changes. Its true times are in the
//! recording.

use std::{collections::VecDeque, fmt::Write as _, sync::Arc};

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    directives::Position, page::Page, playlist::Discontinuities, presentation::Presentation,
    settings::Timing, shelf::seconds, state::View,
};
use crate::captions::{self, Cue, Language};

/// The rendition's name in URLs.
pub(crate) const NAME: &str = "captions";
/// Cues that wait to be shown, at most.
const MAX_CUES: usize = 64;
/// How long a cue is shown: microseconds.
const SHORTEST: u64 = 1_200_000;
const LONGEST: u64 = 6_000_000;
/// Cues that begin so far ahead of what there is follow each other as fast as they may.
const HURRY: u64 = 4_000_000;

/// Adds cues to a presentation, which has captions from the moment on at which it was made.
#[derive(Debug)]
pub struct CaptionWriter {
    presentation: Presentation,
}

impl CaptionWriter {
    pub(super) fn new(presentation: Presentation) -> Self {
        Self { presentation }
    }

    /// Shows a cue as soon as that can be, for about as long as it says.
    pub fn show(&self, cue: Cue) {
        self.presentation.show(cue);
    }
}

/// The captions of a presentation.
#[derive(Debug)]
pub(super) struct Captions {
    language: Language,
    /// In order. When they are shown: microseconds since time 0.
    cues: VecDeque<Cue>,
    segments: VecDeque<Segment>,
    /// How many of them have left the playlist.
    unlisted: usize,
    pub(super) view: watch::Sender<Option<Arc<View>>>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    /// Microseconds since time 0.
    start: u64,
    duration: u64,
    date_line: String,
    text: Bytes,
}

/// A whole segment of the sound, as captions follow it. Microseconds.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    pub(super) number: u64,
    pub(super) start: u64,
    pub(super) duration: u64,
    pub(super) date_line: String,
}

impl Captions {
    pub(super) fn new(language: Language) -> Self {
        Self {
            language,
            cues: VecDeque::new(),
            segments: VecDeque::new(),
            unlisted: 0,
            view: watch::Sender::new(None),
        }
    }

    /// What there is ends at `end`: microseconds since time 0.
    pub(super) fn show(&mut self, cue: Cue, end: u64) {
        if self.cues.len() >= MAX_CUES {
            return;
        }
        let before = self.cues.back().map_or(0, |last| last.end);
        let start = end.max(before);
        let spoken = cue.end.saturating_sub(cue.start);
        let most = if start > end + HURRY {
            SHORTEST
        } else {
            LONGEST
        };
        self.cues.push_back(Cue {
            start,
            end: start + spoken.clamp(SHORTEST, most),
            text: cue.text,
        });
    }

    /// The sound has a whole segment.
    pub(super) fn follow(&mut self, sound: Followed, timing: &Timing) {
        let Followed {
            number,
            start,
            duration,
            date_line,
        } = sound;
        let end = start + duration;
        let within = |cue: &&Cue| cue.start < end && cue.end > start;
        let text = captions::segment(start, self.cues.iter().filter(within)).into();
        self.cues.retain(|cue| cue.end > end);
        // After a rest of the sound there may be a gap: numbers of a playlist follow each other.
        if self
            .segments
            .back()
            .is_some_and(|last| last.number + 1 != number)
        {
            self.segments.clear();
            self.unlisted = 0;
        }
        self.segments.push_back(Segment {
            number,
            start,
            duration,
            date_line,
            text,
        });
        self.drop_old(end, timing);
    }

    /// As of the media beside it.
    fn drop_old(&mut self, end: u64, timing: &Timing) {
        let oldest = end.saturating_sub(timing.window);
        let kept = oldest.saturating_sub(timing.three_targets());
        let ended = |segment: &Segment, at: u64| segment.start + segment.duration <= at;
        while self
            .segments
            .pop_front_if(|segment| ended(segment, kept))
            .is_some()
        {
            self.unlisted = self.unlisted.saturating_sub(1);
        }
        while self
            .segments
            .get(self.unlisted)
            .is_some_and(|segment| ended(segment, oldest))
        {
            self.unlisted += 1;
        }
    }

    pub(super) fn has_segment(&self) -> bool {
        !self.segments.is_empty()
    }

    pub(super) fn segment(&self, number: u64) -> Option<Bytes> {
        let index = number.checked_sub(self.segments.front()?.number)?;
        let segment = self.segments.get(usize::try_from(index).ok()?)?;
        Some(segment.text.clone())
    }

    pub(super) fn language(&self) -> &Language {
        &self.language
    }

    /// Writes the playlists.
    pub(super) fn render(
        &self,
        timing: &Timing,
        discontinuities: &Discontinuities,
        ended: bool,
        tag: &str,
    ) {
        let Some(last) = self.segments.back() else {
            return;
        };
        let page = |low_latency| {
            let text = self.playlist(timing, discontinuities, ended, low_latency);
            Page::new(text, tag)
        };
        self.view.send_replace(Some(Arc::new(View {
            position: Position {
                segment: last.number,
                parts: 1,
                complete: true,
            },
            full: page(true),
            delta: None,
            plain: Some(page(false)),
            ended,
        })));
    }

    /// Without parts, which would bring nothing: cues are seconds late.
    fn playlist(
        &self,
        timing: &Timing,
        discontinuities: &Discontinuities,
        ended: bool,
        low_latency: bool,
    ) -> String {
        let mut out = String::with_capacity(4096);
        let listed = self
            .segments
            .range(self.unlisted.min(self.segments.len())..);
        let first = listed.clone().next().map_or(0, |segment| segment.number);
        let target = if low_latency {
            timing.target
        } else {
            timing.plain_target()
        };
        // Writing to a String doesn't fail.
        let _ = write!(
            out,
            "#EXTM3U\n#EXT-X-VERSION:{}\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:{}\n",
            if low_latency { 9 } else { 6 },
            target / 1_000_000
        );
        if low_latency {
            out.push_str(&timing.server_control());
        }
        let _ = write!(
            out,
            "#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
            discontinuities.sequence(first)
        );
        for segment in listed {
            if discontinuities.contains(segment.number) {
                out.push_str("#EXT-X-DISCONTINUITY\n");
            }
            out.push_str(&segment.date_line);
            let _ = write!(
                out,
                "#EXTINF:{},\n{}.vtt\n",
                seconds(segment.duration),
                segment.number
            );
        }
        if ended {
            out.push_str("#EXT-X-ENDLIST\n");
        }
        out
    }
}

/// The line of a multivariant playlist that leads to captions.
pub(crate) fn media_line(language: &Language, file: &str) -> String {
    format!(
        "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"{NAME}\",NAME=\"Captions\",LANGUAGE=\"{}\",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog\",URI=\"{NAME}/{file}\"\n",
        language.as_str()
    )
}
