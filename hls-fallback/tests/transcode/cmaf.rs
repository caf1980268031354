//! A strict look at CMAF (ISO/IEC 23000-19): an initialization segment, and the chunks that follow it.

use std::io::Cursor;

use mp4_atom::{Any, Codec, DecodeMaybe as _, FourCC, Moof, Moov, TrunSamples};

/// `sample_depends_on` 2; 1 and `sample_is_non_sync_sample` (ISO/IEC 14496-12 §8.8.3.1).
const SYNC: u32 = 0x0200_0000;
const NON_SYNC: u32 = 0x0101_0000;

/// A track, as its initialization segment has it, and where its chunks have come to.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) entry: Codec,
    id: u32,
    next_time: Option<u64>,
    sequence: u32,
    pub(crate) samples: usize,
}

fn boxes(data: &[u8]) -> Vec<(FourCC, Any, usize)> {
    let mut cursor = Cursor::new(data);
    let mut found = Vec::new();
    while let Some(next) = Any::decode_maybe(&mut cursor).unwrap() {
        let at = found.last().map_or(0, |(_, _, end)| *end);
        let kind = FourCC::new(data[at + 4..at + 8].try_into().unwrap());
        found.push((kind, next, cursor.position() as usize));
    }
    let end = found.last().map_or(0, |(_, _, end)| *end);
    assert_eq!(end, data.len(), "what is left over is no box");
    found
}

fn kinds(boxes: &[(FourCC, Any, usize)]) -> Vec<String> {
    boxes.iter().map(|(kind, ..)| kind.to_string()).collect()
}

impl Track {
    /// §7.3.1, §7.5: `ftyp` and `moov`, one track without samples and edits, with defaults for fragments.
    pub(crate) fn begin(init: &[u8]) -> Self {
        let boxes = boxes(init);
        let [(_, Any::Ftyp(ftyp), _), (_, Any::Moov(moov), _)] = &boxes[..] else {
            panic!("{:?}", kinds(&boxes));
        };
        assert!(ftyp.compatible_brands.contains(&FourCC::new(b"cmfc")));
        let Moov {
            mvhd, mvex, trak, ..
        } = moov;
        let [track] = &trak[..] else {
            panic!("{} tracks", trak.len())
        };
        assert_eq!((mvhd.duration, track.tkhd.duration), (0, 0));
        assert!(
            track.edts.is_none(),
            "pictures are shown when they are decoded"
        );
        let mvex = mvex.as_ref().unwrap();
        assert_eq!(mvex.trex.len(), 1);
        assert_eq!(mvex.trex[0].track_id, track.tkhd.track_id);
        assert_eq!(mvex.trex[0].default_sample_description_index, 1);
        assert!(track.tkhd.enabled && track.tkhd.in_movie);
        let stbl = &track.mdia.minf.stbl;
        assert!(stbl.stts.entries.is_empty() && stbl.stsc.entries.is_empty());
        assert!(stbl.stss.is_none() && stbl.ctts.is_none() && stbl.co64.is_none());
        assert!(
            stbl.stco
                .as_ref()
                .is_some_and(|stco| stco.entries.is_empty())
        );
        let [entry] = &stbl.stsd.codecs[..] else {
            panic!("{:?}", stbl.stsd)
        };
        if let Codec::Av01(_) = entry {
            assert!(ftyp.compatible_brands.contains(&FourCC::new(b"av01")));
        }
        if let Some((width, height)) = size(entry) {
            assert_eq!(
                (track.tkhd.width.integer(), track.tkhd.height.integer()),
                (width, height)
            );
        }
        Self {
            entry: entry.clone(),
            id: track.tkhd.track_id,
            next_time: None,
            sequence: 0,
            samples: 0,
        }
    }

    /// §7.3.2, §7.3.3: the next part, which is a chunk; before the first one of a segment `styp` and `prft`.
    pub(crate) fn part(&mut self, data: &[u8], begins_segment: bool) {
        let boxes = boxes(data);
        let expected: &[&str] = if begins_segment {
            &["styp", "prft", "moof", "mdat"]
        } else {
            &["moof", "mdat"]
        };
        assert_eq!(kinds(&boxes), expected);
        let count = boxes.len();
        let begin = if begins_segment { boxes[1].2 } else { 0 };
        if let (_, Any::Styp(styp), _) = &boxes[0] {
            assert!(styp.compatible_brands.contains(&FourCC::new(b"cmfs")));
        }
        let (Any::Moof(moof), moof_end) = (&boxes[count - 2].1, boxes[count - 2].2) else {
            panic!("no moof")
        };
        if let Any::Prft(prft) = &boxes[1].1 {
            let time = moof.traf[0].tfdt.as_ref().unwrap().base_media_decode_time;
            assert_eq!((prft.reference_track_id, prft.media_time), (self.id, time));
        }
        self.chunk(moof, &data[begin..], moof_end - begin, begins_segment);
    }

    fn chunk(&mut self, moof: &Moof, chunk: &[u8], moof_len: usize, begins_segment: bool) {
        assert!(moof.mfhd.sequence_number > self.sequence);
        self.sequence = moof.mfhd.sequence_number;
        let [traf] = &moof.traf[..] else {
            panic!("{} tracks", moof.traf.len())
        };
        assert_eq!(traf.tfhd.track_id, self.id);
        assert!(traf.tfhd.default_base_is_moof && traf.tfhd.base_data_offset.is_none());
        let mut time = traf.tfdt.as_ref().unwrap().base_media_decode_time;
        assert!(
            self.next_time.is_none_or(|next| next == time),
            "a gap before {time}"
        );
        let [run] = &traf.trun[..] else {
            panic!("{} runs", traf.trun.len())
        };
        let mut at = run.data_offset.unwrap() as usize;
        assert_eq!(at, moof_len + 8, "samples begin with the mdat");
        let TrunSamples::Explicit(samples) = &run.samples else {
            panic!("{:?}", run.samples)
        };
        assert!(!samples.is_empty());
        for (i, sample) in samples.iter().enumerate() {
            let duration = sample.duration.or(traf.tfhd.default_sample_duration);
            let flags = sample.flags.or(traf.tfhd.default_sample_flags).unwrap();
            assert!(duration.unwrap() > 0);
            assert_eq!(sample.cts.unwrap_or(0), 0, "it is shown when it is decoded");
            assert!(flags == SYNC || flags == NON_SYNC, "{flags:x}");
            if begins_segment && i == 0 {
                assert_eq!(flags, SYNC, "a segment begins with a keyframe");
            }
            let end = at + sample.size.unwrap() as usize;
            self.check_sample(&chunk[at..end], flags == SYNC);
            at = end;
            time += u64::from(duration.unwrap());
        }
        assert_eq!(at, chunk.len(), "samples are all that is in the mdat");
        self.next_time = Some(time);
        self.samples += samples.len();
    }

    fn check_sample(&self, sample: &[u8], is_sync: bool) {
        match &self.entry {
            Codec::Avc1(_) => {
                let kinds: Vec<u8> = units(sample).iter().map(|unit| unit[0] & 31).collect();
                assert!(
                    kinds.iter().all(|kind| !matches!(kind, 7..=9 | 12)),
                    "{kinds:?}"
                );
                assert_eq!(kinds.contains(&5), is_sync, "{kinds:?}");
            }
            Codec::Hvc1(entry) => {
                let arrays: Vec<_> = entry.hvcc.arrays.iter().collect();
                assert!(arrays.iter().all(|array| array.completeness));
                let kinds: Vec<u8> = units(sample).iter().map(|unit| unit[0] >> 1 & 63).collect();
                assert!(
                    kinds.iter().all(|kind| !matches!(kind, 32..=35 | 38)),
                    "{kinds:?}"
                );
                assert_eq!(kinds.iter().any(|kind| matches!(kind, 16..=21)), is_sync);
            }
            Codec::Vp09(entry) => {
                assert_eq!(sample[0] >> 6, 2, "the frame marker");
                let is_inter = sample[0] & 0b1100 != 0;
                assert_eq!(is_sync, !is_inter && entry.vpcc.profile < 3);
            }
            Codec::Av01(entry) => {
                let obus = obus(sample);
                let kinds: Vec<u8> = obus.iter().map(|obu| obu[0] >> 3 & 15).collect();
                assert!(
                    kinds.iter().all(|kind| !matches!(kind, 2 | 7 | 8 | 15)),
                    "{kinds:?}"
                );
                if is_sync {
                    assert_eq!(
                        obus[0], entry.av1c.config_obus,
                        "the sequence header of av1C"
                    );
                }
            }
            _ => {}
        }
    }
}

/// Width and height of pictures.
pub(crate) fn size(entry: &Codec) -> Option<(u16, u16)> {
    let visual = match entry {
        Codec::Avc1(entry) => &entry.visual,
        Codec::Hvc1(entry) => &entry.visual,
        Codec::Vp09(entry) => &entry.visual,
        Codec::Av01(entry) => &entry.visual,
        _ => return None,
    };
    Some((visual.width, visual.height))
}

/// NAL units with four bytes of length before them.
fn units(mut sample: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::new();
    while let Some((len, rest)) = sample.split_first_chunk() {
        let (unit, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        units.push(unit);
        sample = rest;
    }
    assert!(sample.is_empty() && !units.is_empty());
    units
}

/// OBUs with their sizes.
fn obus(mut sample: &[u8]) -> Vec<&[u8]> {
    let mut obus = Vec::new();
    while !sample.is_empty() {
        assert!(sample[0] & 2 != 0, "it has its size");
        let mut at = if sample[0] & 4 == 0 { 1 } else { 2 };
        let (mut size, mut shift) = (0, 0);
        loop {
            let byte = sample[at];
            at += 1;
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (obu, rest) = sample.split_at(at + size);
        obus.push(obu);
        sample = rest;
    }
    obus
}
