//! What a presentation consists of, and how it changes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    MAX_RENDITIONS,
    asked::Asked,
    bandwidth::Bandwidth,
    captions::{Captions, Followed},
    dash::{self, Announced, Periods, Track},
    directives::Position,
    grid,
    packager::{PushError, Unit},
    page::Page,
    playlist::{self, Context, Discontinuities, Variant},
    presentation::{AddRenditionError, RenditionInfo, RenditionKind},
    segment_groups::SegmentGroups,
    settings::Timing,
    shelf::{Absent, Shelf},
};
use crate::{
    captions::{Cue, Language},
    media::{Demand, TrackConfig},
};

/// Guarded by a lock that nobody holds for longer than it takes to write a playlist.
#[derive(Debug)]
pub(super) struct State {
    renditions: Vec<Rendition>,
    discontinuities: Discontinuities,
    groups: SegmentGroups,
    periods: Periods,
    /// Segments that renditions were told of, from the oldest at hand on.
    announced: Announced,
    captions: Option<Captions>,
    next_id: u64,
    /// Counts playlists' changes; makes entity tags.
    revision: u64,
    /// The number of the first segment of all, and of the last.
    first_number: Option<u64>,
    last_number: Option<u64>,
    /// Numbers up to this one belong to presentations before this one.
    floor: Option<u64>,
    /// All renditions are finished.
    ended: bool,
    /// Nothing once another presentation has taken this one's place.
    masters: Option<watch::Sender<Option<Arc<Masters>>>>,
    manifest: Option<watch::Sender<Option<Arc<Manifest>>>>,
}

#[derive(Debug)]
pub(super) struct Rendition {
    id: u64,
    pub(super) info: RenditionInfo,
    pub(super) shelf: Shelf,
    finished: bool,
    pub(super) view: watch::Sender<Option<Arc<View>>>,
    /// How it is listed while it has no media.
    expected: Option<(TrackConfig, Bandwidth)>,
    /// What it may be encoded as besides.
    others: Vec<TrackConfig>,
    /// It can't be had for a while.
    withheld: bool,
    asked: Asked,
}

/// A media playlist as it is until the next part comes. There's none before a rendition's first whole segment.
#[derive(Debug)]
pub(super) struct View {
    pub(super) position: Position,
    pub(super) full: Page,
    pub(super) delta: Option<Page>,
    pub(super) plain: Option<Page>,
    pub(super) ended: bool,
}

/// The multivariant playlists.
#[derive(Debug)]
pub(super) struct Masters {
    pub(super) low_latency: Page,
    pub(super) plain: Page,
    /// All renditions that there were at first are in them.
    pub(super) settled: bool,
    pub(super) ended: bool,
}

/// The manifest of DASH. There's none before a rendition's first whole segment.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) page: Page,
    /// All renditions that there were at first are in it.
    pub(super) settled: bool,
    pub(super) ended: bool,
}

/// Who wants to know when something changes. It ends when the rendition is removed or the presentation replaced.
pub(super) type Follow<T> = watch::Receiver<Option<Arc<T>>>;

/// What is known of a part.
#[derive(Debug)]
pub(super) enum PartState {
    Complete(Bytes),
    /// It may be the next one.
    Coming(Follow<View>),
    /// It's gone, or its segment ended before it.
    Never,
    Unknown,
}

impl View {
    /// Whether that part is there, or can come no more.
    pub(super) fn settles(&self, (segment, index): (u64, u32)) -> bool {
        let position = self.position;
        self.ended
            || position.segment > segment
            || position.segment == segment && (position.complete || position.parts > index)
    }
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            renditions: Vec::new(),
            discontinuities: Discontinuities::default(),
            groups: SegmentGroups::default(),
            periods: Periods::default(),
            announced: Announced::new(),
            captions: None,
            next_id: 0,
            revision: 0,
            first_number: None,
            last_number: None,
            floor: None,
            ended: false,
            masters: Some(watch::Sender::new(None)),
            manifest: Some(watch::Sender::new(None)),
        }
    }

    /// Gives the rendition's id.
    pub(super) fn add(
        &mut self,
        info: RenditionInfo,
        timing: Timing,
    ) -> Result<u64, AddRenditionError> {
        if self.ended || self.masters.is_none() {
            return Err(AddRenditionError::Ended);
        }
        if self.renditions.len() >= MAX_RENDITIONS {
            return Err(AddRenditionError::TooMany);
        }
        if self.renditions.iter().any(|r| r.info.name == info.name) {
            return Err(AddRenditionError::Taken(info.name));
        }
        let id = self.next_id;
        self.next_id += 1;
        self.renditions.push(Rendition {
            id,
            shelf: Shelf::new(timing, info.timescale),
            info,
            finished: false,
            view: watch::Sender::new(None),
            expected: None,
            others: Vec::new(),
            withheld: false,
            asked: Asked::default(),
        });
        Ok(id)
    }

    /// There are captions from now on.
    pub(super) fn add_captions(&mut self, language: Language) {
        self.captions.get_or_insert_with(|| Captions::new(language));
    }

    pub(super) fn captions(&self) -> Option<&Captions> {
        self.captions.as_ref()
    }

    /// Shows a cue from the end of the sound on.
    pub(super) fn show(&mut self, cue: Cue) {
        let end = self
            .sound()
            .map_or(0, |index| self.renditions[index].shelf.end());
        if let Some(captions) = &mut self.captions {
            captions.show(cue, end);
        }
    }

    /// The rendition whose segments captions have.
    fn sound(&self) -> Option<usize> {
        let is_sound = |rendition: &Rendition| rendition.info.kind == RenditionKind::Audio;
        self.renditions.iter().position(is_sound)
    }

    /// The sound has a whole segment.
    fn caption(&mut self, index: usize, timing: &Timing) {
        let shelf = &self.renditions[index].shelf;
        let last = shelf
            .listed()
            .filter(|segment| segment.is_complete())
            .last();
        let (Some(captions), Some(last)) = (&mut self.captions, last) else {
            return;
        };
        let sound = Followed {
            number: last.number,
            start: grid::micros(last.time, shelf.timescale()),
            duration: last.duration(shelf.timescale()),
            date_line: last.date_line.clone(),
        };
        captions.follow(sound, timing);
        self.revision += 1;
        self.render_captions(timing);
    }

    fn render_captions(&self, timing: &Timing) {
        if let Some(captions) = &self.captions {
            captions.render(timing, &self.discontinuities, self.ended, &self.tag());
        }
    }

    pub(super) fn expect(&mut self, id: u64, config: TrackConfig, bitrate: u32) {
        if let Some(index) = self.index(id) {
            let bandwidth = Bandwidth::expected(bitrate);
            self.renditions[index].expected = Some((config, bandwidth));
            self.render_masters();
        }
    }

    pub(super) fn may_be(&mut self, id: u64, configs: Vec<TrackConfig>) {
        if let Some(index) = self.index(id) {
            self.renditions[index].others = configs;
            self.render_masters();
        }
    }

    /// What there is of a rendition is forgotten; it may come again.
    pub(super) fn rest(&mut self, id: u64, offered: bool, timing: Timing) {
        let Some(index) = self.index(id) else {
            return;
        };
        let rendition = &mut self.renditions[index];
        if let (Some(config), true) = (
            rendition.shelf.config(),
            rendition.shelf.has_complete_segment(),
        ) {
            rendition.expected = Some((config.clone(), rendition.shelf.bandwidth()));
        }
        rendition.shelf = Shelf::new(timing, rendition.info.timescale);
        rendition.withheld = !offered;
        if offered {
            rendition.view.send_replace(None);
        } else {
            // Whoever waits for it waits for nothing.
            rendition.view = watch::Sender::new(None);
        }
        self.render_masters();
    }

    pub(super) fn demand(&self, rendition: &str, now: Duration) -> Option<Demand> {
        let mut all = self.renditions.iter();
        let found = all.find(|other| other.info.name == rendition)?;
        Some(found.asked.demand(now))
    }

    pub(super) fn ask(&self, rendition: &str, now: Duration) {
        if let Some(rendition) = self.rendition(rendition) {
            rendition.asked.ask(now);
        }
    }

    pub(super) fn insert_discontinuity(&mut self, number: u64) {
        self.discontinuities.insert(number);
    }

    pub(super) fn has_ended(&self) -> bool {
        let abandoned = self.renditions.is_empty() && self.next_id > 0;
        self.ended || abandoned || self.masters.is_none()
    }

    pub(super) fn last_number(&self) -> Option<u64> {
        self.last_number.or(self.floor)
    }

    pub(super) fn set_floor(&mut self, number: u64) {
        self.floor = self.floor.max(Some(number));
    }

    pub(super) fn close(&mut self) {
        self.masters = None;
        self.manifest = None;
        for rendition in &mut self.renditions {
            rendition.finished = true;
            rendition.view = watch::Sender::new(None);
        }
        if let Some(captions) = &mut self.captions {
            captions.view = watch::Sender::new(None);
        }
    }

    pub(super) fn reserve(&mut self, number: u64, start: u64) -> Result<(), PushError> {
        if let Some(floor) = self.floor.filter(|&floor| number <= floor) {
            return Err(PushError::Number {
                next: floor + 1,
                got: number,
            });
        }
        if self.first_number.is_none() {
            self.first_number = Some(number);
            self.discontinuities.count_from(number);
        }
        self.last_number = self.last_number.max(Some(number));
        self.announced.split_off(&number);
        self.announced.insert(number, start);
        Ok(())
    }

    pub(super) fn follow_masters(&self) -> Option<Follow<Masters>> {
        self.masters.as_ref().map(watch::Sender::subscribe)
    }

    pub(super) fn follow_manifest(&self) -> Option<Follow<Manifest>> {
        self.manifest.as_ref().map(watch::Sender::subscribe)
    }

    pub(super) fn row(&self, rendition: &str, first: u64, last: u64) -> Option<Vec<Bytes>> {
        let shelf = &self.rendition(rendition)?.shelf;
        if !self.groups.contains(first, last) {
            return None;
        }
        (first..=last).map(|number| shelf.whole(number)).collect()
    }

    pub(super) fn part(&self, rendition: &str, segment: u64, index: u32) -> PartState {
        let Some(rendition) = self.rendition(rendition) else {
            return PartState::Unknown;
        };
        if let Some(part) = rendition.shelf.part(segment, index) {
            return PartState::Complete(part);
        }
        match rendition.shelf.absent(segment, index) {
            Absent::Next if !rendition.finished => PartState::Coming(rendition.view.subscribe()),
            Absent::Never => PartState::Never,
            Absent::Next | Absent::Unknown => PartState::Unknown,
        }
    }

    pub(super) fn rendition(&self, name: &str) -> Option<&Rendition> {
        self.renditions
            .iter()
            .find(|rendition| rendition.info.name == name && !rendition.withheld)
    }

    fn index(&self, id: u64) -> Option<usize> {
        self.renditions
            .iter()
            .position(|rendition| rendition.id == id)
    }

    pub(super) fn publish(
        &mut self,
        id: u64,
        units: Vec<Unit>,
        timing: &Timing,
    ) -> Result<(), PushError> {
        let open = self.masters.is_some();
        let index = self.index(id).filter(|_| open).ok_or(PushError::Replaced)?;
        let (mut segment_began, mut segment_ended) = (false, false);
        for unit in units {
            if let Unit::Part(part) = &unit
                && part.index == 0
            {
                let discontinuous = self.discontinuities.contains(part.segment);
                let start = timing.grid.micros(part.start);
                self.groups.segment_began(
                    part.segment,
                    start,
                    discontinuous,
                    timing.plain_segment(),
                );
                self.periods
                    .segment_began(part.segment, part.start, discontinuous);
                segment_began = true;
            }
            let ends = matches!(unit, Unit::SegmentEnd);
            segment_ended |= ends;
            self.renditions[index].shelf.put(unit);
            if ends && self.sound() == Some(index) {
                self.caption(index, timing);
            }
        }
        if segment_ended {
            self.forget();
            self.render_masters();
        }
        if segment_began || segment_ended {
            self.render_manifest(timing);
        }
        self.render(index, timing);
        Ok(())
    }

    pub(super) fn finish(&mut self, id: u64, timing: &Timing) {
        if let Some(index) = self.index(id) {
            self.renditions[index].finished = true;
        }
        self.end_if_all_finished(timing);
    }

    pub(super) fn remove(&mut self, id: u64, timing: &Timing) {
        if self.masters.is_none() {
            return;
        }
        let count = self.renditions.len();
        self.renditions.retain(|rendition| rendition.id != id);
        if self.renditions.len() < count {
            self.render_masters();
            self.render_manifest(timing);
            self.end_if_all_finished(timing);
        }
    }

    fn end_if_all_finished(&mut self, timing: &Timing) {
        if self.masters.is_none() {
            return;
        }
        let all = !self.renditions.is_empty()
            && self.renditions.iter().all(|rendition| rendition.finished);
        if self.ended || !all {
            return;
        }
        self.ended = true;
        self.groups.end();
        self.render_masters();
        self.render_manifest(timing);
        self.render_captions(timing);
        for index in 0..self.renditions.len() {
            self.render(index, timing);
        }
    }

    /// Forgets what belongs to segments that renditions don't have any more; one that has come to a halt doesn't count. What
    /// others are behind by is less than what is kept longer than it's listed.
    fn forget(&mut self) {
        let first = self
            .renditions
            .iter()
            .filter_map(|rendition| rendition.shelf.first())
            .min();
        if let Some(first) = first {
            self.groups.forget_before(first);
            self.discontinuities.forget_before(first);
            self.periods.forget_before(first);
            self.announced = self.announced.split_off(&first);
        }
    }

    fn render(&mut self, index: usize, timing: &Timing) {
        self.revision += 1;
        let rendition = &self.renditions[index];
        let Some(position) = rendition
            .shelf
            .position()
            .filter(|_| rendition.shelf.has_complete_segment())
        else {
            return;
        };
        let reports: Vec<_> = self
            .renditions
            .iter()
            .filter(|other| other.id != rendition.id && other.shelf.has_complete_segment())
            .filter_map(|other| Some((other.info.name.as_str(), other.shelf.position()?)))
            .collect();
        let context = Context {
            timing,
            discontinuities: &self.discontinuities,
            announced: &self.announced,
            reports: &reports,
            ended: self.ended,
        };
        let tag = self.tag();
        let (full, delta) = playlist::media(&rendition.shelf, context);
        let plain = playlist::plain_media(&rendition.shelf, &self.groups, context);
        rendition.view.send_replace(Some(Arc::new(View {
            position,
            full: Page::new(full, &tag),
            delta: delta.map(|text| Page::new(text, &format!("{tag}-delta"))),
            plain: plain.map(|text| Page::new(text, &tag)),
            ended: self.ended,
        })));
    }

    fn render_masters(&mut self) {
        self.revision += 1;
        let tag = self.tag();
        let Some(masters) = &self.masters else { return };
        let variants: Vec<_> = self
            .renditions
            .iter()
            .filter_map(|rendition| rendition.variant(self.ended))
            .collect();
        let has_media = |rendition: &Rendition| rendition.shelf.has_complete_segment();
        if !self.renditions.iter().any(has_media) {
            masters.send_replace(None);
            return;
        }
        let were_settled = masters
            .borrow()
            .as_ref()
            .is_some_and(|before| before.settled);
        let captions = self
            .captions
            .as_ref()
            .filter(|captions| captions.has_segment());
        let language = captions.map(Captions::language);
        let page = |file| Page::new(playlist::multivariant(&variants, language, file), &tag);
        let next = Masters {
            low_latency: page("index.m3u8"),
            plain: page("plain.m3u8"),
            settled: were_settled
                || variants.len() == self.renditions.len()
                    && self.captions.is_some() == captions.is_some(),
            ended: self.ended,
        };
        masters.send_replace(Some(Arc::new(next)));
    }

    fn render_manifest(&mut self, timing: &Timing) {
        let Some(manifest) = &self.manifest else {
            return;
        };
        let tracks: Vec<_> = self
            .renditions
            .iter()
            .filter_map(Rendition::track)
            .collect();
        if tracks.is_empty() {
            return;
        }
        let context = dash::Context {
            timing,
            periods: &self.periods,
            announced: &self.announced,
            ended: self.ended,
        };
        let were_settled = manifest
            .borrow()
            .as_ref()
            .is_some_and(|before| before.settled);
        let permanent = self.renditions.iter().filter(|r| r.expected.is_none());
        let next = Manifest {
            page: Page::new(dash::manifest(&tracks, context), &self.tag()),
            settled: were_settled || tracks.len() == permanent.count(),
            ended: self.ended,
        };
        manifest.send_replace(Some(Arc::new(next)));
    }

    /// Unlike all others of the channel: no two presentations of it begin with the same number.
    fn tag(&self) -> String {
        format!("{}-{}", self.first_number.unwrap_or(0), self.revision)
    }
}

impl Rendition {
    /// As the manifest of DASH has it. What is made on demand isn't in it: players take what they were told of to stay.
    fn track(&self) -> Option<Track<'_>> {
        let listed = self.shelf.has_complete_segment() && self.expected.is_none() && !self.withheld;
        listed.then(|| Track {
            info: &self.info,
            shelf: &self.shelf,
            bandwidth: self.shelf.bandwidth(),
        })
    }

    /// As it's listed, if it is: of what has ended only what there is.
    fn variant(&self, ended: bool) -> Option<Variant<'_>> {
        let has_media = self.shelf.has_complete_segment();
        let (config, bandwidth) = match self.shelf.config().filter(|_| has_media) {
            Some(config) => (config, self.shelf.bandwidth()),
            None if ended || self.withheld => return None,
            None => self.expected.as_ref().map(|(config, b)| (config, *b))?,
        };
        Some(Variant {
            info: &self.info,
            config,
            others: self.others.iter().collect(),
            bandwidth,
        })
    }
}
