//! What a channel's log holds.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Millis, protocol::StreamEvent};

/// The most bytes of an [`AuthorId`].
pub const MAX_AUTHOR_ID: usize = 32;

/// Who writes, for all who read: the public part of an identity. `[A-Za-z0-9_-]{1,32}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuthorId(String);

/// An author's identifier that isn't one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an author's id has 1 to 32 letters, digits, '_' or '-'")]
pub struct InvalidAuthorId;

impl TryFrom<String> for AuthorId {
    type Error = InvalidAuthorId;

    fn try_from(id: String) -> Result<Self, InvalidAuthorId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if (1..=MAX_AUTHOR_ID).contains(&id.len()) && id.bytes().all(allowed) {
            Ok(Self(id))
        } else {
            Err(InvalidAuthorId)
        }
    }
}

impl From<AuthorId> for String {
    fn from(id: AuthorId) -> Self {
        id.0
    }
}

impl AuthorId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AuthorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What somebody may do in a room. The later may do more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Writes.
    Viewer,
    /// Keeps order among viewers.
    Moderator,
    /// The channel is theirs.
    Streamer,
}

/// An author as an entry names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The same for one identity, whatever it's called.
    pub id: AuthorId,
    /// What they called themselves at that moment.
    pub name: String,
    /// What they were at that moment.
    pub role: Role,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody wrote.
    Message,
    /// Somebody moderated.
    Action,
    /// Something from outside: a donation.
    Event,
}

impl Kind {
    /// As the protocol and the store call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Action => "action",
            Self::Event => "event",
        }
    }

    /// What [`Kind::as_str`] said.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Message, Self::Action, Self::Event]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// An entry before it has its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it is.
    pub kind: Kind,
    /// Who said it; nobody for events.
    pub author: Option<AuthorId>,
    /// What makes it the same entry when it's said twice: the author's own `id`, a payment's. At most [`MAX_KEY`] bytes.
    pub key: Option<String>,
    /// Stream time in milliseconds; `None` off air.
    pub at: Option<u64>,
    /// When the server took it.
    pub time: Millis,
    /// Whether clients are shown it: not in a room too busy to read.
    pub shown: bool,
    /// The members of the protocol's object but `type`, `seq`, `at` and `time`: JSON members without braces.
    pub members: String,
}

/// The most bytes of [`Draft::key`].
pub const MAX_KEY: usize = 160;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place, from 1, without gaps.
    pub seq: u64,
    /// What was stored.
    pub draft: Draft,
    /// Its text was taken back since.
    pub deleted: bool,
}

impl Entry {
    /// The object that clients are sent.
    pub fn to_json(&self) -> String {
        let Draft {
            kind,
            at,
            time,
            members,
            ..
        } = &self.draft;
        let at = at.map_or_else(|| "null".to_owned(), |at| at.to_string());
        let deleted = if self.deleted {
            ",\"deleted\":true"
        } else {
            ""
        };
        format!(
            "{{\"type\":\"{}\",\"seq\":{},{members},\"at\":{at},\"time\":{time}{deleted}}}",
            kind.as_str(),
            self.seq
        )
    }

    /// What its author was when it was written.
    pub fn role(&self) -> Option<Role> {
        #[derive(Deserialize)]
        struct By {
            #[serde(alias = "by")]
            author: Author,
        }
        let by: By = serde_json::from_str(&format!("{{{}}}", self.draft.members)).ok()?;
        Some(by.author.role)
    }

    /// Takes the text back: of a message nothing remains but who wrote it, of an event what happened and what was given.
    pub fn delete(&mut self) {
        if self.draft.kind == Kind::Action || self.deleted {
            return;
        }
        self.deleted = true;
        self.draft.members = without_text(self.draft.kind, &self.draft.members);
    }
}

/// The members of a message or an event without what somebody wrote there.
pub fn without_text(kind: Kind, members: &str) -> String {
    let members = format!("{{{members}}}");
    // Only this crate writes members; what it can't read any more must not be shown all the same.
    match kind {
        Kind::Event => event_without_text(&members).unwrap_or_else(|_| {
            "\"event\":{\"kind\":\"donation\",\"name\":\"\",\"text\":\"\"}".to_owned()
        }),
        Kind::Message | Kind::Action => message_without_text(&members)
            .unwrap_or_else(|_| "\"id\":\"\",\"author\":null,\"text\":\"\"".to_owned()),
    }
}

fn message_without_text(members: &str) -> serde_json::Result<String> {
    #[derive(Deserialize)]
    struct Parts<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
        #[serde(borrow)]
        author: &'a RawValue,
    }
    let Parts { id, author } = serde_json::from_str(members)?;
    Ok(format!("\"id\":{id},\"author\":{author},\"text\":\"\""))
}

fn event_without_text(members: &str) -> serde_json::Result<String> {
    #[derive(Deserialize)]
    struct Parts {
        event: StreamEvent,
    }
    let Parts { mut event } = serde_json::from_str(members)?;
    event.name.clear();
    event.text.clear();
    Ok(format!("\"event\":{}", serde_json::to_string(&event)?))
}
