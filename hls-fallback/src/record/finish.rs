//! What is made of a recording when its broadcast is over: playlists at once, then the rest, one recording at a time.

use super::{
    Works,
    chapters::{self, Marker},
    courier::Backoff,
    model::{Recording, State},
    movie::{self, MovieError},
    pictures::{self, PicturesError},
    playlist, spine,
    storage::{AccessError, Shelf},
};

/// The chapters' name.
const CHAPTERS: &str = "chapters.vtt";
/// A node that doesn't answer is asked for markers so often; then there are none.
const MARKER_TRIES: u32 = 6;

/// Why a recording isn't finished.
#[derive(Debug, thiserror::Error)]
pub(super) enum FinishError {
    /// No segment came.
    #[error("nothing was recorded")]
    Nothing,
    /// The storage.
    #[error(transparent)]
    Storage(#[from] AccessError),
    /// The MP4 file.
    #[error(transparent)]
    Movie(MovieError),
}

/// Makes all of it; gives how many bytes that is. It may be begun again any time.
pub(super) async fn make(
    works: &Works,
    shelf: &Shelf,
    recording: &Recording,
) -> Result<u64, FinishError> {
    let places = spine::places(recording);
    let last = places.last().ok_or(FinishError::Nothing)?;
    for (name, data) in playlist::all(recording, &places, true) {
        shelf.put(&name, data).await?;
    }
    let broadcast = recording.broadcast.as_str();
    tracing::info!(
        broadcast,
        "a recording can be watched; its files are being made"
    );
    // Never closed.
    let _turn = works.finishing.acquire().await;
    let chapters = chapters::chapters(&markers(works, broadcast).await, &places);
    let text = chapters::web_vtt(&chapters, last.start + last.duration);
    let mut bytes = text.len() as u64;
    shelf.put(CHAPTERS, text.into()).await?;
    bytes += movie::make(shelf, recording, &places, &chapters)
        .await
        .map_err(|error| match error {
            MovieError::Access(error) => FinishError::Storage(error),
            error => FinishError::Movie(error),
        })?;
    bytes += match pictures::make(shelf, recording, &places).await {
        Ok(bytes) => bytes,
        Err(PicturesError::Access(error)) => return Err(error.into()),
        Err(error) => {
            // It can be watched all the same.
            tracing::error!(broadcast, %error, "a recording has no pictures");
            0
        }
    };
    let mut done = recording.clone();
    (done.state, done.made_bytes) = (State::Ready, bytes);
    // Numbers and text: that can be written as JSON.
    if let Ok(json) = serde_json::to_vec(&done) {
        shelf.put(playlist::RECORD, json.into()).await?;
    }
    tracing::info!(broadcast, bytes, "a recording is ready");
    Ok(bytes)
}

async fn markers(works: &Works, broadcast: &str) -> Vec<Marker> {
    let mut backoff = Backoff::new();
    for _ in 0..MARKER_TRIES {
        match works.node.markers(broadcast).await {
            Ok(markers) => return markers,
            Err(error) => {
                tracing::warn!(broadcast, %error, "the node doesn't tell a broadcast's markers");
                if error.is_not_found() {
                    break;
                }
            }
        }
        backoff.wait().await;
    }
    Vec::new()
}
