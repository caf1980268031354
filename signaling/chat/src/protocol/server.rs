//! What the server sends, but for the log's entries, which write themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Author, Millis};

/// An object of a frame of the server.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ServerObject {
    Welcome(Box<Welcome>),
    Skipped {
        from: u64,
        to: u64,
    },
    Stored {
        id: String,
        seq: u64,
    },
    Error(Problem),
    Reactions {
        counts: BTreeMap<String, u64>,
        at: Option<u64>,
    },
    Clock {
        rtp: u32,
        at: u64,
    },
    Presence {
        viewers: u32,
        chatters: u32,
    },
    Broadcast {
        broadcast: Option<Broadcast>,
    },
    Rules(Rules),
    Renamed {
        name: String,
    },
    Goal {
        goal: Option<Goal>,
    },
    Pinned {
        entry: Option<Box<RawValue>>,
    },
    Caption(Caption),
    Rights {
        write: bool,
        until: Option<Millis>,
        reason: Option<String>,
    },
}

/// The answer to a hello.
#[derive(Debug, Clone, Serialize)]
pub struct Welcome {
    /// Who the client is from now on.
    pub author: Author,
    /// By which it's the same the next time. Secret of that client.
    pub identity: String,
    /// What it may do.
    pub rights: Rights,
    /// The room's rules.
    pub rules: Rules,
    /// The emoji that it may react with.
    pub reactions: Vec<String>,
    /// What is on air.
    pub broadcast: Option<Broadcast>,
    /// The latest entry's number.
    pub last: u64,
    /// The pinned message, as the log has it.
    pub pinned: Option<Box<RawValue>>,
    /// What donations are wanted for.
    pub goal: Option<Goal>,
    /// Whether the author follows the channel.
    pub following: bool,
}

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rights {
    /// Write messages.
    pub write: bool,
    /// Keep order.
    pub moderate: bool,
    /// What only the streamer may.
    pub stream: bool,
}

/// A room's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// Seconds between two messages of one author.
    pub slow_s: u32,
    /// How many seconds one must have followed; `None`: one needn't.
    pub followers_only_s: Option<u32>,
    /// Whether links may be written.
    pub links: bool,
    /// The longest message in characters.
    pub max_length: usize,
    /// Words that mayn't be written, for moderators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<String>>,
}

/// A broadcast as clients need it for its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broadcast {
    /// Its identifier.
    pub id: String,
    /// Stream time 0.
    pub started_at: Millis,
    /// The stream time now.
    pub now: u64,
}

/// What was said in the broadcast. Stream times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caption {
    /// In which language: a tag of RFC 5646.
    pub language: String,
    /// From when.
    pub from: u64,
    /// Until when.
    pub to: u64,
    /// The words, in a few lines.
    pub text: String,
}

/// What donations are wanted for, and how much there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Goal {
    /// What for.
    pub title: String,
    /// ISO 4217.
    pub currency: String,
    /// What is wanted, in minor units.
    pub amount: u64,
    /// What this broadcast's donations in that currency make, in minor units.
    pub raised: u64,
}

/// Something from outside: what a payment provider told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamEvent {
    /// What it is.
    pub kind: EventKind,
    /// From whom; empty: somebody.
    pub name: String,
    /// In minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
    /// ISO 4217.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What they say with it.
    pub text: String,
    /// For how many months a subscription has been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub months: Option<u32>,
}

/// The kinds of what comes from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Money.
    Donation,
    /// Money again and again.
    Subscription,
}

/// Why something isn't done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// For programs.
    pub code: Code,
    /// The client's name for what is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// For people: says what to do.
    pub text: String,
    /// When it may be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
}

/// The reasons; the protocol says what each means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Code {
    Malformed,
    Unknown,
    TooLong,
    HelloFirst,
    Unauthorized,
    Forbidden,
    NameTaken,
    NameRefused,
    Empty,
    Filtered,
    Links,
    Slow,
    Rate,
    Busy,
    TimedOut,
    Banned,
    FollowersOnly,
    NotFound,
    Store,
}

impl Problem {
    /// A reason with its text.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            id: None,
            text: text.into(),
            retry_after_s: None,
        }
    }

    /// The same, said of something that the client has a name for.
    #[must_use]
    pub fn about(self, id: Option<String>) -> Self {
        Self { id, ..self }
    }

    /// The same, with when to try again.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        Self {
            retry_after_s: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
            ..self
        }
    }
}

/// A frame of these objects.
pub fn frame(objects: &[ServerObject]) -> String {
    let objects: Vec<_> = objects.iter().map(json).collect();
    joined(&objects)
}

/// A frame of objects that are JSON already.
pub fn joined<S: AsRef<str>>(objects: &[S]) -> String {
    let len: usize = objects.iter().map(|object| object.as_ref().len() + 1).sum();
    let mut frame = String::with_capacity(len + 2);
    frame.push('[');
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            frame.push(',');
        }
        frame.push_str(object.as_ref());
    }
    frame.push(']');
    frame
}

fn json(object: &ServerObject) -> String {
    // Writing these to a string fails for nothing that they can hold: their keys are strings.
    serde_json::to_string(object).unwrap_or_default()
}
