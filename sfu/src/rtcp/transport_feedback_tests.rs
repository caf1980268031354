//! Tests of the packet chunks, on bytes written by hand.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::rtcp::{ParseError, Rtcp, packets};

/// A report with base sequence 65535, `count` statuses and reference time 2, around chunks and deltas.
fn report(count: u8, tail: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0x8F, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
    datagram.extend_from_slice(&[0xFF, 0xFF, 0, count, 0, 0, 2, 9]);
    datagram.extend_from_slice(tail);
    datagram.resize(datagram.len().next_multiple_of(4), 0);
    datagram[3] = (datagram.len() / 4 - 1) as u8;
    datagram
}

fn statuses(datagram: &[u8]) -> Vec<(u16, Option<i64>)> {
    let Some(Ok(Rtcp::TransportFeedback(feedback))) = packets(datagram).next() else {
        panic!("not feedback");
    };
    assert_eq!((feedback.reference_time, feedback.feedback_count), (2, 9));
    feedback.statuses().collect()
}

/// What is written about `arrivals` behind the fields in front of the chunks.
fn written(arrivals: &[Option<i64>]) -> Vec<u8> {
    let mut buffer = Vec::new();
    let count = Writer::new(&mut buffer).transport_feedback(1, 2, 0, 0, arrivals.iter().copied());
    assert_eq!(count, arrivals.len());
    buffer.split_off(20)
}

#[test]
fn run_length_chunks() {
    // Two small deltas, two missing, one large delta of -2.
    let datagram = report(5, &[0x20, 2, 0x00, 2, 0x40, 1, 7, 3, 0xFF, 0xFE]);
    let expected = [
        (65_535, Some(7)),
        (0, Some(10)),
        (1, None),
        (2, None),
        (3, Some(8)),
    ];
    assert_eq!(statuses(&datagram), expected);
}

#[test]
fn vector_chunks() {
    // One bit: 1 0 1 and eleven zeros; two bits: small, missing, large.
    let datagram = report(17, &[0xA8, 0x00, 0xD2, 0x00, 1, 2, 3, 0x01, 0x00]);
    let mut expected = vec![(65_535, Some(1)), (0, None), (1, Some(3))];
    expected.extend((2..13).map(|sequence| (sequence, None)));
    expected.extend([(13, Some(6)), (14, None), (15, Some(262))]);
    assert_eq!(statuses(&datagram), expected);
}

#[test]
fn symbols_beyond_the_count_are_padding() {
    let datagram = report(2, &[0xBF, 0xFF, 1, 2]);
    assert_eq!(statuses(&datagram), [(65_535, Some(1)), (0, Some(3))]);
    let datagram = report(1, &[0x20, 200, 1, 0]);
    assert_eq!(statuses(&datagram), [(65_535, Some(1))]);
}

#[test]
fn empty_runs_are_passed_over() {
    let datagram = report(1, &[0x20, 0, 0x00, 0, 0x20, 1, 5]);
    assert_eq!(statuses(&datagram), [(65_535, Some(5))]);
}

#[test]
fn broken_promises_are_refused() {
    let missing_chunk = report(30, &[0xBF, 0xFF, 1, 2]);
    let missing_deltas = report(14, &[0xBF, 0xFF, 1, 2]);
    let reserved_in_a_run = report(1, &[0x60, 1, 1, 2]);
    let reserved_in_a_vector = report(1, &[0xF0, 0, 1, 2]);
    for datagram in [
        missing_chunk,
        missing_deltas,
        reserved_in_a_run,
        reserved_in_a_vector,
    ] {
        let error = packets(&datagram).next().unwrap().unwrap_err();
        assert_eq!(error, ParseError::Malformed { packet_type: 205 });
    }
}

#[test]
fn long_runs_and_short_patterns_are_written_compactly() {
    // 100 arrivals in one tick: a run, 100 deltas of 0, zeros up to the word.
    let run = written(&[Some(0); 100]);
    assert_eq!(run.len(), 104);
    assert_eq!(run[..2], [0x20, 100]);
    // Every second of 14: one vector of one-bit symbols.
    let pattern: Vec<_> = (0..14).map(|i| (i % 2 == 0).then_some(0)).collect();
    assert_eq!(written(&pattern)[..2], [0xAA, 0xAA]);
    // A large delta among small ones: two-bit symbols.
    assert_eq!(
        written(&[Some(0), Some(300), None, Some(301)])[..2],
        [0xD8, 0x40]
    );
}

#[test]
fn deltas_are_chosen_by_their_size() {
    for (delta, symbol) in [
        (0, 1),
        (255, 1),
        (256, 2),
        (-1, 2),
        (32_767, 2),
        (-32_768, 2),
    ] {
        let at = 40_000;
        let tail = written(&[Some(at), Some(at + delta)]);
        let chunk = u16::from_be_bytes([tail[0], tail[1]]);
        let written = Chunk::parse(chunk).symbol(1);
        assert_eq!(written, symbol, "{delta}");
    }
}

#[test]
fn a_delta_that_does_not_fit_ends_the_report() {
    let mut buffer = Vec::new();
    for late in [32_768, -32_769] {
        let arrivals = [Some(40_000), None, Some(40_000 + late), Some(0)];
        let count = Writer::new(&mut buffer).transport_feedback(1, 2, 0, 0, arrivals.into_iter());
        assert_eq!(count, 2);
    }
}

#[test]
fn reference_times_wrap_after_24_bits() {
    let mut buffer = Vec::new();
    let at = (1_i64 << 24) * TICKS_PER_REFERENCE + 5 * TICKS_PER_REFERENCE + 7;
    Writer::new(&mut buffer).transport_feedback(1, 2, 0, 0, std::iter::once(Some(at)));
    let Some(Ok(Rtcp::TransportFeedback(feedback))) = packets(&buffer).next() else {
        panic!("not feedback");
    };
    assert_eq!(feedback.reference_time, 5);
    assert_eq!(feedback.statuses().next(), Some((0, Some(7))));
}
