//! Reading objects, in pieces.

use std::{io, ops::Range};

use axum::body::{Body, Bytes};
use futures_util::stream::{StreamExt as _, iter, unfold};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStoreExt as _, path::Path};
use spillway_signaling::{BroadcastId, ObjectPart, ObjectRead, VodObject, api::model::Timestamp};
use tokio::time::timeout;

use super::{Storage, StorageError, in_time};

/// Bytes that are read at once, and that an answer has in memory.
const PIECE: u64 = 512 << 10;
/// The same of a playlist, which is written anew as a whole: longer than any is.
const PLAYLIST: u64 = 64 << 20;
/// How long an access waits for others to end.
const WAIT: std::time::Duration = std::time::Duration::from_secs(2);

impl Storage {
    /// Reads an object of a broadcast. Nothing of the storage is held while the answer isn't read.
    pub async fn read(
        &self,
        broadcast: &BroadcastId,
        object: &VodObject,
        part: ObjectPart,
    ) -> Result<ObjectRead, StorageError> {
        let mut path = self.place(broadcast);
        path.extend(object.path().split('/'));
        let piece = if object.is_playlist() {
            PLAYLIST
        } else {
            PIECE
        };
        match part {
            ObjectPart::Nothing | ObjectPart::Last(0) => Ok(nothing_of(&self.look(&path).await?)),
            ObjectPart::Whole => self.read_from(path, 0, None, piece).await,
            ObjectPart::From { first, last } => self.read_from(path, first, last, piece).await,
            ObjectPart::Last(length) => {
                let size = self.look(&path).await?.size;
                self.read_from(path, size.saturating_sub(length), None, piece)
                    .await
            }
        }
    }

    async fn read_from(
        &self,
        path: Path,
        first: u64,
        last: Option<u64>,
        piece: u64,
    ) -> Result<ObjectRead, StorageError> {
        let end = last.map_or(u64::MAX, |last| last.saturating_add(1));
        let begin = first..end.min(first.saturating_add(piece));
        let (meta, bytes) = match self.get(&path, begin, None).await {
            Ok(got) => got,
            Err(error @ StorageError::Failed(_)) => {
                // Storages tell in different ways that an object isn't that long.
                let meta = self.look(&path).await?;
                return if first < meta.size {
                    Err(error)
                } else {
                    Ok(nothing_of(&meta))
                };
            }
            Err(error) => return Err(error),
        };
        let range = first..end.min(meta.size);
        let rest = Rest {
            storage: self.clone(),
            path,
            left: first + bytes.len() as u64..range.end,
            tag: meta.e_tag.clone(),
            piece,
        };
        Ok(ObjectRead {
            range,
            body: rest.behind(bytes),
            ..nothing_of(&meta)
        })
    }

    async fn look(&self, path: &Path) -> Result<ObjectMeta, StorageError> {
        let _room = self.enter().await?;
        in_time(self.objects.head(path)).await
    }

    /// A piece of an object, or of the version of it that has that tag.
    async fn get(
        &self,
        path: &Path,
        range: Range<u64>,
        tag: Option<String>,
    ) -> Result<(ObjectMeta, Bytes), StorageError> {
        let _room = self.enter().await?;
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: tag,
            ..GetOptions::default()
        };
        in_time(async {
            let got = self.objects.get_opts(path, options).await?;
            Ok((got.meta.clone(), got.bytes().await?))
        })
        .await
    }

    async fn enter(&self) -> Result<tokio::sync::SemaphorePermit<'_>, StorageError> {
        match timeout(WAIT, self.room.acquire()).await {
            Ok(Ok(room)) => Ok(room),
            _ => Err(StorageError::Busy),
        }
    }
}

/// What is still to be read of an object.
struct Rest {
    storage: Storage,
    path: Path,
    left: Range<u64>,
    tag: Option<String>,
    piece: u64,
}

impl Rest {
    /// A body of what was read and what is left.
    fn behind(self, read: Bytes) -> Body {
        if self.left.is_empty() {
            return Body::from(read);
        }
        let rest = unfold(self, async |mut rest| {
            if rest.left.is_empty() {
                return None;
            }
            let piece = rest.next().await;
            if piece.is_err() {
                rest.left.start = rest.left.end;
            }
            Some((piece, rest))
        });
        Body::from_stream(iter([Ok(read)]).chain(rest))
    }

    async fn next(&mut self) -> io::Result<Bytes> {
        let end = self
            .left
            .end
            .min(self.left.start.saturating_add(self.piece));
        let range = self.left.start..end;
        let got = self.storage.get(&self.path, range, self.tag.clone());
        let (_, bytes) = got.await.map_err(|error| {
            tracing::debug!(%error, path = %self.path, "a recording's object breaks off");
            io::Error::other(error)
        })?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left.start += bytes.len() as u64;
        Ok(bytes)
    }
}

fn nothing_of(meta: &ObjectMeta) -> ObjectRead {
    ObjectRead {
        size: meta.size,
        tag: meta.e_tag.clone(),
        modified: Timestamp(u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0)),
        range: 0..0,
        body: Body::empty(),
    }
}
