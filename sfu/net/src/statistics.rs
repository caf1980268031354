//! What a node's media I/O says of itself.

use std::time::Duration;

use crate::{tcp::TcpCounters, udp::UdpCounters};

/// One worker's figures.
#[derive(Debug, Clone)]
pub struct WorkerStatistics<S> {
    /// The engine's: sessions, tracks, totals.
    pub engine: S,
    /// UDP, all sockets together.
    pub udp: UdpCounters,
    /// ICE-TCP.
    pub tcp: TcpCounters,
    /// The event loop's.
    pub worker: WorkerCounters,
    /// How long what comes waits for the worker, smoothed over half a second.
    pub lag: Duration,
    /// How long the worker didn't wait for the network, since the start.
    pub busy: Duration,
}

/// What one worker's event loop counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerCounters {
    /// Datagrams that belonged to no session.
    pub unknown: u64,
    /// Datagrams handed over to another worker.
    pub handed_over: u64,
    /// Datagrams lost because another worker's mailbox was full.
    pub handover_drops: u64,
    /// Engine messages lost because another worker's mailbox was full.
    pub peer_drops: u64,
    /// Data channel messages lost because the platform didn't keep up with its events.
    pub event_drops: u64,
}

impl UdpCounters {
    /// Adds another socket's figures.
    pub(crate) fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.messages += other.messages;
        self.queue_drops += other.queue_drops;
        self.send_errors += other.send_errors;
        self.segmentation_refusals += other.segmentation_refusals;
    }
}
