#![allow(clippy::unwrap_used)]

use std::{ops::Range, path::Path as FilePath};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use http_body_util::BodyExt as _;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    PutMultipartOptions, PutOptions, PutResult, memory::InMemory,
};
use spillway_signaling::{ObjectPart, ObjectRead, VodObject};

use super::*;

/// A storage that does what it's told.
#[derive(Debug)]
struct Faulty {
    inner: InMemory,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Fails,
    Hangs,
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        match self.fault {
            Fault::None => self.inner.get_opts(location, options).await,
            Fault::Hangs => std::future::pending().await,
            Fault::Fails => Err(object_store::Error::Generic {
                store: "Faulty",
                source: "the disk is on fire".into(),
            }),
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn broadcast() -> BroadcastId {
    "b1".parse().unwrap()
}

fn object(path: &str) -> VodObject {
    path.parse().unwrap()
}

fn local(directory: &FilePath, most: usize) -> Storage {
    let url = Url::from_file_path(directory.join("media")).unwrap();
    Storage::open(&url, most).unwrap()
}

fn faulty(fault: Fault) -> Storage {
    let objects = Faulty {
        inner: InMemory::new(),
        fault,
    };
    Storage {
        objects: Arc::new(objects),
        root: Path::from("below/it"),
        directory: None,
        room: Arc::new(Semaphore::new(8)),
    }
}

async fn write(storage: &Storage, path: &str, bytes: Vec<u8>) {
    let mut place = storage.place(&broadcast());
    place.extend(path.split('/'));
    storage.objects.put(&place, bytes.into()).await.unwrap();
}

async fn read(storage: &Storage, path: &str, part: ObjectPart) -> Result<ObjectRead, StorageError> {
    storage.read(&broadcast(), &object(path), part).await
}

async fn bytes_of(read: ObjectRead) -> Vec<u8> {
    read.body.collect().await.unwrap().to_bytes().to_vec()
}

fn from(first: u64, last: Option<u64>) -> ObjectPart {
    ObjectPart::From { first, last }
}

/// Of more than one piece.
fn long() -> Vec<u8> {
    (0..1_300_000_u32).map(|n| (n % 251) as u8).collect()
}

async fn parts_are_right(storage: &Storage) {
    let whole = long();
    write(storage, "video.mp4", whole.clone()).await;
    let size = whole.len() as u64;
    let parts: [(ObjectPart, Range<u64>); 8] = [
        (ObjectPart::Whole, 0..size),
        (from(0, Some(0)), 0..1),
        (from(5, Some(600_000)), 5..600_001),
        (from(size - 7, None), size - 7..size),
        (from(10, Some(u64::MAX)), 10..size),
        (ObjectPart::Last(9), size - 9..size),
        (ObjectPart::Last(u64::MAX), 0..size),
        (ObjectPart::Nothing, 0..0),
    ];
    for (part, range) in parts {
        let read = read(storage, "video.mp4", part).await.unwrap();
        assert_eq!((read.size, &read.range), (size, &range), "{part:?}");
        assert!(read.tag.is_some());
        let bytes = bytes_of(read).await;
        assert!(
            bytes == whole[range.start as usize..range.end as usize],
            "{part:?}"
        );
    }
    for beyond in [from(size, None), from(u64::MAX, None), ObjectPart::Last(0)] {
        let read = read(storage, "video.mp4", beyond).await.unwrap();
        assert_eq!((read.size, read.range), (size, 0..0), "{beyond:?}");
    }
    let missing = read(storage, "poster.jpg", ObjectPart::Whole).await;
    assert!(matches!(missing, Err(StorageError::Missing)));
}

#[tokio::test]
async fn parts_of_files_are_right() {
    let directory = tempfile::tempdir().unwrap();
    parts_are_right(&local(directory.path(), 2)).await;
}

#[tokio::test]
async fn parts_of_objects_are_right() {
    parts_are_right(&faulty(Fault::None)).await;
}

#[tokio::test]
async fn an_empty_object_is_empty() {
    let storage = faulty(Fault::None);
    write(&storage, "chapters.vtt", Vec::new()).await;
    let read = read(&storage, "chapters.vtt", ObjectPart::Whole).await;
    assert_eq!(read.unwrap().range, 0..0);
}

#[tokio::test]
async fn an_object_that_changes_while_it_is_read_breaks_off() {
    let storage = faulty(Fault::None);
    write(&storage, "video.mp4", long()).await;
    let read = read(&storage, "video.mp4", ObjectPart::Whole)
        .await
        .unwrap();
    write(&storage, "video.mp4", long()).await;
    assert!(read.body.collect().await.is_err());
}

#[tokio::test]
async fn a_slow_reader_holds_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let storage = local(directory.path(), 1);
    write(&storage, "video.mp4", long()).await;
    let unread = read(&storage, "video.mp4", ObjectPart::Whole)
        .await
        .unwrap();
    let other = read(&storage, "video.mp4", ObjectPart::Whole)
        .await
        .unwrap();
    assert_eq!(bytes_of(other).await.len(), long().len());
    assert_eq!(bytes_of(unread).await.len(), long().len());
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_hangs_is_waited_for_no_longer_than_it_may() {
    let storage = faulty(Fault::Hangs);
    let hangs = read(&storage, "video.mp4", ObjectPart::Whole).await;
    assert!(matches!(hangs, Err(StorageError::Silent)));
    let reads: Vec<_> = (0..9)
        .map(|_| read(&storage, "video.mp4", ObjectPart::Whole))
        .collect();
    let ended = futures_util::future::join_all(reads).await;
    let busy = ended
        .iter()
        .filter(|ended| matches!(ended, Err(StorageError::Busy)));
    assert_eq!(busy.count(), 1, "the ninth finds no room");
}

#[tokio::test]
async fn what_failed_is_told() {
    let storage = faulty(Fault::Fails);
    let failed = read(&storage, "video.mp4", ObjectPart::Whole).await;
    assert!(matches!(failed, Err(StorageError::Failed(why)) if why.contains("on fire")));
    let probed = storage.probe().await;
    assert!(matches!(probed, Err(StorageError::Failed(_))));
}

#[tokio::test]
async fn a_probe_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    local(directory.path(), 1).probe().await.unwrap();
    let left = std::fs::read_dir(directory.path().join("media")).unwrap();
    assert_eq!(left.count(), 0);
    faulty(Fault::None).probe().await.unwrap();
}

#[tokio::test]
async fn all_of_a_broadcast_is_deleted_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    for storage in [local(directory.path(), 1), faulty(Fault::None)] {
        write(&storage, "720p/1.m4s", vec![1]).await;
        write(&storage, "index.m3u8", vec![1]).await;
        let other = storage.root.clone().join("vod").join("b10").join("x");
        storage.objects.put(&other, "kept".into()).await.unwrap();
        storage.delete_broadcast(&broadcast()).await.unwrap();
        let gone = read(&storage, "720p/1.m4s", ObjectPart::Whole).await;
        assert!(matches!(gone, Err(StorageError::Missing)));
        assert!(storage.objects.get(&other).await.is_ok());
        storage.delete_broadcast(&broadcast()).await.unwrap();
    }
    assert!(!directory.path().join("media/vod/b1").exists());
}

#[tokio::test]
async fn a_disk_that_is_not_there_fails_until_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("a disk");
    std::fs::write(&disk, "in the way").unwrap();
    let url = Url::from_file_path(disk.join("media")).unwrap();
    let storage = Storage::open(&url, 1).unwrap();
    let refused = storage.probe().await;
    assert!(
        matches!(refused, Err(StorageError::Failed(_))),
        "{refused:?}"
    );
    assert!(
        read(&storage, "index.m3u8", ObjectPart::Whole)
            .await
            .is_err()
    );
    std::fs::remove_file(&disk).unwrap();
    storage.probe().await.unwrap();
    write(&storage, "index.m3u8", vec![1]).await;
    assert!(disk.join("media/vod/b1/index.m3u8").exists());
    storage.delete_broadcast(&broadcast()).await.unwrap();
    assert!(!disk.join("media/vod/b1").exists());
}
