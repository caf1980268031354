//! A recording's journal: a file of lines, each an [`Entry`] as JSON. What was written stays, whatever becomes of the process.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use super::model::{Entry, Recording, VERSION};

/// Bytes of lines that couldn't be written yet; with so many no segment is begun.
const MAX_UNWRITTEN: usize = 1 << 20;

/// Why a journal can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    /// The file.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It's empty, or something else.
    #[error("it doesn't begin as a recording's journal does")]
    NotOne,
    /// Another sidecar wrote it.
    #[error(
        "it is of version {0}, and this sidecar reads {VERSION}: finish it with the one that made it"
    )]
    Version(u32),
}

/// Writes a journal.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// How long it is: whole lines.
    length: u64,
    /// Lines that couldn't be written: a full disk may have room again.
    unwritten: Vec<u8>,
}

impl Journal {
    /// A new one.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(path)?;
        Ok(Self {
            file,
            length: 0,
            unwritten: Vec::new(),
        })
    }

    /// One that is there, and what it adds up to. A line that was cut off is taken out.
    pub(super) fn open(path: &Path) -> Result<(Self, Recording), JournalError> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut reader = BufReader::new(&file);
        let mut recording: Option<Recording> = None;
        let (mut length, mut line) = (0, Vec::new());
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                break;
            }
            let Ok(entry) = serde_json::from_slice::<Entry>(&line) else {
                break;
            };
            length += read as u64;
            match (&mut recording, entry) {
                (None, Entry::Begin { version, .. }) if version != VERSION => {
                    return Err(JournalError::Version(version));
                }
                (
                    None,
                    Entry::Begin {
                        broadcast, channel, ..
                    },
                ) => recording = Some(Recording::new(&broadcast, &channel)),
                (None, _) => return Err(JournalError::NotOne),
                (Some(recording), entry) => recording.apply(entry),
            }
        }
        let recording = recording.ok_or(JournalError::NotOne)?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        let journal = Self {
            file,
            length,
            unwritten: Vec::new(),
        };
        Ok((journal, recording))
    }

    /// Writes an entry. If that fails it's kept, and written with a later one.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        if !self.is_full() {
            serde_json::to_writer(&mut self.unwritten, entry)?;
            self.unwritten.push(b'\n');
        }
        self.flush()
    }

    /// Too much is left to write: nothing more can be noted.
    pub(super) fn is_full(&self) -> bool {
        self.unwritten.len() >= MAX_UNWRITTEN
    }

    /// Writes what is left to write.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&self.unwritten) {
            // No half of a line stays.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error);
        }
        self.length += self.unwritten.len() as u64;
        self.unwritten.clear();
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        media::Moment,
        record::model::{Piece, Session, State},
    };

    fn begin() -> Entry {
        Entry::Begin {
            version: VERSION,
            broadcast: "b1".to_owned(),
            channel: "demo".to_owned(),
        }
    }

    fn session(epoch: i64) -> Entry {
        Entry::Session(Session {
            epoch: Moment(epoch),
            target: 2,
        })
    }

    #[test]
    fn what_was_written_is_read_again_up_to_the_line_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::create(&path).unwrap();
        for entry in [begin(), session(1), session(2)] {
            journal.append(&entry).unwrap();
        }
        let length = std::fs::metadata(&path).unwrap().len();
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length - 3)
            .unwrap();
        let (mut journal, recording) = Journal::open(&path).unwrap();
        assert_eq!(recording.sessions.len(), 1);
        journal.append(&session(3)).unwrap();
        let (_, recording) = Journal::open(&path).unwrap();
        let epochs: Vec<_> = recording.sessions.iter().map(|s| s.epoch.0).collect();
        assert_eq!((epochs, recording.state), (vec![1, 3], State::Recording));
    }

    #[test]
    fn what_is_no_journal_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::NotOne)));
        let mut journal = Journal::create(&path).unwrap();
        journal
            .append(&Entry::Stored(Piece {
                rendition: "a".to_owned(),
                segment: 1,
                init: false,
            }))
            .unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::NotOne)));
    }
}
