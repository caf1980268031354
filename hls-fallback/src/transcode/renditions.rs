//! The renditions of a broadcast: which of them are made, of what.

use std::{sync::Arc, time::Duration};

use ffmpeg_next::frame;

use super::{
    Cadence, Description, EncoderKind, PassThrough, Pause, Presenter, Settings,
    history::History,
    home::Home,
    ladder::Rendition,
    rendition::{Job, Worker},
    segments::Beginning,
    shedding::{Load, Shedding, Worth},
};
use crate::media::{Demand, Frame, Moment, Sample, TrackConfig};

/// The best rendition, where it may be the source itself.
const SOURCE: &str = "source";
/// The rendition that is kept in H.264 has a shorter side of so many pixels at most.
const KEPT_SIDE: u32 = 720;
/// A rendition that nobody asked for in so long isn't made any more. Players that play it ask for its playlist with each part.
const IDLE: Duration = Duration::from_secs(30);
/// Requests count for so long, in microseconds.
const RECENT: i64 = 10_000_000;

/// What becomes of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It isn't made, from this segment on.
    Resting { since: u64 },
    /// It is the source.
    Passing,
    /// It is made of decoded pictures; or decodes them itself, until the next keyframe.
    Encoding { decodes: bool },
}

/// What a rendition is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Best,
    /// For who can't decode the best one when it is over, and those who watch.
    Kept,
    /// For those who watch.
    Below,
}

impl Role {
    fn below(kept: bool) -> Self {
        if kept { Self::Kept } else { Self::Below }
    }
}

struct Member {
    worker: Worker,
    rendition: Rendition,
    role: Role,
    permanent: bool,
    state: State,
    wanted: bool,
    /// The segment that it began with, when it had rested.
    first: Option<u64>,
    /// It isn't made until then.
    shed: Option<Moment>,
    asked: Asked,
}

/// Requests of late.
#[derive(Debug, Default)]
struct Asked {
    /// When and how many were counted last.
    counted: Option<(Moment, u64)>,
    /// Those of the time before that, and since.
    before: u64,
    since: u64,
}

/// All of them, the best one first.
pub(super) struct Renditions {
    kind: EncoderKind,
    home: Home,
    cadence: Cadence,
    pass_through: bool,
    on_demand: bool,
    keeps_h264: bool,
    /// How the source may be passed through, where not every player can decode that.
    special: Option<TrackConfig>,
    members: Vec<Member>,
    /// The segment from which on there are any.
    since: Option<u64>,
    shedding: Shedding,
}

impl Renditions {
    pub(super) fn new(settings: &Settings, home: Home, cadence: Cadence) -> Self {
        Self {
            kind: settings.encoder,
            home,
            cadence,
            pass_through: settings.pass_through != PassThrough::False,
            on_demand: settings.on_demand,
            keeps_h264: settings.keeps_h264,
            special: None,
            members: Vec::new(),
            since: None,
            shedding: Shedding::default(),
        }
    }

    /// The source may be passed through like this, which not every player can decode. Said before there are any, if it is.
    pub(super) fn expect_special(&mut self, config: TrackConfig) {
        self.special = Some(config);
    }

    /// These there are, from the segment on that begins; those that are new rest, and those that are encoded are encoded like
    /// this from there on. The best one is the source. Where not every player can decode that, there's another of its size.
    pub(super) fn lay_out(
        &mut self,
        renditions: Vec<Rendition>,
        begun: Beginning,
        presenter: &mut dyn Presenter,
    ) {
        self.since.get_or_insert(begun.number);
        let kept = self.to_keep(&renditions);
        for (place, rendition) in renditions.into_iter().enumerate() {
            let is_kept = kept.as_ref() == Some(&rendition.name);
            if place == 0 && self.pass_through {
                let name = SOURCE.to_owned();
                let source = Rendition {
                    name,
                    ..rendition.clone()
                };
                self.put(source, Role::Best, begun, presenter);
                if self.special.is_some() {
                    self.put(rendition, Role::below(is_kept), begun, presenter);
                }
            } else if place == 0 || self.may_be(&rendition) {
                let role = if place == 0 {
                    Role::Best
                } else {
                    Role::below(is_kept)
                };
                self.put(rendition, role, begun, presenter);
            }
        }
        self.tell_of_special();
    }

    /// The one that is to be made for the recording, of which not every player can decode the best one. A larger one than is kept already
    /// is new: the source was never as large.
    fn to_keep(&self, renditions: &[Rendition]) -> Option<String> {
        if !self.keeps_h264 || self.special.is_none() {
            return None;
        }
        let side = |rendition: &Rendition| rendition.rung.side;
        let made = renditions.iter().enumerate();
        let made = made.filter(|(place, rendition)| *place == 0 || self.may_be(rendition));
        let made = made.map(|(_, rendition)| rendition);
        let fits = made.clone().filter(|r| side(r) <= KEPT_SIDE);
        let nearest = fits
            .max_by_key(|r| side(r))
            .or_else(|| made.min_by_key(|r| side(r)))?;
        let mut members = self.members.iter();
        let is_kept = members
            .any(|member| member.role == Role::Kept && side(&member.rendition) >= side(nearest));
        (!is_kept).then(|| nearest.name.clone())
    }

    /// Whether there is to be that one below the best: it's a rung of the ladder, or there already.
    fn may_be(&self, rendition: &Rendition) -> bool {
        let mut names = self.members.iter().map(|member| &member.rendition.name);
        rendition.is_on_ladder || names.any(|known| *known == rendition.name)
    }

    fn put(
        &mut self,
        rendition: Rendition,
        role: Role,
        begun: Beginning,
        presenter: &mut dyn Presenter,
    ) {
        let mut members = self.members.iter_mut();
        match members.find(|member| member.rendition.name == rendition.name) {
            Some(member) => {
                // What is kept stays so.
                if role == Role::Best || member.is_best() {
                    member.role = role;
                }
                member.change(rendition, begun);
            }
            None => self.add(rendition, role, begun, presenter),
        }
    }

    /// Players have to know what else they need for the best one.
    fn tell_of_special(&mut self) {
        let special = self.special.clone();
        if let (Some(config), Some(best)) = (special, self.best()) {
            let rendition = best.rendition.clone();
            best.tell(Job::MayBe { rendition, config });
        }
    }

    fn add(
        &mut self,
        rendition: Rendition,
        role: Role,
        begun: Beginning,
        presenter: &mut dyn Presenter,
    ) {
        let name = rendition.name.clone();
        let is_best = role == Role::Best;
        let permanent = role != Role::Below || !self.on_demand;
        let sink = presenter.rendition(Description::Video {
            name: name.clone(),
            permanent,
        });
        let place = (self.kind, self.home.clone());
        let worker = match Worker::start(&name, place, self.cadence, sink) {
            Ok(worker) => worker,
            Err(error) => {
                tracing::error!(name, %error, "a rendition can't be made");
                return;
            }
        };
        let since = begun.number;
        let member = Member {
            worker,
            rendition,
            role,
            permanent,
            state: State::Resting { since },
            wanted: permanent,
            first: None,
            shed: None,
            asked: Asked::default(),
        };
        if !is_best {
            member.tell(Job::Expect(member.rendition.clone()));
        }
        let place = if is_best { 0 } else { self.members.len() };
        self.members.insert(place, member);
    }

    /// Tells all that are made where a segment begins.
    pub(super) fn announce(&mut self, beginning: Beginning) {
        self.retain(|member| member.is_resting() || member.tell(Job::Segment(beginning)));
    }

    /// The best one is encoded from the segment on that begins.
    pub(super) fn encode_best(&mut self, begun: Beginning) {
        if let Some(best) = self.best() {
            best.encode(begun);
        }
    }

    /// The best one is the source from the segment on that begins.
    pub(super) fn pass_best(&mut self, begun: Beginning, config: TrackConfig) {
        if let Some(known) = self.special.as_mut().filter(|known| **known != config)
            && !matches!(config, TrackConfig::H264 { .. })
        {
            *known = config.clone();
            self.tell_of_special();
        }
        if let Some(best) = self.best() {
            best.wake(begun);
            let from = begun.slot;
            best.tell(Job::Pass { from, config });
            best.state = State::Passing;
        }
    }

    /// The best one broke off: nothing can take its place.
    pub(super) fn is_broken(&self) -> bool {
        self.since.is_some() && !self.members.iter().any(Member::is_best)
    }

    /// None, once it broke.
    fn best(&mut self) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.is_best())
    }

    fn others(&self) -> impl Iterator<Item = (usize, &Member)> {
        let members = self.members.iter().enumerate();
        members.filter(|(_, member)| !member.is_best())
    }

    /// The next sample of the source.
    pub(super) fn sample(&mut self, sample: Sample) {
        let mut sample = Some(sample);
        self.retain(
            |member| match sample.take_if(|_| member.state == State::Passing) {
                Some(sample) => member.tell(Job::Sample(sample)),
                None => true,
            },
        );
    }

    /// A segment begins: those rest that nobody wants, and those begin that somebody does, if it can be: `encodes`.
    pub(super) fn on_segment(&mut self, begun: Beginning, encodes: bool) {
        for member in &mut self.members {
            if member.is_encoding() && !member.wanted && !member.is_best() {
                member.rest(begun);
            } else if encodes && member.is_resting() && member.wanted {
                member.encode(begun);
            }
        }
    }

    /// Those begin that somebody wants, with the pictures that there were.
    pub(super) fn join(&mut self, history: &History) {
        for member in &mut self.members {
            if member.is_resting() && member.wanted && !member.is_best() {
                member.join(history);
            }
        }
    }

    /// Whether anybody takes decoded pictures.
    pub(super) fn takes_pictures(&self) -> bool {
        let takes = State::Encoding { decodes: false };
        self.members.iter().any(|member| member.state == takes)
    }

    /// Those that decode by themselves take decoded pictures from here on.
    pub(super) fn follow(&mut self) {
        for member in &mut self.members {
            if member.is_encoding() {
                member.state = State::Encoding { decodes: false };
            }
        }
    }

    /// A picture as it came, for those that decode by themselves.
    pub(super) fn push_coded(&mut self, slot: u64, frame: &Frame) {
        let decodes = State::Encoding { decodes: true };
        self.retain(|member| {
            member.state != decodes || member.tell(Job::Coded(slot, frame.clone()))
        });
    }

    /// A decoded picture, for all others that are encoded.
    pub(super) fn push(&mut self, slot: u64, picture: &Arc<frame::Video>) {
        let takes = State::Encoding { decodes: false };
        self.retain(|member| member.state != takes || member.worker.push(slot, picture));
    }

    /// Looks who asks for what, and whether all can be made. True if somebody waits for this segment's end: a rendition is to begin
    /// with the next one, or began with this one.
    pub(super) fn look(
        &mut self,
        presenter: &dyn Presenter,
        segment: Option<u64>,
        now: Moment,
    ) -> bool {
        for member in self.members.iter_mut().filter(|member| !member.is_best()) {
            member.look(presenter, now);
        }
        let load = Load {
            pictures: self.members.iter().map(|m| m.worker.counts().0).sum(),
            left_out: self.members.iter().map(|m| m.worker.counts().1).sum(),
        };
        if self.shedding.look(load, now) {
            self.shed(now);
        }
        let waits = |member: &Member| match member.state {
            State::Resting { .. } => member.wanted && !member.is_best(),
            State::Passing => false,
            State::Encoding { .. } => member.first.is_some() && member.first == segment,
        };
        self.members.iter().any(waits)
    }

    fn shed(&mut self, now: Moment) {
        let made = self
            .others()
            .filter(|(_, member)| member.is_encoding() && member.shed.is_none());
        let worths = made.map(|(place, member)| (place, member.worth()));
        let Some(place) = Worth::least(worths) else {
            return;
        };
        let until = self.shedding.shed(now);
        let member = &mut self.members[place];
        member.shed = Some(until);
        member.wanted = false;
        tracing::warn!(
            name = member.rendition.name,
            requests = member.asked.recent(),
            recorded = member.permanent,
            seconds = until.since(now) / 1_000_000,
            "this machine can't make all renditions: the one of the least value isn't made for a while"
        );
    }

    /// Keeps those whose threads go on.
    fn retain(&mut self, keep: impl FnMut(&mut Member) -> bool) {
        self.members.retain_mut(keep);
    }

    pub(super) fn finish(self) {
        for member in self.members {
            member.worker.finish();
        }
    }
}

impl Member {
    fn tell(&self, job: Job) -> bool {
        self.worker.tell(job)
    }

    fn is_best(&self) -> bool {
        self.role == Role::Best
    }

    fn is_resting(&self) -> bool {
        matches!(self.state, State::Resting { .. })
    }

    fn is_encoding(&self) -> bool {
        matches!(self.state, State::Encoding { .. })
    }

    /// Tells one that wasn't made which segment it begins with; the others know.
    fn wake(&self, begun: Beginning) {
        if self.is_resting() {
            self.tell(Job::Segment(begun));
        }
    }

    fn encode(&mut self, begun: Beginning) {
        self.first = self.is_resting().then_some(begun.number);
        self.wake(begun);
        self.encode_from(begun.slot);
        self.state = State::Encoding { decodes: false };
    }

    fn encode_from(&self, from: u64) {
        let rendition = self.rendition.clone();
        tracing::info!(name = rendition.name, size = %rendition.size, bitrate = rendition.rung.bitrate, "a rendition is encoded");
        self.tell(Job::Encode { from, rendition });
    }

    fn change(&mut self, rendition: Rendition, begun: Beginning) {
        self.rendition = rendition;
        if self.is_encoding() {
            self.encode_from(begun.slot);
        } else if self.is_resting() {
            self.tell(Job::Expect(self.rendition.clone()));
        }
    }

    fn join(&mut self, history: &History) {
        let State::Resting { since } = self.state else {
            return;
        };
        // What it made before stays what it was.
        let segments = history.segments().filter(|s| s.number >= since);
        let segments: Vec<Beginning> = segments.collect();
        let Some(from) = segments.first().map(|first| first.slot) else {
            return;
        };
        for beginning in segments {
            self.tell(Job::Segment(beginning));
        }
        self.encode_from(from);
        for (slot, frame) in history.frames().filter(|(slot, _)| *slot >= from) {
            self.tell(Job::Coded(*slot, frame.clone()));
        }
        self.state = State::Encoding { decodes: true };
    }

    fn rest(&mut self, begun: Beginning) {
        let pause = if self.shed.is_some() {
            Pause::Shed
        } else {
            Pause::Unasked
        };
        tracing::info!(name = self.rendition.name, ?pause, "a rendition rests");
        let from = begun.slot;
        self.tell(Job::Rest { from, pause });
        self.state = State::Resting {
            since: begun.number,
        };
    }

    fn look(&mut self, presenter: &dyn Presenter, now: Moment) {
        let demand = presenter.demand(&self.rendition.name);
        self.asked.count(demand, now);
        if let State::Resting { .. } = self.state
            && self.shed.take_if(|until| *until <= now).is_some()
        {
            let pause = Pause::Unasked;
            self.tell(Job::Rest { from: 0, pause });
        }
        let asked = demand.idle.is_some_and(|idle| idle < IDLE);
        self.wanted = self.shed.is_none() && (self.permanent || asked);
    }

    fn worth(&self) -> Worth {
        Worth {
            requests: self.asked.recent(),
            pixels: self.rendition.size.pixels(),
        }
    }
}

impl Asked {
    fn count(&mut self, demand: Demand, now: Moment) {
        let (at, count) = *self.counted.get_or_insert((now, 0));
        self.since = demand.requests.saturating_sub(count);
        if now.since(at) >= RECENT {
            self.before = std::mem::take(&mut self.since);
            self.counted = Some((now, demand.requests));
        }
    }

    fn recent(&self) -> u64 {
        self.before + self.since
    }
}
