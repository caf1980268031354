//! What a rendition lacks before its first picture is filled with black ones.

use super::{Scribe, piece};
use crate::{
    origin::RenditionKind,
    record::{
        files::WriteError,
        lead_in::{self, Black, LeadInError},
        model::{Entry, MAX_SEGMENTS, Piece},
        queue::Take,
    },
};

/// A picture's playlist waits for so many of its segments until what was before it is known.
const LEAD_IN_WAITS: usize = 3;

impl Scribe {
    /// It is the rendition's first picture behind black ones.
    pub(super) fn follows_lead_in(&self, take: &Take, number: u64) -> bool {
        matches!(take.info.kind, RenditionKind::Video { .. })
            && !self.led_in.contains(&take.info.name)
            && (self.files.has_sound_before(number)
                || lead_in::is_needed(&self.desk.recording, number))
    }

    /// Renditions of pictures get what they lack before the first one, as soon as that is known, or at once.
    pub(super) fn lead_in(&mut self, at_once: bool) {
        let recording = &self.desk.recording;
        let is_known = at_once || lead_in::is_known(recording);
        let due = recording.renditions.iter().filter(|rendition| {
            !rendition.is_audio()
                && !rendition.segments.is_empty()
                && !self.led_in.contains(&rendition.name)
                && (is_known || rendition.segments.len() >= LEAD_IN_WAITS)
        });
        let due: Vec<String> = due.map(|rendition| rendition.name.clone()).collect();
        for name in due {
            if let Err(why) = self.fill(&name) {
                let broadcast = &self.desk.recording.broadcast;
                tracing::error!(
                    broadcast, rendition = name, %why,
                    "a recording lacks what was before its first picture: some players won't play it"
                );
            }
            self.led_in.insert(name);
        }
    }

    fn fill(&mut self, name: &str) -> Result<(), FillError> {
        let recording = &self.desk.recording;
        let Some(rendition) = recording.rendition(name) else {
            return Ok(());
        };
        let mut missing = lead_in::missing(recording, rendition);
        missing.truncate(MAX_SEGMENTS.saturating_sub(rendition.segments.len()));
        let Some(first) = missing.first() else {
            return Ok(());
        };
        let Some(black) = Black::new(rendition, first.number)? else {
            return Ok(());
        };
        let of_init = Piece {
            init: true,
            ..piece(name, first.number)
        };
        self.files.write(&of_init, &black.data)?;
        self.note(Entry::Init {
            rendition: name.to_owned(),
            init: black.init.clone(),
        });
        self.send_off(of_init);
        for mut segment in missing {
            let data = black.segment(&segment, self.desk.recording.wall(&segment))?;
            let piece = piece(name, segment.number);
            self.files.write(&piece, &data)?;
            segment.bytes = data.len() as u64;
            self.note(Entry::Segment {
                rendition: name.to_owned(),
                segment,
            });
            self.send_off(piece);
        }
        Ok(())
    }
}

/// Why a recording begins with gaps.
#[derive(Debug, thiserror::Error)]
enum FillError {
    #[error(transparent)]
    LeadIn(#[from] LeadInError),
    #[error(transparent)]
    Write(#[from] WriteError),
}
