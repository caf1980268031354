//! The latest entries of the log, as clients are sent them.

use std::collections::VecDeque;

use crate::{
    AuthorId, Entry, Kind,
    protocol::{MAX_SERVER_FRAME, joined},
};

/// The latest entries, without gaps.
#[derive(Debug)]
pub(super) struct Ring {
    entries: VecDeque<Recent>,
    /// The number that comes next.
    next: u64,
    most: usize,
}

#[derive(Debug)]
struct Recent {
    entry: Entry,
    json: String,
}

/// What somebody is sent, and where they are then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) frame: String,
    /// The number that they need next.
    pub(super) next: u64,
}

impl Ring {
    /// With what the log ends with, in order, and the number of its last entry.
    pub(super) fn new(recent: Vec<Entry>, last: u64, most: usize) -> Self {
        let mut ring = Self {
            entries: VecDeque::new(),
            next: recent.first().map_or(last + 1, |entry| entry.seq),
            most,
        };
        for entry in recent {
            ring.push(entry);
        }
        ring
    }

    /// Adds the log's next entry.
    pub(super) fn push(&mut self, entry: Entry) {
        if entry.seq != self.next {
            // Others' entries are missing: what was before is the log's to tell.
            self.entries.clear();
        }
        self.next = entry.seq + 1;
        if self.entries.len() >= self.most {
            self.entries.pop_front();
        }
        let json = entry.to_json();
        self.entries.push_back(Recent { entry, json });
    }

    /// The number of the log's last entry.
    pub(super) fn last(&self) -> u64 {
        self.next - 1
    }

    /// An entry that is here.
    pub(super) fn get(&self, seq: u64) -> Option<&Entry> {
        let first = self.entries.front()?.entry.seq;
        let recent = self
            .entries
            .get(usize::try_from(seq.checked_sub(first)?).ok()?)?;
        Some(&recent.entry)
    }

    /// A message that is here.
    pub(super) fn message(&self, seq: u64) -> Option<&Entry> {
        self.get(seq)
            .filter(|entry| entry.draft.kind == Kind::Message)
    }

    /// Takes a message's text back, if it's here.
    pub(super) fn delete(&mut self, seq: u64) {
        if let Some(recent) = self
            .entries
            .iter_mut()
            .rev()
            .find(|recent| recent.entry.seq == seq)
        {
            recent.entry.delete();
            recent.json = recent.entry.to_json();
        }
    }

    /// The latest entry of an author.
    pub(super) fn latest_of(&self, author: &AuthorId) -> Option<&Entry> {
        let mut entries = self.entries.iter().rev().map(|recent| &recent.entry);
        entries.find(|entry| entry.draft.author.as_ref() == Some(author))
    }

    /// A frame of what comes from `next` on. `None`: nothing does, or it's no longer here.
    pub(super) fn slice(&self, next: u64) -> Option<Slice> {
        let first = self.entries.front()?.entry.seq;
        let skip = usize::try_from(next.checked_sub(first)?).ok()?;
        let recent = self.entries.iter().skip(skip);
        slice(
            recent.map(|recent| {
                (
                    recent.entry.seq,
                    recent.entry.draft.shown.then_some(&recent.json),
                )
            }),
            next,
        )
    }
}

/// A frame of entries that were loaded, from `next` on; those missing before, or after up to `until`, are told as skipped.
pub(super) fn slice_of(entries: &[Entry], next: u64, until: u64) -> Slice {
    let objects: Vec<_> = entries
        .iter()
        .map(|entry| (entry.seq, entry.draft.shown.then(|| entry.to_json())))
        .collect();
    let found = slice(
        objects.iter().map(|(seq, json)| (*seq, json.as_ref())),
        next,
    );
    found.unwrap_or_else(|| Slice {
        frame: joined(&[skipped(next, until)]),
        next: until + 1,
    })
}

/// Gathers entries until the frame is full.
fn slice<'a>(
    entries: impl Iterator<Item = (u64, Option<&'a String>)>,
    mut next: u64,
) -> Option<Slice> {
    let mut objects: Vec<String> = Vec::new();
    let mut len = 0;
    let mut shown_until = next;
    for (seq, json) in entries {
        if let Some(json) = json {
            // Room for a `skipped` before and after it.
            if len > 0 && len + json.len() + 160 > MAX_SERVER_FRAME {
                break;
            }
            if shown_until < seq {
                objects.push(skipped(shown_until, seq - 1));
            }
            len += json.len() + 80;
            objects.push(json.clone());
            shown_until = seq + 1;
        }
        next = seq + 1;
    }
    if shown_until < next {
        objects.push(skipped(shown_until, next - 1));
    }
    (!objects.is_empty()).then(|| Slice {
        frame: joined(&objects),
        next,
    })
}

fn skipped(from: u64, to: u64) -> String {
    format!("{{\"type\":\"skipped\",\"from\":{from},\"to\":{to}}}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::entry::Draft;

    fn entry(seq: u64, shown: bool, text: &str) -> Entry {
        Entry {
            seq,
            draft: Draft {
                kind: Kind::Message,
                author: None,
                key: None,
                at: None,
                time: 0,
                shown,
                members: format!("\"id\":\"x\",\"author\":null,\"text\":\"{text}\""),
            },
            deleted: false,
        }
    }

    /// Every number in a frame, as an entry or as skipped.
    fn numbers(frame: &str) -> Vec<u64> {
        let objects: Vec<serde_json::Value> = serde_json::from_str(frame).unwrap();
        objects
            .iter()
            .flat_map(|object| {
                let number = |name: &str| object[name].as_u64();
                let (from, to) = number("seq").map_or_else(
                    || (number("from").unwrap(), number("to").unwrap()),
                    |seq| (seq, seq),
                );
                from..=to
            })
            .collect()
    }

    #[test]
    fn every_number_is_told_once_in_order_whatever_is_shown() {
        for pattern in 0..256_u64 {
            let recent = (1..=8)
                .map(|seq| entry(seq, pattern >> (seq - 1) & 1 == 1, "hi"))
                .collect();
            let ring = Ring::new(recent, 8, 100);
            for next in 1..=8 {
                let slice = ring.slice(next).unwrap();
                assert_eq!(
                    numbers(&slice.frame),
                    (next..=8).collect::<Vec<_>>(),
                    "{pattern:b}"
                );
                assert_eq!(slice.next, 9);
            }
            assert_eq!(ring.slice(9), None);
        }
    }

    #[test]
    fn long_entries_come_in_several_frames_within_the_bound() {
        let text = "x".repeat(9000);
        let ring = Ring::new(
            (1..=10).map(|seq| entry(seq, seq != 4, &text)).collect(),
            10,
            100,
        );
        let (mut next, mut told, mut frames) = (1, Vec::new(), 0);
        while let Some(slice) = ring.slice(next) {
            assert!(
                slice.frame.len() <= MAX_SERVER_FRAME,
                "{}",
                slice.frame.len()
            );
            told.extend(numbers(&slice.frame));
            next = slice.next;
            frames += 1;
        }
        assert_eq!(told, (1..=10).collect::<Vec<_>>());
        assert!(frames > 2);
    }

    #[test]
    fn the_oldest_go_and_what_was_deleted_is_empty() {
        let mut ring = Ring::new(vec![], 0, 2);
        for seq in 1..=3 {
            ring.push(entry(seq, true, "secret"));
        }
        assert!(ring.slice(2).is_some());
        assert_eq!((ring.slice(1), ring.last()), (None, 3));
        ring.delete(3);
        let frame = ring.slice(3).unwrap().frame;
        assert!(
            !frame.contains("secret") && frame.contains("\"deleted\":true"),
            "{frame}"
        );
    }

    #[test]
    fn what_was_loaded_covers_what_the_log_has_forgotten() {
        assert_eq!(
            numbers(&slice_of(&[entry(5, true, "a"), entry(6, false, "b")], 3, 6).frame),
            [3, 4, 5, 6]
        );
        let none = slice_of(&[], 3, 9);
        assert_eq!((numbers(&none.frame), none.next), ((3..=9).collect(), 10));
    }
}
