//! The encoder over a driver that isn't one: libraries of the driver's names, made here, whose NVENC writes down what it is told.
//!
//! They show that the loading, the linking, the order of calls and the pictures are right up to the driver's boundary, not what a
//! GPU makes of them. Where there is a real driver they would get into each other's way: there nothing is tried.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "it is a driver, as far as the bindings can tell"
)]

#[path = "fake/mod.rs"]
mod fake;

use std::path::Path;

use nvidia_video_codec_sdk::sys::nvEncodeAPI::NV_ENC_PIC_TYPE;
use spillway_nvidia::{Driver, Encoder, Error, Picture, Plane, Settings};

const SETTINGS: Settings = Settings {
    width: 6,
    height: 4,
    rate: (30, 1),
    bitrate: 100_000,
    peak_bitrate: 120_000,
    buffer: 50_000,
};

fn is_real() -> bool {
    ["/dev/nvidiactl", "/dev/dxg"]
        .iter()
        .any(|device| Path::new(device).exists())
}

/// One after the other: once a driver is loaded it stays so.
#[test]
fn a_driver_is_looked_at_loaded_and_used() {
    if is_real() {
        return;
    }
    a_driver_that_is_missing_or_too_old_is_named();
    pictures_reach_the_driver_and_come_back();
    a_driver_that_fails_ends_its_session_with_a_clear_word();
}

fn a_driver_that_is_missing_or_too_old_is_named() {
    let files = tempfile::tempdir().unwrap();
    let cuda = |version, gpus| fake::cuda(files.path(), version, gpus);
    let nvenc = |version| fake::nvenc(files.path(), version);
    let said = |cuda: &Path, nvenc: &Path| Driver::load_from(cuda, nvenc).unwrap_err();

    let error = Driver::load().unwrap_err();
    assert!(
        error.to_string().contains("libnvidia-encode.so.1"),
        "{error}"
    );
    let gone = files.path().join("gone.so");
    let error = said(&gone, &nvenc((12, 1)));
    assert!(matches!(&error, Error::Library(_)), "{error}");

    let error = said(&cuda(12_020, 1), &nvenc((12, 0)));
    assert!(
        error.to_string().contains("NVENC 12.0, and 12.1 is needed"),
        "{error}"
    );
    let error = said(&cuda(12_010, 1), &nvenc((12, 1)));
    assert!(
        error.to_string().contains("CUDA 12.1, and 12.2 is needed"),
        "{error}"
    );
    let error = said(&cuda(12_020, 0), &nvenc((13, 0)));
    assert!(matches!(error, Error::NoGpu), "{error}");
    // A library that is something else.
    let error = said(&cuda(12_020, 1), &cuda(12_020, 1));
    assert!(error.to_string().contains("NvEncodeAPI"), "{error}");
}

/// Pixels that tell their plane, row and column, in rows that are longer than the picture is wide.
fn planes(seed: u8) -> [Vec<u8>; 3] {
    let plane = |number: u8, width: u8, height: u8| {
        let pixel = |i: u8| (i % 10 < width).then_some(seed + number * 64 + i);
        (0..height * 10).map(|i| pixel(i).unwrap_or(0xff)).collect()
    };
    [plane(0, 6, 4), plane(1, 3, 2), plane(2, 3, 2)]
}

fn encode(encoder: &mut Encoder, seed: u8, timestamp: u64, keyframe: bool) -> (bool, Vec<u8>) {
    let planes = planes(seed);
    let picture = Picture([0, 1, 2].map(|i: usize| Plane {
        data: &planes[i],
        stride: 10,
    }));
    let coded = encoder.encode(&picture, timestamp, keyframe).unwrap();
    assert_eq!(coded.timestamp, timestamp);
    (coded.keyframe, coded.data)
}

fn pictures_reach_the_driver_and_come_back() {
    use NV_ENC_PIC_TYPE::{NV_ENC_PIC_TYPE_IDR as IDR, NV_ENC_PIC_TYPE_P as P};
    let files = tempfile::tempdir().unwrap();
    let driver = fake::install(files.path(), 2);
    assert_eq!(driver.gpus(), 2);
    // GPU 1 has no room.
    let full = Encoder::open(driver, 1, SETTINGS).unwrap_err();
    assert!(matches!(full, Error::Nvenc(_)), "{full}");
    let odd = Encoder::open(
        driver,
        0,
        Settings {
            width: 5,
            ..SETTINGS
        },
    )
    .unwrap_err();
    assert!(matches!(odd, Error::Size { .. }), "{odd}");

    let mut encoder = Encoder::open(driver, 0, SETTINGS).unwrap();
    let told = [
        encode(&mut encoder, 0, 70, false),
        encode(&mut encoder, 1, 71, false),
        encode(&mut encoder, 2, 72, true),
        encode(&mut encoder, 3, 73, false),
    ];
    assert_eq!(
        told.clone().map(|(keyframe, _)| keyframe),
        [true, false, true, false]
    );
    assert!(
        told[0].1.starts_with(&[0, 0, 0, 1, 0x67]),
        "{:?}",
        told[0].1
    );
    assert!(
        told[1].1.starts_with(&[0, 0, 0, 1, 0x41]),
        "{:?}",
        told[1].1
    );
    drop(encoder);

    let seen = fake::seen();
    let pictures: Vec<_> = seen.pictures.iter().map(|p| (p.kind, p.order)).collect();
    assert_eq!(pictures, [(IDR, 0), (P, 2), (IDR, 0), (P, 2)]);
    for (seed, picture) in seen.pictures.iter().enumerate() {
        assert_eq!(picture.pitch, fake::PITCH);
        assert_eq!(
            picture.planes(6, 4),
            planes(seed as u8).map(without_padding)
        );
    }
    assert_eq!(seen.initial, [(6, 4, 30, 1, 0)]);
    assert_eq!(seen.average_bitrate, 100_000);
    // All that was taken was given back, the end said before.
    assert_eq!((seen.open, seen.buffers, seen.locked), (0, 0, 0));
    assert!(seen.ended_before_buffers_went);
}

fn a_driver_that_fails_ends_its_session_with_a_clear_word() {
    let driver = Driver::load().unwrap();
    let mut encoder = Encoder::open(driver, 0, SETTINGS).unwrap();
    encode(&mut encoder, 0, 1, true);
    fake::break_down();
    let planes = planes(0);
    let picture = Picture([0, 1, 2].map(|i: usize| Plane {
        data: &planes[i],
        stride: 10,
    }));
    let error = encoder.encode(&picture, 2, false).unwrap_err();
    assert!(error.to_string().contains("it broke"), "{error}");
    assert!(matches!(
        encoder.encode(&picture, 3, false),
        Err(Error::Ended)
    ));
}

fn without_padding(plane: Vec<u8>) -> Vec<u8> {
    plane.into_iter().filter(|pixel| *pixel != 0xff).collect()
}
