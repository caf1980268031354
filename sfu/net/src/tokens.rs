//! Names of what a worker waits for.

use mio::Token;

/// Another thread left something in the mailbox.
pub(crate) const MAILBOX: Token = Token(0);

const UDP: usize = 1;
const LISTENERS: usize = 1 << 16;
const CONNECTIONS: usize = 1 << 17;

/// The worker's UDP socket `index`.
pub(crate) fn udp(index: usize) -> Token {
    Token(UDP + index)
}

/// The worker's TCP listener `index`.
pub(crate) fn listener(index: usize) -> Token {
    Token(LISTENERS + index)
}

/// The ICE-TCP connection `number`.
pub(crate) fn connection(number: u32) -> Token {
    Token(CONNECTIONS + number as usize)
}

/// What a token stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Mailbox,
    Udp(usize),
    Listener,
    Connection(u32),
}

/// Reads a token back.
pub(crate) fn named(token: Token) -> Named {
    match token.0 {
        0 => Named::Mailbox,
        n if n < LISTENERS => Named::Udp(n - UDP),
        n if n < CONNECTIONS => Named::Listener,
        n => Named::Connection((n - CONNECTIONS) as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back() {
        assert_eq!(named(MAILBOX), Named::Mailbox);
        assert_eq!(named(udp(3)), Named::Udp(3));
        assert_eq!(named(listener(2)), Named::Listener);
        assert_eq!(named(connection(u32::MAX)), Named::Connection(u32::MAX));
    }
}
