//! The rooms that run on this node, by their channels.

use std::collections::HashMap;

use spillway_signaling::ChannelName;
use tokio::sync::mpsc;

use super::{INBOX, room_task::Input};

/// Of each channel the room that was opened last.
#[derive(Default)]
pub(super) struct Rooms(HashMap<ChannelName, mpsc::Sender<Input>>);

/// Where a room's task finds what is posted to it. It ends when the channel is deleted.
pub(super) struct Inbox {
    inputs: mpsc::Receiver<Input>,
    /// Which room it is: another of the channel's may have come after it.
    room: mpsc::WeakSender<Input>,
}

impl Inbox {
    pub(super) async fn next(&mut self) -> Option<Input> {
        self.inputs.recv().await
    }
}

impl Rooms {
    /// The channel's room. One is started where there's none, or where its task died of a fault.
    pub(super) fn open(
        &mut self,
        channel: &ChannelName,
        start: impl FnOnce(Inbox),
    ) -> mpsc::Sender<Input> {
        if let Some(room) = self.get(channel).filter(|room| !room.is_closed()) {
            return room.clone();
        }
        let (room, inputs) = mpsc::channel(INBOX);
        start(Inbox {
            inputs,
            room: room.downgrade(),
        });
        self.0.insert(channel.clone(), room.clone());
        room
    }

    pub(super) fn get(&self, channel: &ChannelName) -> Option<&mpsc::Sender<Input>> {
        self.0.get(channel)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ChannelName, &mpsc::Sender<Input>)> {
        self.0.iter()
    }

    /// Nothing more is posted to the channel's room.
    pub(super) fn close(&mut self, channel: &ChannelName) {
        self.0.remove(channel);
    }

    /// Ends a room that nothing waits for, whether it's still the channel's or not. What is posted from then on opens another.
    pub(super) fn end(&mut self, channel: &ChannelName, inbox: &Inbox) -> bool {
        let is_idle = inbox.inputs.is_empty();
        let is_present = || {
            let room = inbox.room.upgrade();
            room.is_some_and(|room| self.get(channel).is_some_and(|it| it.same_channel(&room)))
        };
        if is_idle && is_present() {
            self.close(channel);
        }
        is_idle
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn demo() -> ChannelName {
        "demo".parse().unwrap()
    }

    /// The channel's room, and its inbox if it was started now.
    fn open(rooms: &mut Rooms) -> (mpsc::Sender<Input>, Option<Inbox>) {
        let mut started = None;
        let room = rooms.open(&demo(), |inbox| started = Some(inbox));
        (room, started)
    }

    #[test]
    fn a_room_whose_task_died_is_followed_by_another() {
        let mut rooms = Rooms::default();
        let (first, inbox) = open(&mut rooms);
        let (same, none) = open(&mut rooms);
        assert!(same.same_channel(&first) && none.is_none());
        drop(inbox);
        let (second, inbox) = open(&mut rooms);
        assert!(inbox.is_some() && !second.same_channel(&first));
        second.try_send(Input::Viewers(1)).unwrap();
    }

    #[test]
    fn a_room_that_ends_late_leaves_its_successor() {
        let mut rooms = Rooms::default();
        let (kept, first) = open(&mut rooms);
        rooms.close(&demo());
        let (_, second) = open(&mut rooms);
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(rooms.end(&demo(), &first));
        drop(kept);
        assert!(rooms.end(&demo(), &first));
        assert!(rooms.get(&demo()).is_some());
        assert!(rooms.end(&demo(), &second));
        assert!(rooms.get(&demo()).is_none());
    }

    #[test]
    fn a_room_that_something_waits_for_goes_on() {
        let mut rooms = Rooms::default();
        let (room, inbox) = open(&mut rooms);
        room.try_send(Input::Viewers(1)).unwrap();
        assert!(!rooms.end(&demo(), &inbox.unwrap()));
        assert!(rooms.get(&demo()).is_some());
    }
}
