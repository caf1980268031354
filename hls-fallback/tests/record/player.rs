//! Plays recordings with libav, as `FFmpeg` does, and sees and hears what is in them.

use std::path::Path;

use ffmpeg_next::{codec, format, frame, media};

/// What was found in a file or a playlist.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Seconds.
    pub(crate) duration: f64,
    /// When each picture is shown, and each packet of sound heard: seconds.
    pub(crate) pictures: Vec<f64>,
    pub(crate) sounds: Vec<f64>,
    /// When it becomes white, and when it begins to beep.
    pub(crate) flashes: Vec<f64>,
    pub(crate) beeps: Vec<f64>,
    /// What the pictures are encoded as: `h264`.
    pub(crate) codec: &'static str,
    /// Sizes of the pictures, each once in a row.
    pub(crate) sizes: Vec<(u32, u32)>,
    /// Where chapters begin, and their titles.
    pub(crate) chapters: Vec<(f64, String)>,
}

pub(crate) fn play(path: &Path) -> Played {
    let mut input = format::input(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut played = Played {
        duration: input.duration() as f64 / 1e6,
        ..Played::default()
    };
    for chapter in input.chapters() {
        let title = chapter.metadata().get("title").unwrap_or("").to_owned();
        let start = chapter.start() as f64 * f64::from(chapter.time_base());
        played.chapters.push((start, title));
    }
    let pictures_are = input.streams().best(media::Type::Video);
    played.codec = pictures_are.map_or("", |stream| stream.parameters().id().name());
    let mut video = decoder(&input, media::Type::Video);
    let mut audio = decoder(&input, media::Type::Audio);
    let (mut white, mut loud_at) = (false, -1.0);
    let mut packets = Vec::new();
    for (stream, packet) in input.packets() {
        packets.push((stream.index(), packet));
    }
    for (index, packet) in packets {
        if let Some((stream, base, decoder)) = &mut video
            && *stream == index
        {
            let decoder: &mut codec::decoder::Opened = decoder;
            decoder.send_packet(&packet).unwrap();
            pictures(decoder, *base, &mut played, &mut white);
        }
        if let Some((stream, base, decoder)) = &mut audio
            && *stream == index
        {
            decoder.send_packet(&packet).unwrap();
            sounds(decoder, *base, &mut played, &mut loud_at);
        }
    }
    if let Some((_, base, decoder)) = &mut video {
        decoder.send_eof().unwrap();
        pictures(decoder, *base, &mut played, &mut white);
    }
    if let Some((_, base, decoder)) = &mut audio {
        decoder.send_eof().unwrap();
        sounds(decoder, *base, &mut played, &mut loud_at);
    }
    played
}

type Decoding = (usize, f64, codec::decoder::Opened);

fn decoder(input: &format::context::Input, kind: media::Type) -> Option<Decoding> {
    let stream = input.streams().best(kind)?;
    let context = codec::Context::from_parameters(stream.parameters()).unwrap();
    let mut decoder = context.decoder();
    decoder.set_packet_time_base(stream.time_base());
    let id = stream.parameters().id();
    let library = codec::decoder::find(id).unwrap();
    let opened = decoder.open_as(library).unwrap();
    Some((stream.index(), f64::from(stream.time_base()), opened))
}

fn pictures(
    decoder: &mut codec::decoder::Opened,
    base: f64,
    played: &mut Played,
    white: &mut bool,
) {
    let mut picture = frame::Video::empty();
    while decoder.receive_frame(&mut picture).is_ok() {
        let time = picture.timestamp().or(picture.pts()).unwrap() as f64 * base;
        played.pictures.push(time);
        let size = (picture.width(), picture.height());
        if played.sizes.last() != Some(&size) {
            played.sizes.push(size);
        }
        let row = &picture.data(0)[..size.0 as usize];
        let mean = row.iter().map(|value| u64::from(*value)).sum::<u64>() / row.len() as u64;
        if mean > 150 && !*white {
            played.flashes.push(time);
        }
        *white = mean > 150;
    }
}

fn sounds(decoder: &mut codec::decoder::Opened, base: f64, played: &mut Played, loud_at: &mut f64) {
    let mut sound = frame::Audio::empty();
    while decoder.receive_frame(&mut sound).is_ok() {
        let time = sound.timestamp().or(sound.pts()).unwrap() as f64 * base;
        played.sounds.push(time);
        let rate = f64::from(sound.rate());
        for (index, value) in sound.plane::<f32>(0).iter().enumerate() {
            if value.abs() < 0.2 {
                continue;
            }
            let at = time + index as f64 / rate;
            if at - *loud_at > 0.3 || *loud_at < 0.0 {
                played.beeps.push(at);
            }
            *loud_at = at;
        }
    }
}

impl Played {
    /// Flashes and beeps are together, one of each second that was recorded whole.
    pub(crate) fn check_sync(&self, seconds: usize) {
        assert_eq!(self.flashes.len(), seconds, "{:?}", self.flashes);
        // Sound may be a frame longer than pictures, into the next beep.
        let beeps = self.beeps.iter().filter(|beep| **beep < seconds as f64);
        let beeps: Vec<_> = beeps.collect();
        assert_eq!(beeps.len(), seconds, "{beeps:?}");
        for (flash, beep) in self.flashes.iter().zip(beeps) {
            assert!((flash - beep).abs() < 0.04, "{flash} and {beep}");
        }
    }

    /// No two pictures are further apart than pictures are, nor closer.
    pub(crate) fn check_even(&self) {
        for pair in self.pictures.windows(2) {
            let apart = pair[1] - pair[0];
            assert!((apart - 0.04).abs() < 0.002, "{} to {}", pair[0], pair[1]);
        }
    }
}
