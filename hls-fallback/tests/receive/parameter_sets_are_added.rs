//! Keyframes come out with all that they need.

use std::time::Duration;

use bytes::Bytes;
use spillway_hls::receive::ParameterSets;

use crate::support::codecs::{annexb, obu};
use crate::support::{Source, World, seed};

const SPS: &[u8] = &[0x67, 0x64, 0, 0x1f, 1];
const PPS: &[u8] = &[0x68, 0xee, 1];
const IDR: &[u8] = &[0x65, 0x88, 1, 2, 3];
const SLICE: &[u8] = &[0x41, 0x9a, 1, 2];
const DELIMITER: &[u8] = &[0x09, 0xf0];

/// Sends pictures of NAL units, one payload each; returns what came out.
fn pictures(source: Source, sets: &ParameterSets, pictures: &[&[&[u8]]]) -> Vec<Vec<u8>> {
    let mut world = World::new(source, seed());
    world.run(Duration::from_millis(1));
    world.receiver.set_parameter_sets(sets);
    world.finish();
    for picture in pictures {
        let payloads = picture.iter().map(|unit| Bytes::copy_from_slice(unit));
        world.send_payloads(payloads.collect());
        world.run(Duration::from_millis(40));
    }
    world.run(Duration::from_secs(2));
    let frames = world.received.iter().map(|(_, frame)| frame.data.to_vec());
    frames.collect()
}

fn units(units: &[&[u8]]) -> Vec<u8> {
    annexb(&units.iter().map(|unit| unit.to_vec()).collect::<Vec<_>>())
}

#[test]
fn those_of_the_session_description_are_added() {
    let sets = ParameterSets {
        h264: vec![SPS.into(), PPS.into()],
        h265: vec![],
    };
    let out = pictures(
        Source::H264,
        &sets,
        &[&[IDR], &[SLICE], &[DELIMITER, IDR], &[IDR]],
    );
    assert_eq!(
        out,
        [
            units(&[SPS, PPS, IDR]),
            units(&[SLICE]),
            units(&[DELIMITER, SPS, PPS, IDR]),
            units(&[SPS, PPS, IDR]),
        ]
    );
}

#[test]
fn those_that_came_by_themselves_are_added() {
    let other = &[0x68, 0xef, 2][..];
    let out = pictures(
        Source::H264,
        &ParameterSets::default(),
        &[&[SPS, PPS], &[IDR], &[other], &[SLICE], &[IDR], &[SLICE]],
    );
    assert_eq!(
        out,
        [
            units(&[SPS, PPS, IDR]),
            units(&[SPS, other, SLICE]),
            units(&[SPS, other, IDR]),
            units(&[SLICE]),
        ]
    );
}

#[test]
fn a_keyframe_that_lacks_them_is_of_no_use() {
    let out = pictures(
        Source::H264,
        &ParameterSets::default(),
        &[&[IDR], &[SLICE], &[SPS, PPS, IDR], &[SLICE]],
    );
    assert_eq!(out, [units(&[SPS, PPS, IDR]), units(&[SLICE])]);
}

#[test]
fn the_last_ones_are_added_in_h265() {
    let [vps, sps, pps] = [&[0x40, 1, 9][..], &[0x42, 1, 9], &[0x44, 1, 9]];
    let idr = &[0x26, 1, 0xaf, 5][..];
    let out = pictures(
        Source::H265,
        &ParameterSets::default(),
        &[&[vps, sps, pps, idr], &[idr]],
    );
    assert_eq!(
        out,
        [units(&[vps, sps, pps, idr]), units(&[vps, sps, pps, idr])]
    );
}

#[test]
fn av1_gets_its_sequence_header() {
    // One OBU without its size, behind the aggregation header.
    let packet =
        |aggregation: u8, header: u8, rest: &[u8]| [&[aggregation, header][..], rest].concat();
    let first = [&[0x28, 0x03, 0x08, 1, 2][..], &[0x30, 0x10, 7]].concat();
    let second = packet(0x10, 0x30, &[0x10, 8]);
    let out = pictures(
        Source::Av1,
        &ParameterSets::default(),
        &[&[&first], &[&second]],
    );
    let sequence = obu(1, &[1, 2]);
    let expected = [[0x10, 7], [0x10, 8]].map(|frame| [&sequence[..], &obu(6, &frame)].concat());
    assert_eq!(out, expected);
}

#[test]
fn vp9_layers_become_a_superframe() {
    // I, L, B and E; a 7-bit picture id; the layer; TL0PICIDX.
    let layer =
        |sid: u8, flags: u8, data: &[u8]| [&[0xa0 | flags, 1, sid << 1, 0][..], data].concat();
    let (low, high, more) = (
        layer(0, 0x0c, &[0x82, 1, 2]),
        layer(1, 0x08, &[0x86, 3]),
        layer(1, 0x04, &[4, 5]),
    );
    let out = pictures(
        Source::Vp9,
        &ParameterSets::default(),
        &[&[&low, &high, &more]],
    );
    let index = [0xd9, 3, 0, 0, 0, 4, 0, 0, 0, 0xd9];
    assert_eq!(
        out,
        [[&[0x82, 1, 2][..], &[0x86, 3, 4, 5], &index].concat()]
    );
}
