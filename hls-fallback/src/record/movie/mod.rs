//! A recording as one MP4 file that plays from its beginning on while it's loaded: tables first.
//!
//! All segments are read twice: for the tables, which is all that is kept in memory, and for the samples.

mod boxes;
mod plan;

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use mp4_atom::Codec;

use super::{
    chapters::Chapter,
    choice::Choice,
    fragments::{self, Contents, FragmentError},
    model::{Init, Piece, Recording, Rendition},
    spine::Place,
    storage::{AccessError, Shelf},
};
use boxes::Tables;
use plan::{Chunk, Entry, Kind, Plan, Track};

/// The file's name.
pub(super) const NAME: &str = "video.mp4";
/// Of an `mdat` that may be over 4 GiB.
const MDAT_HEADER: u64 = 16;

/// Why there is no MP4 file.
#[derive(Debug, thiserror::Error)]
pub(super) enum MovieError {
    /// The storage.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A segment.
    #[error("{name}: {source}")]
    Fragment {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: FragmentError,
    },
    /// The tables.
    #[error("the MP4 file's tables can't be written: {0}")]
    Box(#[from] mp4_atom::Error),
    /// A segment was another one the second time.
    #[error("{0} changed while it was read")]
    Changed(String),
}

/// Makes the file; gives how long it is, in bytes.
pub(super) async fn make(
    shelf: &Shelf,
    recording: &Recording,
    places: &[Place],
    chapters: &[Chapter],
) -> Result<u64, MovieError> {
    let mut maker = Maker {
        shelf,
        sources: Vec::new(),
        entries: HashMap::new(),
        plan: Plan::new(),
    };
    maker.read(recording, places).await?;
    maker.write(chapters).await
}

struct Maker<'a> {
    shelf: &'a Shelf,
    /// The segments that are in the file.
    sources: Vec<Piece>,
    /// The sample entries of initialization segments, by their names.
    entries: HashMap<String, usize>,
    plan: Plan,
}

/// A segment that was read.
struct Read {
    source: usize,
    entry: usize,
    timescale: u32,
    contents: Contents,
}

impl Read {
    fn piece(&self) -> plan::Piece<'_> {
        plan::Piece {
            source: self.source,
            entry: self.entry,
            timescale: self.timescale,
            samples: &self.contents.samples,
        }
    }
}

impl<'a> Maker<'a> {
    async fn read(&mut self, recording: &'a Recording, places: &[Place]) -> Result<(), MovieError> {
        let choice = Choice::new(recording, places);
        for place in places {
            if place.discontinuous {
                self.plan.break_off();
            }
            let video = match choice.best(place.number) {
                Some(chosen) => Some(self.segment(Kind::Video, chosen, place.number).await?),
                None => None,
            };
            let sound = match choice.sound(place.number) {
                Some(chosen) => Some(self.segment(Kind::Sound, chosen, place.number).await?),
                None => None,
            };
            self.plan.push(
                video.as_ref().map(Read::piece),
                sound.as_ref().map(Read::piece),
            );
        }
        Ok(())
    }

    async fn segment(
        &mut self,
        kind: Kind,
        (rendition, init): (&Rendition, &Init),
        number: u64,
    ) -> Result<Read, MovieError> {
        let piece = |segment, init| Piece {
            rendition: rendition.name.clone(),
            segment,
            init,
        };
        let of_init = piece(init.segment, true).path();
        let entry = match self.entries.get(&of_init) {
            Some(entry) => *entry,
            None => self.entry(kind, init.timescale, of_init).await?,
        };
        let source = piece(number, false);
        let contents = self.contents(&source).await?.1;
        self.sources.push(source);
        Ok(Read {
            source: self.sources.len() - 1,
            entry,
            timescale: init.timescale,
            contents,
        })
    }

    async fn entry(
        &mut self,
        kind: Kind,
        timescale: u32,
        name: String,
    ) -> Result<usize, MovieError> {
        let data = self.shelf.get(&name).await?;
        match entry(&data) {
            Ok(entry) => {
                let entry = self.plan.entry(kind, timescale, entry);
                self.entries.insert(name, entry);
                Ok(entry)
            }
            Err(source) => Err(MovieError::Fragment { name, source }),
        }
    }

    async fn contents(&self, piece: &Piece) -> Result<(Bytes, Contents), MovieError> {
        let name = piece.path();
        let data = self.shelf.get(&name).await?;
        let contents =
            fragments::read(&data).map_err(|source| MovieError::Fragment { name, source })?;
        Ok((data, contents))
    }

    async fn write(&self, chapters: &[Chapter]) -> Result<u64, MovieError> {
        let mut head = boxes::file_type()?;
        let texts = boxes::texts(chapters);
        // Once to find out how long the tables are.
        let tables = self.tables(0, chapters, &texts);
        let length = boxes::movie(&tables)?.len();
        let data_from = (head.len() + length) as u64 + MDAT_HEADER;
        let tables = self.tables(data_from, chapters, &texts);
        head.extend(boxes::movie(&tables)?);
        let payload = self.payload(&texts);
        // A size of 1 says that it follows in 64 bits (ISO/IEC 14496-12 §4.2.2).
        head.extend(1_u32.to_be_bytes());
        head.extend(b"mdat");
        head.extend((payload + MDAT_HEADER).to_be_bytes());
        let total = head.len() as u64 + payload;
        let mut writing = self.shelf.write(NAME, total).await?;
        let written = async {
            writing.put(head.into()).await?;
            for text in texts {
                writing.put(text).await?;
            }
            for (track, chunk) in self.chunks() {
                writing.put(self.samples(track, chunk).await?).await?;
            }
            Ok(())
        };
        match written.await {
            Ok(()) => writing.finish().await?,
            Err(error) => {
                writing.abort().await;
                return Err(error);
            }
        }
        Ok(total)
    }

    /// In the order in which they are in the file: that of the segments.
    fn chunks(&self) -> impl Iterator<Item = (&Track, &Chunk)> {
        let of = |track: &'_ Option<Track>| -> Vec<usize> {
            let chunks = track.iter().flat_map(|track| &track.chunks);
            chunks.map(|chunk| chunk.source).collect()
        };
        let mut order: Vec<(usize, Kind, usize)> = Vec::new();
        for (kind, sources) in [
            (Kind::Video, of(&self.plan.video)),
            (Kind::Sound, of(&self.plan.sound)),
        ] {
            let numbered = sources.into_iter().enumerate();
            order.extend(numbered.map(|(index, source)| (source, kind, index)));
        }
        order.sort_unstable_by_key(|(source, ..)| *source);
        order.into_iter().filter_map(|(_, kind, index)| {
            let track = match kind {
                Kind::Video => self.plan.video.as_ref()?,
                Kind::Sound => self.plan.sound.as_ref()?,
            };
            Some((track, track.chunks.get(index)?))
        })
    }

    fn payload(&self, texts: &[Bytes]) -> u64 {
        let texts: usize = texts.iter().map(Bytes::len).sum();
        texts as u64 + self.chunks().map(|(_, chunk)| chunk.bytes).sum::<u64>()
    }

    fn tables<'t>(&'t self, from: u64, chapters: &'t [Chapter], texts: &[Bytes]) -> Tables<'t> {
        let (mut video, mut sound) = (Vec::new(), Vec::new());
        let mut at = from + texts.iter().map(Bytes::len).sum::<usize>() as u64;
        for (track, chunk) in self.chunks() {
            let is_video = self
                .plan
                .video
                .as_ref()
                .is_some_and(|v| std::ptr::eq(v, track));
            if is_video { &mut video } else { &mut sound }.push(at);
            at += chunk.bytes;
        }
        Tables {
            video: self.plan.video.as_ref().map(|track| (track, video)),
            sound: self.plan.sound.as_ref().map(|track| (track, sound)),
            chapters,
            texts: from,
        }
    }

    /// A chunk's samples.
    async fn samples(&self, track: &Track, chunk: &Chunk) -> Result<Bytes, MovieError> {
        let source = &self.sources[chunk.source];
        let changed = || MovieError::Changed(source.path());
        let (data, contents) = self.contents(source).await?;
        let samples = contents.samples.get(..chunk.samples).ok_or_else(changed)?;
        let sets = &track.entries[chunk.entry].sets;
        let mut out = BytesMut::with_capacity(chunk.bytes as usize);
        for sample in samples {
            let end = sample.offset + sample.size as usize;
            let sample_data = data.get(sample.offset..end).ok_or_else(changed)?;
            if chunk.in_band && sample.sync {
                let delimiter = delimiter(sample_data);
                out.extend_from_slice(&sample_data[..delimiter]);
                out.extend_from_slice(sets);
                out.extend_from_slice(&sample_data[delimiter..]);
            } else {
                out.extend_from_slice(sample_data);
            }
        }
        if out.len() as u64 != chunk.bytes {
            return Err(changed());
        }
        Ok(out.freeze())
    }
}

/// How long the access unit delimiter of H.264 is that a sample may begin with: parameter sets come after it (ITU-T H.264 §7.4.1.2.3).
fn delimiter(sample: &[u8]) -> usize {
    match sample {
        [0, 0, 0, 2, 9, _, ..] => 6,
        _ => 0,
    }
}

/// The sample entry of an initialization segment. A file has several where the encoding changed; since some players know only the
/// first, keyframes carry their parameter sets too then.
fn entry(init: &[u8]) -> Result<Entry, FragmentError> {
    let moov = fragments::movie(init)?;
    let track = moov.trak.first().ok_or(FragmentError::Incomplete)?;
    let codecs = &track.mdia.minf.stbl.stsd.codecs;
    let codec = codecs.first().ok_or(FragmentError::Incomplete)?.clone();
    let sets: Vec<&Vec<u8>> = match &codec {
        Codec::Avc1(entry) => {
            let avcc = &entry.avcc;
            let sets = avcc.sequence_parameter_sets.iter();
            sets.chain(&avcc.picture_parameter_sets).collect()
        }
        Codec::Hvc1(entry) => entry.hvcc.arrays.iter().flat_map(|a| &a.nalus).collect(),
        // Others have them in their keyframes anyway.
        _ => Vec::new(),
    };
    let mut written = Vec::new();
    for set in sets {
        written.extend((set.len() as u32).to_be_bytes());
        written.extend_from_slice(set);
    }
    Ok(Entry {
        codec,
        sets: written,
    })
}
