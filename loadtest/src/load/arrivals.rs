//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01): what arrived, and when.

use std::collections::VecDeque;

use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, StatusVectorChunk,
    SymbolSizeTypeTcc, SymbolTypeTcc, TransportLayerCc,
};

/// Microseconds of a delta's unit.
const TICK: i64 = 250;
/// Microseconds of the reference time's unit.
const REFERENCE: i64 = 64_000;
/// Packets of one report, and packets that are remembered. More than this in half a second is no viewer's path.
const MOST: usize = 2_048;
/// Microseconds that told packets are remembered for, as libwebrtc does: a late one has those above it told again.
const MEMORY: i64 = 500_000;
/// Two-bit symbols in a chunk.
const VECTOR: usize = 7;

/// Collects arrivals until they are reported.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Unwrapped numbers with microseconds since 1970, in the order of the numbers.
    came: VecDeque<(u64, i64)>,
    newest: Option<u64>,
    /// The first number of the next report.
    next: u64,
    reports: u8,
}

impl Arrivals {
    /// A packet with this transport-wide number came `at` nanoseconds since 1970.
    pub fn note(&mut self, number: u16, at: u64) {
        let at = (at / 1_000) as i64;
        let number = match self.newest {
            None => {
                // Room below for what comes late.
                self.next = (1 << 16) + u64::from(number);
                self.next
            }
            Some(newest) => {
                let ahead = number.wrapping_sub(newest as u16) as i16;
                newest.saturating_add_signed(i64::from(ahead))
            }
        };
        self.newest = self.newest.max(Some(number));
        if self.came.back().is_none_or(|(last, _)| *last < self.next) {
            // All is told.
            let forgotten = |(old, came): &mut (u64, i64)| *old < number && at - *came >= MEMORY;
            while self.came.pop_front_if(forgotten).is_some() {}
        }
        self.next = self.next.min(number);
        if let Err(place) = self.came.binary_search_by_key(&number, |(known, _)| *known) {
            self.came.insert(place, (number, at));
        }
        if self.came.len() > MOST {
            self.came.pop_front();
        }
    }

    /// A report of what came since the last one. Behind a packet that came late, what was told before is told again:
    /// else it would be said not to have come.
    pub fn report(&mut self, sender: u32, media: u32) -> Option<TransportLayerCc> {
        let (last, _) = *self.came.back()?;
        let base = self.next.max((last + 1).saturating_sub(MOST as u64));
        let begin = self.came.partition_point(|(number, _)| *number < base);
        let (_, first_at) = *self.came.get(begin)?;
        let reference = first_at.div_euclid(REFERENCE);
        let mut before = reference * REFERENCE;
        let (mut symbols, mut deltas) = (Vec::new(), Vec::new());
        let mut expected = base;
        for &(number, at) in self.came.range(begin..) {
            let missing = (number - expected) as usize;
            symbols.extend(std::iter::repeat_n(
                SymbolTypeTcc::PacketNotReceived,
                missing,
            ));
            expected = number + 1;
            let ticks = (at - before).div_euclid(TICK);
            let symbol = if (0..=255).contains(&ticks) {
                SymbolTypeTcc::PacketReceivedSmallDelta
            } else {
                SymbolTypeTcc::PacketReceivedLargeDelta
            };
            let ticks = ticks.clamp(i64::from(i16::MIN), i64::from(i16::MAX));
            before += ticks * TICK;
            symbols.push(symbol);
            deltas.push(RecvDelta {
                type_tcc_packet: symbol,
                delta: ticks * TICK,
            });
        }
        self.next = expected;
        self.reports = self.reports.wrapping_add(1);
        Some(TransportLayerCc {
            sender_ssrc: sender,
            media_ssrc: media,
            base_sequence_number: base as u16,
            packet_status_count: symbols.len() as u16,
            reference_time: (reference & 0x00ff_ffff) as u32,
            fb_pkt_count: self.reports.wrapping_sub(1),
            packet_chunks: chunks(&symbols),
            recv_deltas: deltas,
        })
    }
}

/// Runs where that is shorter, vectors of two-bit symbols elsewhere.
fn chunks(mut symbols: &[SymbolTypeTcc]) -> Vec<PacketStatusChunk> {
    let mut chunks = Vec::new();
    while let Some(&symbol) = symbols.first() {
        let run = symbols.iter().take_while(|other| **other == symbol).count();
        let taken = if run >= VECTOR || run == symbols.len() {
            chunks.push(PacketStatusChunk::RunLengthChunk(RunLengthChunk {
                type_tcc: StatusChunkTypeTcc::RunLengthChunk,
                packet_status_symbol: symbol,
                run_length: run as u16,
            }));
            run
        } else {
            let taken = symbols.len().min(VECTOR);
            let mut list = symbols[..taken].to_vec();
            list.resize(VECTOR, SymbolTypeTcc::PacketNotReceived);
            chunks.push(PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
                type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
                symbol_size: SymbolSizeTypeTcc::TwoBit,
                symbol_list: list,
            }));
            taken
        };
        symbols = &symbols[taken..];
    }
    chunks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use rtc_shared::marshal::{Marshal, Unmarshal};

    use super::*;

    /// (number, microseconds) of all packets that a report says have arrived, read as others read it.
    fn read(report: &TransportLayerCc) -> Vec<(u16, i64)> {
        let mut bytes: Bytes = report.marshal().unwrap().freeze();
        let report = TransportLayerCc::unmarshal(&mut bytes).unwrap();
        let symbols = report.packet_chunks.iter().flat_map(|chunk| match chunk {
            PacketStatusChunk::RunLengthChunk(run) => {
                vec![run.packet_status_symbol; usize::from(run.run_length)]
            }
            PacketStatusChunk::StatusVectorChunk(vector) => vector.symbol_list.clone(),
        });
        let mut deltas = report.recv_deltas.iter();
        let mut at = i64::from(report.reference_time) * REFERENCE;
        (0..report.packet_status_count)
            .zip(symbols)
            .filter(|(_, symbol)| *symbol != SymbolTypeTcc::PacketNotReceived)
            .map(|(i, _)| {
                at += deltas.next().unwrap().delta;
                (report.base_sequence_number.wrapping_add(i), at)
            })
            .collect()
    }

    #[test]
    fn a_report_tells_numbers_and_times() {
        let mut arrivals = Arrivals::default();
        let base = 1_790_000_000_000_000_i64 / REFERENCE * REFERENCE;
        let wrapped = ((base / REFERENCE) & 0x00ff_ffff) * REFERENCE;
        // Over the wrap, with a loss, one late and one far behind the others.
        let came = [
            (65_533, 0),
            (65_534, 250),
            (0, 1_000),
            (65_535, 1_250),
            (3, 90_000),
            (3, 91_000),
        ];
        for (number, at) in came {
            arrivals.note(number, (base + at) as u64 * 1_000);
        }
        let report = read(&arrivals.report(1, 2).unwrap());
        let expected = [
            (65_533, 0),
            (65_534, 250),
            (65_535, 1_250),
            (0, 1_000),
            (3, 90_000),
        ];
        assert_eq!(report, expected.map(|(number, at)| (number, wrapped + at)));
        assert_eq!(arrivals.report(1, 2), None);
        // The next begins where this one ended: 4 is lost.
        arrivals.note(5, (base + 100_000) as u64 * 1_000);
        let report = arrivals.report(1, 2).unwrap();
        assert_eq!((report.base_sequence_number, report.fb_pkt_count), (4, 1));
        assert_eq!(read(&report), [(5, wrapped + 100_000)]);
    }

    #[test]
    fn who_comes_after_its_report_is_told_with_all_behind_it() {
        let mut arrivals = Arrivals::default();
        let base = 64_000_000_i64;
        let note = |arrivals: &mut Arrivals, number, at: i64| {
            arrivals.note(number, (base + at) as u64 * 1_000);
        };
        let times = |report: &TransportLayerCc| -> Vec<(u16, i64)> {
            let told = read(report);
            told.iter().map(|(n, at)| (*n, at - base)).collect()
        };
        for (number, at) in [(1, 0), (2, 250), (4, 500), (5, 750)] {
            note(&mut arrivals, number, at);
        }
        let report = arrivals.report(1, 2).unwrap();
        assert_eq!(times(&report), [(1, 0), (2, 250), (4, 500), (5, 750)]);
        note(&mut arrivals, 3, 100_000);
        note(&mut arrivals, 6, 100_250);
        let report = arrivals.report(1, 2).unwrap();
        assert_eq!(report.base_sequence_number, 3);
        let all = [(3, 100_000), (4, 500), (5, 750), (6, 100_250)];
        assert_eq!(times(&report), all);
        assert_eq!(arrivals.report(1, 2), None);
        // After half a second the rest is forgotten: it is as if it hadn't come.
        note(&mut arrivals, 7, 600_250);
        assert_eq!(times(&arrivals.report(1, 2).unwrap()), [(7, 600_250)]);
        assert_eq!(arrivals.came.len(), 1);
    }

    #[test]
    fn a_long_run_is_one_chunk() {
        let mut arrivals = Arrivals::default();
        for number in 0..500 {
            arrivals.note(number, 1_000_000_000 + u64::from(number) * 250_000);
        }
        let report = arrivals.report(1, 2).unwrap();
        assert_eq!(report.packet_chunks.len(), 1);
        assert_eq!(read(&report).len(), 500);
    }
}
