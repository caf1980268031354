//! What one client writes: messages at an even pace, each kept until the server says what became of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde_json::json;

use super::message::{Mark, MessageId};

/// Messages without an answer, beyond which no further one is written: a room that says nothing isn't written to without end.
const MOST_PENDING: usize = 64;
/// A pace that lags by more isn't made up for: nobody was there to write to.
const LATE_NS: u64 = 1_000_000_000;
/// Before a repeated message is said once more that couldn't be stored again.
const AGAIN: Duration = Duration::from_secs(1);

/// How it went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Different messages sent.
    pub sent: u64,
    /// Of them those that the server said to be in the log.
    pub acknowledged: u64,
    /// Those that it wouldn't have.
    pub refused: u64,
    /// Those that it said nothing of.
    pub unanswered: u64,
    /// Times that one was said again after the connection was lost.
    pub repeated: u64,
    /// Those that were due and weren't written, since nobody answered.
    pub held_back: u64,
}

impl Written {
    /// Another's as well.
    pub fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.repeated += other.repeated;
        self.held_back += other.held_back;
    }
}

/// A message on its way.
#[derive(Debug)]
struct Pending {
    sent: u64,
    /// Said again, it may have been stored the first time: no refusal is the last word.
    is_repeated: bool,
    /// When it's said again.
    repeat_at: Option<u64>,
}

/// One writer.
#[derive(Debug)]
pub struct Writer {
    run: u32,
    who: u32,
    pace_ns: f64,
    phase: f64,
    window: Range<u64>,
    /// Due so far, written or not.
    due: u64,
    next_number: u32,
    pending: BTreeMap<u32, Pending>,
    written: Written,
}

impl Writer {
    /// Writes so many messages a second, once it may; `phase` of a pace after the beginning.
    pub fn new(run: u32, who: u32, per_second: f64, phase: f64) -> Self {
        Self {
            run,
            who,
            pace_ns: 1e9 / per_second,
            phase,
            window: 0..0,
            due: 0,
            next_number: 0,
            pending: BTreeMap::new(),
            written: Written::default(),
        }
    }

    /// When it is to write, in nanoseconds since 1970.
    pub fn begin(&mut self, window: Range<u64>) {
        self.window = window;
    }

    /// When there is something to say next.
    pub fn next_timeout(&self) -> Option<u64> {
        let repeat = self
            .pending
            .values()
            .filter_map(|pending| pending.repeat_at);
        repeat.chain(self.next_due()).min()
    }

    /// The frames that are due.
    pub fn due(&mut self, now: u64, frames: &mut Vec<String>) {
        for (number, pending) in &mut self.pending {
            if pending.repeat_at.is_some_and(|at| at <= now) {
                pending.repeat_at = None;
                pending.is_repeated = true;
                self.written.repeated += 1;
                frames.push(frame(self.run, self.who, *number, pending.sent));
            }
        }
        while let Some(at) = self.next_due().filter(|at| *at <= now) {
            self.due += 1;
            if self.pending.len() >= MOST_PENDING || at + LATE_NS < now {
                self.written.held_back += 1;
                continue;
            }
            let number = self.next_number;
            self.next_number += 1;
            self.written.sent += 1;
            let pending = Pending {
                sent: now,
                is_repeated: false,
                repeat_at: None,
            };
            self.pending.insert(number, pending);
            frames.push(frame(self.run, self.who, number, now));
        }
    }

    /// It is in (again): what wasn't answered before is said again.
    pub fn on_welcome(&mut self, now: u64) {
        for pending in self.pending.values_mut() {
            pending.repeat_at = Some(now);
        }
    }

    /// A message is in the log. When it was sent first, if that wasn't known yet.
    pub fn on_stored(&mut self, id: MessageId) -> Option<u64> {
        let pending = self.pending.remove(&self.own(id)?)?;
        self.written.acknowledged += 1;
        Some(pending.sent)
    }

    /// A message isn't taken.
    pub fn on_refused(&mut self, now: u64, id: MessageId, retry_after: Option<Duration>) {
        let Some(number) = self.own(id) else { return };
        match self.pending.get_mut(&number) {
            Some(pending) if pending.is_repeated => {
                let wait = retry_after.unwrap_or(AGAIN).max(AGAIN);
                pending.repeat_at = Some(now + wait.as_nanos() as u64);
            }
            Some(_) => {
                self.pending.remove(&number);
                self.written.refused += 1;
            }
            None => {}
        }
    }

    /// Whether everything was answered.
    pub fn is_answered(&self) -> bool {
        self.pending.is_empty()
    }

    /// How it went so far.
    pub fn written(&self) -> Written {
        Written {
            unanswered: self.pending.len() as u64,
            ..self.written
        }
    }

    fn next_due(&self) -> Option<u64> {
        let after = (self.due as f64 + self.phase) * self.pace_ns;
        let at = self.window.start + after as u64;
        self.window.contains(&at).then_some(at)
    }

    fn own(&self, id: MessageId) -> Option<u32> {
        (id.run == self.run && id.writer == self.who).then_some(id.number)
    }
}

fn frame(run: u32, writer: u32, number: u32, sent: u64) -> String {
    let id = MessageId {
        run,
        writer,
        number,
    };
    let text = Mark { id, sent }.to_string();
    json!({ "type": "message", "id": id.to_string(), "text": text }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn id(number: u32) -> MessageId {
        MessageId {
            run: 1,
            writer: 2,
            number,
        }
    }

    fn writer(per_second: f64, seconds: u64) -> Writer {
        let mut writer = Writer::new(1, 2, per_second, 0.5);
        writer.begin(SECOND..(1 + seconds) * SECOND);
        writer
    }

    /// Lets time pass as timers would have it; what was said.
    fn pass(writer: &mut Writer, until: u64) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(at) = writer.next_timeout().filter(|at| *at <= until) {
            writer.due(at, &mut said);
        }
        said
    }

    #[test]
    fn messages_are_written_at_an_even_pace_within_the_window() {
        let mut writer = writer(4.0, 2);
        assert_eq!(writer.next_timeout(), Some(SECOND + SECOND / 8));
        let said = pass(&mut writer, 10 * SECOND);
        assert_eq!(said.len(), 8);
        let last =
            "{\"id\":\"00000001-2-7\",\"text\":\"00000001-2-7 2875000000\",\"type\":\"message\"}";
        assert_eq!(said[7], last);
        assert_eq!((writer.written().sent, writer.next_timeout()), (8, None));
    }

    #[test]
    fn what_wasnt_answered_before_the_connection_was_lost_is_said_again() {
        let mut writer = writer(4.0, 1);
        let said = pass(&mut writer, 2 * SECOND);
        assert_eq!(writer.on_stored(id(1)), Some(SECOND + 3 * SECOND / 8));
        assert_eq!(writer.on_stored(id(1)), None);
        writer.on_welcome(5 * SECOND);
        let again = pass(&mut writer, 5 * SECOND);
        assert_eq!(again, [&said[0], &said[2], &said[3]].map(Clone::clone));
        assert!(!writer.is_answered());
        for number in [0, 2, 3] {
            assert!(writer.on_stored(id(number)).is_some());
        }
        let expected = Written {
            sent: 4,
            acknowledged: 4,
            repeated: 3,
            ..Written::default()
        };
        assert_eq!(writer.written(), expected);
        assert!(writer.is_answered());
    }

    #[test]
    fn a_refusal_is_the_last_word_only_of_what_was_said_once() {
        let mut writer = writer(2.0, 1);
        pass(&mut writer, 2 * SECOND);
        writer.on_refused(2 * SECOND, id(0), None);
        assert_eq!(writer.written().refused, 1);
        writer.on_welcome(3 * SECOND);
        assert_eq!(pass(&mut writer, 3 * SECOND).len(), 1);
        writer.on_refused(3 * SECOND, id(1), Some(Duration::from_secs(2)));
        assert_eq!(pass(&mut writer, 5 * SECOND - 1).len(), 0);
        assert_eq!(pass(&mut writer, 5 * SECOND).len(), 1);
        assert_eq!(writer.written().refused, 1);
        assert_eq!(writer.written().unanswered, 1);
    }

    #[test]
    fn nothing_is_written_to_a_room_that_isnt_there() {
        let mut writer = writer(100.0, 3);
        let mut said = Vec::new();
        writer.due(3 * SECOND, &mut said);
        // Of what was due in the last second as much as may be on its way.
        assert_eq!(said.len(), MOST_PENDING);
        assert_eq!(writer.written().held_back, 200 - MOST_PENDING as u64);
    }

    #[test]
    fn others_messages_are_none_of_its_business() {
        let mut writer = writer(1.0, 1);
        pass(&mut writer, 2 * SECOND);
        assert_eq!(writer.on_stored(MessageId { writer: 3, ..id(0) }), None);
        assert_eq!(writer.on_stored(MessageId { run: 3, ..id(0) }), None);
        assert!(!writer.is_answered());
    }
}
