//! The storage of recordings: a directory, or a bucket that speaks S3.
//!
//! Every access is bounded in time, and so is how many there are at once. A reader holds nothing of the storage while it waits
//! for its client: an object is read in pieces, each when there is room for it.

mod read;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutPayload, local::LocalFileSystem, parse_url_opts,
    path::Path,
};
use spillway_signaling::BroadcastId;
use tokio::{sync::Semaphore, time::timeout};
use url::Url;

use crate::time;

/// How long one access may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the next of many objects may take to be deleted: a thousand go with one request.
const DELETE_TIMEOUT: Duration = Duration::from_mins(1);

/// Why the storage didn't do it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// It can't be used at all.
    #[error(
        "the storage {url} can't be used: {reason}; check vod.storage, and AWS_* variables for s3://"
    )]
    Unusable {
        /// Where it is.
        url: String,
        /// What's wrong.
        reason: String,
    },
    /// There's no such object.
    #[error("there is no such object")]
    Missing,
    /// It refused or broke off.
    #[error("the storage failed: {0}")]
    Failed(String),
    /// It took too long.
    #[error("the storage didn't answer within {} s", TIMEOUT.as_secs())]
    Silent,
    /// As much is asked of it as may be.
    #[error("the storage has as much to do as it may (limits.vod_reads)")]
    Busy,
}

/// Where recordings are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Storage {
    objects: Arc<dyn ObjectStore>,
    /// What stands before every object's path.
    root: Path,
    /// Where it is a directory of this machine.
    directory: Option<PathBuf>,
    room: Arc<Semaphore>,
}

impl Storage {
    /// Opens the storage, for at most so many accesses at a time. A directory is made if there's none. One that can't be made, as
    /// on a disk that isn't there today, is no reason not to be live: that is logged, and accesses fail until it is there. Nothing is
    /// asked of a bucket yet.
    pub fn open(url: &Url, most: usize) -> Result<Self, StorageError> {
        let unusable = |reason: String| StorageError::Unusable {
            url: url.to_string(),
            reason,
        };
        let room = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        if url.scheme() == "file" {
            let directory = url
                .to_file_path()
                .map_err(|()| unusable("it is no path of this machine".into()))?;
            let made = std::fs::create_dir_all(&directory);
            let (objects, root) = match made {
                Ok(()) => (
                    LocalFileSystem::new_with_prefix(&directory)
                        .map_err(|e| unusable(e.to_string()))?,
                    Path::default(),
                ),
                Err(error) => {
                    tracing::error!(
                        %url, %error,
                        "there is no storage for recordings: check vod.storage; live goes on"
                    );
                    let root = Path::from_absolute_path(&directory)
                        .map_err(|e| unusable(e.to_string()))?;
                    (LocalFileSystem::new(), root)
                }
            };
            return Ok(Self {
                objects: Arc::new(objects),
                root,
                directory: Some(directory),
                room,
            });
        }
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let is_for_it = name.starts_with("AWS_");
            is_for_it.then_some((name, value.into_string().ok()?))
        });
        let (objects, root) =
            parse_url_opts(url, variables).map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            objects: objects.into(),
            root,
            directory: None,
            room,
        })
    }

    /// Deletes all that there is of a broadcast. What isn't there needs no deleting.
    pub async fn delete_broadcast(&self, broadcast: &BroadcastId) -> Result<(), StorageError> {
        if let Some(directory) = &self.directory {
            // What a broken write left has no object's name, and goes as well.
            let directory = directory.join("vod").join(broadcast.as_str());
            return match tokio::fs::remove_dir_all(directory).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(StorageError::Failed(error.to_string()))
                }
                _ => Ok(()),
            };
        }
        let objects = self.objects.list(Some(&self.place(broadcast)));
        let paths = objects.map_ok(|object| object.location).boxed();
        let mut deleted = self.objects.delete_stream(paths);
        while let Some(done) = timeout(DELETE_TIMEOUT, deleted.next())
            .await
            .map_err(|_| StorageError::Silent)?
        {
            match done.map_err(explained) {
                Ok(_) | Err(StorageError::Missing) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes, reads and deletes an object that nobody else has.
    pub async fn probe(&self) -> Result<(), StorageError> {
        const CONTENT: &[u8] = b"spillway";
        let path = self.root.clone().join(format!("probe-{}", time::new_id()));
        let payload = PutPayload::from_static(CONTENT);
        in_time(self.objects.put(&path, payload)).await?;
        let read = in_time(async { self.objects.get(&path).await?.bytes().await }).await;
        in_time(self.objects.delete(&path)).await?;
        if read? == CONTENT {
            Ok(())
        } else {
            Err(StorageError::Failed(
                "it gave back something else than was written".into(),
            ))
        }
    }

    fn place(&self, broadcast: &BroadcastId) -> Path {
        self.root.clone().join("vod").join(broadcast.as_str())
    }
}

async fn in_time<T>(
    access: impl Future<Output = object_store::Result<T>>,
) -> Result<T, StorageError> {
    timeout(TIMEOUT, access)
        .await
        .map_err(|_| StorageError::Silent)?
        .map_err(explained)
}

fn explained(error: object_store::Error) -> StorageError {
    match error {
        object_store::Error::NotFound { .. } => StorageError::Missing,
        error => StorageError::Failed(error.to_string()),
    }
}
