//! Initialization segments and chunks of CMAF (ISO/IEC 23000-19), of one track each.

use bytes::Bytes;
use mp4_atom::{
    Atom as _, Audio, Av01, Av1c, Avc1, Avcc, Codec, Dinf, Dops, Dref, DrefEntry, Encode as _,
    FixedPoint, FourCC, Ftyp, Hdlr, Hvc1, Hvcc, Mdhd, Mdia, Mfhd, Minf, Moof, Moov, Mp4a, Mvex,
    Mvhd, Opus, Prft, ReferenceTime, Smhd, Stbl, Stco, Stsd, Styp, Tfdt, Tfhd, Tkhd, Traf, Trak,
    Trex, Trun, TrunEntry, TrunSamples, Url, Visual, Vmhd, Vp09, VpcC,
    esds::{DecoderConfig, DecoderSpecific, EsDescriptor, Esds, SLConfig},
};

use crate::media::{Moment, Sample, TrackConfig};

/// The one track of each file.
const TRACK: u32 = 1;
/// `sample_depends_on` 2: on none (ISO/IEC 14496-12 §8.8.3.1).
const SYNC: u32 = 0x0200_0000;
/// `sample_depends_on` 1, `sample_is_non_sync_sample`.
const NON_SYNC: u32 = 0x0101_0000;
/// `mdat`'s size and name.
const MDAT_HEADER: usize = 8;
/// Seconds from 1900 to 1970.
const NTP_TO_UNIX: i64 = 2_208_988_800;

/// Why a box can't be written.
#[derive(Debug, thiserror::Error)]
pub enum CmafError {
    /// An `avcC` or the like that isn't one, a value that doesn't fit.
    #[error("the track can't be written as ISO BMFF: {0}")]
    Box(#[from] mp4_atom::Error),
    /// The `avcC` or `hvcC` says that lengths aren't 4 bytes.
    #[error("samples need 4-byte lengths: have the avcC or hvcC say so")]
    LengthSize,
    /// The rate doesn't fit into the sample entry's 16 bits.
    #[error("sound of {0} Hz has no sample entry: resample it to 48 kHz")]
    SampleRate(u32),
    /// More channels than a byte counts.
    #[error("sound of {0} channels has no sample entry: mix it down to two")]
    Channels(u16),
    /// A part of 2 GiB or more.
    #[error("a part is larger than 2 GiB: publish smaller ones")]
    TooLarge,
}

/// `ftyp` and `moov`.
pub(crate) fn init_segment(config: &TrackConfig, timescale: u32) -> Result<Bytes, CmafError> {
    let mut out = Vec::with_capacity(1024);
    let mut compatible_brands = [b"iso6", b"cmfc", b"mp41"].map(FourCC::new).to_vec();
    if let TrackConfig::Av1 { .. } = config {
        // AV1 codec ISO media file format binding §2.1.
        compatible_brands.push(FourCC::new(b"av01"));
    }
    Ftyp {
        major_brand: FourCC::new(b"iso6"),
        minor_version: 0,
        compatible_brands,
    }
    .encode(&mut out)?;
    Moov {
        mvhd: Mvhd {
            timescale,
            rate: FixedPoint::new(1, 0),
            volume: FixedPoint::new(1, 0),
            next_track_id: TRACK + 1,
            ..Default::default()
        },
        mvex: Some(Mvex {
            trex: vec![Trex {
                track_id: TRACK,
                default_sample_description_index: 1,
                ..Default::default()
            }],
            ..Default::default()
        }),
        trak: vec![track(config, timescale)?],
        ..Default::default()
    }
    .encode(&mut out)?;
    Ok(out.into())
}

fn track(config: &TrackConfig, timescale: u32) -> Result<Trak, CmafError> {
    let (width, height) = config.size().unwrap_or((0, 0));
    let volume = u8::from(config.size().is_none());
    Ok(Trak {
        tkhd: Tkhd {
            track_id: TRACK,
            enabled: true,
            in_movie: true,
            volume: FixedPoint::new(volume, 0),
            width: FixedPoint::new(width, 0),
            height: FixedPoint::new(height, 0),
            ..Default::default()
        },
        mdia: Mdia {
            mdhd: Mdhd {
                timescale,
                language: "und".into(),
                ..Default::default()
            },
            hdlr: handler(config),
            minf: media_information(config)?,
        },
        ..Default::default()
    })
}

fn handler(config: &TrackConfig) -> Hdlr {
    let (handler, name) = match config.size() {
        Some(_) => (b"vide", "video"),
        None => (b"soun", "sound"),
    };
    Hdlr {
        handler: FourCC::new(handler),
        name: name.into(),
    }
}

fn media_information(config: &TrackConfig) -> Result<Minf, CmafError> {
    let video = config.size().is_some();
    Ok(Minf {
        vmhd: video.then(Vmhd::default),
        smhd: (!video).then(Smhd::default),
        dinf: Dinf {
            dref: Dref {
                entries: vec![DrefEntry::Url(Url::default())],
            },
        },
        stbl: Stbl {
            stsd: Stsd {
                codecs: vec![sample_entry(config)?],
            },
            // Empty, as the samples are in fragments; but a movie without it is none (ISO/IEC 14496-12 §8.7.5).
            stco: Some(Stco::default()),
            ..Default::default()
        },
        ..Default::default()
    })
}

fn sample_entry(config: &TrackConfig) -> Result<Codec, CmafError> {
    let (width, height) = config.size().unwrap_or((0, 0));
    let visual = Visual {
        data_reference_index: 1,
        width,
        height,
        ..Default::default()
    };
    match config {
        TrackConfig::H264 { avcc, .. } => {
            let avcc = Avcc::decode_body(&mut &avcc[..])?;
            if avcc.length_size != 4 {
                return Err(CmafError::LengthSize);
            }
            Ok(Codec::Avc1(Avc1 {
                visual,
                avcc,
                ..Default::default()
            }))
        }
        TrackConfig::H265 { hvcc, .. } => {
            let hvcc = Hvcc::decode_body(&mut &hvcc[..])?;
            if hvcc.length_size_minus_one != 3 {
                return Err(CmafError::LengthSize);
            }
            Ok(Codec::Hvc1(Hvc1 {
                visual,
                hvcc,
                ..Default::default()
            }))
        }
        TrackConfig::Vp9 { vpcc, .. } => Ok(Codec::Vp09(Vp09 {
            visual,
            vpcc: VpcC::decode_body(&mut &vpcc[..])?,
            ..Default::default()
        })),
        TrackConfig::Av1 { av1c, .. } => Ok(Codec::Av01(Av01 {
            visual,
            av1c: Av1c::decode_body(&mut &av1c[..])?,
            ..Default::default()
        })),
        TrackConfig::Aac {
            config,
            sample_rate,
            channels,
        } => Ok(Codec::Mp4a(Mp4a {
            audio: audio_entry(*sample_rate, *channels)?,
            esds: elementary_stream(config),
            btrt: None,
            taic: None,
        })),
        TrackConfig::Opus {
            sample_rate,
            channels,
        } => Ok(Codec::Opus(Opus {
            audio: audio_entry(*sample_rate, *channels)?,
            // Encapsulation of Opus in ISO Base Media File Format §4.3.2. Samples have the times at which they are heard: nothing is
            // to be skipped.
            dops: Dops {
                output_channel_count: u8::try_from(*channels)
                    .map_err(|_| CmafError::Channels(*channels))?,
                pre_skip: 0,
                input_sample_rate: *sample_rate,
                output_gain: 0,
                channel_mapping: None,
            },
            btrt: None,
        })),
    }
}

fn audio_entry(sample_rate: u32, channels: u16) -> Result<Audio, CmafError> {
    Ok(Audio {
        data_reference_index: 1,
        channel_count: channels,
        sample_size: 16,
        sample_rate: u16::try_from(sample_rate)
            .map_err(|_| CmafError::SampleRate(sample_rate))?
            .into(),
    })
}

fn elementary_stream(config: &[u8]) -> Esds {
    Esds {
        es_desc: EsDescriptor {
            // CMAF wants 0 where the descriptor is in a file (ISO/IEC 14496-14 §4.1.2).
            es_id: 0,
            dec_config: DecoderConfig {
                // MPEG-4 audio.
                object_type_indication: 0x40,
                // AudioStream.
                stream_type: 5,
                dec_specific: Some(DecoderSpecific {
                    raw: config.to_vec(),
                    ..Default::default()
                }),
                ..Default::default()
            },
            sl_config: SLConfig::default(),
            ..Default::default()
        },
    }
}

/// What is written before a segment's first chunk: `styp`, and in `prft` which wall time its first sample has.
pub(crate) fn segment_head(first_time: u64, wall: Moment) -> Result<Vec<u8>, CmafError> {
    let mut out = Vec::with_capacity(64);
    Styp {
        major_brand: FourCC::new(b"msdh"),
        minor_version: 0,
        compatible_brands: vec![
            FourCC::new(b"msdh"),
            FourCC::new(b"cmfs"),
            FourCC::new(b"cmff"),
            FourCC::new(b"cmfl"),
        ],
    }
    .encode(&mut out)?;
    Prft {
        reference_track_id: TRACK,
        ntp_timestamp: ntp(wall),
        media_time: first_time,
        utc_time_semantics: ReferenceTime::Input,
    }
    .encode(&mut out)?;
    Ok(out)
}

/// Seconds since 1900 in 32 bits, and a fraction in 32 (RFC 5905 §6).
fn ntp(moment: Moment) -> u64 {
    let seconds = (moment.0.div_euclid(1_000_000) + NTP_TO_UNIX) as u64 & 0xffff_ffff;
    let fraction = (moment.0.rem_euclid(1_000_000) as u64) << 32;
    (seconds << 32) | (fraction / 1_000_000)
}

/// Appends a chunk, `moof` and `mdat`, of samples that follow each other.
pub(crate) fn write_chunk(
    out: &mut Vec<u8>,
    sequence: u32,
    samples: &[Sample],
) -> Result<(), CmafError> {
    let payload: usize = samples.iter().map(|sample| sample.data.len()).sum();
    let mut moof = movie_fragment(sequence, samples)?;
    let mut encoded = Vec::new();
    moof.encode(&mut encoded)?;
    let offset = encoded.len() + MDAT_HEADER;
    i32::try_from(offset + payload).map_err(|_| CmafError::TooLarge)?;
    for run in moof.traf.iter_mut().flat_map(|traf| &mut traf.trun) {
        run.data_offset = Some(offset as i32);
    }
    out.reserve(offset + payload);
    moof.encode(out)?;
    out.extend_from_slice(&((MDAT_HEADER + payload) as u32).to_be_bytes());
    out.extend_from_slice(b"mdat");
    for sample in samples {
        out.extend_from_slice(&sample.data);
    }
    Ok(())
}

fn movie_fragment(sequence: u32, samples: &[Sample]) -> Result<Moof, CmafError> {
    let first = samples.first();
    let even = samples
        .iter()
        .all(|sample| Some(sample.duration) == first.map(|first| first.duration));
    let all_sync = samples.iter().all(|sample| sample.keyframe);
    let default_flags = if all_sync { SYNC } else { NON_SYNC };
    // A keyframe first is the first sample's flags; one elsewhere needs flags on all.
    let first_only = samples.iter().skip(1).all(|sample| !sample.keyframe);
    let entries = samples.iter().enumerate().map(|(index, sample)| {
        let flags = if sample.keyframe { SYNC } else { NON_SYNC };
        let explicit = !all_sync && (!first_only || index == 0 && sample.keyframe);
        Ok(TrunEntry {
            duration: (!even).then_some(sample.duration),
            size: Some(u32::try_from(sample.data.len()).map_err(|_| CmafError::TooLarge)?),
            flags: explicit.then_some(flags),
            cts: None,
        })
    });
    let entries = entries.collect::<Result<Vec<_>, CmafError>>()?;
    Ok(Moof {
        mfhd: Mfhd {
            sequence_number: sequence,
        },
        traf: vec![Traf {
            tfhd: Tfhd {
                track_id: TRACK,
                default_base_is_moof: true,
                default_sample_duration: first.filter(|_| even).map(|first| first.duration),
                default_sample_flags: Some(default_flags),
                ..Default::default()
            },
            tfdt: Some(Tfdt {
                base_media_decode_time: first.map_or(0, |first| first.time),
            }),
            trun: vec![Trun {
                data_offset: Some(0),
                samples: TrunSamples::Explicit(entries),
            }],
            ..Default::default()
        }],
    })
}

/// A segment of these parts.
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test's")]
pub(crate) fn test_segment<'a>(wall: Moment, parts: impl Iterator<Item = &'a [Sample]>) -> Vec<u8> {
    let mut out = segment_head(0, wall).unwrap();
    for (part, number) in parts.zip(1..) {
        write_chunk(&mut out, number, part).unwrap();
    }
    out
}
