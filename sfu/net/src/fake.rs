//! A stand-in for the engine that shows what the sockets do: it answers datagrams by what they say.

use std::{
    collections::HashSet,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use spillway_sfu::{
    Accepted, Disposition, EndReason, Event, IceCredentials, LayerSelection, LayerStatistics,
    Output, Path, PeerMessage, PublishRequest, Reject, SessionId, VideoClock, WatchRequest,
    WorkerId,
};

use crate::core::Core;

/// It has nothing to do by itself.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct FakeCore {
    worker: WorkerId,
    serial: u64,
    sessions: HashSet<SessionId>,
    known: HashSet<SocketAddr>,
    closed_paths: u64,
    /// Datagrams since the last flush.
    read: u64,
    most_read: u64,
    hurried: bool,
    hurries: bool,
}

/// What it says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FakeStatistics {
    /// TCP paths that were closed.
    pub(crate) closed_paths: u64,
    /// The most datagrams between two flushes.
    pub(crate) most_read: u64,
    /// It was told to hurry, ever and lately.
    pub(crate) hurried: bool,
    pub(crate) hurries: bool,
}

impl FakeCore {
    pub(crate) fn new(worker: WorkerId) -> Self {
        Self {
            worker,
            serial: 0,
            sessions: HashSet::new(),
            known: HashSet::new(),
            closed_paths: 0,
            read: 0,
            most_read: 0,
            hurried: false,
            hurries: false,
        }
    }

    fn accept(&mut self, offer: &str) -> Result<Accepted, Reject> {
        if offer == "bad" {
            return Err(Reject::Malformed("line 1: bad".into()));
        }
        assert!(offer != "broken", "the engine breaks off, as told");
        self.serial += 1;
        let session = SessionId {
            worker: self.worker,
            serial: self.serial,
        };
        self.sessions.insert(session);
        Ok(Accepted {
            session,
            answer: String::new(),
            ufrag: String::new(),
        })
    }

    fn expect(&self, session: SessionId) -> Result<(), Reject> {
        let is_known = self.sessions.contains(&session);
        is_known.then_some(()).ok_or(Reject::NoSession)
    }

    fn end(&mut self, session: SessionId, out: &mut dyn Output) -> Result<(), Reject> {
        if !self.sessions.remove(&session) {
            return Err(Reject::NoSession);
        }
        out.event(Event::Ended {
            session,
            reason: EndReason::Closed,
        });
        Ok(())
    }
}

impl Core for FakeCore {
    type Statistics = FakeStatistics;

    fn publish(
        &mut self,
        _: Instant,
        request: PublishRequest,
        _: &mut dyn Output,
    ) -> Result<Accepted, Reject> {
        self.accept(&request.offer)
    }

    fn watch(
        &mut self,
        _: Instant,
        request: WatchRequest,
        _: &mut dyn Output,
    ) -> Result<Accepted, Reject> {
        self.accept(&request.offer)
    }

    fn restart_ice(
        &mut self,
        _: Instant,
        session: SessionId,
        remote: IceCredentials,
    ) -> Result<IceCredentials, Reject> {
        self.expect(session).map(|()| remote)
    }

    fn select_layers(
        &mut self,
        _: Instant,
        session: SessionId,
        _: LayerSelection,
        _: &mut dyn Output,
    ) -> Result<(), Reject> {
        self.expect(session)
    }

    fn close(
        &mut self,
        _: Instant,
        session: SessionId,
        _: EndReason,
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        self.end(session, out)
    }

    fn close_all(&mut self, _: Instant, out: &mut dyn Output) {
        for session in self.sessions.clone() {
            self.end(session, out).unwrap();
        }
    }

    fn video_clock(&self, _: Instant, session: SessionId) -> Option<VideoClock> {
        self.sessions.contains(&session).then_some(VideoClock {
            session,
            rtp: session.serial as u32,
            since_1970: std::time::Duration::from_secs(1),
        })
    }

    fn send_data(
        &mut self,
        _: Instant,
        session: SessionId,
        (id, data, binary): (u16, &[u8], bool),
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        self.expect(session)?;
        out.event(Event::Data {
            session,
            id,
            data: data.to_vec(),
            binary,
        });
        Ok(())
    }

    fn close_channel(
        &mut self,
        _: Instant,
        session: SessionId,
        id: u16,
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        self.expect(session)?;
        out.event(Event::ChannelClosed { session, id });
        Ok(())
    }

    /// `echo…` comes back; `burst N S` brings N datagrams of S bytes; `busy N` takes N ms; a zero byte and a digit stand for a STUN check
    /// that names a worker, which then knows the peer and says its number when `who` is asked.
    fn handle_datagram(
        &mut self,
        _: Instant,
        path: Path,
        datagram: &mut [u8],
        out: &mut dyn Output,
    ) -> Disposition {
        self.read += 1;
        let text = String::from_utf8_lossy(datagram).into_owned();
        let words: Vec<&str> = text.split(' ').collect();
        match (words[0], datagram) {
            ("burst", _) => {
                let (count, size): (usize, usize) =
                    (words[1].parse().unwrap(), words[2].parse().unwrap());
                let burst: Vec<u8> = (0..count).flat_map(|n| vec![n as u8; size]).collect();
                out.send(path, &burst, size);
            }
            ("busy", _) => thread::sleep(Duration::from_millis(words[1].parse().unwrap())),
            ("who", _) if self.known.contains(&path.remote) => {
                out.send(path, &[self.worker.0], 1);
            }
            (echo, datagram) if echo.starts_with("echo") => {
                out.send(path, datagram, datagram.len());
            }
            (_, [0, named]) => {
                let named = WorkerId(*named);
                if named != self.worker {
                    return Disposition::Foreign(named);
                }
                self.known.insert(path.remote);
                out.send(path, &[self.worker.0], 1);
            }
            _ => return Disposition::Unknown,
        }
        Disposition::Taken
    }

    fn connection_closed(&mut self, _: Path) {
        self.closed_paths += 1;
    }

    fn handle_peer(&mut self, _: Instant, _: WorkerId, _: PeerMessage, _: &mut dyn Output) {}

    fn hurry(&mut self, _: Instant, hurries: bool) {
        self.hurried |= hurries;
        self.hurries = hurries;
    }

    fn flush(&mut self, _: Instant, _: &mut dyn Output) {
        self.most_read = self.most_read.max(self.read);
        self.read = 0;
    }

    fn next_timeout(&self) -> Instant {
        Instant::now() + PATIENCE
    }

    fn handle_timeout(&mut self, _: Instant, _: &mut dyn Output) {}

    fn session_layers(
        &self,
        _: Instant,
        session: SessionId,
    ) -> Result<Vec<LayerStatistics>, Reject> {
        self.expect(session).map(|()| Vec::new())
    }

    fn statistics(&self, _: Instant) -> FakeStatistics {
        FakeStatistics {
            closed_paths: self.closed_paths,
            most_read: self.most_read,
            hurried: self.hurried,
            hurries: self.hurries,
        }
    }
}
