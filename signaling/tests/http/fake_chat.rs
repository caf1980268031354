//! A chat in memory: a room that says what it's told, and takes what is signed `good`.

use std::sync::Arc;

use serde_json::value::RawValue;
use spillway_signaling::{
    ChatInlet, ChatLine, EventPlace, Refusal, Said, SignedEvent, api::model::PageRequest,
};
use tokio::sync::mpsc;

/// Frames that may wait for a client.
const FRAMES: usize = 9;

struct Echo(mpsc::Sender<Arc<str>>);

impl ChatInlet for Echo {
    fn say(&self, frame: String) {
        self.0.try_send(frame.into()).unwrap();
    }
}

pub(crate) fn line() -> ChatLine {
    let (said, frames) = mpsc::channel(FRAMES);
    ChatLine {
        inlet: Box::new(Echo(said)),
        frames,
    }
}

/// Its number is its length; what has no key was there before.
pub(crate) fn take(event: &SignedEvent) -> Result<EventPlace, Refusal> {
    match event.signature.as_deref() {
        Some("good") => Ok(EventPlace {
            seq: Some(event.body.len() as u64),
            known: event.idempotency_key.is_none(),
        }),
        _ => Err(Refusal::Unauthorized("sign it".into())),
    }
}

/// Says where the page begins.
pub(crate) fn said(page: PageRequest) -> Said {
    let entry = format!("{{\"after\":{:?}}}", page.after.unwrap_or_default());
    Said {
        items: vec![RawValue::from_string(entry).unwrap()],
        next: None,
    }
}
