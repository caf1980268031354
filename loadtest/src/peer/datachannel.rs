//! Data channels as chat uses them (RFC 8831, RFC 8832), by `rtc-sctp`.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rtc_datachannel::message::{
    Message,
    message_channel_open::{CHANNEL_PRIORITY_NORMAL, ChannelType, DataChannelOpen},
};
use rtc_sctp::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event,
    Payload, PayloadProtocolIdentifier, ReliabilityType, StreamEvent, TransportConfig,
};
use rtc_shared::{
    TransportProtocol,
    marshal::{Marshal, Unmarshal},
};

/// SCTP over DTLS has no addresses; the library wants one.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5000);
/// Bytes of an SCTP packet: a DTLS record adds 37 to make a datagram of 1200.
const MTU: u32 = 1160;
/// Bytes of a message of the server.
const MOST_BYTES: usize = 64 << 10;
/// Messages that wait to be read; who reads none lets the oldest go.
const MOST_MESSAGES: usize = 1_000;

/// What a client has data channels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// It has none.
    None,
    /// To have one open: what the server says is forgotten.
    Open,
    /// To talk on `chat` and `reactions`.
    Talk,
}

/// A channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Ordered, reliable.
    Chat,
    /// Unordered, sent once.
    Reactions,
}

impl Label {
    fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Reactions => "reactions",
        }
    }

    /// Behind the first stream that is ours; every other is the server's.
    fn stream(self) -> u16 {
        match self {
            Self::Chat => 0,
            Self::Reactions => 2,
        }
    }

    fn channel_type(self) -> ChannelType {
        match self {
            Self::Chat => ChannelType::Reliable,
            Self::Reactions => ChannelType::PartialReliableRexmitUnordered,
        }
    }
}

pub(super) struct DataChannels {
    endpoint: Endpoint,
    association: Option<(AssociationHandle, Association)>,
    purpose: Data,
    first_stream: u16,
    /// Channels that the server hasn't said yes to.
    unopened: usize,
    packets: VecDeque<Bytes>,
    messages: VecDeque<Vec<u8>>,
}

impl DataChannels {
    /// DTLS is up: begins to connect.
    pub(super) fn new(is_dtls_client: bool, purpose: Data) -> Self {
        let mut config = EndpointConfig::new();
        config.max_payload_size(rtc_sctp::max_payload_size_for_mtu(MTU));
        Self {
            endpoint: Endpoint::new(NOWHERE, TransportProtocol::UDP, Arc::new(config), None),
            association: None,
            // RFC 8832 §6: the DTLS client has the even streams, the server the odd ones.
            first_stream: u16::from(!is_dtls_client),
            unopened: labels(purpose).len(),
            purpose,
            packets: VecDeque::new(),
            messages: VecDeque::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.unopened == 0
    }

    pub(super) fn receive(&mut self, now: Instant, packet: &[u8]) {
        let packet = Bytes::copy_from_slice(packet);
        let event = self.endpoint.handle(now, NOWHERE, None, packet);
        if let (Some((_, DatagramEvent::AssociationEvent(event))), Some((_, association))) =
            (event, &mut self.association)
        {
            association.handle_event(event);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.association
            .as_ref()
            .and_then(|(_, association)| association.poll_timeout())
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some((_, association)) = &mut self.association {
            association.handle_timeout(now);
        }
    }

    /// Says something. False: it can't be said, now or any more.
    pub(super) fn send(&mut self, now: Instant, on: Label, text: &str) -> bool {
        let stream = self.first_stream + on.stream();
        let Some((_, association)) = self.association.as_mut().filter(|_| self.unopened == 0)
        else {
            return false;
        };
        let text = Bytes::copy_from_slice(text.as_bytes());
        association
            .stream(stream)
            .and_then(|mut stream| {
                stream.write_with_ppi(now, &text, PayloadProtocolIdentifier::String)
            })
            .is_ok()
    }

    /// What the server said.
    pub(super) fn poll_message(&mut self) -> Option<Vec<u8>> {
        self.messages.pop_front()
    }

    /// The next SCTP packet for DTLS.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Bytes> {
        if self.association.is_none() {
            let config = ClientConfig::new(TransportConfig::default());
            self.association = self.endpoint.connect(now, config, NOWHERE).ok();
        }
        let (_, association) = self.association.as_mut()?;
        while let Some(event) = association.poll() {
            match event {
                Event::Connected => {
                    for label in labels(self.purpose) {
                        open_channel(now, association, self.first_stream, *label)?;
                    }
                }
                Event::Stream(StreamEvent::Readable { id }) => {
                    let keeps = self.purpose == Data::Talk;
                    self.unopened -= read(association, id, keeps.then_some(&mut self.messages))
                        .min(self.unopened);
                }
                _ => {}
            }
        }
        while let Some(transmit) = association.poll_transmit(now) {
            if let Payload::RawEncode(packets) = transmit.message {
                self.packets.extend(packets);
            }
        }
        self.packets.pop_front()
    }
}

fn labels(purpose: Data) -> &'static [Label] {
    match purpose {
        Data::None => &[],
        Data::Open => &[Label::Chat],
        Data::Talk => &[Label::Chat, Label::Reactions],
    }
}

fn open_channel(
    now: Instant,
    association: &mut Association,
    first_stream: u16,
    label: Label,
) -> Option<()> {
    let open = Message::DataChannelOpen(DataChannelOpen {
        channel_type: label.channel_type(),
        priority: CHANNEL_PRIORITY_NORMAL,
        reliability_parameter: 0,
        label: label.name().as_bytes().to_vec(),
        protocol: Vec::new(),
    });
    let bytes = open.marshal().ok()?;
    let mut stream = association
        .open_stream(
            first_stream + label.stream(),
            PayloadProtocolIdentifier::Dcep,
        )
        .ok()?;
    stream
        .write_with_ppi(now, &bytes, PayloadProtocolIdentifier::Dcep)
        .ok()?;
    if label == Label::Reactions {
        stream
            .set_reliability_params(true, ReliabilityType::Rexmit, 0)
            .ok()?;
    }
    Some(())
}

/// Reads a stream: how many channels the server says are open. What else it says goes to `messages`, or is forgotten.
fn read(
    association: &mut Association,
    id: u16,
    mut messages: Option<&mut VecDeque<Vec<u8>>>,
) -> usize {
    let mut opened = 0;
    while let Some(Ok(Some(chunks))) = association
        .stream(id)
        .ok()
        .map(|mut stream| stream.read_sctp())
    {
        let Ok(payload) = chunks.to_payload(MOST_BYTES) else {
            continue;
        };
        match (chunks.ppi, &mut messages) {
            (PayloadProtocolIdentifier::Dcep, _) => {
                let message = Message::unmarshal(&mut &*payload);
                opened += usize::from(matches!(message, Ok(Message::DataChannelAck(_))));
            }
            (PayloadProtocolIdentifier::String, Some(messages)) => {
                if messages.len() == MOST_MESSAGES {
                    messages.pop_front();
                }
                messages.push_back(payload.into());
            }
            _ => {}
        }
    }
    opened
}
