//! libav over a driver that isn't one: all that is done between libav and a GPU, up to the driver's boundary. What a GPU makes of it,
//! it doesn't show.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fake;

use std::sync::Arc;

use ffmpeg_next::{
    Dictionary, Error, Packet, Rational, codec, decoder, encoder, format::Pixel, frame, picture,
};
use spillway_cuda::{Device, Filter, Meters, Pool, Reading, download, gpus, is_on_gpu};

/// Where the fake's sources are, from this crate on.
const SOURCES: &str = "tests/fake";

fn passes(test: &str) {
    if fake::is_real() {
        eprintln!("skipped: there is a GPU, whose driver comes first");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = fake::run(test, folder.path());
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn picture(format: Pixel, luma: u8) -> frame::Video {
    let mut picture = frame::Video::new(format, 320, 180);
    for (plane, value) in [luma, 100, 200].into_iter().enumerate() {
        if plane < picture.planes() {
            picture.data_mut(plane).fill(value);
        }
    }
    picture
}

#[test]
fn pictures_go_to_a_gpu_and_come_back() {
    passes("to_a_gpu_and_back");
}

#[test]
#[ignore = "it is run by the test above, where the driver is"]
fn to_a_gpu_and_back() {
    let device = Device::open(0).unwrap();
    let other = Device::open(1).unwrap();
    assert_eq!((device.gpu(), other.gpu()), (0, 1));
    assert!(Device::open(2).is_err());
    let pool = Pool::new(&device, (320, 180)).unwrap();
    let there = pool.copy(&picture(Pixel::YUV420P, 77)).unwrap();
    assert!(is_on_gpu(&there) && device.has(&there) && !other.has(&there));
    // From there on to another one of the pool.
    let back = download(&pool.copy(&there).unwrap()).unwrap();
    assert_eq!(back.format(), Pixel::YUV420P);
    for (plane, value) in [77, 100, 200].into_iter().enumerate() {
        let (stride, width) = (back.stride(plane), if plane == 0 { 320 } else { 160 });
        let rows = back.data(plane).chunks(stride);
        assert!(
            rows.into_iter()
                .all(|row| row[..width].iter().all(|p| *p == value))
        );
    }
    // What isn't alike, or is elsewhere, is refused before anything is written.
    let elsewhere = Pool::new(&other, (320, 180)).unwrap();
    for wrong in [
        pool.copy(&picture(Pixel::NV12, 1)),
        pool.copy(&frame::Video::new(Pixel::YUV420P, 322, 180)),
        elsewhere.copy(&there),
        download(&back),
    ] {
        assert_eq!(wrong.err(), Some(Error::InvalidData));
    }
    // Nothing of what was in memory before is taken for a picture.
    fake::break_down();
    let lost = download(&there);
    assert!(lost.is_err() || lost.is_ok_and(|lost| lost.data(0).iter().all(|p| *p == 0)));
}

#[test]
fn what_is_decoded_on_a_gpu_is_scaled_and_encoded_there() {
    passes("decoded_scaled_and_encoded");
}

/// H.264 of black pictures, by the processor.
fn coded(count: i64) -> Vec<Packet> {
    let library = encoder::find_by_name("libx264").unwrap();
    let mut video = codec::Context::new_with_codec(library)
        .encoder()
        .video()
        .unwrap();
    video.set_width(320);
    video.set_height(180);
    video.set_format(Pixel::YUV420P);
    video.set_time_base(Rational(1, 30));
    let mut options = Dictionary::new();
    options.set("tune", "zerolatency");
    let mut encoder = video.open_with(options).unwrap();
    let packets = (0..count).map(|number| {
        let mut picture = picture(Pixel::YUV420P, 16);
        picture.set_pts(Some(number));
        encoder.send_frame(&picture).unwrap();
        let mut packet = Packet::empty();
        encoder.receive_packet(&mut packet).unwrap();
        packet
    });
    packets.collect()
}

#[test]
#[ignore = "it is run by the test above, where the driver is"]
fn decoded_scaled_and_encoded() {
    let device = Arc::new(Device::open(1).unwrap());
    let library = decoder::find(codec::Id::H264).unwrap();
    let mut context = codec::Context::new_with_codec(library);
    context.set_flags(codec::Flags::LOW_DELAY);
    device.decode_with(&mut context).unwrap();
    // Once is enough.
    assert_eq!(device.decode_with(&mut context), Err(Error::InvalidData));
    let mut decoder = context.decoder().video().unwrap();

    let pool = Pool::new(&device, (160, 90)).unwrap();
    let library = encoder::find_by_name("h264_nvenc").unwrap();
    let mut video = codec::Context::new_with_codec(library)
        .encoder()
        .video()
        .unwrap();
    video.set_width(160);
    video.set_height(90);
    video.set_time_base(Rational(1, 30));
    video.set_max_b_frames(0);
    pool.encode_with(&mut video).unwrap();
    assert_eq!(pool.encode_with(&mut video), Err(Error::InvalidData));
    let mut options = Dictionary::new();
    options.set("delay", "0");
    options.set("zerolatency", "1");
    options.set("forced-idr", "1");
    let mut encoder = video.open_with(options).unwrap();

    let mut filter: Option<Filter> = None;
    for (number, packet) in coded(40).into_iter().enumerate() {
        decoder.send_packet(&packet).unwrap();
        let mut decoded = frame::Video::empty();
        decoder.receive_frame(&mut decoded).unwrap();
        assert!(
            is_on_gpu(&decoded) && device.has(&decoded),
            "{:?}",
            decoded.format()
        );
        let chain = "scale_cuda=w=160:h=90:format=yuv420p:interp_algo=bicubic";
        let filter = filter.get_or_insert_with(|| Filter::new(&decoded, chain).unwrap());
        assert!(filter.fits(&decoded));
        let scaled = filter.run(&decoded).unwrap();
        assert!(device.has(&scaled) && (scaled.width(), scaled.height()) == (160, 90));
        let mut given = pool.copy(&scaled).unwrap();
        given.set_pts(Some(number as i64));
        given.set_kind(if number % 10 == 0 {
            picture::Type::I
        } else {
            picture::Type::None
        });
        encoder.send_frame(&given).unwrap();
        let mut packet = Packet::empty();
        encoder.receive_packet(&mut packet).unwrap();
        assert_eq!(packet.pts(), Some(number as i64));
        assert_eq!(packet.is_key(), number % 10 == 0);
        // It is that very picture.
        let data = packet.data().unwrap();
        assert_eq!(data[data.len() - 2], number as u8 | 0x80);
    }
    // A picture of another pool isn't one that the filter was made for.
    let other = pool
        .copy(&frame::Video::new(Pixel::YUV420P, 160, 90))
        .unwrap();
    let mut filter = filter.unwrap();
    assert!(!filter.fits(&other));
    assert_eq!(filter.run(&other).err(), Some(Error::InvalidData));
}

#[test]
fn how_busy_a_gpu_is_is_asked_by_its_address() {
    passes("measured");
}

#[test]
#[ignore = "it is run by the test above, where the driver is"]
fn measured() {
    let gpus = gpus().unwrap();
    let meters = Meters::load().unwrap();
    let read: Vec<_> = gpus.iter().map(|gpu| meters.read(gpu).unwrap()).collect();
    let reading = |busy, sessions| Reading { busy, sessions };
    assert_eq!(read, [reading(10, 2), reading(60, 7)]);
}
