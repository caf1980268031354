//! The thread that records one broadcast. It owns the recording's journal and its files in the spool.
//!
//! ```text
//! Recording ──over──► Ending ──no tap left──► Emptying ──all stored──► Making ──made──► Telling ──told──► gone
//! ```

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak, mpsc::RecvTimeoutError},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, watch};

use super::{
    Status,
    courier::{Job, Lists, Report},
    files::{Files, NewInit},
    journal::Journal,
    model::{Entry, Init, MAX_SEGMENTS, Piece, Recording, Said, Segment, State},
    playlist,
    queue::{First, Message, Receiver, SessionShared, Take},
    spine,
    spool::Folder,
};

mod filling;

/// How often the thread looks around.
const TICK: Duration = Duration::from_millis(200);
/// When a broadcast is over, its last parts come within this time.
const LAST_PARTS: Duration = Duration::from_secs(10);
/// Playlists are stored anew so often, or each time the recording has grown by this share.
const LISTS_LEAST: Duration = Duration::from_secs(3);
const LISTS_MOST: Duration = Duration::from_mins(1);
const LISTS_SHARE: u64 = 300;
/// A storage that hasn't taken something for so long is slow.
const SLOW: Duration = Duration::from_secs(10);
/// A segment that goes on for so long behind the publisher's last picture and sound is of a pause of it: microseconds. Segments of
/// standing pictures last longer.
const SILENT: i64 = 500_000;
/// Segments that are counted as lost at once, at most.
const MOST_LOST: usize = 1_000;

/// Held by those who may still give media in.
#[derive(Debug)]
pub(super) struct Lease;

/// What a scribe begins with.
pub(super) struct Desk {
    pub(super) recording: Recording,
    pub(super) journal: Journal,
    pub(super) folder: Folder,
    pub(super) jobs: mpsc::UnboundedSender<Job>,
    pub(super) lists: watch::Sender<Lists>,
    pub(super) status: watch::Sender<Status>,
    pub(super) lease: Weak<Lease>,
}

#[derive(Debug)]
enum Stage {
    Recording,
    /// The broadcast is over; until when its last parts may come.
    Ending(Instant),
    /// The storage doesn't have all of it yet.
    Emptying,
    /// The whole is worked on.
    Making,
    /// The node doesn't know yet.
    Telling,
    Gone,
}

pub(super) struct Scribe {
    desk: Desk,
    stage: Stage,
    /// The present one, as those who encode know it.
    session: Option<Arc<SessionShared>>,
    files: Files,
    /// The renditions of pictures that have all of what is before the first one.
    led_in: HashSet<String>,
    /// What the storage doesn't have yet, and since when it could have it.
    waiting: HashMap<Piece, Instant>,
    /// The storage has it; the journal doesn't know.
    stored: Vec<Piece>,
    storage_problem: Option<String>,
    storage_is_slow: bool,
    /// When that is looked at again.
    slow_due: Instant,
    spool_problem: Option<String>,
    /// How often the journal couldn't be written.
    unnoted: u64,
    lists_due: Instant,
    lists_stale: bool,
}

impl Scribe {
    pub(super) fn new(desk: Desk) -> Self {
        let stage = match desk.recording.state {
            State::Recording => Stage::Recording,
            State::Finishing => Stage::Emptying,
            State::Ready | State::Failed => Stage::Telling,
        };
        let mut scribe = Self {
            files: Files::new(desk.folder.clone()),
            desk,
            stage,
            session: None,
            led_in: HashSet::new(),
            waiting: HashMap::new(),
            stored: Vec::new(),
            storage_problem: None,
            storage_is_slow: false,
            slow_due: Instant::now() + SLOW,
            spool_problem: None,
            unnoted: 0,
            lists_due: Instant::now(),
            lists_stale: true,
        };
        for piece in scribe.desk.recording.unstored() {
            scribe.send_off(piece);
        }
        if matches!(scribe.stage, Stage::Recording | Stage::Emptying) {
            scribe.lead_in(true);
        }
        scribe.tell();
        scribe
    }

    /// Until the recording is in the storage and the node knows, or the process ends.
    pub(super) fn run(mut self, queue: &Receiver) {
        while !matches!(self.stage, Stage::Gone) {
            match queue.messages.recv_timeout(TICK) {
                Ok(message) => {
                    let weight = message.weight();
                    self.on_message(message);
                    queue.done(weight);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.handle_timeout(Instant::now());
        }
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Init { take, .. }
            | Message::Part { take, .. }
            | Message::SegmentEnd { take }
                if self.is_late(&take.session) => {}
            Message::Captions { session, .. } | Message::Cue { session, .. }
                if self.is_late(&session) => {}
            Message::Captions { session, language } => {
                self.enter(&session);
                self.note(Entry::Captions { language });
            }
            Message::Cue { session, cue } => {
                self.enter(&session);
                let session = self.desk.recording.sessions.len().saturating_sub(1);
                self.note(Entry::Cue(Said { session, cue }));
            }
            Message::Init {
                take,
                segment,
                config,
                data,
            } => {
                self.enter(&take.session);
                let piece = Piece {
                    rendition: take.info.name.clone(),
                    segment,
                    init: true,
                };
                let init = Init {
                    segment,
                    kind: take.info.kind,
                    timescale: take.info.timescale,
                    config,
                    blank: false,
                    stored: false,
                };
                self.files.init(NewInit { piece, init, data });
            }
            Message::Part {
                take,
                segment,
                first,
                time,
                duration,
                data,
            } => {
                if let Some(first) = first {
                    self.begin_segment(&take, segment, first, time);
                }
                let name = &take.info.name;
                if let Err(error) = self.files.append(name, segment, time + duration, &data) {
                    self.give_up(&piece(name, segment), &error.to_string());
                }
            }
            Message::SegmentEnd { take } => self.end_segment(&take.info.name),
            Message::Report(report) => self.on_report(report),
            Message::Over => {
                if matches!(self.stage, Stage::Recording) {
                    self.stage = Stage::Ending(Instant::now() + LAST_PARTS);
                }
            }
        }
    }

    /// It is of a session whose successor has begun, or of a broadcast that was over long ago.
    fn is_late(&self, of: &SessionShared) -> bool {
        let is_over = !matches!(self.stage, Stage::Recording | Stage::Ending(_));
        let present = self.session.as_ref();
        is_over || present.is_some_and(|present| of.id < present.id)
    }

    fn begin_segment(&mut self, take: &Arc<Take>, number: u64, first: First, time: u64) {
        let name = &take.info.name;
        if first.after_loss {
            let last = self.last_of_session(name).unwrap_or(number);
            for lost in (last + 1..number).take(MOST_LOST) {
                self.give_up(
                    &piece(name, lost),
                    "it came faster than it could be written",
                );
            }
        }
        self.end_segment(name);
        let before = self.desk.recording.rendition(name);
        let last = before.and_then(|rendition| rendition.segments.last());
        if last.is_some_and(|last| number <= last.number) {
            self.spool_fails("numbers of segments go back: was the clock set back?");
            return;
        }
        let piece = piece(name, number);
        let discontinuous = first.discontinuous || self.follows_lead_in(take, number);
        if let Err(why) = self.open_segment(take, &piece, discontinuous, time) {
            self.give_up(&piece, &why);
        }
    }

    fn open_segment(
        &mut self,
        take: &Arc<Take>,
        piece: &Piece,
        discontinuous: bool,
        time: u64,
    ) -> Result<(), String> {
        let before = self.desk.recording.rendition(&piece.rendition);
        if before.is_some_and(|rendition| rendition.segments.len() >= MAX_SEGMENTS) {
            let most = format!("a recording has no more than {MAX_SEGMENTS} segments");
            return Err(most);
        }
        if self.desk.journal.is_full() {
            return Err("the journal can't be written".to_owned());
        }
        let written = self.files.begin(take, piece, discontinuous, time);
        if let Some((of_init, init)) = written.map_err(|error| error.to_string())? {
            self.note(Entry::Init {
                rendition: of_init.rendition.clone(),
                init,
            });
            self.send_off(of_init);
        }
        Ok(())
    }

    /// The last whole segment of a rendition, if it is of the present session.
    fn last_of_session(&self, rendition: &str) -> Option<u64> {
        let recording = &self.desk.recording;
        let last = recording.rendition(rendition)?.segments.last()?;
        (last.session + 1 == recording.sessions.len()).then_some(last.number)
    }

    /// A session begins with the first of its initialization segments, or with captions.
    fn enter(&mut self, session: &Arc<SessionShared>) {
        let present = self.session.as_ref();
        if present.is_none_or(|present| present.id != session.id) {
            // What is open of other renditions ended with the session.
            self.end_segments();
            self.session = Some(session.clone());
            self.note(Entry::Session(session.session));
        }
    }

    fn end_segments(&mut self) {
        for rendition in self.files.open() {
            self.end_segment(&rendition);
        }
    }

    /// The rendition's segment is whole.
    fn end_segment(&mut self, rendition: &str) {
        let Some((piece, mut segment)) = self.files.end(rendition) else {
            return;
        };
        segment.session = self.desk.recording.sessions.len().saturating_sub(1);
        if self.spool_problem.take().is_some() {
            let broadcast = &self.desk.recording.broadcast;
            tracing::info!(broadcast, "segments are recorded again");
        }
        self.note(Entry::Segment {
            rendition: piece.rendition.clone(),
            segment,
        });
        self.hear(&segment);
        self.send_off(piece);
        self.lead_in(false);
        self.tell();
    }

    /// Notes whether the publisher pauses, by a segment that is whole.
    fn hear(&mut self, segment: &Segment) {
        let session = self.session.as_ref();
        let Some(until) = session.and_then(|session| session.heard_until()) else {
            return;
        };
        let recording = &self.desk.recording;
        let duration = i64::try_from(segment.duration).unwrap_or(i64::MAX);
        let end = recording.wall(segment).plus(duration);
        // Of other renditions, segments from before may still come.
        let still = recording.heard == Some(until);
        let pauses = still || end.since(until) > SILENT;
        let heard = pauses.then_some(until);
        if recording.heard != heard {
            self.note(Entry::Heard(heard));
            self.lists_stale = true;
        }
    }

    /// A segment won't be in the recording.
    fn give_up(&mut self, piece: &Piece, why: &str) {
        self.files.discard(piece);
        self.note(Entry::Lost(piece.clone()));
        self.spool_fails(why);
    }

    fn spool_fails(&mut self, why: &str) {
        let lost = self.desk.recording.lost;
        if self.spool_problem.is_none() || lost.is_power_of_two() {
            let broadcast = &self.desk.recording.broadcast;
            tracing::error!(
                broadcast,
                why,
                segments = lost,
                "segments are missing in the recording; live goes on"
            );
        }
        self.spool_problem = Some(why.to_owned());
        self.tell();
    }

    fn send_off(&mut self, piece: Piece) {
        let path = self.desk.folder.path_of(&piece);
        self.waiting.insert(piece.clone(), Instant::now());
        // Without a courier the process is ending.
        let _ = self.desk.jobs.send(Job::Put(piece, path));
    }

    fn on_report(&mut self, report: Report) {
        match report {
            Report::Stored(piece) => {
                self.waiting.remove(&piece);
                self.note(Entry::Stored(piece.clone()));
                self.stored.push(piece);
                self.lists_stale = true;
                self.remove_stored();
                if self.waiting.is_empty() {
                    self.look_at_storage(Instant::now());
                }
                self.tell();
            }
            Report::Missing(piece) => {
                self.waiting.remove(&piece);
                self.give_up(&piece, "its file is gone from the spool");
            }
            Report::Trouble(problem) => {
                if self.storage_problem != problem {
                    self.storage_problem = problem;
                    self.tell();
                }
            }
            Report::Made(made) => {
                let (state, failure, made_bytes) = match made {
                    Ok(bytes) => (State::Ready, None, bytes),
                    Err(why) => (State::Failed, Some(why), 0),
                };
                self.note(Entry::State {
                    state,
                    failure,
                    made_bytes,
                });
                self.stage = Stage::Telling;
                self.tell();
            }
            Report::Told => {
                if let Err(error) = self.desk.folder.delete() {
                    tracing::warn!(%error, "a recording's folder in the spool can't be deleted");
                }
                self.stage = Stage::Gone;
            }
        }
    }

    /// Files of the spool go once the journal says that the storage has them.
    fn remove_stored(&mut self) {
        if self.desk.journal.flush().is_ok() {
            for piece in self.stored.drain(..) {
                self.desk.folder.remove(&piece);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now >= self.slow_due {
            self.slow_due = now + SLOW / 10;
            self.look_at_storage(now);
        }
        match self.stage {
            Stage::Recording => self.publish_lists(now),
            Stage::Ending(until) => {
                self.publish_lists(now);
                if self.desk.lease.strong_count() == 0 || now >= until {
                    self.end_segments();
                    self.lead_in(true);
                    self.stage = Stage::Emptying;
                }
            }
            Stage::Emptying => {
                self.publish_lists(now);
                if self.waiting.is_empty() {
                    self.finish();
                }
            }
            Stage::Making | Stage::Telling | Stage::Gone => {}
        }
    }

    /// One that neither takes nor refuses complains of nothing.
    fn look_at_storage(&mut self, now: Instant) {
        let oldest = self.waiting.values().min();
        let is_slow = oldest.is_some_and(|since| now.duration_since(*since) >= SLOW);
        if is_slow == self.storage_is_slow {
            return;
        }
        self.storage_is_slow = is_slow;
        let broadcast = &self.desk.recording.broadcast;
        if is_slow {
            let segments = self.waiting.len();
            tracing::error!(
                broadcast,
                segments,
                "the storage takes a recording slowly: segments wait in the spool, and live goes on"
            );
        } else {
            tracing::info!(broadcast, "the storage has caught up with a recording");
        }
        self.tell();
    }

    fn finish(&mut self) {
        if self.desk.recording.state == State::Recording {
            self.note(Entry::State {
                state: State::Finishing,
                failure: None,
                made_bytes: 0,
            });
        }
        let cut = self.cut();
        self.stage = Stage::Making;
        self.tell();
        let recording = Box::new(self.desk.recording.clone());
        let _ = self.desk.jobs.send(Job::Finish(recording, cut));
    }

    /// The publisher hasn't come back: what was recorded since it left isn't part of the recording. What the storage has of that.
    fn cut(&mut self) -> Vec<Piece> {
        let Some(from) = self.desk.recording.pause() else {
            return Vec::new();
        };
        let cut = self.desk.recording.from(from);
        self.note(Entry::Cut(from));
        cut
    }

    /// The playlists of what the storage has.
    fn publish_lists(&mut self, now: Instant) {
        // What was listed doesn't change: a first picture has its discontinuity, and what is before it, from the beginning.
        let recording = &self.desk.recording;
        let recorded = recording
            .renditions
            .iter()
            .filter(|rendition| !rendition.is_audio() && !rendition.segments.is_empty());
        let recorded = recorded.map(|rendition| rendition.name.as_str());
        let waits = (self.files.pictures().chain(recorded)).any(|name| !self.led_in.contains(name));
        if !self.lists_stale || now < self.lists_due || waits {
            return;
        }
        let places = spine::places(recording);
        self.desk
            .lists
            .send_replace(playlist::all(recording, &places, false));
        let grown = Duration::from_micros(recording.duration() / LISTS_SHARE);
        self.lists_due = now + grown.clamp(LISTS_LEAST, LISTS_MOST);
        self.lists_stale = false;
    }

    /// It happened: in the journal, and in what it adds up to.
    fn note(&mut self, entry: Entry) {
        if let Err(error) = self.desk.journal.append(&entry) {
            // The files of the spool tell the same, but for what is in the storage already, and they stay until this works again.
            self.unnoted += 1;
            if self.unnoted.is_power_of_two() {
                let broadcast = &self.desk.recording.broadcast;
                tracing::error!(broadcast, %error, entries = self.unnoted, "a recording's journal can't be written");
            }
        }
        self.desk.recording.apply(entry);
    }

    fn tell(&mut self) {
        let recording = &self.desk.recording;
        let missing = (recording.lost > 0).then(|| format!("segments missing: {}", recording.lost));
        let problems = [
            recording.failure.clone(),
            missing,
            self.spool_problem.clone(),
            self.storage_problem.clone(),
            (self.storage_is_slow && self.storage_problem.is_none())
                .then(|| "the storage is slow: segments wait for it".to_owned()),
        ];
        let problems: Vec<String> = problems.into_iter().flatten().collect();
        self.desk.status.send_replace(Status {
            state: recording.state,
            duration_ms: recording.duration() / 1_000,
            bytes: recording.stored_bytes(),
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
        });
    }
}

fn piece(rendition: &str, segment: u64) -> Piece {
    Piece {
        rendition: rendition.to_owned(),
        segment,
        init: false,
    }
}
