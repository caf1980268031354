//! What a process that ended left in a recording's folder, beside what its journal says.

use std::{fs, io};

use super::{
    fragments,
    model::{Init, Piece, Recording, Rendition, Segment},
    spool::Folder,
};
use crate::origin::micros;

/// The segments that the journal doesn't have: all their whole parts, in order. Files that nothing is lost with are deleted.
pub(super) fn segments(
    folder: &Folder,
    recording: &Recording,
) -> io::Result<Vec<(String, Segment)>> {
    let mut pieces = folder.segments()?;
    pieces.sort_by(|a, b| (a.segment, &a.rendition).cmp(&(b.segment, &b.rendition)));
    let mut found = Vec::new();
    for piece in pieces {
        let rendition = recording.rendition(&piece.rendition);
        let known = rendition.and_then(|rendition| rendition.get(piece.segment));
        match (known, rendition) {
            (Some(known), _) if known.stored => folder.remove(&piece),
            (Some(_), _) => {}
            (None, Some(rendition)) => match recover(folder, &piece, recording, rendition)? {
                Some(segment) => found.push((piece.rendition, segment)),
                None => folder.remove(&piece),
            },
            // Without an initialization segment nothing can be played.
            (None, None) => folder.remove(&piece),
        }
    }
    Ok(found)
}

fn recover(
    folder: &Folder,
    piece: &Piece,
    recording: &Recording,
    rendition: &Rendition,
) -> io::Result<Option<Segment>> {
    let path = folder.path_of(piece);
    let data = fs::read(&path)?;
    let after_all = rendition
        .segments
        .last()
        .is_none_or(|last| last.number < piece.segment);
    let Some(init) = rendition.init_of(piece.segment).filter(|_| after_all) else {
        return Ok(None);
    };
    let contents = match fragments::read(&data) {
        Ok(contents) => contents,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a segment of the spool can't be recovered");
            return Ok(None);
        }
    };
    let Some((time, duration)) = contents.span() else {
        return Ok(None);
    };
    let cut = data.len() - contents.end;
    if cut > 0 {
        fs::OpenOptions::new()
            .write(true)
            .open(&path)?
            .set_len(contents.end as u64)?;
        folder.give_back(cut as u64);
    }
    let session = recording.sessions.len().saturating_sub(1);
    let start = micros(time, init.timescale);
    tracing::info!(path = %path.display(), cut, "a segment that was cut off is recovered");
    Ok(Some(Segment {
        number: piece.segment,
        session,
        start,
        duration: micros(time + duration, init.timescale) - start,
        bytes: contents.end as u64,
        discontinuous: begins_anew(init, piece.segment, session, rendition),
        stored: false,
    }))
}

/// A new initialization segment within a session is a new encoding.
fn begins_anew(init: &Init, segment: u64, session: usize, rendition: &Rendition) -> bool {
    let before = rendition.segments.last();
    init.segment == segment && before.is_some_and(|before| before.session == session)
}
