//! Data channels: SCTP over DTLS (RFC 8261, RFC 8831) with in-band opening (DCEP, RFC 8832).
//!
//! One association per session. As DTLS server we wait for the peer's INIT, as DTLS client we send it. An association
//! that fails costs the session its data channels, not its media.

mod guard;

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use rtc_datachannel::{
    data_channel::DataChannel,
    message::{
        Message,
        message_channel_ack::DataChannelAck,
        message_channel_open::{CHANNEL_PRIORITY_NORMAL, DataChannelOpen},
    },
};
use rtc_sctp::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event,
    Payload, PayloadProtocolIdentifier, ReliabilityType, ServerConfig, StreamEvent, TimerConfig,
    TransportConfig,
};
use rtc_shared::{
    TransportProtocol,
    marshal::{Marshal, Unmarshal},
};

use crate::dtls::DtlsRole;
use guard::Guard;

/// The longest message either way, which SDP tells the peer as `a=max-message-size` (RFC 8841 §6).
pub const MAX_MESSAGE_LEN: usize = 64 * 1024;
/// Bytes that may wait to be sent or acknowledged on all channels of a session. Beyond it sending fails.
pub const MAX_BUFFERED: usize = 256 * 1024;
/// Channels that a session may have. A peer that opens more loses the association.
pub const MAX_CHANNELS: usize = 16;
/// Bytes that the peer may have sent and that aren't a whole message yet.
const RECEIVE_BUFFER: u32 = 128 * 1024;
/// INITs answered before one of them leads anywhere: lost answers make the peer repeat it.
const MAX_INITS: usize = 8;
/// Bytes of an SCTP packet: a DTLS record adds 37 to make a datagram of 1200.
const MTU: u32 = 1160;
/// SCTP over DTLS has no addresses; the library wants one.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5000);

/// A data channel of one session: its SCTP stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub u16);

/// How a data channel delivers (RFC 8832 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Messages arrive in the order in which they were sent.
    pub ordered: bool,
    /// How often a message is repeated before it is given up. `None`: until it arrives.
    pub max_retransmits: Option<u32>,
    /// For how many milliseconds a message is repeated before it is given up. `None`: until it arrives.
    pub max_lifetime: Option<u32>,
}

impl Delivery {
    /// In order, and everything arrives.
    pub const RELIABLE: Self = Self {
        ordered: true,
        max_retransmits: None,
        max_lifetime: None,
    };
    /// In any order, each message sent once.
    pub const ONCE: Self = Self {
        ordered: false,
        max_retransmits: Some(0),
        max_lifetime: None,
    };
}

/// Why a message wasn't taken, or a channel not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// The session has no data channels, or they aren't up yet.
    #[error("this session has no data channels (yet): wait for a channel to open")]
    NotConnected,
    /// There is no open channel of this number.
    #[error("this data channel isn't open; it may have been closed by the peer")]
    NoChannel,
    /// Longer than [`MAX_MESSAGE_LEN`].
    #[error("a message may have {MAX_MESSAGE_LEN} bytes at most")]
    TooLong,
    /// [`MAX_BUFFERED`] is reached: the peer doesn't take as fast as we send.
    #[error("{MAX_BUFFERED} bytes are waiting for this peer; drop the message or try later")]
    BufferFull,
    /// [`MAX_CHANNELS`] is reached.
    #[error("a session may have {MAX_CHANNELS} data channels at most")]
    TooManyChannels,
}

/// What happened on the data channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChannelEvent {
    Opened {
        id: ChannelId,
        label: String,
        delivery: Delivery,
    },
    Data {
        channel: ChannelId,
        data: Vec<u8>,
        binary: bool,
    },
    Closed(ChannelId),
}

/// The SCTP association of one session.
pub(crate) struct Sctp {
    role: DtlsRole,
    endpoint: Endpoint,
    /// One, or while nothing is established one for each INIT of the peer.
    associations: Vec<(AssociationHandle, Association)>,
    established: Option<AssociationHandle>,
    inits: usize,
    guard: Guard,
    channels: BTreeMap<ChannelId, Channel>,
    packets: VecDeque<Bytes>,
    events: VecDeque<ChannelEvent>,
}

struct Channel {
    label: String,
    delivery: Delivery,
    /// The peer opened it, or said yes to our opening it, and we haven't closed it. Before that order isn't assured (RFC 8832 §6).
    open: bool,
}

impl Sctp {
    pub(crate) fn new(role: DtlsRole) -> Self {
        let mut config = EndpointConfig::new();
        config.max_payload_size(rtc_sctp::max_payload_size_for_mtu(MTU));
        let server =
            (role == DtlsRole::Server).then(|| Arc::new(ServerConfig::new(transport_config())));
        Self {
            role,
            endpoint: Endpoint::new(NOWHERE, TransportProtocol::UDP, Arc::new(config), server),
            associations: Vec::new(),
            established: None,
            inits: 0,
            guard: Guard::default(),
            channels: BTreeMap::new(),
            packets: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// DTLS is up.
    pub(crate) fn start(&mut self, now: Instant) {
        if self.role == DtlsRole::Client && self.associations.is_empty() {
            match self
                .endpoint
                .connect(now, ClientConfig::new(transport_config()), NOWHERE)
            {
                Ok(association) => self.associations.push(association),
                Err(error) => tracing::debug!(%error, "SCTP can't connect"),
            }
            self.turn(now);
        }
    }

    /// Takes one SCTP packet in.
    pub(crate) fn handle(&mut self, now: Instant, packet: &[u8]) {
        if self.guard.admits(packet) {
            self.contain(|sctp| sctp.handle_packet(now, packet));
        }
    }

    fn handle_packet(&mut self, now: Instant, packet: &[u8]) {
        let Some((handle, event)) =
            self.endpoint
                .handle(now, NOWHERE, None, Bytes::copy_from_slice(packet))
        else {
            return;
        };
        match event {
            DatagramEvent::NewAssociation(association) => {
                self.associations.push((handle, association));
                self.inits += 1;
                if self.inits == MAX_INITS {
                    self.endpoint.reject_new_associations();
                }
            }
            DatagramEvent::AssociationEvent(event) => {
                if let Some((_, association)) = self
                    .associations
                    .iter_mut()
                    .find(|(known, _)| *known == handle)
                {
                    association.handle_event(event);
                }
            }
            _ => {}
        }
        self.turn(now);
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.associations
            .iter()
            .filter_map(|(_, association)| association.poll_timeout())
            .min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.contain(|sctp| {
            for (_, association) in &mut sctp.associations {
                association.handle_timeout(now);
            }
            sctp.turn(now);
        });
    }

    /// The next SCTP packet for DTLS.
    pub(crate) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.packets.pop_front()
    }

    pub(crate) fn poll_event(&mut self) -> Option<ChannelEvent> {
        self.events.pop_front()
    }

    /// Opens a channel. It can be used once [`ChannelEvent::Opened`] names it.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        label: &str,
        delivery: Delivery,
    ) -> Result<ChannelId, DataError> {
        if self.channels.len() >= MAX_CHANNELS {
            return Err(DataError::TooManyChannels);
        }
        // RFC 8832 §6: the DTLS client has the even streams, the server the odd ones.
        let first = u16::from(self.role == DtlsRole::Server);
        let id = (first..)
            .step_by(2)
            .map(ChannelId)
            .find(|id| !self.channels.contains_key(id))
            .ok_or(DataError::TooManyChannels)?;
        let association = self.association().ok_or(DataError::NotConnected)?;
        let open = Message::DataChannelOpen(open_message(label, delivery));
        let mut stream = association
            .open_stream(id.0, PayloadProtocolIdentifier::Binary)
            .map_err(|_| DataError::NoChannel)?;
        write_dcep(&mut stream, now, &open).ok_or(DataError::TooLong)?;
        set_delivery(&mut stream, delivery);
        self.channels.insert(
            id,
            Channel {
                label: label.to_owned(),
                delivery,
                open: false,
            },
        );
        self.turn(now);
        Ok(id)
    }

    /// Sends one message.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        id: ChannelId,
        data: &[u8],
        binary: bool,
    ) -> Result<(), DataError> {
        if data.len() > MAX_MESSAGE_LEN {
            return Err(DataError::TooLong);
        }
        if self.established.is_none() {
            return Err(DataError::NotConnected);
        }
        if !self.channels.get(&id).is_some_and(|channel| channel.open) {
            return Err(DataError::NoChannel);
        }
        if self.buffered() + data.len() > MAX_BUFFERED {
            return Err(DataError::BufferFull);
        }
        // SCTP can't carry an empty message: one zero byte under an identifier of its own (RFC 8831 §6.6).
        let (identifier, payload): (_, &[u8]) = match (binary, data) {
            (true, []) => (PayloadProtocolIdentifier::BinaryEmpty, &[0]),
            (false, []) => (PayloadProtocolIdentifier::StringEmpty, &[0]),
            (true, data) => (PayloadProtocolIdentifier::Binary, data),
            (false, data) => (PayloadProtocolIdentifier::String, data),
        };
        let association = self.association().ok_or(DataError::NotConnected)?;
        association
            .stream(id.0)
            .and_then(|mut stream| stream.write_with_ppi(now, payload, identifier))
            .map_err(|_| DataError::NoChannel)?;
        self.turn(now);
        Ok(())
    }

    /// Closes a channel after what was sent on it (RFC 8831 §6.7). The number is free again when the peer has closed its side, unless it
    /// has sent something there meanwhile: the library keeps that unread, and the stream with it.
    pub(crate) fn close_channel(&mut self, now: Instant, id: ChannelId) -> Result<(), DataError> {
        let channel = self.channels.get_mut(&id).filter(|channel| channel.open);
        channel.ok_or(DataError::NoChannel)?.open = false;
        let association = self.association().ok_or(DataError::NotConnected)?;
        association
            .stream(id.0)
            .and_then(|mut stream| stream.close(now))
            .map_err(|_| DataError::NoChannel)?;
        self.events.push_back(ChannelEvent::Closed(id));
        self.turn(now);
        Ok(())
    }

    /// Aborts the association: the session ends.
    pub(crate) fn close(&mut self, now: Instant) {
        for (_, association) in &mut self.associations {
            if association.abort().is_err() {
                tracing::debug!("SCTP association was gone already");
            }
        }
        self.turn(now);
    }

    /// The library can panic on what a hostile peer sends: without the guard a short ERROR chunk is enough. A panic
    /// that the guard doesn't prevent costs the peer its data channels, and nobody else anything.
    fn contain(&mut self, act: impl FnOnce(&mut Self)) {
        if panic::catch_unwind(AssertUnwindSafe(|| act(self))).is_ok() {
            return;
        }
        tracing::warn!("SCTP panicked on a peer's packet; its data channels are closed");
        self.associations.clear();
        self.established = None;
        self.endpoint.reject_new_associations();
        self.packets.clear();
        for (id, channel) in std::mem::take(&mut self.channels) {
            if channel.open {
                self.events.push_back(ChannelEvent::Closed(id));
            }
        }
    }

    fn association(&mut self) -> Option<&mut Association> {
        let handle = self.established?;
        let (_, association) = self
            .associations
            .iter_mut()
            .find(|(known, _)| *known == handle)?;
        Some(association)
    }

    /// Bytes that wait to be sent or acknowledged.
    fn buffered(&mut self) -> usize {
        let ids: Vec<u16> = self.channels.keys().map(|id| id.0).collect();
        let Some(association) = self.association() else {
            return 0;
        };
        let amount = |id| {
            association
                .stream(id)
                .and_then(|stream| stream.buffered_amount())
                .unwrap_or(0)
        };
        ids.into_iter().map(amount).sum()
    }

    /// After anything was done to an association: what it has to say, and to send.
    fn turn(&mut self, now: Instant) {
        let mut said = Vec::new();
        for (handle, association) in &mut self.associations {
            while let Some(event) = association.poll() {
                said.push((*handle, event));
            }
        }
        for (handle, event) in said {
            self.on_event(now, handle, event);
        }
        for (_, association) in &mut self.associations {
            while let Some(transmit) = association.poll_transmit(now) {
                if let Payload::RawEncode(packets) = transmit.message {
                    for packet in &packets {
                        self.guard.sent(packet);
                    }
                    self.packets.extend(packets);
                }
            }
        }
    }

    fn on_event(&mut self, now: Instant, handle: AssociationHandle, event: Event) {
        match event {
            Event::Connected if self.established.is_none() => {
                self.established = Some(handle);
                self.endpoint.reject_new_associations();
                self.associations.retain(|(known, _)| *known == handle);
            }
            Event::Stream(StreamEvent::Readable { id }) => self.read(now, ChannelId(id)),
            Event::Stream(StreamEvent::Opened { .. }) => self.bound_streams(now),
            Event::AssociationLost { id, .. } => {
                let id = ChannelId(id);
                if self
                    .channels
                    .remove(&id)
                    .is_some_and(|channel| channel.open)
                {
                    self.events.push_back(ChannelEvent::Closed(id));
                }
            }
            Event::HandshakeFailed { reason } => tracing::debug!(%reason, "SCTP handshake failed"),
            _ => {}
        }
    }

    /// The library makes a stream of whatever number the peer sends on, and keeps it.
    fn bound_streams(&mut self, now: Instant) {
        let Some(association) = self.association() else {
            return;
        };
        while association.accept_stream().is_some() {}
        if association.stream_ids().len() > MAX_CHANNELS {
            tracing::debug!("peer opened more than {MAX_CHANNELS} SCTP streams");
            self.close(now);
        }
    }

    fn read(&mut self, now: Instant, id: ChannelId) {
        while let Some((identifier, message)) = self.read_message(id) {
            let (data, binary) = match identifier {
                PayloadProtocolIdentifier::Dcep => {
                    self.on_dcep(now, id, &message);
                    continue;
                }
                PayloadProtocolIdentifier::String => (message, false),
                PayloadProtocolIdentifier::Binary => (message, true),
                PayloadProtocolIdentifier::StringEmpty => (Vec::new(), false),
                PayloadProtocolIdentifier::BinaryEmpty => (Vec::new(), true),
                _ => continue,
            };
            // Before the channel is open there is nobody to tell.
            if self.channels.get(&id).is_some_and(|channel| channel.open) {
                self.events.push_back(ChannelEvent::Data {
                    channel: id,
                    data,
                    binary,
                });
            }
        }
    }

    /// The next whole message of a stream; those longer than [`MAX_MESSAGE_LEN`] come out empty of identifier.
    fn read_message(&mut self, id: ChannelId) -> Option<(PayloadProtocolIdentifier, Vec<u8>)> {
        let chunks = self.association()?.stream(id.0).ok()?.read_sctp().ok()??;
        match chunks.to_payload(MAX_MESSAGE_LEN) {
            Ok(payload) => Some((chunks.ppi, payload.into())),
            Err(_) => Some((PayloadProtocolIdentifier::Unknown, Vec::new())),
        }
    }

    fn on_dcep(&mut self, now: Instant, id: ChannelId, message: &[u8]) {
        match Message::unmarshal(&mut &*message) {
            Ok(Message::DataChannelOpen(open)) => self.on_open(now, id, &open),
            Ok(Message::DataChannelAck(_)) => {
                if let Some(channel) = self.channels.get_mut(&id).filter(|channel| !channel.open) {
                    channel.open = true;
                    let label = channel.label.clone();
                    self.events.push_back(ChannelEvent::Opened {
                        id,
                        label,
                        delivery: channel.delivery,
                    });
                }
            }
            _ => tracing::debug!(channel = id.0, "not a DCEP message"),
        }
    }

    fn on_open(&mut self, now: Instant, id: ChannelId, open: &DataChannelOpen) {
        let (Ok(label), false) = (str::from_utf8(&open.label), self.channels.contains_key(&id))
        else {
            return;
        };
        let delivery = delivery_of(open);
        let Some(Ok(mut stream)) = self
            .association()
            .map(|association| association.stream(id.0))
        else {
            return;
        };
        if write_dcep(&mut stream, now, &Message::DataChannelAck(DataChannelAck)).is_none() {
            return;
        }
        set_delivery(&mut stream, delivery);
        self.channels.insert(
            id,
            Channel {
                label: label.to_owned(),
                delivery,
                open: true,
            },
        );
        self.events.push_back(ChannelEvent::Opened {
            id,
            label: label.to_owned(),
            delivery,
        });
    }
}

fn transport_config() -> TransportConfig {
    TransportConfig::default()
        .with_max_receive_buffer_size(RECEIVE_BUFFER)
        .with_max_message_size(MAX_MESSAGE_LEN as u32)
        // Data is repeated for as long as the session lives: whether the peer is there, ICE consent tells.
        .with_timer_config(TimerConfig {
            max_t3_rtx_retrans: usize::MAX,
            ..TimerConfig::default()
        })
}

fn write_dcep(stream: &mut rtc_sctp::Stream<'_>, now: Instant, message: &Message) -> Option<()> {
    let bytes = message.marshal().ok()?;
    stream
        .write_with_ppi(now, &bytes, PayloadProtocolIdentifier::Dcep)
        .ok()
        .map(|_| ())
}

fn set_delivery(stream: &mut rtc_sctp::Stream<'_>, delivery: Delivery) {
    let (kind, value) = match (delivery.max_retransmits, delivery.max_lifetime) {
        (Some(times), _) => (ReliabilityType::Rexmit, times),
        (None, Some(milliseconds)) => (ReliabilityType::Timed, milliseconds),
        (None, None) => (ReliabilityType::Reliable, 0),
    };
    if stream
        .set_reliability_params(!delivery.ordered, kind, value)
        .is_err()
    {
        tracing::debug!("SCTP stream closed before it was open");
    }
}

fn open_message(label: &str, delivery: Delivery) -> DataChannelOpen {
    let narrow = |value: Option<u32>| value.map(|value| u16::try_from(value).unwrap_or(u16::MAX));
    let (channel_type, reliability_parameter) =
        DataChannel::get_channel_type_and_reliability_parameter(
            delivery.ordered,
            narrow(delivery.max_retransmits),
            narrow(delivery.max_lifetime),
        );
    DataChannelOpen {
        channel_type,
        priority: CHANNEL_PRIORITY_NORMAL,
        reliability_parameter,
        label: label.as_bytes().to_vec(),
        protocol: Vec::new(),
    }
}

fn delivery_of(open: &DataChannelOpen) -> Delivery {
    let (unordered, kind) = DataChannel::get_reliability_params(open.channel_type);
    let value = Some(open.reliability_parameter);
    Delivery {
        ordered: !unordered,
        max_retransmits: value.filter(|_| kind == ReliabilityType::Rexmit),
        max_lifetime: value.filter(|_| kind == ReliabilityType::Timed),
    }
}

#[cfg(test)]
mod tests;
