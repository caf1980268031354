//! Where recordings are kept: a folder, or a bucket of S3.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{self, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig, aws::AmazonS3Builder,
    local::LocalFileSystem, path::Path,
};
use url::Url;

use super::disk::{Disk, DiskLow, Reserve};

/// An object is stored or read within this time, or that counts as a failure: it is tried again then.
const PATIENCE: Duration = Duration::from_mins(2);

/// Why a storage can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Of another kind.
    #[error("{0} is no storage: write file:///folder or s3://bucket/prefix")]
    Scheme(Url),
    /// The folder isn't there and can't be made.
    #[error("the folder {folder} can't be used: {source}")]
    Folder {
        /// Which one.
        folder: String,
        /// Why.
        source: std::io::Error,
    },
    /// What the `AWS_*` variables say doesn't fit.
    #[error("{url} can't be used: {source}; do the AWS_* variables fit?")]
    Store {
        /// The storage.
        url: Url,
        /// Why.
        source: Box<object_store::Error>,
    },
}

/// Why an object isn't stored or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum AccessError {
    /// The storage said so.
    #[error(transparent)]
    Store(#[from] object_store::Error),
    /// It says nothing.
    #[error("the storage doesn't answer")]
    Timeout,
    /// A folder on a disk that is nearly full.
    #[error("the storage finds no room: {0}")]
    Disk(#[from] DiskLow),
}

impl AccessError {
    /// It works, but doesn't have that.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Store(object_store::Error::NotFound { .. }))
    }
}

/// A storage of recordings. Clones are the same.
#[derive(Debug, Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Where it is, if it's a folder.
    folder: Option<PathBuf>,
    /// The disk of that, once it's said what stays free there.
    disk: Option<Disk>,
    /// It isn't the spool's.
    is_apart: bool,
}

impl Storage {
    /// The one at `url`: `file:///folder`, which is made, or `s3://bucket/prefix`, whose credentials, region and endpoint are in the
    /// usual `AWS_*` variables.
    ///
    /// # Errors
    /// It's of another kind, or its configuration is broken. Whether a bucket answers shows later.
    pub fn open(url: &Url) -> Result<Self, StorageError> {
        match url.scheme() {
            "file" => Self::folder(url),
            "s3" => Self::bucket(url, AmazonS3Builder::from_env()),
            _ => Err(StorageError::Scheme(url.clone())),
        }
    }

    /// The bucket at `s3://bucket/prefix`, with credentials, region and endpoint of the builder's.
    ///
    /// # Errors
    /// They don't fit. Whether it answers shows later.
    pub fn bucket(url: &Url, builder: AmazonS3Builder) -> Result<Self, StorageError> {
        let failed = |source| StorageError::Store {
            url: url.clone(),
            source: Box::new(source),
        };
        // Those who ask try again for as long as it takes, and say so.
        let retry = RetryConfig {
            max_retries: 2,
            retry_timeout: Duration::from_secs(20),
            ..RetryConfig::default()
        };
        let store = builder
            .with_url(url.as_str())
            .with_retry(retry)
            .build()
            .map_err(failed)?;
        let prefix = Path::from_url_path(url.path()).map_err(|error| failed(error.into()))?;
        Ok(Self {
            prefix,
            ..Self::new(Arc::new(store))
        })
    }

    fn folder(url: &Url) -> Result<Self, StorageError> {
        let folder = url
            .to_file_path()
            .map_err(|()| StorageError::Scheme(url.clone()))?;
        std::fs::create_dir_all(&folder).map_err(|source| StorageError::Folder {
            folder: folder.display().to_string(),
            source,
        })?;
        let store =
            LocalFileSystem::new_with_prefix(&folder).map_err(|source| StorageError::Store {
                url: url.clone(),
                source: Box::new(source),
            })?;
        Ok(Self {
            folder: Some(folder),
            ..Self::new(Arc::new(store))
        })
    }

    /// One of any kind.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            prefix: Path::default(),
            folder: None,
            disk: None,
            is_apart: false,
        }
    }

    /// So much of its disk stays free, if it's a folder. What it gets comes from the spool.
    pub(super) fn leaving(self, reserve: Reserve, spool: &path::Path) -> Self {
        let Some(folder) = self.folder.as_deref() else {
            return self;
        };
        let device = |of: &path::Path| std::fs::metadata(of).map(|of| of.dev()).ok();
        Self {
            is_apart: device(folder) != device(spool),
            disk: Some(Disk::new(folder, reserve)),
            ..self
        }
    }

    /// That of one broadcast.
    pub(super) fn of(&self, broadcast: &str) -> Shelf {
        Shelf {
            store: self.store.clone(),
            disk: self.disk.clone(),
            is_apart: self.is_apart,
            folder: self.prefix.clone().join("vod").join(broadcast),
        }
    }
}

/// What is kept of one broadcast.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    store: Arc<dyn ObjectStore>,
    disk: Option<Disk>,
    is_apart: bool,
    folder: Path,
}

impl Shelf {
    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.folder.clone(), Path::join)
    }

    /// Stores a file of the spool, if the disk has room for it. On the spool's own disk that makes no difference, since it goes there.
    pub(super) async fn take(&self, name: &str, data: Bytes) -> Result<(), AccessError> {
        if let Some(disk) = self.disk.as_ref().filter(|_| self.is_apart) {
            disk.grant(data.len() as u64)?;
        }
        self.put(name, data).await
    }

    /// Stores an object whole. It replaces one of that name. Whether its disk has room isn't asked: it's for what is small, without
    /// which nobody can play the recording.
    pub(super) async fn put(&self, name: &str, data: Bytes) -> Result<(), AccessError> {
        let path = self.path(name);
        let put = self.store.put(&path, PutPayload::from_bytes(data));
        match tokio::time::timeout(PATIENCE, put).await {
            Ok(stored) => Ok(stored.map(|_| ())?),
            Err(_) => Err(AccessError::Timeout),
        }
    }

    /// Deletes an object. That there's none is fine.
    pub(super) async fn delete(&self, name: &str) -> Result<(), AccessError> {
        let path = self.path(name);
        match tokio::time::timeout(PATIENCE, self.store.delete(&path)).await {
            Ok(Err(object_store::Error::NotFound { .. })) => Ok(()),
            Ok(deleted) => Ok(deleted?),
            Err(_) => Err(AccessError::Timeout),
        }
    }

    pub(super) async fn get(&self, name: &str) -> Result<Bytes, AccessError> {
        let path = self.path(name);
        let get = async { self.store.get(&path).await?.bytes().await };
        match tokio::time::timeout(PATIENCE, get).await {
            Ok(got) => Ok(got?),
            Err(_) => Err(AccessError::Timeout),
        }
    }

    /// Stores an object of `length` bytes piece by piece, if its disk has room for the whole.
    pub(super) async fn write(&self, name: &str, length: u64) -> Result<Writing, AccessError> {
        if let Some(disk) = &self.disk {
            disk.grant(length)?;
        }
        let path = self.path(name);
        let begun = self.store.put_multipart(&path);
        let upload = match tokio::time::timeout(PATIENCE, begun).await {
            Ok(upload) => upload?,
            Err(_) => return Err(AccessError::Timeout),
        };
        let chunk = CHUNK.max(length.div_ceil(MOST_CHUNKS) as usize);
        Ok(Writing(object_store::WriteMultipart::new_with_chunk_size(
            upload, chunk,
        )))
    }
}

/// An object goes to the storage in pieces of so many bytes, if they are no more than S3 allows.
const CHUNK: usize = 8 << 20;
const MOST_CHUNKS: u64 = 9_000;
/// Pieces on their way at once.
const CONCURRENT: usize = 2;

/// An object being written. Nothing of it is seen until it is finished.
#[derive(Debug)]
pub(super) struct Writing(object_store::WriteMultipart);

impl Writing {
    /// Appends.
    pub(super) async fn put(&mut self, data: Bytes) -> Result<(), AccessError> {
        match tokio::time::timeout(PATIENCE, self.0.wait_for_capacity(CONCURRENT)).await {
            Ok(ready) => ready?,
            Err(_) => return Err(AccessError::Timeout),
        }
        self.0.put(data);
        Ok(())
    }

    pub(super) async fn finish(self) -> Result<(), AccessError> {
        match tokio::time::timeout(PATIENCE, self.0.finish()).await {
            Ok(finished) => Ok(finished.map(|_| ())?),
            Err(_) => Err(AccessError::Timeout),
        }
    }

    /// Has the storage forget what came.
    pub(super) async fn abort(self) {
        let aborted = tokio::time::timeout(PATIENCE, self.0.abort()).await;
        if !matches!(aborted, Ok(Ok(()))) {
            tracing::debug!("an unfinished object couldn't be taken back");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_keeps_objects_under_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("media");
        let url = Url::from_directory_path(&at).unwrap();
        let shelf = Storage::open(&url).unwrap().of("b1");
        shelf
            .put("360p/7.m4s", Bytes::from_static(b"seven"))
            .await
            .unwrap();
        assert_eq!(
            std::fs::read(at.join("vod/b1/360p/7.m4s")).unwrap(),
            b"seven"
        );
        let missing = shelf.get("360p/8.m4s").await.unwrap_err();
        assert!(missing.is_not_found());
        let mut writing = shelf.write("video.mp4", 10).await.unwrap();
        writing.put(Bytes::from_static(b"01234")).await.unwrap();
        assert!(shelf.get("video.mp4").await.is_err(), "not before its end");
        writing.put(Bytes::from_static(b"56789")).await.unwrap();
        writing.finish().await.unwrap();
        assert_eq!(shelf.get("video.mp4").await.unwrap(), "0123456789");
    }

    #[tokio::test]
    async fn what_is_reserved_on_a_disk_of_its_own_stays_free() {
        let all = Reserve::Bytes(1 << 60);
        let folder = tempfile::tempdir().unwrap();
        let url = Url::from_directory_path(folder.path()).unwrap();
        let shelf = |spool: &str| {
            let storage = Storage::open(&url).unwrap();
            storage.leaving(all, path::Path::new(spool)).of("b1")
        };
        // Always another file system.
        let apart = shelf("/proc");
        let refused = apart.take("360p/7.m4s", Bytes::from_static(b"7")).await;
        assert!(matches!(refused, Err(AccessError::Disk(_))));
        apart.put("index.m3u8", Bytes::new()).await.unwrap();
        let same = shelf(folder.path().to_str().unwrap());
        same.take("360p/7.m4s", Bytes::from_static(b"7"))
            .await
            .unwrap();
    }

    #[test]
    fn what_is_no_storage_is_refused() {
        for url in ["ftp://host/x", "http://host/x"] {
            let url = Url::parse(url).unwrap();
            assert!(matches!(Storage::open(&url), Err(StorageError::Scheme(_))));
        }
    }
}
