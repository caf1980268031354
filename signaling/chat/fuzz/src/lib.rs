//! What is fuzzed: one function for each reader of what strangers send to a chat. Each takes any bytes, and panics if what the
//! reader promises isn't so. The fuzz targets call them, and so does `signaling/chat/tests/fuzz_corpus.rs`, which replays the corpus.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;
use spillway_chat::{
    AuthorId, Entry, Role, Room, RoomLimits,
    entry::Draft,
    protocol::{self, ClientFrame, MAX_CLIENT_FRAME, MAX_SERVER_FRAME},
    room::{AddressHash, Appended, Joining, Matter, Opened, Output, ParticipantId, RoomState},
    text::{self, WordFilter},
};

/// One frame of a client, and its text by itself.
pub fn protocol(data: &[u8]) {
    match protocol::parse(data) {
        Ok(_) => assert!(data.len() <= MAX_CLIENT_FRAME),
        Err(problem) => assert!(
            problem.text.len() < 300,
            "a problem quotes nobody at length"
        ),
    }
    match (protocol::parse(data), protocol::parse_report(data)) {
        (Ok(ClientFrame::Report(framed)), alone) => assert_eq!(alone, Ok(framed)),
        (_, Ok(_)) => {}
        (_, Err(problem)) => assert!(problem.text.len() < 300),
    }
    if let Ok(said) = str::from_utf8(data) {
        let cleaned = text::clean(said);
        assert_eq!(
            text::clean(&cleaned),
            cleaned,
            "what is clean stays as it is"
        );
        assert!(!cleaned.chars().any(char::is_control));
        let word: String = said.chars().take(20).collect();
        WordFilter::new([word.as_str()]).catches(said);
        text::has_link(said);
        text::fold_name(said);
    }
}

/// A room with up to eight clients and a log. The input is a list of what happens: a byte that says what, one that says to whom,
/// one with a length or a number, and a frame of that length.
pub fn room(data: &[u8]) {
    let limits = RoomLimits {
        recent: 8,
        shown_rate: 4,
        ..RoomLimits::default()
    };
    let mut world = World {
        room: Room::new("garden", limits, Opened::default(), 0),
        entries: Vec::new(),
        keys: HashMap::new(),
        state: RoomState::default(),
        told: HashMap::new(),
        views: HashMap::new(),
        is_full: false,
        refuses: 0,
        now: 1_000,
    };
    let mut rest = data;
    while let [what, who, number, behind @ ..] = rest {
        rest = behind;
        let id = ParticipantId(u64::from(who % 8));
        match what % 8 {
            0 => world.enter(id, *number),
            1 => world.leave(id),
            2 => world.pass(u64::from(*number) * 40),
            3 => world.is_full = number % 2 == 1,
            4 => world.refuses = *number,
            _ => {
                let (frame, behind) = rest.split_at(rest.len().min((*number).into()));
                rest = behind;
                world.say(id, frame);
            }
        }
        world.turn();
    }
    world.is_full = false;
    world.refuses = 0;
    world.pass(60_000);
    let last = world.entries.len() as u64;
    for (id, told) in &world.told {
        if world.room.has_joined(*id) {
            assert_eq!(*told, last, "{id:?} lacks something");
        }
    }
    let newcomer = ParticipantId(8);
    world.enter(newcomer, 0);
    world.turn();
    let seen = world.views.remove(&newcomer).expect("it was welcomed");
    for (id, view) in &world.views {
        if world.room.has_joined(*id) {
            assert_eq!(*view, seen, "{id:?} doesn't see how things are");
        }
    }
}

/// How things are, as a client was told last: what is pinned, the goal, and the rules without their words.
#[derive(Debug, Default, PartialEq)]
struct View([Value; 3]);

impl View {
    const OF: [&str; 3] = ["pinned", "goal", "rules"];

    fn hear(&mut self, object: &Value) {
        let Self(things) = self;
        for (name, thing) in Self::OF.iter().zip(things) {
            match object["type"].as_str() {
                Some("welcome") => thing.clone_from(&object[name]),
                Some("pinned") if *name == "pinned" => thing.clone_from(&object["entry"]),
                Some("goal") if *name == "goal" => thing.clone_from(&object["goal"]),
                Some("rules") if *name == "rules" => {
                    thing.clone_from(object);
                    thing.as_object_mut().map(|rules| rules.remove("type"));
                }
                _ => continue,
            }
            thing.as_object_mut().map(|rules| rules.remove("words"));
        }
    }
}

struct World {
    room: Room,
    entries: Vec<Entry>,
    keys: HashMap<String, u64>,
    state: RoomState,
    /// The last number that each client was told.
    told: HashMap<ParticipantId, u64>,
    views: HashMap<ParticipantId, View>,
    is_full: bool,
    /// Clients, a bit each, that take nothing.
    refuses: u8,
    now: u64,
}

impl World {
    fn enter(&mut self, id: ParticipantId, number: u8) {
        if self.told.contains_key(&id) {
            return;
        }
        self.room
            .enter(self.now, id, AddressHash(id.0), number == 254);
        if number >= 254 {
            return;
        }
        let author =
            AuthorId::try_from(format!("author{}", number % 4)).expect("letters and a digit");
        let role = [Role::Viewer, Role::Viewer, Role::Moderator, Role::Streamer]
            [usize::from(number / 4 % 4)];
        let after = match number / 16 {
            0..=7 => Some(0),
            8 => None,
            9 => Some(u64::MAX),
            after => Some(u64::from(after) - 9),
        };
        let joining = Joining {
            author,
            identity: String::new(),
            name: None,
            role,
            following_since: None,
            after,
            history: 0,
        };
        let last = self.entries.len() as u64;
        // What a client is sent first finds place.
        self.refuses &= !(1u8.checked_shl(id.0 as u32).unwrap_or(0));
        self.views.insert(id, View::default());
        self.told
            .insert(id, after.map_or(last, |after| after.min(last)));
        self.room.join(self.now, id, &joining);
    }

    fn leave(&mut self, id: ParticipantId) {
        self.told.remove(&id);
        self.views.remove(&id);
        self.room.leave(self.now, id);
    }

    fn say(&mut self, id: ParticipantId, frame: &[u8]) {
        if !self.room.admits(self.now, id) {
            return;
        }
        match protocol::parse(frame) {
            Ok(frame) => self.room.handle(self.now, id, frame),
            Err(problem) => self.room.refuse(self.now, id, problem),
        }
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        for _ in 0..10_000 {
            let Some(at) = self.room.next_timeout().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            self.room.handle_timeout(self.now);
            self.turn();
        }
        panic!("timers make no progress");
    }

    fn turn(&mut self) {
        while let Some(output) = self.room.poll() {
            match output {
                Output::Append {
                    ticket,
                    draft,
                    state,
                    deletes,
                    ..
                } => {
                    let how = self.append(draft, state, deletes);
                    self.room.appended(self.now, ticket, how);
                }
                Output::Send {
                    to, frame, matter, ..
                } => self.send(&to, &frame, matter),
                Output::Load { participant, after } => {
                    let behind: Vec<_> = self
                        .entries
                        .iter()
                        .filter(|entry| entry.seq > after)
                        .take(5)
                        .cloned()
                        .collect();
                    self.room
                        .loaded(self.now, participant, (!self.is_full).then_some(&behind));
                }
                Output::Find { seq } => {
                    let found = self.entries.iter().find(|entry| entry.seq == seq);
                    self.room
                        .found(self.now, seq, found.filter(|_| !self.is_full).cloned());
                }
                Output::Close(id) => self.leave(id),
                Output::Follow {
                    participant,
                    author,
                    following,
                } if self.is_full => {
                    self.room
                        .not_followed(self.now, participant, &author, following);
                }
                Output::Follow { .. } | Output::Report { .. } => {}
            }
        }
    }

    fn append(
        &mut self,
        draft: Draft,
        state: Option<Arc<RoomState>>,
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
            self.state = Arc::unwrap_or_clone(state);
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

    fn send(&mut self, to: &[ParticipantId], frame: &str, matter: Matter) {
        assert!(frame.len() <= MAX_SERVER_FRAME);
        let objects: Vec<Value> = serde_json::from_str(frame).expect("a frame is an array in JSON");
        for id in to {
            let taken = self.refuses.checked_shr(id.0 as u32).unwrap_or(0) & 1 == 0;
            if let Some(told) = self.told.get_mut(id).filter(|_| taken) {
                for object in &objects {
                    let number = |name: &str| object[name].as_u64();
                    let (from, until) = match object["type"].as_str() {
                        Some("message" | "action" | "event") => (number("seq"), number("seq")),
                        Some("skipped") => (number("from"), number("to")),
                        _ => continue,
                    };
                    assert_eq!(from, Some(*told + 1), "every number once, in order");
                    *told = until.expect("a number");
                }
            }
            if let Some(view) = self.views.get_mut(id).filter(|_| taken) {
                for object in &objects {
                    view.hear(object);
                }
            }
            match matter {
                Matter::Log => self.room.sent(self.now, *id, taken),
                Matter::State if !taken => self.room.missed(self.now, *id),
                Matter::State | Matter::Passing => {}
            }
        }
    }
}
