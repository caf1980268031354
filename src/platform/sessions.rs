//! The table of a node's sessions: who they are and how many there may be. Pure bookkeeping, no I/O.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    net::{IpAddr, Ipv6Addr},
};

use spillway_sfu::{IceCredentials, SessionId};
use spillway_signaling::{ChannelName, Origin, SessionKey, api::model::Timestamp, platform::Role};

/// One session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) key: SessionKey,
    pub(super) role: Role,
    pub(super) channel: ChannelName,
    pub(super) address: IpAddr,
    pub(super) user_agent: Option<String>,
    pub(super) origin: Origin,
    /// Whose key a publisher holds; decides who may take over.
    pub(super) holder: Option<String>,
    /// The token that it came with, so that revoking ends it.
    pub(super) token: Option<String>,
    /// A sidecar's: it is no viewer to anybody.
    pub(super) is_sidecar: bool,
    pub(super) since: Timestamp,
    pub(super) ice_tag: String,
    /// The client's side of the ICE session.
    pub(super) remote_ice: Option<IceCredentials>,
    /// The number of the video's m-line in a viewer's SDP, if it has video.
    pub(super) video_line: Option<usize>,
    /// An ICE restart is under way.
    pub(super) restarting: bool,
    pub(super) connected: bool,
}

impl Session {
    /// Whether it's a viewer that others hear of.
    pub(super) fn is_audience(&self) -> bool {
        self.seat() == Seat::Viewer
    }

    fn seat(&self) -> Seat {
        match self.role {
            Role::Publisher => Seat::Publisher,
            Role::Viewer if self.is_sidecar => Seat::Sidecar,
            Role::Viewer => Seat::Viewer,
        }
    }
}

/// What a session takes a place as. Sidecars have places of their own: a node that is full of viewers needs LL-HLS the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Seat {
    Publisher,
    Viewer,
    Sidecar,
}

/// The bounds of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) publishers: usize,
    pub(super) viewers: usize,
    pub(super) sidecars: usize,
    pub(super) per_address: usize,
}

/// Which bound a new session would pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Seat,
    Address,
}

/// A place in the table that's taken while the media plane decides. Give it to [`Sessions::insert`] or
/// [`Sessions::release`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    seat: Seat,
    /// None: a sidecar's, which comes from this machine with all its broadcasts.
    network: Option<IpAddr>,
}

impl Place {
    pub(super) fn role(self) -> Role {
        match self.seat {
            Seat::Publisher => Role::Publisher,
            Seat::Viewer | Seat::Sidecar => Role::Viewer,
        }
    }
}

/// Sessions that ended by themselves whose clients may still say that they end them: OBS closes its connection first,
/// sends DELETE then, and takes nothing but 200 for an answer. The oldest are forgotten.
const DEPARTED: usize = 1024;

/// All sessions of the node, with the indexes that requests and events need.
pub(super) struct Sessions {
    bounds: Bounds,
    by_id: BTreeMap<SessionId, Session>,
    by_key: HashMap<SessionKey, SessionId>,
    publishers: HashMap<ChannelName, SessionId>,
    connected_viewers: HashMap<ChannelName, u32>,
    /// Sessions and places by network and by seat.
    networks: HashMap<IpAddr, usize>,
    seats: HashMap<Seat, usize>,
    /// Places that are neither inserted nor released yet.
    open_places: usize,
    /// Sessions whose end was told before they were inserted: a takeover can be that quick.
    ended_early: HashSet<SessionId>,
    /// The oldest first, [`DEPARTED`] at most.
    departed: VecDeque<(SessionKey, Role, ChannelName)>,
}

impl Sessions {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            by_id: BTreeMap::new(),
            by_key: HashMap::new(),
            publishers: HashMap::new(),
            connected_viewers: HashMap::new(),
            networks: HashMap::new(),
            seats: HashMap::new(),
            open_places: 0,
            ended_early: HashSet::new(),
            departed: VecDeque::new(),
        }
    }

    /// Takes a place for a session to come.
    pub(super) fn reserve(&mut self, seat: Seat, address: IpAddr) -> Result<Place, Full> {
        let most = match seat {
            Seat::Publisher => self.bounds.publishers,
            Seat::Viewer => self.bounds.viewers,
            Seat::Sidecar => self.bounds.sidecars,
        };
        if self.count(seat) >= most {
            return Err(Full::Seat);
        }
        let network = (seat != Seat::Sidecar).then(|| network(address));
        if let Some(network) = network {
            let count = self.networks.entry(network).or_default();
            if *count >= self.bounds.per_address {
                return Err(Full::Address);
            }
            *count += 1;
        }
        *self.seats.entry(seat).or_default() += 1;
        self.open_places += 1;
        Ok(Place { seat, network })
    }

    /// Gives a place back: the session didn't come about.
    pub(super) fn release(&mut self, place: Place) {
        self.open_places -= 1;
        self.leave(place);
        self.forget_early_ends();
    }

    /// Puts a session into its place. False: it has ended already.
    pub(super) fn insert(&mut self, place: Place, session: Session) -> bool {
        self.open_places -= 1;
        let alive = !self.ended_early.remove(&session.id);
        self.forget_early_ends();
        if !alive {
            self.leave(place);
            return false;
        }
        if session.role == Role::Publisher {
            self.publishers.insert(session.channel.clone(), session.id);
        }
        self.by_key.insert(session.key.clone(), session.id);
        self.by_id.insert(session.id, session);
        true
    }

    /// Notes that ICE and DTLS are done.
    pub(super) fn connect(&mut self, id: SessionId) -> Option<&Session> {
        let session = self.by_id.get_mut(&id)?;
        if !session.connected && session.is_audience() {
            *self
                .connected_viewers
                .entry(session.channel.clone())
                .or_default() += 1;
        }
        session.connected = true;
        Some(session)
    }

    /// Takes a session out, whatever ended it.
    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let Some(session) = self.by_id.remove(&id) else {
            // Beyond the bound a session whose end came early lives until its handshake times out.
            if self.open_places > 0 && self.ended_early.len() < DEPARTED {
                self.ended_early.insert(id);
            }
            return None;
        };
        self.by_key.remove(&session.key);
        if self.departed.len() == DEPARTED {
            self.departed.pop_front();
        }
        self.departed
            .push_back((session.key.clone(), session.role, session.channel.clone()));
        if self.publishers.get(&session.channel) == Some(&id) {
            self.publishers.remove(&session.channel);
        }
        if session.connected && session.is_audience() {
            subtract(&mut self.connected_viewers, &session.channel);
        }
        let seat = session.seat();
        self.leave(Place {
            seat,
            network: (seat != Seat::Sidecar).then(|| network(session.address)),
        });
        Some(session)
    }

    /// Forgets a session that has ended. False if it isn't known, or forgotten already.
    pub(super) fn forget(&mut self, key: &SessionKey, role: Role, channel: &ChannelName) -> bool {
        let place = self
            .departed
            .iter()
            .position(|departed| (&departed.0, departed.1, &departed.2) == (key, role, channel));
        place.is_some_and(|place| self.departed.remove(place).is_some())
    }

    /// Begins an ICE restart. False: another one is under way, whose tag could come after this one's.
    pub(super) fn begin_restart(&mut self, id: SessionId) -> bool {
        self.by_id
            .get_mut(&id)
            .is_some_and(|session| !std::mem::replace(&mut session.restarting, true))
    }

    /// Ends an ICE restart; `renewed` is the new tag with the client's new credentials, if it was a success.
    pub(super) fn end_restart(&mut self, id: SessionId, renewed: Option<(String, IceCredentials)>) {
        let Some(session) = self.by_id.get_mut(&id) else {
            return;
        };
        session.restarting = false;
        if let Some((tag, remote)) = renewed {
            session.ice_tag = tag;
            session.remote_ice = Some(remote);
        }
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    pub(super) fn by_key(&self, key: &SessionKey) -> Option<&Session> {
        self.by_id.get(self.by_key.get(key)?)
    }

    pub(super) fn publisher(&self, channel: &ChannelName) -> Option<&Session> {
        self.by_id.get(self.publishers.get(channel)?)
    }

    /// In the order of their identifiers, behind `after`.
    pub(super) fn iter_after(&self, after: Option<SessionId>) -> impl Iterator<Item = &Session> {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.by_id
            .range((from, std::ops::Bound::Unbounded))
            .map(|(_, session)| session)
    }

    /// Connected viewers of a channel, sidecars aside.
    pub(super) fn viewers(&self, channel: &ChannelName) -> u32 {
        self.connected_viewers.get(channel).copied().unwrap_or(0)
    }

    /// Sessions of a kind, and places taken for them.
    pub(super) fn count(&self, seat: Seat) -> usize {
        self.seats.get(&seat).copied().unwrap_or(0)
    }

    fn leave(&mut self, place: Place) {
        subtract(&mut self.seats, &place.seat);
        if let Some(network) = &place.network {
            subtract(&mut self.networks, network);
        }
    }

    fn forget_early_ends(&mut self) {
        if self.open_places == 0 {
            self.ended_early.clear();
        }
    }
}

/// What counts as one address: an IPv6 user usually has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

fn subtract<K: std::hash::Hash + Eq, N>(counts: &mut HashMap<K, N>, key: &K)
where
    N: Copy + PartialEq + From<u8> + std::ops::SubAssign,
{
    if let Some(count) = counts.get_mut(key) {
        *count -= N::from(1);
        if *count == N::from(0) {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use spillway_sfu::WorkerId;

    use super::*;

    const HOME: &str = "192.0.2.1";

    fn table(publishers: usize, viewers: usize, per_address: usize) -> Sessions {
        Sessions::new(Bounds {
            publishers,
            viewers,
            sidecars: 2,
            per_address,
        })
    }

    fn session(serial: u64, role: Role) -> Session {
        Session {
            id: SessionId {
                worker: WorkerId(0),
                serial,
            },
            key: SessionKey::random(),
            role,
            channel: "demo".parse().unwrap(),
            address: HOME.parse().unwrap(),
            user_agent: None,
            origin: Origin::default(),
            holder: None,
            token: None,
            is_sidecar: false,
            since: Timestamp(0),
            ice_tag: "tag".into(),
            remote_ice: None,
            video_line: None,
            restarting: false,
            connected: false,
        }
    }

    fn add(table: &mut Sessions, session: &Session) -> bool {
        let place = table.reserve(session.seat(), session.address).unwrap();
        table.insert(place, session.clone())
    }

    #[test]
    fn a_session_is_found_by_key_and_is_gone_after_its_end() {
        let mut table = table(9, 9, 9);
        let session = session(1, Role::Publisher);
        assert!(add(&mut table, &session));
        assert_eq!(table.by_key(&session.key).unwrap().id, session.id);
        assert_eq!(table.publisher(&session.channel).unwrap().id, session.id);
        assert!(table.remove(session.id).is_some());
        assert!(
            table.by_key(&session.key).is_none() && table.publisher(&session.channel).is_none()
        );
        assert!(table.remove(session.id).is_none());
        assert_eq!(table.count(Seat::Publisher), 0);
    }

    #[test]
    fn places_count_before_the_session_is_there() {
        let mut table = table(9, 1, 9);
        let address = HOME.parse().unwrap();
        let place = table.reserve(Seat::Viewer, address).unwrap();
        assert_eq!(table.reserve(Seat::Viewer, address), Err(Full::Seat));
        assert!(table.reserve(Seat::Publisher, address).is_ok());
        table.release(place);
        assert!(table.reserve(Seat::Viewer, address).is_ok());
    }

    #[test]
    fn sessions_of_one_address_are_bounded_and_an_ipv6_network_is_one() {
        let mut table = table(9, 9, 1);
        let reserve = |table: &mut Sessions, address: &str| {
            table.reserve(Seat::Viewer, address.parse().unwrap())
        };
        assert!(reserve(&mut table, HOME).is_ok());
        assert_eq!(reserve(&mut table, HOME), Err(Full::Address));
        assert!(reserve(&mut table, "192.0.2.2").is_ok());
        assert!(reserve(&mut table, "2001:db8:1:2::1").is_ok());
        assert_eq!(
            reserve(&mut table, "2001:db8:1:2:ffff::1"),
            Err(Full::Address)
        );
        assert!(reserve(&mut table, "2001:db8:1:3::1").is_ok());
    }

    #[test]
    fn a_takeover_leaves_the_new_publisher_in_place() {
        let mut table = table(9, 9, 9);
        let (old, new) = (session(1, Role::Publisher), session(2, Role::Publisher));
        add(&mut table, &old);
        add(&mut table, &new);
        table.remove(old.id);
        assert_eq!(table.publisher(&new.channel).unwrap().id, new.id);
    }

    #[test]
    fn an_end_that_is_told_before_the_session_is_known_counts() {
        let mut table = table(9, 9, 9);
        let session = session(1, Role::Publisher);
        let place = table.reserve(session.seat(), session.address).unwrap();
        assert!(table.remove(session.id).is_none());
        assert!(!table.insert(place, session.clone()));
        assert!(table.by_key(&session.key).is_none());
        assert_eq!(table.count(Seat::Publisher), 0);
    }

    #[test]
    fn connected_viewers_are_counted_once() {
        let mut table = table(9, 9, 9);
        let viewer = session(1, Role::Viewer);
        add(&mut table, &viewer);
        assert_eq!(table.viewers(&viewer.channel), 0);
        table.connect(viewer.id);
        table.connect(viewer.id);
        assert_eq!(table.viewers(&viewer.channel), 1);
        table.remove(viewer.id);
        assert_eq!(table.viewers(&viewer.channel), 0);
    }

    #[test]
    fn a_sidecar_takes_a_place_of_its_own_and_is_no_viewer() {
        let mut table = table(1, 1, 1);
        let (viewer, address) = (session(2, Role::Viewer), HOME.parse().unwrap());
        assert!(add(&mut table, &viewer));
        let sidecar = Session {
            is_sidecar: true,
            ..session(1, Role::Viewer)
        };
        add(&mut table, &sidecar);
        table.connect(sidecar.id);
        assert_eq!(table.viewers(&sidecar.channel), 0);
        assert_eq!(table.count(Seat::Sidecar), 1);
        table.reserve(Seat::Sidecar, address).unwrap();
        assert_eq!(table.reserve(Seat::Sidecar, address), Err(Full::Seat));
        table.remove(sidecar.id);
        assert_eq!(table.count(Seat::Sidecar), 1);
        table.remove(viewer.id);
        assert!(table.reserve(Seat::Viewer, address).is_ok());
    }
}
