//! The directory in which a node keeps what it remembers.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// Why the data directory can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the data directory {path} can't be written to: {source}; make it writable for this user, or choose another with --data-dir", path = path.display())]
pub struct DataDirError {
    path: PathBuf,
    source: io::Error,
}

/// Another server runs on the directory.
#[derive(Debug, thiserror::Error)]
#[error("another server runs on the data directory {}; stop it, or choose another directory with --data-dir", .0.display())]
pub struct InUse(PathBuf);

/// No node has kept anything in the directory.
#[derive(Debug, thiserror::Error)]
#[error("no node has kept anything in {}; name its data directory with --data-dir, or make one with `spillway serve` or `spillway token publish`", .0.display())]
pub struct Empty(PathBuf);

/// Takes the directory for one server: while the file that's returned is open, no other gets it.
pub fn lock(data_dir: &Path) -> anyhow::Result<fs::File> {
    let file = fs::File::create(data_dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(InUse(data_dir.to_owned()).into()),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Makes the directory if there's none, and makes sure that it can be written to.
pub fn prepare(path: &Path) -> Result<PathBuf, DataDirError> {
    let failed = |source| DataDirError {
        path: path.to_owned(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed)?;
    let probe = path.join(format!(".probe.{}", std::process::id()));
    fs::write(&probe, b"").map_err(failed)?;
    fs::remove_file(&probe).map_err(failed)?;
    Ok(path.to_owned())
}

/// The directory, which a node has used already: a misspelt one isn't made.
pub fn existing(path: &Path) -> Result<PathBuf, Empty> {
    if has_store(path) {
        Ok(path.to_owned())
    } else {
        Err(Empty(path.to_owned()))
    }
}

/// Whether a node has used the directory.
pub fn has_store(path: &Path) -> bool {
    database(path).exists()
}

/// Where a sidecar keeps what it hasn't uploaded yet: an absolute path, since it may run elsewhere. The sidecar makes it.
pub fn spool(data_dir: &Path) -> io::Result<PathBuf> {
    std::path::absolute(data_dir.join("spool"))
}

/// The database in it.
pub fn database(data_dir: &Path) -> PathBuf {
    data_dir.join("spillway.db")
}
