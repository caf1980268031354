//! What the load test writes: each message says which it is and when it was written.

use std::fmt;

/// One message of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// The run that wrote it: a channel's log has those of others.
    pub run: u32,
    /// Who wrote it.
    pub writer: u32,
    /// The writer's how manyth it is, from 0.
    pub number: u32,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}-{}", self.run, self.writer, self.number)
    }
}

impl MessageId {
    /// As [`fmt::Display`] writes it.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        Some(Self {
            run: u32::from_str_radix(parts.next()?, 16).ok()?,
            writer: parts.next()?.parse().ok()?,
            number: parts.next()?.parse().ok()?,
        })
    }
}

/// The text of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which it is.
    pub id: MessageId,
    /// When it was written first, in nanoseconds since 1970.
    pub sent: u64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.sent)
    }
}

impl Mark {
    /// As [`fmt::Display`] writes it.
    pub fn read(text: &str) -> Option<Self> {
        let (id, sent) = text.split_once(' ')?;
        Some(Self {
            id: MessageId::read(id)?,
            sent: sent.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let id = MessageId {
            run: 0xab,
            writer: 7,
            number: 1_000,
        };
        let mark = Mark {
            id,
            sent: 1_700_000_000_123_456_789,
        };
        assert_eq!(mark.to_string(), "000000ab-7-1000 1700000000123456789");
        assert_eq!(Mark::read(&mark.to_string()), Some(mark));
        for other in [
            "",
            "hello there",
            "000000ab-7 5",
            "000000ab-7-1000",
            "x-1-1 5",
        ] {
            assert_eq!(Mark::read(other), None, "{other}");
        }
    }
}
