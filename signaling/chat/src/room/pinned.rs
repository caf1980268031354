//! The pinned message: kept whole, since the log's latest entries may not have it any more, and clients never had it.

use serde_json::value::RawValue;

use super::{Matter, Output, Room};
use crate::{AuthorId, Entry, Kind, Millis, protocol::ServerObject};

impl Room {
    /// What is pinned may be another message now: everybody is told, at once or when it's found.
    pub(super) fn follow_pin(&mut self) {
        let held = self.pinned.as_ref().map(|entry| entry.seq);
        if held == self.state.pinned {
            return;
        }
        let Some(seq) = self.state.pinned else {
            self.hold_pin(None);
            return;
        };
        match self.ring.message(seq).cloned() {
            Some(entry) => self.hold_pin(Some(entry)),
            None => self.outputs.push_back(Output::Find { seq }),
        }
    }

    /// What [`Output::Find`] asked for. `None`: the log has forgotten it, or can't be read.
    pub fn found(&mut self, now: Millis, seq: u64, entry: Option<Entry>) {
        self.found_to_delete(now, seq, entry.as_ref());
        if self.state.pinned == Some(seq) {
            self.hold_pin(entry.filter(|entry| entry.seq == seq));
        }
    }

    fn hold_pin(&mut self, entry: Option<Entry>) {
        let before = self.pinned.take();
        self.pinned = entry.filter(is_to_be_shown);
        if before != self.pinned {
            let entry = self.pinned_json();
            self.send_to_all(Matter::State, &[ServerObject::Pinned { entry }]);
        }
    }

    /// As clients are sent it.
    pub(super) fn pinned_json(&self) -> Option<Box<RawValue>> {
        RawValue::from_string(self.pinned.as_ref()?.to_json()).ok()
    }

    /// Who wrote what is pinned.
    pub(super) fn pinned_author(&self) -> Option<&AuthorId> {
        self.pinned.as_ref()?.draft.author.as_ref()
    }
}

pub(super) fn is_to_be_shown(entry: &Entry) -> bool {
    entry.draft.kind == Kind::Message && !entry.deleted
}
