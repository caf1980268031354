//! The files of the segments that are being written: each part is appended at once.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write as _},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    model::{Init, Piece, Segment},
    queue::Take,
    spool::{Folder, NoRoom},
};
use crate::origin::{RenditionKind, micros};

/// Writes the segments of one recording into its folder of the spool.
pub(super) struct Files {
    folder: Folder,
    open: HashMap<String, Open>,
    inits: HashMap<String, NewInit>,
}

/// A segment that is being written.
struct Open {
    take: Arc<Take>,
    piece: Piece,
    file: File,
    discontinuous: bool,
    bytes: u64,
    /// Ticks.
    time: u64,
    end: u64,
}

/// An initialization segment that isn't in the spool: without it, no segment is.
pub(super) struct NewInit {
    pub(super) piece: Piece,
    pub(super) init: Init,
    pub(super) data: Bytes,
}

/// Why something isn't written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The spool.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The file.
    #[error("the spool can't be written: {0}")]
    File(#[from] io::Error),
}

impl Files {
    pub(super) fn new(folder: Folder) -> Self {
        Self {
            folder,
            open: HashMap::new(),
            inits: HashMap::new(),
        }
    }

    /// It is written before the rendition's next segment is.
    pub(super) fn init(&mut self, init: NewInit) {
        self.inits.insert(init.piece.rendition.clone(), init);
    }

    /// Begins a segment's file. Gives the initialization segment, if that was written now.
    pub(super) fn begin(
        &mut self,
        take: &Arc<Take>,
        piece: &Piece,
        discontinuous: bool,
        time: u64,
    ) -> Result<Option<(Piece, Init)>, WriteError> {
        let written = self.write_init(&piece.rendition)?;
        let file = self.folder.create_file(piece)?;
        self.open.insert(
            piece.rendition.clone(),
            Open {
                take: take.clone(),
                piece: piece.clone(),
                file,
                discontinuous,
                bytes: 0,
                time,
                end: time,
            },
        );
        Ok(written)
    }

    fn write_init(&mut self, rendition: &str) -> Result<Option<(Piece, Init)>, WriteError> {
        let Some(new) = self.inits.get(rendition) else {
            return Ok(None);
        };
        self.write(&new.piece, &new.data)?;
        let new = self.inits.remove(rendition);
        Ok(new.map(|new| (new.piece, new.init)))
    }

    /// Writes a file whole.
    pub(super) fn write(&self, piece: &Piece, data: &[u8]) -> Result<(), WriteError> {
        self.folder.take(data.len())?;
        let created = self.folder.create_file(piece);
        if let Err(error) = created.and_then(|mut file| file.write_all(data)) {
            self.folder.give_back(data.len() as u64);
            return Err(error.into());
        }
        Ok(())
    }

    /// Appends a part that ends at `end` ticks, if its segment is open. After an error it is not.
    pub(super) fn append(
        &mut self,
        rendition: &str,
        segment: u64,
        end: u64,
        data: &[u8],
    ) -> Result<(), WriteError> {
        let is_it = |open: &Open| open.piece.segment == segment;
        if !self.open.get(rendition).is_some_and(is_it) {
            return Ok(());
        }
        self.folder.take(data.len())?;
        let Some(open) = self.open.get_mut(rendition) else {
            return Ok(());
        };
        if let Err(error) = open.file.write_all(data) {
            self.folder.give_back(data.len() as u64);
            return Err(error.into());
        }
        open.bytes += data.len() as u64;
        open.end = end;
        Ok(())
    }

    /// The rendition's open segment is whole; its `session` is left to be said.
    pub(super) fn end(&mut self, rendition: &str) -> Option<(Piece, Segment)> {
        let open = self.open.remove(rendition)?;
        if open.bytes == 0 {
            self.folder.remove(&open.piece);
            return None;
        }
        let timescale = open.take.info.timescale;
        let start = micros(open.time, timescale);
        let segment = Segment {
            number: open.piece.segment,
            session: 0,
            start,
            duration: micros(open.end, timescale).saturating_sub(start),
            bytes: open.bytes,
            discontinuous: open.discontinuous,
            stored: false,
        };
        Some((open.piece, segment))
    }

    /// The renditions with an open segment.
    pub(super) fn open(&self) -> Vec<String> {
        self.open.keys().cloned().collect()
    }

    /// The renditions of pictures with an open segment.
    pub(super) fn pictures(&self) -> impl Iterator<Item = &str> {
        let is_video = |open: &&Open| matches!(open.take.info.kind, RenditionKind::Video { .. });
        let pictures = self.open.values().filter(is_video);
        pictures.map(|open| open.piece.rendition.as_str())
    }

    /// A segment of sound is open that comes before segment `number`.
    pub(super) fn has_sound_before(&self, number: u64) -> bool {
        self.open
            .values()
            .any(|open| open.take.info.kind == RenditionKind::Audio && open.piece.segment < number)
    }

    /// Deletes a segment's file, whether it's open or not.
    pub(super) fn discard(&mut self, piece: &Piece) {
        let is_it = |open: &mut Open| open.piece == *piece;
        if self.open.get_mut(&piece.rendition).is_some_and(is_it) {
            self.open.remove(&piece.rendition);
        }
        self.folder.remove(piece);
    }
}
