//! The folder of what the storage doesn't have yet, and how much may be in it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::model::Piece;
use crate::origin::is_name;

/// The journal's file in a recording's folder.
const JOURNAL: &str = "recording.jsonl";

/// The spool of a sidecar: `{folder}/{broadcast}/{rendition}/N.m4s`. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Spool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    limit: u64,
    used: AtomicU64,
}

/// A recording's folder in it.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    spool: Spool,
    path: PathBuf,
}

impl Spool {
    /// Makes the folder, and measures what is in it.
    pub(super) fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let used = size_below(folder)?;
        Ok(Self(Arc::new(Shared {
            folder: folder.to_owned(),
            limit,
            used: AtomicU64::new(used),
        })))
    }

    /// The broadcasts that have a folder with a journal.
    pub(super) fn broadcasts(&self) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0.folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if is_name(&name) && self.0.folder.join(&name).join(JOURNAL).is_file() {
                found.push(name);
            }
        }
        Ok(found)
    }

    /// The folder of a broadcast, which may not be there yet.
    pub(super) fn of(&self, broadcast: &str) -> Folder {
        Folder {
            spool: self.clone(),
            path: self.0.folder.join(broadcast),
        }
    }

    pub(super) fn limit(&self) -> u64 {
        self.0.limit
    }

    /// Whether there is room for so many bytes, which are taken then.
    fn take(&self, bytes: u64) -> bool {
        let used = self.0.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if used > self.0.limit {
            self.give_back(bytes);
            return false;
        }
        true
    }

    fn give_back(&self, bytes: u64) {
        // Never below 0, whatever somebody did to the files.
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _ = self
            .0
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

impl Folder {
    pub(super) fn create(&self) -> io::Result<()> {
        fs::create_dir_all(&self.path)
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    pub(super) fn path_of(&self, piece: &Piece) -> PathBuf {
        self.path.join(piece.path())
    }

    /// Whether there is room for so many bytes more. They count until [`Self::remove`] or [`Self::give_back`].
    pub(super) fn take(&self, bytes: usize) -> bool {
        self.spool.take(bytes as u64)
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.spool.give_back(bytes);
    }

    pub(super) fn limit(&self) -> u64 {
        self.spool.limit()
    }

    /// A new file of that name, and the folder that it is in.
    pub(super) fn create_file(&self, piece: &Piece) -> io::Result<fs::File> {
        let path = self.path_of(piece);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::File::create(path)
    }

    /// Deletes a file, if it's there.
    pub(super) fn remove(&self, piece: &Piece) {
        let path = self.path_of(piece);
        let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        match fs::remove_file(&path) {
            Ok(()) => self.spool.give_back(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a file of the spool can't be deleted");
            }
        }
    }

    /// The segments that have a file, in no order.
    pub(super) fn segments(&self) -> io::Result<Vec<Piece>> {
        let mut found = Vec::new();
        for rendition in fs::read_dir(&self.path)? {
            let rendition = rendition?;
            if !rendition.file_type()?.is_dir() {
                continue;
            }
            let name = rendition.file_name().to_string_lossy().into_owned();
            for file in fs::read_dir(rendition.path())? {
                let file = file?.file_name().to_string_lossy().into_owned();
                let number = file.strip_suffix(".m4s").and_then(|n| n.parse().ok());
                found.extend(number.map(|segment| Piece {
                    rendition: name.clone(),
                    segment,
                    init: false,
                }));
            }
        }
        Ok(found)
    }

    /// Deletes everything.
    pub(super) fn delete(&self) -> io::Result<()> {
        let bytes = size_below(&self.path)?;
        fs::remove_dir_all(&self.path)?;
        self.spool.give_back(bytes);
        Ok(())
    }
}

fn size_below(folder: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() {
            size_below(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(size)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn piece(segment: u64) -> Piece {
        Piece {
            rendition: "360p".to_owned(),
            segment,
            init: false,
        }
    }

    #[test]
    fn no_more_is_taken_than_there_is_room_for_and_what_is_there_counts() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1_000).unwrap();
        let of = spool.of("b1");
        assert!(of.take(600));
        assert!(!of.take(600));
        of.create_file(&piece(1))
            .unwrap()
            .write_all(&[0; 600])
            .unwrap();
        let again = Spool::open(folder.path(), 1_000).unwrap();
        assert!(!again.of("b2").take(600));
        assert_eq!(again.of("b1").segments().unwrap(), [piece(1)]);
        again.of("b1").remove(&piece(1));
        assert!(again.of("b2").take(600));
    }
}
