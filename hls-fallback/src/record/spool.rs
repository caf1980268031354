//! The folder of what the storage doesn't have yet, and how much may be in it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    disk::{Disk, DiskLow, Reserve},
    model::Piece,
};
use crate::origin::is_name;

/// The file that a process holds a lock on for as long as it uses the spool. No broadcast has a folder of that name: it has a dot.
const LOCK: &str = ".lock";
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
    disk: Disk,
    /// Held until the last clone is gone.
    _lock: fs::File,
}

/// Why a spool can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// Another process works with what is in it.
    #[error("another process uses {}", .0.display())]
    InUse(PathBuf),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] io::Error),
}

/// Why nothing more finds room.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRoom {
    /// The bound of the spool.
    #[error("the spool holds what the storage hasn't taken, and may hold no more than {0} bytes")]
    Bound(u64),
    /// Its disk.
    #[error("the spool finds no room: {0}")]
    Disk(#[from] DiskLow),
}

/// A recording's folder in it.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    spool: Spool,
    path: PathBuf,
}

impl Spool {
    /// Makes the folder, has it for this process alone, and measures what is in it.
    pub(super) fn open(folder: &Path, limit: u64, reserve: Reserve) -> Result<Self, OpenError> {
        fs::create_dir_all(folder)?;
        let lock = lock(folder)?;
        let used = size_below(folder)?;
        Ok(Self(Arc::new(Shared {
            folder: folder.to_owned(),
            limit,
            used: AtomicU64::new(used),
            disk: Disk::new(folder, reserve),
            _lock: lock,
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

    /// Takes room for so many bytes, if there is any.
    fn take(&self, bytes: u64) -> Result<(), NoRoom> {
        let used = self.0.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let taken = if used > self.0.limit {
            Err(NoRoom::Bound(self.0.limit))
        } else {
            self.0.disk.grant(bytes).map_err(NoRoom::from)
        };
        if taken.is_err() {
            self.give_back(bytes);
        }
        taken
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

    /// Takes room for so many bytes more. They count until [`Self::remove`] or [`Self::give_back`].
    pub(super) fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        self.spool.take(bytes as u64)
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.spool.give_back(bytes);
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

fn lock(folder: &Path) -> Result<fs::File, OpenError> {
    let file = fs::File::create(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
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

    fn open(folder: &Path) -> Spool {
        Spool::open(folder, 1_000, Reserve::Bytes(0)).unwrap()
    }

    #[test]
    fn no_more_is_taken_than_there_is_room_for_and_what_is_there_counts() {
        let folder = tempfile::tempdir().unwrap();
        let spool = open(folder.path());
        let of = spool.of("b1");
        assert!(of.take(600).is_ok());
        assert!(matches!(of.take(600), Err(NoRoom::Bound(1_000))));
        of.create_file(&piece(1))
            .unwrap()
            .write_all(&[0; 600])
            .unwrap();
        drop((of, spool));
        let again = open(folder.path());
        assert!(again.of("b2").take(600).is_err());
        assert_eq!(again.of("b1").segments().unwrap(), [piece(1)]);
        again.of("b1").remove(&piece(1));
        assert!(again.of("b2").take(600).is_ok());
    }

    #[test]
    fn it_is_one_processs_at_a_time_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let spool = open(folder.path());
        let of = spool.of("b1");
        let refused = Spool::open(folder.path(), 1_000, Reserve::Bytes(0)).unwrap_err();
        assert!(matches!(refused, OpenError::InUse(_)));
        drop(spool);
        // A recording's folder is as good.
        assert!(Spool::open(folder.path(), 1_000, Reserve::Bytes(0)).is_err());
        drop(of);
        open(folder.path());
    }

    #[test]
    fn what_the_disk_reserves_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1_000, Reserve::Bytes(1 << 60)).unwrap();
        let refused = spool.of("b1").take(1).unwrap_err();
        assert!(matches!(refused, NoRoom::Disk(_)), "{refused}");
        assert_eq!(spool.0.used.load(Ordering::Relaxed), 0);
    }
}
