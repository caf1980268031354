//! What the platform asks for: publish, watch, restart, close.

use std::{sync::Arc, time::Instant};

use arrayvec::ArrayVec;
use rand::Rng;

use super::Engine;
use crate::{
    Accepted, EndReason, IceCredentials, LayerSelection, MediaKind, Output, PeerMessage,
    PublishRequest, Reject, SessionId, WatchRequest, ice,
    media::{Feed, track_index},
    publisher::Publisher,
    sdp::{self, Local, Offer, SdpError, Setup, Ssrcs},
    session::{Role, Session},
    transport::{ChannelId, DtlsRole, Transport, TransportConfig},
    viewer::Viewer,
};

impl From<SdpError> for Reject {
    fn from(error: SdpError) -> Self {
        match error {
            SdpError::Unacceptable(_) => Self::Unacceptable(error.to_string()),
            SdpError::Malformed { .. } => Self::Malformed(error.to_string()),
        }
    }
}

impl Engine {
    /// Accepts a publisher (WHIP). Its media flows once ICE and DTLS are done.
    ///
    /// # Errors
    /// [`Reject`] says why it was refused; nothing has changed then.
    pub fn publish(
        &mut self,
        now: Instant,
        request: PublishRequest,
        out: &mut dyn Output,
    ) -> Result<Accepted, Reject> {
        self.admit()?;
        let offer = sdp::parse_offer(&request.offer)?;
        let negotiated = sdp::accept_publisher(&offer)?;
        let (transport, local) =
            self.transport(now, &offer, negotiated.data.as_ref().map(|d| d.sctp_port))?;
        let holder = self
            .names
            .get(&request.channel)
            .and_then(|&i| self.channels.get(i))
            .map(|c| c.feed);
        let held = holder.is_some_and(|feed| feed != Feed::None)
            || self.announced.contains_key(&request.channel);
        if held && !request.take_over {
            return Err(Reject::AlreadyLive);
        }
        if let Some(Feed::Local { index, .. }) = holder {
            self.end(now, index, EndReason::TakenOver, out);
        }
        let answer = negotiated.answer(&self.local(&local, None));
        let publisher = Publisher::new(now, negotiated, rand::rng().next_u32());
        let announced = publisher.published();
        let channel = self.channel_index(now, &request.channel);
        let index = self.add(
            now,
            channel,
            transport,
            Role::Publisher(Box::new(publisher)),
            local.ufrag.clone(),
        );
        let session = self.sessions[index].id;
        self.announced.remove(&request.channel);
        self.set_feed(now, channel, Feed::Local { session, index }, &announced);
        let message = PeerMessage::Published {
            channel: request.channel,
            feed: session,
            tracks: Arc::new(announced),
        };
        self.broadcast(&message, out);
        Ok(Accepted {
            session,
            answer,
            ufrag: local.ufrag.clone(),
        })
    }

    /// Accepts a viewer (WHEP). It gets the picture once ICE and DTLS are done and the channel is on air.
    ///
    /// # Errors
    /// [`Reject`] says why it was refused; nothing has changed then.
    pub fn watch(
        &mut self,
        now: Instant,
        request: WatchRequest,
        out: &mut dyn Output,
    ) -> Result<Accepted, Reject> {
        self.admit()?;
        let offer = sdp::parse_offer(&request.offer)?;
        let negotiated = sdp::accept_viewer(&offer)?;
        let known = self
            .names
            .get(&request.channel)
            .and_then(|&i| self.channels.get(i));
        let live = known.is_some_and(|c| c.feed != Feed::None)
            || self.announced.contains_key(&request.channel);
        if !live && !request.wait {
            return Err(Reject::NotLive);
        }
        for track in known
            .iter()
            .flat_map(|c| c.tracks.iter().flatten())
            .filter(|t| t.is_flowing())
        {
            let wanted = negotiated.tracks.iter().find(|t| t.kind == track.kind);
            if let (Some(wanted), Some(published)) = (wanted, track.payload())
                && wanted.matching(published).is_none()
            {
                let codec = published.codec.name();
                return Err(Reject::Unacceptable(format!(
                    "the broadcast's {codec} isn't among the codecs of the offer; offer {codec} to watch it"
                )));
            }
        }
        let (transport, local) =
            self.transport(now, &offer, negotiated.data.as_ref().map(|d| d.sctp_port))?;
        let ssrcs = ssrcs();
        let video = ssrcs[track_index(MediaKind::Video)];
        let answer = negotiated.answer(&self.local(&local, Some(video)));
        let mut viewer = Viewer::new(
            now,
            &negotiated,
            request.selection,
            self.config.playout_delay,
            self.next_serial as u32,
            ssrcs,
        );
        let channel = self.channel_index(now, &request.channel);
        viewer.select(&self.channels[channel]);
        let index = self.add(
            now,
            channel,
            transport,
            Role::Viewer(Box::new(viewer)),
            local.ufrag.clone(),
        );
        self.channels[channel].viewers.push(index);
        self.subscribe(channel, out);
        Ok(Accepted {
            session: self.sessions[index].id,
            answer,
            ufrag: local.ufrag.clone(),
        })
    }

    /// Gives a session new ICE credentials (RFC 8445 §9); the old ones stay good until the new path is used.
    ///
    /// # Errors
    /// [`Reject::NoSession`].
    pub fn restart_ice(
        &mut self,
        now: Instant,
        session: SessionId,
        remote: IceCredentials,
    ) -> Result<IceCredentials, Reject> {
        let index = self.index_of(session).ok_or(Reject::NoSession)?;
        let local = ice::local_credentials(self.config.worker, &mut rand::rng());
        let session = &mut self.sessions[index];
        session.transport.restart_ice(local.clone(), remote);
        if session.ufrags.is_full() {
            self.ufrags.remove(&session.ufrags.remove(0));
        }
        session.ufrags.push(local.ufrag.clone());
        self.ufrags.insert(local.ufrag.clone(), index);
        self.reschedule(now, index);
        Ok(local)
    }

    /// Takes what a viewer asks to see from now on (WHEP layer selection).
    ///
    /// # Errors
    /// [`Reject::NoSession`], also for a publisher's session.
    pub fn select_layers(
        &mut self,
        now: Instant,
        session: SessionId,
        selection: LayerSelection,
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        let index = self.index_of(session).ok_or(Reject::NoSession)?;
        let session = &mut self.sessions[index];
        let channel = session.channel;
        let (Role::Viewer(viewer), Some(known)) = (&mut session.role, self.channels.get(channel))
        else {
            return Err(Reject::NoSession);
        };
        let need = viewer.select_layers(now, selection, known);
        self.need_keyframe(now, channel, need, out);
        self.reschedule(now, index);
        Ok(())
    }

    /// Ends a session at once.
    ///
    /// # Errors
    /// [`Reject::NoSession`].
    pub fn close(
        &mut self,
        now: Instant,
        session: SessionId,
        reason: EndReason,
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        let index = self.index_of(session).ok_or(Reject::NoSession)?;
        self.end(now, index, reason, out);
        Ok(())
    }

    /// Ends every session.
    pub fn close_all(&mut self, now: Instant, out: &mut dyn Output) {
        let indexes: Vec<usize> = self.sessions.iter().map(|(index, _)| index).collect();
        for index in indexes {
            self.end(now, index, EndReason::Closed, out);
        }
    }

    /// Sends a message on a data channel.
    ///
    /// # Errors
    /// [`Reject::NoSession`], or [`Reject::Overloaded`] when the peer doesn't read.
    pub fn send_data(
        &mut self,
        now: Instant,
        session: SessionId,
        (channel, data, binary): (u16, &[u8], bool),
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        let index = self.index_of(session).ok_or(Reject::NoSession)?;
        let sent = self.sessions[index]
            .transport
            .send_data(now, ChannelId(channel), data, binary);
        self.drain(now, index, out);
        sent.map_err(|error| Reject::Overloaded(error.to_string()))
    }

    /// Closes a data channel, after what was sent on it.
    ///
    /// # Errors
    /// [`Reject::NoSession`], also when the channel is closed already.
    pub fn close_channel(
        &mut self,
        now: Instant,
        session: SessionId,
        channel: u16,
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        let index = self.index_of(session).ok_or(Reject::NoSession)?;
        let transport = &mut self.sessions[index].transport;
        let closed = transport.close_channel(now, ChannelId(channel));
        self.drain(now, index, out);
        closed.map_err(|_| Reject::NoSession)
    }

    fn admit(&self) -> Result<(), Reject> {
        if self.sessions.len() >= self.config.limits.sessions {
            return Err(Reject::Overloaded(
                "this worker has all the sessions it takes; try again later".into(),
            ));
        }
        Ok(())
    }

    fn transport(
        &self,
        now: Instant,
        offer: &Offer,
        data_channels: Option<u16>,
    ) -> Result<(Transport, IceCredentials), Reject> {
        let local_ice = ice::local_credentials(self.config.worker, &mut rand::rng());
        let config = TransportConfig {
            local_ice: local_ice.clone(),
            remote_ice: offer.ice.clone(),
            remote_fingerprint: offer.fingerprint.clone(),
            role: match offer.setup.answer() {
                Setup::Active => DtlsRole::Client,
                Setup::Passive | Setup::ActPass => DtlsRole::Server,
            },
            certificate: self.config.certificate.clone(),
            data_channels,
        };
        let transport = Transport::new(now, config).map_err(|error| {
            Reject::Overloaded(format!("no DTLS session could be made: {error}"))
        })?;
        Ok((transport, local_ice))
    }

    fn local<'a>(&'a self, ice: &'a IceCredentials, video: Option<Ssrcs>) -> Local<'a> {
        Local {
            ice,
            fingerprint: self.config.certificate.fingerprint(),
            candidates: &self.config.candidates,
            session_id: rand::rng().next_u64() >> 2,
            stream_id: super::CNAME,
            video,
        }
    }

    fn add(
        &mut self,
        now: Instant,
        channel: usize,
        transport: Transport,
        role: Role,
        ufrag: String,
    ) -> usize {
        let id = SessionId {
            worker: self.config.worker,
            serial: self.next_serial,
        };
        self.next_serial += 1;
        let mut ufrags = ArrayVec::new();
        ufrags.push(ufrag.clone());
        let index = self.sessions.insert(Box::new(Session {
            id,
            channel_name: self.channels[channel].name.clone(),
            channel,
            transport,
            role,
            ufrags,
            paths: Vec::new(),
            connected: false,
            scheduled: None,
            started: now,
        }));
        self.serials.insert(id.serial, index);
        self.ufrags.insert(ufrag, index);
        self.reschedule(now, index);
        index
    }
}

/// SSRCs for the tracks of one session, each of them another.
fn ssrcs() -> [Ssrcs; 2] {
    let mut used = ArrayVec::<u32, 6>::new();
    let mut ssrc = || loop {
        let ssrc = rand::rng().next_u32();
        if ssrc != 0 && !used.contains(&ssrc) {
            used.push(ssrc);
            return ssrc;
        }
    };
    std::array::from_fn(|_| Ssrcs {
        media: ssrc(),
        rtx: ssrc(),
        flexfec: ssrc(),
    })
}
