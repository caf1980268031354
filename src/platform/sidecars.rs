//! Which sidecars there are, who follows the broadcasts, and whom a viewer of LL-HLS was let in as. Pure bookkeeping; time
//! is passed in.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use spillway_signaling::{
    ChannelName, OnAir, OnAirFeed, SidecarId, SidecarUrl,
    api::model::{Sidecar, SidecarRegistration, Timestamp},
};
use tokio::sync::{oneshot, watch};

/// A sidecar that wasn't heard of for so long is forgotten; it says every 3 s that it's there.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a sidecar that couldn't be reached is passed over, where another has its channels.
const PASSED_OVER: Duration = Duration::from_secs(5);
/// The most sidecars.
const MOST: usize = 64;
/// The most who follow the broadcasts: each sidecar, and once more while it reconnects.
const MOST_FOLLOWERS: usize = 2 * MOST;

/// The sidecars that were heard of lately.
#[derive(Default)]
pub(super) struct Sidecars {
    by_id: BTreeMap<SidecarId, Known>,
}

struct Known {
    url: SidecarUrl,
    /// The identifier of the token that it came with: nobody else may speak for it.
    holder: Option<String>,
    /// What it serves, and since when.
    channels: HashMap<ChannelName, Instant>,
    since: Timestamp,
    heard_at: Timestamp,
    heard: Instant,
    /// It couldn't be reached, and until when that counts.
    passed_over: Option<Instant>,
}

/// What a sidecar says of itself, and by which token.
pub(super) struct Arrival {
    pub(super) id: SidecarId,
    pub(super) registration: SidecarRegistration,
    pub(super) holder: Option<String>,
}

/// Why a sidecar isn't noted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoEntry {
    /// There are as many as may be.
    Full,
    /// Another one has that name.
    Taken,
}

/// There are as many as may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Sidecars {
    /// Notes what a sidecar says of itself. True: it's new.
    pub(super) fn register(
        &mut self,
        arrival: Arrival,
        at: Timestamp,
        now: Instant,
    ) -> Result<bool, NoEntry> {
        let Arrival {
            id,
            registration,
            holder,
        } = arrival;
        self.expire(now);
        if self.is_of_another(&id, holder.as_deref()) {
            return Err(NoEntry::Taken);
        }
        let before = self.by_id.get(&id);
        if before.is_none() && self.by_id.len() >= MOST {
            return Err(NoEntry::Full);
        }
        let served_since = |channel: &ChannelName| {
            let before = before.and_then(|before| before.channels.get(channel));
            before.copied().unwrap_or(now)
        };
        let channels = registration
            .channels
            .into_iter()
            .map(|channel| (channel.clone(), served_since(&channel)))
            .collect();
        let since = before.map_or(at, |before| before.since);
        let passed_over = before
            .filter(|before| before.url == registration.url)
            .and_then(|before| before.passed_over);
        let known = Known {
            url: registration.url,
            holder,
            channels,
            since,
            heard_at: at,
            heard: now,
            passed_over,
        };
        Ok(self.by_id.insert(id, known).is_none())
    }

    /// Whether somebody with another token came by that name.
    pub(super) fn is_of_another(&self, id: &SidecarId, holder: Option<&str>) -> bool {
        let known = self.by_id.get(id);
        known.is_some_and(|known| known.holder.as_deref() != holder)
    }

    /// Nobody listens there.
    pub(super) fn pass_over(&mut self, url: &SidecarUrl, now: Instant) {
        for known in self.by_id.values_mut().filter(|known| known.url == *url) {
            known.passed_over = Some(now + PASSED_OVER);
        }
    }

    /// False: it wasn't known.
    pub(super) fn forget(&mut self, id: &SidecarId) -> bool {
        self.by_id.remove(id).is_some()
    }

    /// Takes out who wasn't heard of for too long.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<SidecarId> {
        self.by_id
            .extract_if(.., |_, known| !known.is_fresh(now))
            .map(|(id, _)| id)
            .collect()
    }

    /// The sidecar that viewers of a channel are served by: of several the one that has it longest, so that all of a
    /// viewer's requests go to the same one, but sooner any other than one that can't be reached.
    pub(super) fn serving(&self, channel: &ChannelName, now: Instant) -> Option<&SidecarUrl> {
        self.by_id
            .values()
            .filter(|known| known.is_fresh(now))
            .filter_map(|known| Some((known, known.channels.get(channel)?)))
            .min_by_key(|(known, since)| (known.is_passed_over(now), **since))
            .map(|(known, _)| &known.url)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn list(&self) -> Vec<Sidecar> {
        let describe = |(id, known): (&SidecarId, &Known)| {
            let mut channels: Vec<_> = known.channels.keys().cloned().collect();
            channels.sort();
            Sidecar {
                id: id.clone(),
                url: known.url.clone(),
                channels,
                since: known.since,
                heard_at: known.heard_at,
            }
        };
        self.by_id.iter().map(describe).collect()
    }
}

impl Known {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) < SILENCE
    }

    fn is_passed_over(&self, now: Instant) -> bool {
        self.passed_over.is_some_and(|until| now < until)
    }
}

/// Who follows the broadcasts under way. All read the same state.
#[derive(Default)]
pub(super) struct Followers {
    on_air: watch::Sender<OnAir>,
    followers: Vec<Follower>,
}

struct Follower {
    token: Option<String>,
    /// Ends what is sent, by going.
    end: oneshot::Sender<()>,
}

impl Followers {
    /// One more, who came with that token.
    pub(super) fn follow(&mut self, token: Option<String>) -> Result<OnAirFeed, Full> {
        self.followers.retain(|follower| !follower.end.is_closed());
        if self.followers.len() >= MOST_FOLLOWERS {
            return Err(Full);
        }
        let (end, ended) = oneshot::channel();
        self.followers.push(Follower { token, end });
        Ok(OnAirFeed {
            on_air: self.on_air.subscribe(),
            end: ended,
        })
    }

    /// The broadcasts that are under way, for the node itself.
    pub(super) fn watch(&self) -> watch::Receiver<OnAir> {
        self.on_air.subscribe()
    }

    /// Tells of the broadcasts that are under way now, if they are others than before.
    pub(super) fn tell(&self, on_air: OnAir) {
        self.on_air.send_if_modified(|told| {
            let is_news = *told != on_air;
            *told = on_air;
            is_news
        });
    }

    /// Ends what is sent to those who came with such a token.
    pub(super) fn end(&mut self, is_over: impl Fn(Option<&str>) -> bool) {
        self.followers
            .retain(|follower| !is_over(follower.token.as_deref()));
    }
}

/// Who may watch a channel over LL-HLS is found out once in a while and not for every part: how long it holds.
const ADMISSION: Duration = Duration::from_secs(5);
/// The most admissions that are remembered; beyond it all are found out anew.
const MOST_ADMISSIONS: usize = 65_536;

/// Whom somebody asks as: what decides over the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asker {
    pub(super) channel: ChannelName,
    /// A digest of the token.
    pub(super) token: Option<[u8; 32]>,
    /// Where the outside service is asked, which may judge by it.
    pub(super) address: Option<std::net::IpAddr>,
}

/// Who was let in lately.
#[derive(Default)]
pub(super) struct Admissions {
    granted: HashMap<Asker, Granted>,
}

#[derive(Clone, Copy)]
struct Granted {
    is_restricted: bool,
    until: Instant,
}

impl Admissions {
    /// Whether the channel is restricted, if the asker was let in lately.
    pub(super) fn find(&self, asker: &Asker, now: Instant) -> Option<bool> {
        let granted = self.granted.get(asker)?;
        (now < granted.until).then_some(granted.is_restricted)
    }

    pub(super) fn grant(&mut self, asker: Asker, is_restricted: bool, now: Instant) {
        if self.granted.len() >= MOST_ADMISSIONS {
            self.granted.retain(|_, granted| now < granted.until);
        }
        if self.granted.len() >= MOST_ADMISSIONS {
            self.granted.clear();
        }
        let until = now + ADMISSION;
        let granted = Granted {
            is_restricted,
            until,
        };
        self.granted.insert(asker, granted);
    }

    /// Something has changed that may change an answer.
    pub(super) fn forget(&mut self) {
        self.granted.clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(text: &str) -> SidecarId {
        text.parse().unwrap()
    }

    fn channel(text: &str) -> ChannelName {
        text.parse().unwrap()
    }

    fn registration(port: u16, channels: &[&str]) -> SidecarRegistration {
        SidecarRegistration {
            url: format!("http://127.0.0.1:{port}").parse().unwrap(),
            channels: channels.iter().map(|name| channel(name)).collect(),
        }
    }

    struct World {
        sidecars: Sidecars,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            Self {
                sidecars: Sidecars::default(),
                now: Instant::now(),
            }
        }

        fn register(&mut self, name: &str, port: u16, channels: &[&str]) -> Result<bool, NoEntry> {
            self.register_by("token", name, registration(port, channels))
        }

        fn register_by(
            &mut self,
            holder: &str,
            name: &str,
            registration: SidecarRegistration,
        ) -> Result<bool, NoEntry> {
            let arrival = Arrival {
                id: id(name),
                registration,
                holder: Some(holder.into()),
            };
            self.sidecars.register(arrival, Timestamp(0), self.now)
        }

        fn serving(&self, name: &str) -> Option<&str> {
            let url = self.sidecars.serving(&channel(name), self.now);
            url.map(SidecarUrl::as_str)
        }

        fn pass(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
        }
    }

    #[test]
    fn a_sidecar_that_falls_silent_is_forgotten() {
        let mut world = World::new();
        assert_eq!(world.register("a", 1, &["demo"]), Ok(true));
        world.pass(9);
        assert_eq!(world.register("a", 1, &["demo"]), Ok(false));
        world.pass(9);
        assert_eq!(world.serving("demo"), Some("http://127.0.0.1:1"));
        world.pass(1);
        assert_eq!(world.serving("demo"), None);
        assert_eq!(world.sidecars.expire(world.now), [id("a")]);
        assert_eq!(world.sidecars.count(), 0);
    }

    #[test]
    fn of_several_sidecars_the_one_that_has_a_channel_longest_serves_it() {
        let mut world = World::new();
        world.register("b", 2, &["demo"]).unwrap();
        world.pass(1);
        world.register("a", 1, &["demo"]).unwrap();
        assert_eq!(world.serving("demo"), Some("http://127.0.0.1:2"));
        // It comes back elsewhere, with the same channel.
        world.register("b", 3, &["demo"]).unwrap();
        assert_eq!(world.serving("demo"), Some("http://127.0.0.1:3"));
        world.register("b", 3, &[]).unwrap();
        assert_eq!(world.serving("demo"), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn one_that_cannot_be_reached_is_passed_over_for_a_while() {
        let mut world = World::new();
        world.register("a", 1, &["demo", "alone"]).unwrap();
        world.pass(1);
        world.register("b", 2, &["demo"]).unwrap();
        let url = "http://127.0.0.1:1".parse().unwrap();
        world.sidecars.pass_over(&url, world.now);
        assert_eq!(world.serving("demo"), Some("http://127.0.0.1:2"));
        assert_eq!(
            world.serving("alone"),
            Some("http://127.0.0.1:1"),
            "no other has it"
        );
        world.pass(4);
        world.register("a", 1, &["demo"]).unwrap();
        assert_eq!(world.serving("demo"), Some("http://127.0.0.1:2"));
        // Elsewhere, it's another matter.
        world.register("a", 3, &["demo"]).unwrap();
        assert_eq!(world.serving("demo"), Some("http://127.0.0.1:3"));
        world.register("a", 1, &["demo"]).unwrap();
        world.pass(1);
        assert_eq!(world.serving("demo"), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn a_name_is_its_tokens_until_it_is_forgotten() {
        let mut world = World::new();
        world.register("local", 1, &["demo"]).unwrap();
        let stolen = |world: &mut World| {
            let registration = registration(9, &["demo"]);
            world.register_by("another", "local", registration)
        };
        assert_eq!(stolen(&mut world), Err(NoEntry::Taken));
        assert!(world.sidecars.is_of_another(&id("local"), Some("another")));
        assert!(!world.sidecars.is_of_another(&id("local"), Some("token")));
        assert_eq!(world.serving("demo"), Some("http://127.0.0.1:1"));
        world.pass(10);
        assert_eq!(stolen(&mut world), Ok(true));
    }

    #[test]
    fn one_sidecar_too_many_is_refused_until_another_goes() {
        let mut world = World::new();
        for number in 0..MOST {
            world.register(&format!("s{number}"), 1, &[]).unwrap();
        }
        assert_eq!(world.register("more", 1, &[]), Err(NoEntry::Full));
        assert_eq!(world.register("s0", 1, &[]), Ok(false));
        assert!(world.sidecars.forget(&id("s1")));
        assert!(!world.sidecars.forget(&id("s1")));
        assert_eq!(world.register("more", 1, &[]), Ok(true));
    }

    #[test]
    fn one_follower_too_many_is_refused_until_another_goes() {
        let mut followers = Followers::default();
        let mut feeds: Vec<_> = (0..MOST_FOLLOWERS)
            .map(|_| followers.follow(None).unwrap())
            .collect();
        assert_eq!(followers.follow(None).err(), Some(Full));
        feeds.pop();
        assert!(followers.follow(None).is_ok());
    }

    #[test]
    fn an_admission_holds_for_a_while_or_until_something_changes() {
        let mut admissions = Admissions::default();
        let now = Instant::now();
        let asker = Asker {
            channel: channel("demo"),
            token: Some([1; 32]),
            address: None,
        };
        admissions.grant(asker.clone(), true, now);
        let stranger = Asker {
            token: None,
            ..asker.clone()
        };
        assert_eq!(admissions.find(&asker, now), Some(true));
        assert_eq!(admissions.find(&stranger, now), None);
        assert_eq!(admissions.find(&asker, now + ADMISSION), None);
        admissions.forget();
        assert_eq!(admissions.find(&asker, now), None);
    }
}
