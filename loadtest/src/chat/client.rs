//! One client of the chat, without its connection: it says hello, hears, writes and taps, and knows where it was when the
//! connection is another.
//!
//! Driving contract: say [`Client::hello`] first on each connection; give every frame to [`Client::hear`]; say what
//! [`Client::due`] has whenever [`Client::next_timeout`] has come, and after each frame.

use std::cell::RefCell;
use std::ops::Range;

use serde_json::json;

use super::follower::{Faults, Follower};
use super::frames::{Frames, Object};
use super::log::{Log, Word};
use super::message::Mark;
use super::tally::Tally;
use super::taps::{Tapper, Told};
use super::writer::{Writer, Written};
use crate::peer::Label;

/// What all clients of a run share.
#[derive(Debug)]
pub struct Shared {
    /// The run.
    pub run: u32,
    /// What they say hello with. Secret.
    pub token: Option<String>,
    /// The log as they know it.
    pub log: RefCell<Log>,
    /// What they count.
    pub tally: RefCell<Tally>,
    /// What the server said.
    pub frames: RefCell<Frames>,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    follower: Follower,
    writer: Option<Writer>,
    tapper: Option<Tapper>,
    told: Told,
    emoji: Option<String>,
    identity: Option<String>,
    is_in: bool,
    /// Somebody who reads again what all have read: what it hears is no news.
    is_auditor: bool,
}

impl Client {
    /// One that hears everything behind the entry `start`.
    pub fn new(start: u64, writer: Option<Writer>, tapper: Option<Tapper>) -> Self {
        Self {
            follower: Follower::new(start),
            writer,
            tapper,
            told: Told::default(),
            emoji: None,
            identity: None,
            is_in: false,
            is_auditor: false,
        }
    }

    /// One that reads the log again when all is over.
    pub fn auditor(start: u64) -> Self {
        Self {
            is_auditor: true,
            ..Self::new(start, None, None)
        }
    }

    /// The first frame of a connection.
    pub fn hello(&mut self, shared: &Shared) -> String {
        self.is_in = false;
        let mut hello = json!({ "type": "hello", "after": self.follower.last() });
        if let Some(token) = &shared.token {
            hello["token"] = token.as_str().into();
        }
        if let Some(identity) = &self.identity {
            hello["identity"] = identity.as_str().into();
        }
        hello.to_string()
    }

    /// The connection is gone.
    pub fn leave(&mut self, shared: &Shared) {
        if std::mem::take(&mut self.is_in) {
            shared.tally.borrow_mut().lost += 1;
        }
    }

    /// When it is to write and tap, in nanoseconds since 1970.
    pub fn begin(&mut self, window: &Range<u64>) {
        if let Some(writer) = &mut self.writer {
            writer.begin(window.clone());
        }
        if let Some(tapper) = &mut self.tapper {
            tapper.begin(window.clone());
        }
    }

    /// The server said something.
    pub fn hear(&mut self, now: u64, frame: &str, shared: &Shared) {
        let Some(objects) = shared.frames.borrow_mut().read(frame) else {
            shared.tally.borrow_mut().broken += 1;
            return;
        };
        let has_entries = objects
            .iter()
            .any(|object| matches!(object, Object::Entry { .. } | Object::Skipped { .. }));
        shared
            .tally
            .borrow_mut()
            .on_frame(now, frame.len(), has_entries);
        for object in objects.iter() {
            self.take(now, object, shared);
        }
    }

    fn take(&mut self, now: u64, object: &Object, shared: &Shared) {
        match object {
            Object::Welcome {
                identity, emoji, ..
            } => {
                self.is_in = true;
                self.identity = Some(identity.clone());
                self.emoji.clone_from(emoji);
                if let Some(writer) = &mut self.writer {
                    writer.on_welcome(now);
                }
            }
            Object::Entry { seq, digest, mark } => {
                let is_new = self.note(*seq, Word::Shown(*digest), shared);
                if let Some(mark) = mark.filter(|mark| mark.id.run == shared.run) {
                    shared.log.borrow_mut().place(mark.id, *seq);
                    if is_new && !self.is_auditor {
                        self.on_message(now, &mark, shared);
                    }
                }
            }
            Object::Skipped { from, to } => {
                for seq in *from..=*to {
                    self.note(seq, Word::Skipped, shared);
                }
            }
            Object::Stored { id, seq } => {
                shared.log.borrow_mut().place(*id, *seq);
                let sent = self
                    .writer
                    .as_mut()
                    .and_then(|writer| writer.on_stored(*id));
                Self::acknowledge(now, sent, shared);
            }
            Object::Refused {
                code,
                id,
                retry_after,
            } => {
                shared.tally.borrow_mut().on_error(code);
                if let (Some(writer), Some(id)) = (&mut self.writer, id) {
                    writer.on_refused(now, *id, *retry_after);
                }
            }
            Object::Taps(taps) => self.told.note(now, *taps),
            Object::Other => {}
        }
    }

    fn note(&mut self, seq: u64, word: Word, shared: &Shared) -> bool {
        let is_new = self.follower.hear(seq, word, &mut shared.log.borrow_mut());
        shared.tally.borrow_mut().delivered += u64::from(is_new && !self.is_auditor);
        is_new
    }

    fn on_message(&mut self, now: u64, mark: &Mark, shared: &Shared) {
        let late = now.saturating_sub(mark.sent);
        shared.tally.borrow_mut().latency.saturating_record(late);
        let sent = self
            .writer
            .as_mut()
            .and_then(|writer| writer.on_stored(mark.id));
        Self::acknowledge(now, sent, shared);
    }

    fn acknowledge(now: u64, sent: Option<u64>, shared: &Shared) {
        if let Some(sent) = sent {
            let took = now.saturating_sub(sent);
            let tally = &mut shared.tally.borrow_mut().acknowledgement;
            tally.saturating_record(took);
        }
    }

    /// When there is something to say next.
    pub fn next_timeout(&self) -> Option<u64> {
        let writer = self.writer.as_ref().and_then(Writer::next_timeout);
        let tapper = self.tapper.as_ref().and_then(Tapper::next_timeout);
        let next = [writer, tapper].into_iter().flatten().min();
        next.filter(|_| self.is_in)
    }

    /// The frames that are due, and where they go. None before the welcome.
    pub fn due(&mut self, now: u64) -> Vec<(Label, String)> {
        if !self.is_in {
            return Vec::new();
        }
        let mut messages = Vec::new();
        if let Some(writer) = &mut self.writer {
            writer.due(now, &mut messages);
        }
        let mut frames: Vec<_> = messages
            .into_iter()
            .map(|message| (Label::Chat, message))
            .collect();
        if let (Some(tapper), Some(emoji)) = (&mut self.tapper, &self.emoji) {
            let taps = tapper.due(now, emoji);
            frames.extend(taps.map(|taps| (Label::Reactions, taps)));
        }
        frames
    }

    /// Whether it was welcomed on the connection that it has.
    pub fn is_in(&self) -> bool {
        self.is_in
    }

    /// Whether it has heard of all up to `last`, and nothing of its own waits for an answer.
    pub fn is_done(&self, last: u64) -> bool {
        let is_answered = self.writer.as_ref().is_none_or(Writer::is_answered);
        is_answered && self.follower.last() >= last
    }

    /// The last entry that it heard of.
    pub fn last(&self) -> u64 {
        self.follower.last()
    }

    /// What it found wrong, if the log ends with `last`.
    pub fn faults(&self, last: u64) -> Faults {
        self.follower.faults(last)
    }

    /// How its writing went.
    pub fn written(&self) -> Written {
        self.writer
            .as_ref()
            .map(Writer::written)
            .unwrap_or_default()
    }

    /// Taps that it told.
    pub fn tapped(&self) -> u64 {
        self.tapper.as_ref().map_or(0, Tapper::sent)
    }

    /// What it was told of everybody's.
    pub fn told(&self) -> &Told {
        &self.told
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::load::step::Spread;

    const SECOND: u64 = 1_000_000_000;
    const WELCOME: &str = r#"[{"type":"welcome","identity":"me","last":0,"reactions":["x"]}]"#;

    fn shared() -> Shared {
        Shared {
            run: 1,
            token: Some("secret".into()),
            log: RefCell::new(Log::new(0)),
            tally: RefCell::default(),
            frames: RefCell::default(),
        }
    }

    fn entry(seq: u64, of: &str) -> String {
        let message: serde_json::Value = serde_json::from_str(of).unwrap();
        let (id, text) = (&message["id"], &message["text"]);
        json!([{ "type": "message", "seq": seq, "id": id, "text": text }]).to_string()
    }

    #[test]
    fn a_client_that_was_cut_off_goes_on_where_it_was_and_repeats_itself() {
        let shared = shared();
        let mut client = Client::new(0, Some(Writer::new(1, 0, 2.0, 0.0)), None);
        client.begin(&(SECOND..2 * SECOND));
        assert_eq!(client.due(SECOND), Vec::new(), "not before it is in");
        let hello = r#"{"after":0,"token":"secret","type":"hello"}"#;
        assert_eq!(client.hello(&shared), hello);
        client.hear(SECOND, WELCOME, &shared);
        let first = client.due(SECOND);
        let second = client.due(SECOND * 3 / 2);
        client.hear(SECOND * 2, &entry(1, &first[0].1), &shared);
        client.leave(&shared);
        assert!(!client.is_in());
        let hello = r#"{"after":1,"identity":"me","token":"secret","type":"hello"}"#;
        assert_eq!(client.hello(&shared), hello);
        client.hear(SECOND * 4, WELCOME, &shared);
        assert_eq!(client.due(SECOND * 4), second);
        client.hear(SECOND * 5, &entry(2, &second[0].1), &shared);
        assert!(client.is_done(2) && client.faults(2) == Faults::default());
        let tally = shared.tally.borrow();
        assert_eq!((tally.lost, tally.delivered), (1, 2));
        let took = Spread::of_histogram(&tally.acknowledgement);
        assert_eq!(took.count, 2);
        assert!((took.max - 3_500.0).abs() < 5.0, "{took:?}");
    }

    #[test]
    fn a_log_that_changed_since_is_noticed_by_whoever_reads_it_again() {
        let shared = shared();
        let mut client = Client::new(0, Some(Writer::new(1, 0, 2.0, 0.0)), None);
        client.begin(&(SECOND..2 * SECOND));
        client.hear(SECOND, WELCOME, &shared);
        let mut said = client.due(SECOND);
        said.extend(client.due(SECOND * 3 / 2));
        for (seq, (_, frame)) in (1..).zip(&said) {
            client.hear(SECOND * 2, &entry(seq, frame), &shared);
        }
        let audit = |entries: &[(u64, usize)]| {
            let mut auditor = Client::auditor(0);
            for (seq, of) in entries {
                auditor.hear(SECOND * 3, &entry(*seq, &said[*of].1), &shared);
            }
            auditor.faults(2)
        };
        assert_eq!(audit(&[(1, 0), (2, 1)]), Faults::default());
        assert_eq!(audit(&[(1, 0)]).missing, 1);
        assert_eq!(shared.log.borrow().doubled(), 0);
        assert_eq!(audit(&[(1, 1), (2, 0)]).differing, 2);
        assert_eq!(shared.log.borrow().doubled(), 2);
        assert_eq!(shared.tally.borrow().delivered, 2, "an audit is no news");
    }

    #[test]
    fn what_isnt_shown_is_stored_all_the_same() {
        let shared = shared();
        let mut client = Client::new(0, Some(Writer::new(1, 0, 1.0, 0.0)), None);
        client.begin(&(SECOND..2 * SECOND));
        client.hear(SECOND, WELCOME, &shared);
        client.due(SECOND);
        let hidden =
            r#"[{"type":"stored","id":"00000001-0-0","seq":1},{"type":"skipped","from":1,"to":1}]"#;
        client.hear(SECOND, hidden, &shared);
        assert!(client.is_done(1));
        let log = shared.log.borrow();
        assert_eq!((log.placed(), log.hidden(), log.last()), (1, 1, 1));
        client.hear(SECOND, "nonsense", &shared);
        assert_eq!(shared.tally.borrow().broken, 1);
    }
}
