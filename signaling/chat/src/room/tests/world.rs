//! A room with a log and clients around it, in virtual time.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{
    AuthorId, Entry, Millis, Role,
    protocol::{ClientFrame, parse},
    room::{
        AddressHash, Appended, Joining, Matter, OnAir, Opened, Output, ParticipantId, Room,
        RoomLimits, RoomState,
    },
};

pub(super) const STARTED: Millis = 1_000_000;

/// The log as a store keeps it.
#[derive(Default)]
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
    keys: HashMap<String, u64>,
    pub(super) state: RoomState,
    pub(super) is_full: bool,
    /// Entries up to this number were forgotten.
    pub(super) forgotten: u64,
}

pub(super) struct World {
    pub(super) room: Room,
    pub(super) log: Log,
    pub(super) now: Millis,
    pub(super) limits: RoomLimits,
    /// What each client was sent, object by object.
    pub(super) received: HashMap<u64, Vec<Value>>,
    pub(super) closed: HashSet<u64>,
    /// Clients that take nothing now.
    pub(super) stuck: HashSet<u64>,
    pub(super) outputs: Vec<Output>,
    /// Frames that were sent to more than nobody.
    pub(super) frames: usize,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(RoomLimits::default())
    }

    pub(super) fn with(limits: RoomLimits) -> Self {
        let mut world = Self {
            room: Room::new("garden", limits.clone(), Opened::default(), STARTED),
            log: Log::default(),
            now: STARTED,
            limits,
            received: HashMap::new(),
            closed: HashSet::new(),
            stuck: HashSet::new(),
            outputs: Vec::new(),
            frames: 0,
        };
        let on_air = OnAir {
            id: "b1".into(),
            started_at: STARTED,
            raised: BTreeMap::new(),
        };
        world.room.set_on_air(STARTED, Some(on_air));
        world.turn();
        world
    }

    /// The room is forgotten and made anew from the log, as after a crash.
    pub(super) fn restart(&mut self) {
        let recent = self
            .log
            .entries
            .iter()
            .rev()
            .take(self.limits.recent)
            .rev()
            .cloned()
            .collect();
        let opened = Opened {
            state: self.log.state.clone(),
            recent,
            last: self.log.entries.len() as u64,
            pinned: self.log.state.pinned().and_then(|seq| self.log.find(seq)),
        };
        self.room = Room::new("garden", self.limits.clone(), opened, self.now);
    }

    pub(super) fn enter(&mut self, id: u64, role: Role, hello: &Value) {
        let text = |name: &str| hello[name].as_str().map(str::to_owned);
        self.room.enter(
            self.now,
            ParticipantId(id),
            AddressHash(hello["address"].as_u64().unwrap_or(id)),
            false,
        );
        let author = text("author").unwrap_or_else(|| format!("author{id}"));
        let joining = Joining {
            author: AuthorId::try_from(author).unwrap(),
            identity: "secret".into(),
            name: text("name"),
            role,
            following_since: hello["following_since"].as_u64(),
            after: hello["after"].as_u64(),
            history: hello["history"]
                .as_u64()
                .map_or(50, |history| history as u32),
        };
        self.room.join(self.now, ParticipantId(id), &joining);
        self.turn();
    }

    pub(super) fn viewer(&mut self, id: u64) {
        self.enter(id, Role::Viewer, &json!({}));
    }

    pub(super) fn leave(&mut self, id: u64) {
        self.room.leave(self.now, ParticipantId(id));
        self.turn();
    }

    pub(super) fn say(&mut self, id: u64, frame: &Value) {
        let frame: ClientFrame = parse(frame.to_string().as_bytes()).unwrap();
        self.room.handle(self.now, ParticipantId(id), frame);
        self.turn();
    }

    pub(super) fn write(&mut self, id: u64, name: &str, text: &str) {
        self.say(id, &json!({"type": "message", "id": name, "text": text}));
    }

    /// Lets time go by, with all that falls due.
    pub(super) fn pass(&mut self, millis: Millis) {
        let end = self.now + millis;
        while let Some(at) = self.room.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.room.handle_timeout(self.now);
            self.turn();
        }
        self.now = end;
    }

    /// Does what the room wants.
    pub(super) fn turn(&mut self) {
        while let Some(output) = self.room.poll() {
            match output.clone() {
                Output::Append {
                    ticket,
                    draft,
                    state,
                    deletes,
                    ..
                } => {
                    let how = self
                        .log
                        .append(draft, state.map(Arc::unwrap_or_clone), deletes);
                    self.room.appended(self.now, ticket, how);
                }
                Output::Send {
                    to, frame, matter, ..
                } => {
                    self.frames += usize::from(matter == Matter::Log);
                    for id in to {
                        let taken = !self.stuck.contains(&id.0);
                        if taken {
                            let objects: Vec<Value> = serde_json::from_str(&frame).unwrap();
                            self.received.entry(id.0).or_default().extend(objects);
                        }
                        match matter {
                            Matter::Log => self.room.sent(self.now, id, taken),
                            Matter::State if !taken => self.room.missed(self.now, id),
                            Matter::State | Matter::Passing => {}
                        }
                    }
                }
                Output::Load { participant, after } => {
                    let entries = self.log.behind(after, 200);
                    self.room.loaded(self.now, participant, Some(&entries));
                }
                Output::Find { seq } => self.room.found(self.now, seq, self.log.find(seq)),
                Output::Close(id) => {
                    self.closed.insert(id.0);
                }
                Output::Follow { .. } | Output::Report { .. } => {}
            }
            self.outputs.push(output);
        }
    }

    /// What a client was sent of that type.
    pub(super) fn got(&self, id: u64, kind: &str) -> Vec<&Value> {
        let received = self.received.get(&id).into_iter().flatten();
        received.filter(|object| object["type"] == kind).collect()
    }

    /// The code of the last problem that a client was told of.
    pub(super) fn problem(&self, id: u64) -> Option<&str> {
        self.got(id, "error").last()?["code"].as_str()
    }

    pub(super) fn texts(&self, id: u64) -> Vec<&str> {
        self.got(id, "message")
            .iter()
            .map(|message| message["text"].as_str().unwrap())
            .collect()
    }

    /// Every number that a client was told, as an entry or as skipped, in the order in which it was told.
    pub(super) fn numbers(&self, id: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        for object in self.received.get(&id).into_iter().flatten() {
            match object["type"].as_str().unwrap() {
                "message" | "action" | "event" => numbers.push(object["seq"].as_u64().unwrap()),
                "skipped" => numbers
                    .extend(object["from"].as_u64().unwrap()..=object["to"].as_u64().unwrap()),
                _ => {}
            }
        }
        numbers
    }
}

impl Log {
    fn append(
        &mut self,
        draft: crate::entry::Draft,
        state: Option<RoomState>,
        deletes: Option<u64>,
    ) -> Appended {
        if self.is_full {
            return Appended::Failed;
        }
        if let Some(seq) = draft.key.as_ref().and_then(|key| self.keys.get(key)) {
            return Appended::Known(*seq);
        }
        let seq = self.entries.len() as u64 + 1;
        if let Some(key) = &draft.key {
            self.keys.insert(key.clone(), seq);
        }
        if let Some(state) = state {
            self.state = state;
        }
        if let Some(entry) = deletes.and_then(|seq| self.entries.get_mut(seq as usize - 1)) {
            entry.delete();
        }
        self.entries.push(Entry {
            seq,
            draft,
            deleted: false,
        });
        Appended::New(seq)
    }

    /// An entry that isn't forgotten.
    pub(super) fn find(&self, seq: u64) -> Option<Entry> {
        self.behind(seq - 1, 1)
            .into_iter()
            .find(|entry| entry.seq == seq)
    }

    pub(super) fn behind(&self, after: u64, most: usize) -> Vec<Entry> {
        let after = after.max(self.forgotten);
        self.entries
            .iter()
            .filter(|entry| entry.seq > after)
            .take(most)
            .cloned()
            .collect()
    }
}
