//! When what is to be done: one heap of session timers, and a tick for what concerns all.

use std::{
    cmp::Reverse,
    time::{Duration, Instant},
};

use super::{Engine, fanout::Time};
use crate::{MediaKind, Output, session::Role};

/// Keyframe requests that were held back go out, and caches are held to their bounds, this often.
const TICK: Duration = Duration::from_millis(100);
/// Bitrates are measured and layers chosen every so many ticks.
const RETARGET_TICKS: u64 = 5;

impl Engine {
    /// When [`Engine::handle_timeout`] is to be called next.
    pub fn next_timeout(&self) -> Instant {
        let timer = self.timers.peek().map(|Reverse((at, ..))| *at);
        [timer, self.gathered_by]
            .into_iter()
            .flatten()
            .fold(self.next_tick, Instant::min)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut dyn Output) {
        let mut time = Time::new(now, self.wall(now));
        while let Some(&Reverse((at, index, serial))) = self.timers.peek() {
            // What falls due meanwhile has its turn next time.
            if at > now {
                break;
            }
            self.timers.pop();
            match self.sessions.get_mut(index) {
                Some(session) if session.id.serial == serial && session.scheduled == Some(at) => {
                    session.scheduled = None;
                    time.pass(out);
                    self.session_timeout(time.now, index, out);
                }
                _ => {}
            }
        }
        let now = time.now;
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.tick(now, out);
        }
        if self.gathered_by.is_some_and(|at| at <= now) {
            self.flush(now, out);
        }
    }

    fn session_timeout(&mut self, now: Instant, index: usize, out: &mut dyn Output) {
        let session = &mut self.sessions[index];
        if session.transport.next_timeout().is_some_and(|at| at <= now) {
            session.transport.handle_timeout(now);
            self.drain(now, index, out);
        }
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        if session.connected {
            self.report(now, index, out);
            self.pump(now, index, out);
        }
        self.reschedule(now, index);
    }

    /// Sets a session's timer, if it is to be called earlier than it is set to.
    pub(super) fn reschedule(&mut self, now: Instant, index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(at) = session.next_timeout() else {
            return;
        };
        let at = at.max(now);
        if session.scheduled.is_none_or(|scheduled| at < scheduled) {
            session.scheduled = Some(at);
            self.timers.push(Reverse((at, index, session.id.serial)));
        }
    }

    fn tick(&mut self, now: Instant, out: &mut dyn Output) {
        self.ticks += 1;
        let retarget = self.ticks.is_multiple_of(RETARGET_TICKS);
        let room = self.config.limits.cached_bytes > self.cached_bytes();
        let indexes: Vec<usize> = self.channels.iter().map(|(index, _)| index).collect();
        for index in indexes {
            if retarget {
                self.retarget(now, index, out);
            }
            self.bound_caches(index, room);
            self.send_remembered_requests(now, index, out);
        }
    }

    /// Bytes of memory that packet caches hold.
    pub(super) fn cached_bytes(&self) -> usize {
        let tracks = self
            .channels
            .iter()
            .flat_map(|(_, c)| c.tracks.iter().flatten());
        tracks
            .flat_map(|t| &t.layers)
            .map(|l| l.cache.capacity())
            .sum()
    }

    fn retarget(&mut self, now: Instant, index: usize, out: &mut dyn Output) {
        let Some(channel) = self.channels.get_mut(index) else {
            return;
        };
        for layer in channel
            .tracks
            .iter_mut()
            .flatten()
            .flat_map(|t| &mut t.layers)
        {
            layer.measure(now);
        }
        let mut needs = arrayvec::ArrayVec::<_, 8>::new();
        for &viewer in &channel.viewers {
            if let Some(session) = self.sessions.get_mut(viewer)
                && let (Role::Viewer(role), true) = (&mut session.role, session.connected)
            {
                let need = role.retarget(now, channel);
                if let Some(need) = need.filter(|need| !needs.contains(need)) {
                    let _ = needs.try_push(need);
                }
                if role.is_catching_up() {
                    self.held.push(viewer);
                }
            }
        }
        while let Some(viewer) = self.held.pop() {
            self.reschedule(now, viewer);
        }
        for need in needs {
            self.need_keyframe(now, index, Some(need), out);
        }
    }

    /// Only layers that somebody watches, and the one that joiners will get, may hold a whole group of pictures.
    fn bound_caches(&mut self, index: usize, room: bool) {
        let limit = self.config.limits.cached_bytes_per_layer;
        let now = self.next_tick;
        let Some(channel) = self.channels.get_mut(index) else {
            return;
        };
        let mut watched = 0u64;
        for &viewer in &channel.viewers {
            if let Some(Role::Viewer(viewer)) = self.sessions.get(viewer).map(|s| &s.role) {
                watched |= viewer.watched_layers();
            }
        }
        let Some(track) = channel.track_mut(MediaKind::Video) else {
            return;
        };
        watched |= 1 << track.choose(now, None);
        // What those get whose path is too thin to catch up with the best.
        let least = track.layers.iter().enumerate();
        let least = least.filter(|(_, l)| l.flowing(now));
        watched |= least
            .min_by_key(|(_, l)| l.rank())
            .map_or(0, |(place, _)| 1 << place);
        for (place, layer) in track.layers.iter_mut().enumerate() {
            let wanted = room && watched & 1 << place != 0;
            layer.cache.set_limit(if wanted { limit } else { 0 });
        }
    }

    fn send_remembered_requests(&mut self, now: Instant, index: usize, out: &mut dyn Output) {
        let Some(track) = self
            .channels
            .get_mut(index)
            .and_then(|c| c.track_mut(MediaKind::Video))
        else {
            return;
        };
        let mut due = 0u64;
        for (place, layer) in track.layers.iter_mut().enumerate() {
            due |= u64::from(layer.keyframes.handle_timeout(now)) << place;
        }
        for place in (0..64u8).filter(|place| due & 1 << place != 0) {
            self.ask_keyframe(index, place, out);
        }
    }
}
