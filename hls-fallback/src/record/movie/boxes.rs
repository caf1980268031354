//! The `moov` of a recording's MP4 file (ISO/IEC 14496-12), with its chapters twice: as a text track, which `QuickTime` and its kin
//! read, and as a list, which others do.

use bytes::Bytes;
use mp4_atom::{
    Chpl, ChplEntry, Co64, Codec, Ctts, CttsEntry, Dinf, Dref, DrefEntry, Edts, Elst, ElstEntry,
    Encode as _, FixedPoint, FourCC, Ftyp, Hdlr, Mdhd, Mdia, Minf, Moov, Mvhd, Nmhd, Smhd, Stbl,
    Stsc, StscEntry, Stsd, Stss, Stsz, StszSamples, Stts, SttsEntry, Tkhd, TrackReferenceTypeBox,
    Trak, Tref, Tx3g, Udta, Url, Vmhd,
};

use super::plan::{Chunk, Entry, Track};
use crate::record::chapters::Chapter;

/// Ticks of the movie a second; chapters have them too.
const TIMESCALE: u32 = 90_000;
const VIDEO: u32 = 1;
const SOUND: u32 = 2;
const TEXT: u32 = 3;
/// Of a chapter list: its count has eight bits, and so has the length of a title.
const MAX_LISTED: usize = 255;

/// The tables of all tracks, and where their chunks are in the file.
pub(super) struct Tables<'a> {
    pub(super) video: Option<(&'a Track, Vec<u64>)>,
    pub(super) sound: Option<(&'a Track, Vec<u64>)>,
    pub(super) chapters: &'a [Chapter],
    /// Where the text samples are, one behind the other.
    pub(super) texts: u64,
}

/// `ftyp`.
pub(super) fn file_type() -> Result<Vec<u8>, mp4_atom::Error> {
    let mut out = Vec::new();
    Ftyp {
        major_brand: FourCC::new(b"isom"),
        minor_version: 0x200,
        compatible_brands: [b"isom", b"iso2", b"mp41"].map(FourCC::new).to_vec(),
    }
    .encode(&mut out)?;
    Ok(out)
}

/// The chapters' titles as samples of timed text (3GPP TS 26.245 §5.17): each with its length.
pub(super) fn texts(chapters: &[Chapter]) -> Vec<Bytes> {
    let sample = |chapter: &Chapter| {
        let title = cut(&chapter.title, usize::from(u16::MAX)).as_bytes();
        let mut sample = (title.len() as u16).to_be_bytes().to_vec();
        sample.extend_from_slice(title);
        Bytes::from(sample)
    };
    chapters.iter().map(sample).collect()
}

/// At most so many bytes of a text.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// `moov`. How long it is doesn't depend on where the chunks are.
pub(super) fn movie(tables: &Tables) -> Result<Vec<u8>, mp4_atom::Error> {
    let tracks = [&tables.video, &tables.sound].into_iter().flatten();
    let duration = tracks
        .map(|(track, _)| movie_ticks(track.offset + track.duration(), track.timescale))
        .max()
        .unwrap_or(0);
    let mut trak = Vec::new();
    for (id, table) in [(VIDEO, &tables.video), (SOUND, &tables.sound)] {
        if let Some((track, offsets)) = table {
            // The chapters belong to the first track.
            let with_chapters = trak.is_empty() && !tables.chapters.is_empty();
            trak.push(media_track(id, track, offsets, with_chapters));
        }
    }
    if !tables.chapters.is_empty() {
        trak.push(text_track(tables.chapters, tables.texts, duration));
    }
    let mut out = Vec::new();
    Moov {
        mvhd: Mvhd {
            timescale: TIMESCALE,
            duration,
            rate: FixedPoint::new(1, 0),
            volume: FixedPoint::new(1, 0),
            next_track_id: TEXT + 1,
            ..Default::default()
        },
        trak,
        udta: Some(Udta {
            chpl: Some(Chpl {
                entries: tables
                    .chapters
                    .iter()
                    .take(MAX_LISTED)
                    .map(listed)
                    .collect(),
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
    .encode(&mut out)?;
    Ok(out)
}

fn listed(chapter: &Chapter) -> ChplEntry {
    ChplEntry {
        start: chapter.start * 10,
        title: cut(&chapter.title, MAX_LISTED).to_owned(),
    }
}

fn movie_ticks(ticks: u64, timescale: u32) -> u64 {
    (u128::from(ticks) * u128::from(TIMESCALE) / u128::from(timescale.max(1))) as u64
}

fn media_track(id: u32, track: &Track, offsets: &[u64], with_chapters: bool) -> Trak {
    // That of the first: players take another for a shape that pictures are to be brought into.
    let size = track.entries.first().and_then(|entry| size(&entry.codec));
    let is_video = id == VIDEO;
    let offset = movie_ticks(track.offset, track.timescale);
    let duration = movie_ticks(track.duration(), track.timescale);
    let (width, height) = size.unwrap_or((0, 0));
    Trak {
        tkhd: Tkhd {
            track_id: id,
            duration: offset + duration,
            enabled: true,
            in_movie: true,
            volume: FixedPoint::new(u8::from(!is_video), 0),
            width: FixedPoint::new(width, 0),
            height: FixedPoint::new(height, 0),
            ..Default::default()
        },
        edts: (offset > 0).then(|| edits(offset, duration)),
        tref: with_chapters.then(|| Tref {
            track_reference_type_boxes: vec![TrackReferenceTypeBox {
                reference_type: FourCC::new(b"chap"),
                track_ids: vec![TEXT],
            }],
        }),
        mdia: Mdia {
            mdhd: Mdhd {
                timescale: track.timescale,
                duration: track.duration(),
                language: "und".into(),
                ..Default::default()
            },
            hdlr: if is_video {
                handler(*b"vide", "video")
            } else {
                handler(*b"soun", "sound")
            },
            minf: Minf {
                vmhd: is_video.then(Vmhd::default),
                smhd: (!is_video).then(Smhd::default),
                dinf: own_file(),
                stbl: sample_table(track, offsets, is_video),
                ..Default::default()
            },
        },
        ..Default::default()
    }
}

fn handler(kind: [u8; 4], name: &str) -> Hdlr {
    Hdlr {
        handler: FourCC::new(&kind),
        name: name.into(),
    }
}

fn own_file() -> Dinf {
    Dinf {
        dref: Dref {
            entries: vec![DrefEntry::Url(Url::default())],
        },
    }
}

/// Nothing for a while, then the track.
fn edits(offset: u64, duration: u64) -> Edts {
    let entry = |segment_duration, media_time| ElstEntry {
        segment_duration,
        media_time,
        media_rate: FixedPoint::new(1, 0),
    };
    Edts {
        elst: Some(Elst {
            entries: vec![entry(offset, None), entry(duration, Some(0))],
        }),
    }
}

fn size(codec: &Codec) -> Option<(u16, u16)> {
    let visual = match codec {
        Codec::Avc1(entry) => &entry.visual,
        Codec::Avc3(entry) => &entry.visual,
        Codec::Hvc1(entry) => &entry.visual,
        Codec::Hev1(entry) => &entry.visual,
        Codec::Vp09(entry) => &entry.visual,
        Codec::Av01(entry) => &entry.visual,
        _ => return None,
    };
    Some((visual.width, visual.height))
}

fn sample_table(track: &Track, offsets: &[u64], is_video: bool) -> Stbl {
    let entries = track.entries.iter();
    let all_sync = track.syncs.len() == track.sizes.len();
    Stbl {
        stsd: Stsd {
            codecs: entries.map(|Entry { codec, .. }| codec.clone()).collect(),
        },
        stts: Stts {
            entries: runs(
                track.deltas.iter().copied(),
                |sample_count, sample_delta| SttsEntry {
                    sample_count,
                    sample_delta,
                },
            ),
        },
        ctts: (!track.compositions.is_empty()).then(|| Ctts {
            entries: runs(
                track.compositions.iter().copied(),
                |sample_count, offset| CttsEntry {
                    sample_count,
                    sample_offset: i64::from(offset),
                },
            ),
        }),
        // Without it, all are.
        stss: (is_video && !all_sync).then(|| Stss {
            entries: track.syncs.iter().map(|sample| sample + 1).collect(),
        }),
        stsc: Stsc {
            entries: chunks(&track.chunks),
        },
        stsz: Stsz {
            samples: StszSamples::Different {
                sizes: track.sizes.clone(),
            },
        },
        co64: Some(Co64 {
            entries: offsets.to_vec(),
        }),
        ..Default::default()
    }
}

/// Equal values behind each other become one entry.
fn runs<T: PartialEq + Copy, E>(
    values: impl Iterator<Item = T>,
    entry: impl Fn(u32, T) -> E,
) -> Vec<E> {
    let mut out = Vec::new();
    let mut run: Option<(u32, T)> = None;
    for value in values {
        match &mut run {
            Some((count, of)) if *of == value => *count += 1,
            _ => out.extend(run.replace((1, value)).map(|(count, of)| entry(count, of))),
        }
    }
    out.extend(run.map(|(count, of)| entry(count, of)));
    out
}

fn chunks(chunks: &[Chunk]) -> Vec<StscEntry> {
    let mut out: Vec<StscEntry> = Vec::new();
    for (chunk, first_chunk) in chunks.iter().zip(1..) {
        let samples_per_chunk = chunk.samples as u32;
        let sample_description_index = chunk.entry as u32 + 1;
        let same = out.last().is_some_and(|last| {
            (last.samples_per_chunk, last.sample_description_index)
                == (samples_per_chunk, sample_description_index)
        });
        if !same {
            out.push(StscEntry {
                first_chunk,
                samples_per_chunk,
                sample_description_index,
            });
        }
    }
    out
}

fn text_track(chapters: &[Chapter], texts: u64, duration: u64) -> Trak {
    let ticks = |micros: u64| movie_ticks(micros, 1_000_000);
    let ends = chapters.iter().skip(1).map(|next| ticks(next.start));
    let ends = ends.chain([duration]);
    let lengths = chapters
        .iter()
        .zip(ends)
        .map(|(chapter, end)| end.saturating_sub(ticks(chapter.start)).max(1) as u32);
    let deltas: Vec<u32> = lengths.collect();
    let sizes: Vec<u32> = self::texts(chapters)
        .iter()
        .map(|text| text.len() as u32)
        .collect();
    let count = sizes.len() as u32;
    Trak {
        tkhd: Tkhd {
            track_id: TEXT,
            duration,
            // It's no subtitle.
            enabled: false,
            ..Default::default()
        },
        mdia: Mdia {
            mdhd: Mdhd {
                timescale: TIMESCALE,
                duration: deltas.iter().map(|delta| u64::from(*delta)).sum(),
                language: "und".into(),
                ..Default::default()
            },
            hdlr: handler(*b"text", "chapters"),
            minf: Minf {
                nmhd: Some(Nmhd::default()),
                dinf: own_file(),
                stbl: Stbl {
                    stsd: Stsd {
                        codecs: vec![Codec::Tx3g(Tx3g {
                            data_reference_index: 1,
                            ..Default::default()
                        })],
                    },
                    stts: Stts {
                        entries: runs(deltas.into_iter(), |sample_count, sample_delta| SttsEntry {
                            sample_count,
                            sample_delta,
                        }),
                    },
                    stsc: Stsc {
                        entries: vec![StscEntry {
                            first_chunk: 1,
                            samples_per_chunk: count,
                            sample_description_index: 1,
                        }],
                    },
                    stsz: Stsz {
                        samples: StszSamples::Different { sizes },
                    },
                    co64: Some(Co64 {
                        entries: vec![texts],
                    }),
                    ..Default::default()
                },
                ..Default::default()
            },
        },
        ..Default::default()
    }
}
