//! One data channel as chat uses it (RFC 8831, RFC 8832), by `rtc-sctp`.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rtc_datachannel::message::{
    Message,
    message_channel_open::{CHANNEL_PRIORITY_NORMAL, DataChannelOpen},
};
use rtc_sctp::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event,
    Payload, PayloadProtocolIdentifier, StreamEvent, TransportConfig,
};
use rtc_shared::{
    TransportProtocol,
    marshal::{Marshal, Unmarshal},
};

/// SCTP over DTLS has no addresses; the library wants one.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5000);
/// Bytes of an SCTP packet: a DTLS record adds 37 to make a datagram of 1200.
const MTU: u32 = 1160;
const LABEL: &[u8] = b"chat";

pub(super) struct DataChannels {
    endpoint: Endpoint,
    association: Option<(AssociationHandle, Association)>,
    stream: u16,
    open: bool,
    packets: VecDeque<Bytes>,
}

impl DataChannels {
    /// DTLS is up: begins to connect.
    pub(super) fn new(is_dtls_client: bool) -> Self {
        let mut config = EndpointConfig::new();
        config.max_payload_size(rtc_sctp::max_payload_size_for_mtu(MTU));
        Self {
            endpoint: Endpoint::new(NOWHERE, TransportProtocol::UDP, Arc::new(config), None),
            association: None,
            // RFC 8832 §6: the DTLS client has the even streams, the server the odd ones.
            stream: u16::from(!is_dtls_client),
            open: false,
            packets: VecDeque::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
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

    /// The next SCTP packet for DTLS.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Bytes> {
        if self.association.is_none() {
            let config = ClientConfig::new(TransportConfig::default());
            self.association = self.endpoint.connect(now, config, NOWHERE).ok();
        }
        let (_, association) = self.association.as_mut()?;
        while let Some(event) = association.poll() {
            match event {
                Event::Connected => open_channel(now, association, self.stream)?,
                Event::Stream(StreamEvent::Readable { id }) => {
                    self.open |= read(association, id);
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

fn open_channel(now: Instant, association: &mut Association, stream: u16) -> Option<()> {
    let open = Message::DataChannelOpen(DataChannelOpen {
        channel_type: rtc_datachannel::message::message_channel_open::ChannelType::Reliable,
        priority: CHANNEL_PRIORITY_NORMAL,
        reliability_parameter: 0,
        label: LABEL.to_vec(),
        protocol: Vec::new(),
    });
    let bytes = open.marshal().ok()?;
    association
        .open_stream(stream, PayloadProtocolIdentifier::Dcep)
        .ok()?
        .write_with_ppi(now, &bytes, PayloadProtocolIdentifier::Dcep)
        .ok()?;
    Some(())
}

/// Whether the server says that a channel is open. What else it says is read and forgotten.
fn read(association: &mut Association, id: u16) -> bool {
    let mut acknowledged = false;
    while let Some(Ok(Some(chunks))) = association
        .stream(id)
        .ok()
        .map(|mut stream| stream.read_sctp())
    {
        let Ok(payload) = chunks.to_payload(MTU as usize) else {
            continue;
        };
        acknowledged |= chunks.ppi == PayloadProtocolIdentifier::Dcep
            && matches!(
                Message::unmarshal(&mut &*payload),
                Ok(Message::DataChannelAck(_))
            );
    }
    acknowledged
}
