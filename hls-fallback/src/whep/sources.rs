//! Which source is which track, and what was sent again.

use std::collections::{HashMap, VecDeque};

use rtc::rtp;

use super::Event;
use super::codecs::{self, Meaning};
use super::tap::Incoming;
use crate::receive::{Coding, Packet, TrackKind};

/// Reports of sources that no packet came of yet. A node has two.
const MAX_EARLY_REPORTS: usize = 8;

/// Makes events of what came in.
#[derive(Debug)]
pub(super) struct Sources {
    own: u32,
    tracks: HashMap<TrackKind, u32>,
    early_reports: Vec<(u32, u64, u32)>,
    events: VecDeque<Event>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            own: rand::random(),
            tracks: HashMap::new(),
            early_reports: Vec::new(),
            events: VecDeque::new(),
        }
    }
}

impl Sources {
    /// The SSRC under which we ask for things.
    pub(super) fn own(&self) -> u32 {
        self.own
    }

    /// The source of the video, if any came.
    pub(super) fn video(&self) -> Option<u32> {
        self.tracks.get(&TrackKind::Video).copied()
    }

    pub(super) fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Rtp(packet) => self.packet(packet),
            Incoming::SenderReport {
                ssrc,
                ntp,
                timestamp,
            } => self.report(ssrc, ntp, timestamp),
        }
    }

    pub(super) fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn packet(&mut self, packet: rtp::Packet) {
        match codecs::meaning(packet.header.payload_type) {
            Some(Meaning::Media(coding)) => {
                let kind = coding.kind();
                self.tracks.insert(kind, packet.header.ssrc);
                self.events.push_back(Event::Packet(media(packet, coding)));
                self.give_early_reports(kind);
            }
            Some(Meaning::Resent(coding)) => {
                let primary = self.tracks.get(&coding.kind());
                let packet = primary.and_then(|primary| unwrap(packet, coding, *primary));
                self.events.extend(packet.map(Event::Packet));
            }
            None => {}
        }
    }

    fn report(&mut self, ssrc: u32, ntp: u64, timestamp: u32) {
        let track = self.tracks.iter().find(|(_, source)| **source == ssrc);
        if let Some((&kind, _)) = track {
            self.events.push_back(Event::SenderReport {
                kind,
                ntp,
                timestamp,
            });
        } else {
            self.early_reports.retain(|(source, ..)| *source != ssrc);
            if self.early_reports.len() == MAX_EARLY_REPORTS {
                self.early_reports.remove(0);
            }
            self.early_reports.push((ssrc, ntp, timestamp));
        }
    }

    fn give_early_reports(&mut self, kind: TrackKind) {
        let ssrc = self.tracks.get(&kind);
        let position = self
            .early_reports
            .iter()
            .position(|(source, ..)| Some(source) == ssrc);
        if let Some(position) = position {
            let (_, ntp, timestamp) = self.early_reports.remove(position);
            self.events.push_back(Event::SenderReport {
                kind,
                ntp,
                timestamp,
            });
        }
    }
}

fn media(packet: rtp::Packet, coding: Coding) -> Packet {
    Packet {
        coding,
        ssrc: packet.header.ssrc,
        sequence: packet.header.sequence_number,
        timestamp: packet.header.timestamp,
        marker: packet.header.marker,
        resent: false,
        payload: packet.payload,
    }
}

/// What was sent again (RFC 4588 §4): the payload begins with the sequence number that it had. Padding that probes the path
/// has none.
fn unwrap(mut packet: rtp::Packet, coding: Coding, primary: u32) -> Option<Packet> {
    let (&sequence, _) = packet.payload.split_first_chunk()?;
    let payload = packet.payload.split_off(2);
    Some(Packet {
        ssrc: primary,
        sequence: u16::from_be_bytes(sequence),
        resent: true,
        payload,
        ..media(packet, coding)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;

    use super::*;
    use crate::media::VideoCodec;

    fn rtp(payload_type: u8, ssrc: u32, sequence_number: u16, payload: &'static [u8]) -> Incoming {
        Incoming::Rtp(rtp::Packet {
            header: rtp::Header {
                payload_type,
                ssrc,
                sequence_number,
                timestamp: 7,
                ..Default::default()
            },
            payload: Bytes::from_static(payload),
        })
    }

    #[test]
    fn retransmissions_are_unwrapped() {
        let mut sources = Sources::default();
        sources.take(rtp(103, 9, 1, &[0, 4, 5]));
        assert_eq!(sources.poll(), None, "nobody knows yet what it repairs");
        sources.take(rtp(102, 8, 5, &[6]));
        sources.take(rtp(103, 9, 2, &[1, 4, 5]));
        sources.take(rtp(103, 9, 3, &[]));
        assert!(matches!(sources.poll(), Some(Event::Packet(p)) if !p.resent));
        let expected = Packet {
            coding: Coding::Video(VideoCodec::H264),
            ssrc: 8,
            sequence: 260,
            timestamp: 7,
            marker: false,
            resent: true,
            payload: Bytes::from_static(&[5]),
        };
        assert_eq!(sources.poll(), Some(Event::Packet(expected)));
        assert_eq!(sources.poll(), None);
    }

    #[test]
    fn a_report_before_its_first_packet_is_kept() {
        let mut sources = Sources::default();
        for ntp in [1, 2] {
            sources.take(Incoming::SenderReport {
                ssrc: 8,
                ntp,
                timestamp: 3,
            });
        }
        assert_eq!(sources.poll(), None);
        sources.take(rtp(111, 8, 5, &[6]));
        sources.poll().unwrap();
        let expected = Event::SenderReport {
            kind: TrackKind::Audio,
            ntp: 2,
            timestamp: 3,
        };
        assert_eq!(sources.poll(), Some(expected));
    }
}
