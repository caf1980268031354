//! Pictures of a recording: one to show it by, and small ones of all its times, many in one file.

use std::io::Cursor;

use bytes::Bytes;
use ffmpeg_next::{
    self as libav, Dictionary, Packet, Rational, codec,
    codec::threading,
    encoder, format, frame, media,
    software::scaling::{self, Flags},
};

use super::{
    choice::Choice,
    model::{Init, Piece, Recording, Rendition},
    spine::Place,
    storage::{AccessError, Shelf},
};
use crate::captions::write_cue;

/// The poster's name.
pub(super) const POSTER: &str = "poster.jpg";
/// The name of the list of small pictures.
pub(super) const STORYBOARD: &str = "storyboard.vtt";
/// A small picture is no wider and no higher.
const TILE: u32 = 160;
/// A file of them has so many beside and so many below each other.
const COLUMNS: u32 = 5;
const ROWS: u32 = 5;
/// Small pictures of a recording, at most.
const MOST: u64 = 360;
const SECOND: u64 = 1_000_000;
/// The poster is from a tenth of the way in, but no later.
const POSTER_LATEST: u64 = 60 * SECOND;
/// JPEG's quality: libav's scale, on which 1 is the best and 31 the worst, times 118.
const QUALITY: &str = "472";

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub(super) enum PicturesError {
    /// The storage.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// libav.
    #[error("pictures can't be made: {0}")]
    Library(#[from] libav::Error),
    /// A segment without one.
    #[error("a segment has no picture that can be decoded")]
    NoPicture,
    /// libav was built without it.
    #[error(
        "libavcodec on this machine has no JPEG encoder: install Debian's libavcodec, or one built with it"
    )]
    NoEncoder,
    /// The thread that made them.
    #[error("making pictures broke: {0}")]
    Broke(#[from] tokio::task::JoinError),
}

/// A keyframe to be decoded: its segment, and the initialization segment.
struct Source {
    init: Bytes,
    segment: Bytes,
}

/// Makes all of them; gives how many bytes they have.
pub(super) async fn make(
    shelf: &Shelf,
    recording: &Recording,
    places: &[Place],
) -> Result<u64, PicturesError> {
    let choice = Choice::new(recording, places);
    let Some(last) = places.last() else {
        return Ok(0);
    };
    let duration = last.start + last.duration;
    let mut bytes = 0;
    let poster_at = (duration / 10).min(POSTER_LATEST);
    if let Some(chosen) = nearest(places, poster_at, |number| choice.best(number)) {
        let source = fetch(shelf, chosen).await?;
        let jpeg = tokio::task::spawn_blocking(move || poster(&source)).await??;
        bytes += jpeg.len() as u64;
        shelf.put(POSTER, jpeg).await?;
    }
    let interval = interval(duration);
    let times: Vec<u64> = (0..duration.div_ceil(interval))
        .map(|i| i * interval)
        .collect();
    let first = nearest(places, 0, |number| choice.smallest(number));
    let Some(tile) = first.and_then(|(_, init, _)| init.config.size()).map(tile) else {
        return Ok(bytes);
    };
    let mut list = "WEBVTT\n".to_owned();
    for (number, times) in times.chunks((COLUMNS * ROWS) as usize).enumerate() {
        let mut sources = Vec::new();
        for (index, time) in times.iter().enumerate() {
            if let Some(chosen) = nearest(places, *time, |number| choice.smallest(number)) {
                sources.push(fetch(shelf, chosen).await?);
            }
            let (x, y) = position(index as u32, tile);
            let (width, height) = tile;
            let text = format!("storyboard-{number}.jpg#xywh={x},{y},{width},{height}");
            write_cue(&mut list, *time, (*time + interval).min(duration), &text);
        }
        let jpeg = tokio::task::spawn_blocking(move || sheet(&sources, tile)).await??;
        bytes += jpeg.len() as u64;
        shelf.put(&format!("storyboard-{number}.jpg"), jpeg).await?;
    }
    bytes += list.len() as u64;
    shelf.put(STORYBOARD, list.into()).await?;
    Ok(bytes)
}

/// How far small pictures are apart: closer in what is short.
fn interval(duration: u64) -> u64 {
    let usual = match duration / SECOND {
        0..=200 => 2,
        201..=600 => 5,
        _ => 10,
    };
    usual.max(duration.div_ceil(SECOND).div_ceil(MOST)) * SECOND
}

/// How large a small picture is of one that has this size.
fn tile((width, height): (u16, u16)) -> (u32, u32) {
    fit((width.into(), height.into()), (TILE, TILE))
}

/// The largest of the same shape that fits; even, as 4:2:0 has it.
fn fit((width, height): (u32, u32), (most_width, most_height): (u32, u32)) -> (u32, u32) {
    let (width, height) = (width.max(1), height.max(1));
    let by_width = (most_width, most_width * height / width);
    let (w, h) = if by_width.1 <= most_height {
        by_width
    } else {
        (most_height * width / height, most_height)
    };
    ((w & !1).max(2), (h & !1).max(2))
}

/// Where in its file a small picture is.
fn position(index: u32, (width, height): (u32, u32)) -> (u32, u32) {
    (index % COLUMNS * width, index / COLUMNS * height)
}

type Chosen<'a> = (&'a Rendition, &'a Init, u64);

/// The picture at this time, or the next before it, or after.
fn nearest<'a>(
    places: &[Place],
    time: u64,
    choose: impl Fn(u64) -> Option<(&'a Rendition, &'a Init)>,
) -> Option<Chosen<'a>> {
    let after = places.partition_point(|place| place.start <= time);
    let (before, after) = places.split_at(after);
    before.iter().rev().chain(after).find_map(|place| {
        let (rendition, init) = choose(place.number)?;
        Some((rendition, init, place.number))
    })
}

async fn fetch(
    shelf: &Shelf,
    (rendition, init, number): Chosen<'_>,
) -> Result<Source, AccessError> {
    let name = |segment, init| {
        Piece {
            rendition: rendition.name.clone(),
            segment,
            init,
        }
        .path()
    };
    Ok(Source {
        init: shelf.get(&name(init.segment, true)).await?,
        segment: shelf.get(&name(number, false)).await?,
    })
}

fn poster(source: &Source) -> Result<Bytes, PicturesError> {
    let picture = decode(source)?;
    let size = (picture.width() & !1, picture.height() & !1);
    encode(&scale(&picture, size)?)
}

/// Small pictures beside and below each other.
fn sheet(sources: &[Source], tile: (u32, u32)) -> Result<Bytes, PicturesError> {
    let rows = (sources.len() as u32).div_ceil(COLUMNS).max(1);
    let mut sheet = frame::Video::new(format::Pixel::YUVJ420P, tile.0 * COLUMNS, tile.1 * rows);
    for (plane, black) in [(0, 0), (1, 128), (2, 128)] {
        sheet.data_mut(plane).fill(black);
    }
    for (source, index) in sources.iter().zip(0..) {
        let picture = decode(source)?;
        let size = fit((picture.width(), picture.height()), tile);
        let small = scale(&picture, size)?;
        let (x, y) = position(index, tile);
        // In the middle of its place, if the shape isn't the same.
        let middle = |room: u32, taken: u32| ((room - taken) / 2) & !1;
        put(
            &mut sheet,
            &small,
            (x + middle(tile.0, size.0), y + middle(tile.1, size.1)),
        );
    }
    encode(&sheet)
}

fn put(sheet: &mut frame::Video, small: &frame::Video, (x, y): (u32, u32)) {
    for plane in 0..3 {
        let half = u32::from(plane > 0);
        let (width, height) = (small.width() >> half, small.height() >> half);
        let (from, to) = (small.stride(plane), sheet.stride(plane));
        for row in 0..height as usize {
            let source = &small.data(plane)[row * from..][..width as usize];
            let begin = ((y >> half) as usize + row) * to + (x >> half) as usize;
            sheet.data_mut(plane)[begin..begin + width as usize].copy_from_slice(source);
        }
    }
}

/// A segment's first picture.
fn decode(source: &Source) -> Result<frame::Video, PicturesError> {
    let file = [&source.init[..], &source.segment[..]].concat();
    let io = format::context::StreamIo::from_read_seek(Cursor::new(file))?;
    let mut input = format::input_from_stream(io, Some("segment.mp4"), None)?;
    let stream = input.streams().best(media::Type::Video);
    let stream = stream.ok_or(PicturesError::NoPicture)?;
    let (index, parameters) = (stream.index(), stream.parameters());
    let mut context = codec::Context::from_parameters(parameters)?;
    context.set_threading(threading::Config::count(1));
    let mut decoder = context.decoder().video()?;
    let mut picture = frame::Video::empty();
    for (stream, packet) in input.packets() {
        if stream.index() != index {
            continue;
        }
        decoder.send_packet(&packet)?;
        if decoder.receive_frame(&mut picture).is_ok() {
            return Ok(picture);
        }
    }
    decoder.send_eof()?;
    match decoder.receive_frame(&mut picture) {
        Ok(()) => Ok(picture),
        Err(_) => Err(PicturesError::NoPicture),
    }
}

/// As JPEG wants it.
fn scale(
    picture: &frame::Video,
    (width, height): (u32, u32),
) -> Result<frame::Video, libav::Error> {
    let mut context = scaling::Context::get(
        picture.format(),
        picture.width(),
        picture.height(),
        format::Pixel::YUVJ420P,
        width,
        height,
        Flags::AREA,
    )?;
    let mut scaled = frame::Video::empty();
    context.run(picture, &mut scaled)?;
    Ok(scaled)
}

fn encode(picture: &frame::Video) -> Result<Bytes, PicturesError> {
    let library = encoder::find(codec::Id::MJPEG).ok_or(PicturesError::NoEncoder)?;
    let context = codec::Context::new_with_codec(library);
    let mut video = context.encoder().video()?;
    video.set_width(picture.width());
    video.set_height(picture.height());
    video.set_format(format::Pixel::YUVJ420P);
    video.set_time_base(Rational(1, 1));
    let mut options = Dictionary::new();
    options.set("flags", "+qscale");
    options.set("global_quality", QUALITY);
    let mut encoder = video.open_with(options)?;
    let mut picture = picture.clone();
    picture.set_pts(Some(0));
    picture.set_kind(libav::picture::Type::None);
    encoder.send_frame(&picture)?;
    encoder.send_eof()?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet)?;
    let data = packet.data().ok_or(PicturesError::NoPicture)?;
    Ok(Bytes::copy_from_slice(data))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_keep_their_shape() {
        assert_eq!(tile((1280, 720)), (160, 90));
        assert_eq!(tile((720, 1280)), (90, 160));
        assert_eq!(tile((640, 480)), (160, 120));
        assert_eq!(tile((4096, 2)), (160, 2));
        assert_eq!(fit((90, 160), (160, 90)), (50, 90));
    }

    #[test]
    fn there_are_more_pictures_of_what_is_short_and_never_too_many() {
        for (seconds, expected) in [
            (10, 2),
            (200, 2),
            (201, 5),
            (900, 10),
            (3_600, 10),
            (36_000, 100),
        ] {
            assert_eq!(interval(seconds * SECOND), expected * SECOND, "{seconds} s");
        }
    }

    #[test]
    fn a_sheet_has_each_picture_in_its_place() {
        let mut sheet = frame::Video::new(format::Pixel::YUVJ420P, 160 * COLUMNS, 180);
        sheet.data_mut(0).fill(0);
        let mut small = frame::Video::new(format::Pixel::YUVJ420P, 160, 90);
        small.data_mut(0).fill(200);
        put(&mut sheet, &small, position(6, (160, 90)));
        let stride = sheet.stride(0);
        let at = |x: usize, y: usize| sheet.data(0)[y * stride + x];
        assert_eq!((at(160, 90), at(319, 179)), (200, 200));
        assert_eq!((at(159, 90), at(320, 90), at(160, 89)), (0, 0, 0));
        let jpeg = encode(&sheet).unwrap();
        assert!(jpeg.starts_with(&[0xff, 0xd8, 0xff]) && jpeg.ends_with(&[0xff, 0xd9]));
    }
}
