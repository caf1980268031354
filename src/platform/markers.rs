//! Markers: what streamers set in a broadcast, and what the node does by itself.

use spillway_signaling::{BroadcastId, ChannelName, Marker, NewMarker, Refusal};

use super::{
    Node,
    recordings::{broadcast_id, no_broadcast},
    refusals,
};
use crate::{store::Creation, time};

/// The most markers of a broadcast.
const MOST: usize = 1000;
/// How many there may be when the node sets one itself: an encoder that comes and goes leaves room for its streamer's.
const MOST_OWN: usize = MOST / 2;
/// What is called so began when the publisher returned.
const BACK: &str = "Back";

impl Node {
    pub(super) async fn list_markers(&self, id: &BroadcastId) -> Result<Vec<Marker>, Refusal> {
        let store = &self.parts.store;
        let broadcast = store.broadcast(id.as_str()).await;
        broadcast
            .map_err(refusals::from_store)?
            .ok_or_else(no_broadcast)?;
        store.markers(id).await.map_err(refusals::from_store)
    }

    pub(super) async fn set_marker(
        &self,
        channel: &ChannelName,
        new: NewMarker,
    ) -> Result<Marker, Refusal> {
        let on_air = self.state().on_air.broadcast(channel).cloned();
        let Some(broadcast) = on_air else {
            self.known_channel(channel).await?;
            return Err(Refusal::conflict(format!(
                "\"{channel}\" isn't live; markers are set while it is"
            )));
        };
        let now = time::now();
        let marker = Marker {
            id: time::new_id(),
            at: new.at.unwrap_or(now),
            title: new.title,
        };
        if marker.at < broadcast.started_at || marker.at > now {
            return Err(Refusal::Unprocessable(
                "at isn't within the broadcast: it's after its beginning, and not after now".into(),
            ));
        }
        let id = broadcast_id(&broadcast.id)?;
        let added = self.parts.store.add_marker(&id, &marker, MOST).await;
        match added.map_err(refusals::from_store)? {
            Creation::Created | Creation::Exists => Ok(marker),
            Creation::Full => Err(Refusal::conflict(format!(
                "a broadcast has at most {MOST} markers; take some out"
            ))),
        }
    }

    pub(super) async fn remove_marker(
        &self,
        broadcast: &BroadcastId,
        marker: &str,
    ) -> Result<(), Refusal> {
        let deleted = self.parts.store.delete_marker(broadcast, marker).await;
        if deleted.map_err(refusals::from_store)? {
            return Ok(());
        }
        Err(Refusal::NotFound(
            "there is no such marker; list them to see their identifiers".into(),
        ))
    }

    /// The publisher of a broadcast has come back: a chapter of the recording begins.
    pub(super) async fn mark_return(&self, broadcast: &str) {
        let Ok(id) = broadcast_id(broadcast) else {
            return;
        };
        let marker = Marker {
            id: time::new_id(),
            at: time::now(),
            title: BACK.into(),
        };
        match self.parts.store.add_marker(&id, &marker, MOST_OWN).await {
            Ok(Creation::Full) => tracing::debug!(broadcast, "no room for another marker"),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, broadcast, "a return isn't marked"),
        }
    }
}
