//! The chat of the platform in memory: a room that says what it's told, and takes what is signed `good`.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::value::RawValue;
use spillway_signaling::{
    BroadcastId, ChannelName, ChatInlet, ChatLine, Chats, EventPlace, NewCaptions, Platform as _,
    Refusal, Said, SignedEvent, api::model::PageRequest, platform::Caller,
};
use tokio::sync::mpsc;

use crate::fake::{Fake, check};

/// Frames that may wait for a client.
const FRAMES: usize = 9;

#[derive(Default)]
pub(crate) struct FakeChat {
    captions: Mutex<Vec<NewCaptions>>,
}

impl FakeChat {
    /// What was told in broadcasts.
    pub(crate) fn captions(&self) -> Vec<NewCaptions> {
        self.captions.lock().unwrap().clone()
    }
}

struct Echo(mpsc::Sender<Arc<str>>);

impl ChatInlet for Echo {
    fn say(&self, frame: String) {
        self.0.try_send(frame.into()).unwrap();
    }
}

#[async_trait]
impl Chats for Fake {
    async fn join_chat(&self, channel: &ChannelName, caller: &Caller) -> Result<ChatLine, Refusal> {
        if self.channel(channel).await?.settings.restricted_viewing {
            check(caller, &[&format!("view:{channel}")])?;
        }
        let (said, frames) = mpsc::channel(FRAMES);
        Ok(ChatLine {
            inlet: Box::new(Echo(said)),
            frames,
        })
    }

    /// Its number is its length; what has no key was there before.
    async fn take_event(&self, _: &ChannelName, event: SignedEvent) -> Result<EventPlace, Refusal> {
        match event.signature.as_deref() {
            Some("good") => Ok(EventPlace {
                seq: Some(event.body.len() as u64),
                known: event.idempotency_key.is_none(),
            }),
            _ => Err(Refusal::Unauthorized("sign it".into())),
        }
    }

    async fn said(&self, _: &BroadcastId, page: PageRequest) -> Result<Said, Refusal> {
        Ok(begins(page))
    }

    async fn actions(&self, channel: &ChannelName, page: PageRequest) -> Result<Said, Refusal> {
        self.channel(channel).await?;
        Ok(begins(page))
    }

    async fn caption(&self, broadcast: &BroadcastId, captions: NewCaptions) -> Result<(), Refusal> {
        self.broadcast(broadcast.as_str()).await?;
        self.chat.captions.lock().unwrap().push(captions);
        Ok(())
    }
}

/// Says where the page begins.
fn begins(page: PageRequest) -> Said {
    let entry = format!("{{\"after\":{:?}}}", page.after.unwrap_or_default());
    Said {
        items: vec![RawValue::from_string(entry).unwrap()],
        next: None,
    }
}
