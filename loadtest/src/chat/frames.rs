//! What the server says (`docs/chat-protocol.md`), read once for all: it writes a frame once for all clients who are at the
//! same place of the log, and equal bytes say the same.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use super::message::{Mark, MessageId};

/// Frames that are remembered as read.
const REMEMBERED: usize = 32;
/// Entries that one `skipped` may name.
const MOST_SKIPPED: u64 = 10_000_000;

/// One object of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// The client is in.
    Welcome {
        /// By which it is the same the next time. Secret.
        identity: String,
        /// The log's last entry.
        last: u64,
        /// What may be reacted with.
        emoji: Option<String>,
    },
    /// An entry of the log.
    Entry {
        /// Its number.
        seq: u64,
        /// Of all that it says.
        digest: u64,
        /// Which message of a load test it is.
        mark: Option<Mark>,
    },
    /// Entries that aren't shown.
    Skipped {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A message is in the log.
    Stored {
        /// Which.
        id: MessageId,
        /// Where.
        seq: u64,
    },
    /// Something isn't done.
    Refused {
        /// Why.
        code: String,
        /// Which message it was.
        id: Option<MessageId>,
        /// When it may be tried again.
        retry_after: Option<Duration>,
    },
    /// Taps since the last time.
    Taps(u64),
    /// Something else of the protocol.
    Other,
}

/// Reads frames, and remembers the latest.
#[derive(Debug, Default)]
pub struct Frames {
    read: VecDeque<(Box<str>, Rc<[Object]>)>,
}

impl Frames {
    /// What a frame says; nothing if it isn't one of the protocol.
    pub fn read(&mut self, frame: &str) -> Option<Rc<[Object]>> {
        let known = self.read.iter().rev().find(|(known, _)| **known == *frame);
        if let Some((_, objects)) = known {
            return Some(objects.clone());
        }
        let objects: Rc<[Object]> = parse(frame)?.into();
        if self.read.len() == REMEMBERED {
            self.read.pop_front();
        }
        self.read.push_back((frame.into(), objects.clone()));
        Some(objects)
    }
}

fn parse(frame: &str) -> Option<Vec<Object>> {
    let Ok(Value::Array(objects)) = serde_json::from_str(frame) else {
        return None;
    };
    objects.iter().map(object).collect()
}

fn object(value: &Value) -> Option<Object> {
    let number = |name: &str| value.get(name)?.as_u64();
    let text = |name: &str| value.get(name)?.as_str();
    let id = || text("id").and_then(MessageId::read);
    Some(match text("type")? {
        "welcome" => Object::Welcome {
            identity: text("identity")?.to_owned(),
            last: number("last")?,
            emoji: value
                .pointer("/reactions/0")
                .and_then(Value::as_str)
                .map(str::to_owned),
        },
        "message" => Object::Entry {
            seq: number("seq")?,
            digest: digest(value),
            mark: text("text").and_then(Mark::read),
        },
        "action" | "event" => Object::Entry {
            seq: number("seq")?,
            digest: digest(value),
            mark: None,
        },
        "skipped" => {
            let (from, to) = (number("from")?, number("to")?);
            (from <= to && to - from < MOST_SKIPPED).then_some(Object::Skipped { from, to })?
        }
        // Of somebody else's making on the same identity it can't be: identities are our own.
        "stored" => Object::Stored {
            id: id()?,
            seq: number("seq")?,
        },
        "error" => Object::Refused {
            code: text("code")?.to_owned(),
            id: id(),
            retry_after: number("retry_after_s").map(Duration::from_secs),
        },
        "reactions" => {
            let counts = value.get("counts")?.as_object()?;
            Object::Taps(counts.values().filter_map(Value::as_u64).sum())
        }
        _ => Object::Other,
    })
}

/// Equal for objects that say the same, however their members are ordered: `Value` sorts them.
fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(frame: &str) -> Option<Vec<Object>> {
        Frames::default()
            .read(frame)
            .map(|objects| objects.to_vec())
    }

    #[test]
    fn entries_are_told_apart_by_all_that_they_say() {
        let entry = |text: &str| match &read(text).unwrap()[..] {
            [Object::Entry { seq, digest, mark }] => (*seq, *digest, *mark),
            other => panic!("{other:?}"),
        };
        let one =
            entry(r#"[{"type":"message","seq":5,"id":"1-2-3","text":"00000001-2-3 77","time":9}]"#);
        let same =
            entry(r#"[{"seq":5,"type":"message","time":9,"text":"00000001-2-3 77","id":"1-2-3"}]"#);
        let other =
            entry(r#"[{"type":"message","seq":5,"id":"1-2-3","text":"00000001-2-3 77","time":8}]"#);
        assert_eq!(one, same);
        assert_ne!(one.1, other.1);
        assert_eq!((one.0, one.2.unwrap().sent), (5, 77));
    }

    #[test]
    fn what_the_server_says_is_read() {
        let frame = r#"[{"type":"welcome","identity":"s","last":4,"reactions":["x"],"rules":{}},
            {"type":"skipped","from":2,"to":4},{"type":"stored","id":"0000000a-1-2","seq":3},
            {"type":"error","code":"rate","id":"0000000a-1-3","retry_after_s":2,"text":""},
            {"type":"reactions","counts":{"x":3,"y":4},"at":null},{"type":"presence"}]"#;
        let id = |number| MessageId {
            run: 10,
            writer: 1,
            number,
        };
        let expected = [
            Object::Welcome {
                identity: "s".into(),
                last: 4,
                emoji: Some("x".into()),
            },
            Object::Skipped { from: 2, to: 4 },
            Object::Stored { id: id(2), seq: 3 },
            Object::Refused {
                code: "rate".into(),
                id: Some(id(3)),
                retry_after: Some(Duration::from_secs(2)),
            },
            Object::Taps(7),
            Object::Other,
        ];
        assert_eq!(read(frame).unwrap(), expected);
    }

    #[test]
    fn what_is_no_frame_is_seen_to() {
        for broken in [
            "",
            "{}",
            "[1]",
            r#"[{"type":"message"}]"#,
            r#"[{"type":"skipped","from":4,"to":2}]"#,
            r#"[{"type":"skipped","from":0,"to":18446744073709551615}]"#,
        ] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[test]
    fn few_frames_are_remembered() {
        let mut frames = Frames::default();
        for number in 0..100 {
            frames
                .read(&format!(
                    r#"[{{"type":"skipped","from":{number},"to":{number}}}]"#
                ))
                .unwrap();
        }
        assert_eq!(frames.read.len(), REMEMBERED);
    }
}
