//! The channel's log as all clients together know it: what the first of them heard of an entry, the others must hear too.

use std::collections::HashMap;

use super::message::MessageId;

/// Entries that are remembered, and messages; a test that has more can't be judged.
pub const MOST_ENTRIES: usize = 5_000_000;

/// What a client heard of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// What it says, by its digest.
    Shown(u64),
    /// That it isn't shown.
    Skipped,
}

/// How a client's word fits to what others heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// It's the same, or the first.
    Agrees,
    /// Others heard something else.
    Differs,
    /// Others were shown what this one wasn't.
    Unseen,
}

/// What is known of the log.
#[derive(Debug)]
pub struct Log {
    start: u64,
    words: Vec<Option<Word>>,
    places: HashMap<MessageId, u64>,
    doubled: u64,
    unjudged: u64,
}

impl Log {
    /// Behind the entry `start`.
    pub fn new(start: u64) -> Self {
        Self {
            start,
            words: Vec::new(),
            places: HashMap::new(),
            doubled: 0,
            unjudged: 0,
        }
    }

    /// The entry behind which it begins.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// A client heard of an entry.
    pub fn hear(&mut self, seq: u64, word: Word) -> Agreement {
        let index = seq.checked_sub(self.start + 1).map(|index| index as usize);
        let Some(index) = index.filter(|index| *index < MOST_ENTRIES) else {
            self.unjudged += 1;
            return Agreement::Agrees;
        };
        if index >= self.words.len() {
            self.words.resize(index + 1, None);
        }
        match *self.words[index].get_or_insert(word) {
            known if known == word => Agreement::Agrees,
            Word::Shown(_) if word == Word::Skipped => Agreement::Unseen,
            _ => Agreement::Differs,
        }
    }

    /// A message is at this place.
    pub fn place(&mut self, id: MessageId, seq: u64) {
        if self.places.len() == MOST_ENTRIES && !self.places.contains_key(&id) {
            self.unjudged += 1;
        } else if *self.places.entry(id).or_insert(seq) != seq {
            self.doubled += 1;
        }
    }

    /// The last entry that anybody heard of.
    pub fn last(&self) -> u64 {
        self.start + self.words.len() as u64
    }

    /// Messages that have a place.
    pub fn placed(&self) -> u64 {
        self.places.len() as u64
    }

    /// Times that a message was found at another place than before.
    pub fn doubled(&self) -> u64 {
        self.doubled
    }

    /// Entries that nobody was shown.
    pub fn hidden(&self) -> u64 {
        let hidden = |word: &&Option<Word>| **word == Some(Word::Skipped);
        self.words.iter().filter(hidden).count() as u64
    }

    /// What couldn't be remembered, or is of before the beginning.
    pub fn unjudged(&self) -> u64 {
        self.unjudged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_heard_the_others_must_hear() {
        let mut log = Log::new(10);
        assert_eq!(log.hear(11, Word::Shown(1)), Agreement::Agrees);
        assert_eq!(log.hear(13, Word::Skipped), Agreement::Agrees);
        assert_eq!(log.hear(11, Word::Shown(1)), Agreement::Agrees);
        assert_eq!(log.hear(11, Word::Shown(2)), Agreement::Differs);
        assert_eq!(log.hear(11, Word::Skipped), Agreement::Unseen);
        assert_eq!(log.hear(13, Word::Shown(1)), Agreement::Differs);
        assert_eq!(log.hear(12, Word::Shown(9)), Agreement::Agrees);
        assert_eq!((log.last(), log.hidden(), log.unjudged()), (13, 1, 0));
    }

    #[test]
    fn a_message_at_two_places_is_doubled() {
        let mut log = Log::new(0);
        let id = MessageId {
            run: 1,
            writer: 2,
            number: 3,
        };
        log.place(id, 5);
        log.place(id, 5);
        assert_eq!((log.placed(), log.doubled()), (1, 0));
        log.place(id, 6);
        assert_eq!((log.placed(), log.doubled()), (1, 1));
    }

    #[test]
    fn what_cant_be_judged_is_counted() {
        let mut log = Log::new(10);
        log.hear(10, Word::Skipped);
        log.hear(11 + MOST_ENTRIES as u64, Word::Skipped);
        assert_eq!((log.unjudged(), log.last()), (2, 10));
    }
}
