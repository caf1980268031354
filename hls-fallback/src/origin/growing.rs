//! Parts and segments that are asked for before they are complete.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{
    Origin, Presentation,
    http::{Followed, follow_until},
    response::Refusal,
    state::PartState,
};

/// A part; one that may be the next once it's complete, or once it's known that it won't be.
pub(super) async fn part(
    origin: &Origin,
    presentation: &Presentation,
    rendition: &str,
    part: (u64, u32),
) -> Result<bytes::Bytes, Refusal> {
    let follow = match presentation.part(rendition, part.0, part.1) {
        PartState::Complete(data) => return Ok(data),
        PartState::Never => return Err(Refusal::Never),
        PartState::Unknown => return Err(Refusal::NotFound),
        PartState::Coming(follow) => follow,
    };
    let _permit = origin.wait_permit().ok_or(Refusal::TooManyWaiting)?;
    let patience = Duration::from_micros(presentation.timing().three_targets());
    if let Followed::TimedOut = follow_until(follow, patience, |view| view.settles(part)).await {
        return Err(Refusal::TooLate);
    }
    match presentation.part(rendition, part.0, part.1) {
        PartState::Complete(data) => Ok(data),
        PartState::Never => Err(Refusal::Never),
        PartState::Coming(_) | PartState::Unknown => Err(Refusal::NotFound),
    }
}

/// A segment that isn't whole, part by part as they are complete. Each part is waited for as one that is asked for by itself, within
/// the same bounds; who goes away leaves nothing behind.
pub(super) struct Growing {
    origin: Origin,
    presentation: Presentation,
    rendition: String,
    segment: u64,
    /// Of the next part.
    index: u32,
    /// The first part, which was waited for before there was an answer.
    first: Option<Bytes>,
}

impl Growing {
    /// The segment that is being made, or the next one once it has a part.
    pub(super) async fn begin(
        origin: &Origin,
        presentation: &Presentation,
        rendition: &str,
        segment: u64,
    ) -> Result<Self, Refusal> {
        let first = part(origin, presentation, rendition, (segment, 0)).await?;
        Ok(Self {
            origin: origin.clone(),
            presentation: presentation.clone(),
            rendition: rendition.to_owned(),
            segment,
            index: 1,
            first: Some(first),
        })
    }

    /// Ends with the segment; with an error, if that doesn't become whole.
    pub(super) fn parts(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::unfold(Some(self), async |growing| {
            let mut growing = growing?;
            match growing.next().await {
                Ok(Some(part)) => Some((Ok(part), Some(growing))),
                Ok(None) => None,
                Err(refusal) => Some((Err(io::Error::other(refusal)), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let wanted = (self.segment, self.index);
        self.index += 1;
        match part(&self.origin, &self.presentation, &self.rendition, wanted).await {
            Err(Refusal::Never) if self.is_whole() => Ok(None),
            other => other.map(Some),
        }
    }

    fn is_whole(&self) -> bool {
        let whole = self.presentation.segment(&self.rendition, self.segment);
        whole.is_some()
    }
}
