//! How much room the disk of a folder has. What is left at the end isn't for recordings: the node's database may be on the same disk,
//! and a node that can't write to it serves nobody.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The disk is asked so often at most, ...
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// ... but again once so many bytes were written.
const LOOK_AFTER: u64 = 16 << 20;
/// What stays free if nothing else is said: so much, ...
const USUAL: u64 = 1 << 30;
/// ... or this share of a disk of which that is less.
const USUAL_SHARE: u64 = 10;
/// Once it was low, a disk has to have this share more than the reserve, so that recording doesn't go on and off.
const AGAIN_SHARE: u64 = 10;

/// Bytes of a disk that recordings leave free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reserve {
    /// A GiB, or a tenth of a disk that is smaller than ten.
    #[default]
    Usual,
    /// So many; 0 is none.
    Bytes(u64),
}

impl Reserve {
    fn of(self, size: u64) -> u64 {
        match self {
            Self::Usual => USUAL.min(size / USUAL_SHARE),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// It has no room for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the disk has {} free, of which {} stay free for others (--reserve): make room on it", Mebibytes(*.free), Mebibytes(*.reserve)
)]
pub(super) struct DiskLow {
    free: u64,
    reserve: u64,
}

struct Mebibytes(u64);

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0 >> 20)
    }
}

/// Of a disk, in bytes.
#[derive(Debug, Clone, Copy)]
struct Space {
    free: u64,
    size: u64,
}

/// What looks at the disk of a folder.
type Look = fn(&Path) -> io::Result<Space>;

fn look(folder: &Path) -> io::Result<Space> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(Space {
        // What is left for those who aren't root.
        free: found.f_bavail.saturating_mul(found.f_frsize),
        size: found.f_blocks.saturating_mul(found.f_frsize),
    })
}

/// The disk that a folder is on. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Disk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    reserve: Reserve,
    look: Look,
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    space: Space,
    /// Bytes that were granted since.
    granted: u64,
    is_low: bool,
}

impl Disk {
    pub(super) fn new(folder: &Path, reserve: Reserve) -> Self {
        Self::with(folder, reserve, look)
    }

    fn with(folder: &Path, reserve: Reserve, look: Look) -> Self {
        Self(Arc::new(Shared {
            folder: folder.to_owned(),
            reserve,
            look,
            seen: Mutex::new(None),
        }))
    }

    /// Whether so many bytes may be written now. A disk that can't be asked says so itself when it's written to.
    pub(super) fn grant(&self, bytes: u64) -> Result<(), DiskLow> {
        self.grant_at(bytes, Instant::now())
    }

    fn grant_at(&self, bytes: u64, now: Instant) -> Result<(), DiskLow> {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *seen;
        let is_old =
            |seen: &Seen| now.duration_since(seen.at) >= LOOK_EVERY || seen.granted >= LOOK_AFTER;
        let mut present = match before {
            Some(seen) if !is_old(&seen) => seen,
            _ => match (self.0.look)(&self.0.folder) {
                Ok(space) => Seen {
                    at: now,
                    space,
                    granted: 0,
                    is_low: before.is_some_and(|seen| seen.is_low),
                },
                Err(error) => {
                    tracing::debug!(folder = %self.0.folder.display(), %error, "the disk doesn't say what is free");
                    return Ok(());
                }
            },
        };
        let reserve = self.0.reserve.of(present.space.size);
        let free = present.space.free.saturating_sub(present.granted);
        let more = if present.is_low {
            reserve / AGAIN_SHARE
        } else {
            0
        };
        let is_low = reserve > 0 && free < reserve.saturating_add(more).saturating_add(bytes);
        self.say(present.is_low, is_low, free, reserve);
        present.is_low = is_low;
        present.granted += if is_low { 0 } else { bytes };
        *seen = Some(present);
        if is_low {
            Err(DiskLow { free, reserve })
        } else {
            Ok(())
        }
    }

    fn say(&self, was_low: bool, is_low: bool, free: u64, reserve: u64) {
        let folder = self.0.folder.display();
        if is_low && !was_low {
            tracing::error!(
                %folder, free, reserve,
                "the disk is nearly full: nothing is recorded until there is room; live goes on"
            );
        } else if was_low && !is_low {
            tracing::info!(%folder, free, "the disk has room again: recording goes on");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const RESERVE: Reserve = Reserve::Bytes(1_000);

    fn disk(reserve: Reserve, look: Look) -> Disk {
        Disk::with(Path::new("/"), reserve, look)
    }

    #[test]
    fn what_is_reserved_is_never_granted() {
        let look = |_: &Path| {
            Ok(Space {
                free: 1_500,
                size: 100_000,
            })
        };
        let disk = disk(RESERVE, look);
        let now = Instant::now();
        assert!(disk.grant_at(400, now).is_ok());
        // Without another look.
        let low = disk.grant_at(200, now).unwrap_err();
        assert_eq!((low.free, low.reserve), (1_100, 1_000));
    }

    #[test]
    fn a_disk_that_was_low_has_to_have_some_more() {
        static FREE: AtomicU64 = AtomicU64::new(900);
        let look = |_: &Path| {
            let free = FREE.load(Ordering::Relaxed);
            Ok(Space { free, size: 9_000 })
        };
        let disk = disk(RESERVE, look);
        let now = Instant::now();
        assert!(disk.grant_at(1, now).is_err());
        for (seconds, free, is_granted) in [(1, 1_050, false), (2, 1_200, true), (3, 1_050, true)] {
            FREE.store(free, Ordering::Relaxed);
            let at = now + Duration::from_secs(seconds);
            assert_eq!(disk.grant_at(1, at).is_ok(), is_granted, "{free} free");
        }
    }

    #[test]
    fn little_is_left_free_on_small_disks_and_none_if_none_is_asked_for() {
        assert_eq!(Reserve::Usual.of(500 << 30), 1 << 30);
        assert_eq!(Reserve::Usual.of(1_000), 100);
        let full = |_: &Path| Ok(Space { free: 0, size: 1 });
        assert!(disk(Reserve::Bytes(0), full).grant(1).is_ok());
        let silent = |_: &Path| Err(io::ErrorKind::PermissionDenied.into());
        assert!(disk(RESERVE, silent).grant(1).is_ok());
    }

    #[test]
    fn a_real_disk_says_how_it_is() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Disk::new(folder.path(), Reserve::Bytes(1)).grant(1).is_ok());
        let all = Disk::new(folder.path(), Reserve::Bytes(1 << 60));
        assert!(all.grant(1).is_err());
    }
}
