//! A worker reads its ICE-TCP connections.

use std::{io, time::Instant};

use spillway_sfu::{Disposition, Path};

use crate::{
    core::Core,
    tcp::{
        MovedConnection,
        framing::{LENGTH, first_frame},
    },
    worker::{READ_TIME, Worker},
};

/// Reads from one connection before the others have their turn.
const READS_PER_TURN: usize = 4;

/// Whether a connection is still ours to read.
#[derive(PartialEq, Eq)]
enum Fate {
    Open,
    /// Closed, or another worker's now.
    Lost,
}

impl<C: Core> Worker<C> {
    /// Takes what has come on the connections, each within bounds.
    pub(crate) fn read_connections(&mut self) {
        let mut ready = std::mem::take(&mut self.ready_connections);
        self.outlet.tcp.take_ready(&mut ready);
        let began = Instant::now();
        let mut left = Vec::new();
        for number in ready.drain(..) {
            if began.elapsed() >= READ_TIME {
                // It comes first in the next turn.
                self.outlet.tcp.still_ready(number);
            } else if self.read_connection(number) {
                left.push(number);
            }
        }
        for number in left {
            self.outlet.tcp.still_ready(number);
        }
        self.ready_connections = ready;
    }

    /// Whether more may have come than was read.
    fn read_connection(&mut self, number: u32) -> bool {
        let now = Instant::now();
        for _ in 0..READS_PER_TURN {
            let Some(connection) = self.outlet.tcp.get_mut(number) else {
                return false;
            };
            let path = connection.path;
            let filled = match connection.read(&mut self.read_buffer) {
                Ok(filled) => filled,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    connection.readable = false;
                    return false;
                }
                Err(_) => {
                    self.close_connection(number);
                    return false;
                }
            };
            if self.take_frames(now, number, path, filled) == Fate::Lost {
                return false;
            }
        }
        true
    }

    /// Handles the frames in the first `filled` bytes of the read buffer, and keeps a partial one.
    fn take_frames(&mut self, now: Instant, number: u32, path: Path, filled: usize) -> Fate {
        let mut start = 0;
        loop {
            let unread = &mut self.read_buffer[start..filled];
            let length = match first_frame(unread) {
                Ok(Some(length)) => length,
                Ok(None) => break,
                Err(_) => {
                    self.outlet.tcp.counters.malformed += 1;
                    self.close_connection(number);
                    return Fate::Lost;
                }
            };
            if length == 0 {
                start += LENGTH;
                continue;
            }
            let frame = &mut unread[LENGTH..LENGTH + length];
            let disposition = self
                .engine
                .handle_datagram(now, path, frame, &mut self.outlet);
            let Some(connection) = self.outlet.tcp.get_mut(number) else {
                return Fate::Lost;
            };
            match disposition {
                Disposition::Taken => connection.taken(now),
                Disposition::Foreign(owner)
                    if !connection.has_session() && self.outlet.is_other(owner) =>
                {
                    let unread = &self.read_buffer[start..filled];
                    if let Some(moved) = self.outlet.tcp.give_away(number, unread) {
                        self.outlet.move_connection(owner, moved);
                    }
                    return Fate::Lost;
                }
                Disposition::Foreign(_) | Disposition::Unknown => {
                    self.outlet.counters.unknown += 1;
                }
            }
            start += LENGTH + length;
        }
        if let Some(connection) = self.outlet.tcp.get_mut(number) {
            connection.keep(&self.read_buffer[start..filled]);
        }
        Fate::Open
    }

    /// Takes over a connection whose first frame named this worker.
    pub(crate) fn adopt_connection(&mut self, now: Instant, moved: MovedConnection) {
        let filled = moved.unread.len();
        let Some(room) = self.read_buffer.get_mut(..filled) else {
            return;
        };
        room.copy_from_slice(&moved.unread);
        let Some(number) = self.outlet.tcp.adopt(moved.stream, moved.accepted) else {
            return;
        };
        if let Some(path) = self.outlet.tcp.get_mut(number).map(|c| c.path) {
            self.take_frames(now, number, path, filled);
        }
    }

    /// Closes a connection and tells the engine that its path is no more.
    pub(crate) fn close_connection(&mut self, number: u32) {
        if let Some(path) = self.outlet.tcp.close(number) {
            self.engine.connection_closed(path);
        }
    }
}
