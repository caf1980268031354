//! Listens for keyframe requests among the incoming RTCP.

use std::collections::VecDeque;
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::source::KeyframeRequest;

/// Sets a [`KeyframeRequest`] for each PLI and FIR, and lets every packet pass.
pub(super) struct KeyframeRequests {
    request: KeyframeRequest,
    incoming: VecDeque<TaggedPacket>,
    outgoing: VecDeque<TaggedPacket>,
}

impl KeyframeRequests {
    /// Nearer to the application than all that acts on RTCP.
    pub(super) const SLOT: usize = 14_000;

    pub(super) fn new(request: &KeyframeRequest) -> Self {
        Self {
            request: request.clone(),
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
        }
    }
}

fn asks_for_keyframe(packet: &Packet) -> bool {
    let Packet::Rtcp(packets) = packet else {
        return false;
    };
    packets.iter().any(|packet| {
        packet.as_any().is::<PictureLossIndication>() || packet.as_any().is::<FullIntraRequest>()
    })
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for KeyframeRequests {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if asks_for_keyframe(&packet.message.packet) {
            self.request.set();
        }
        self.incoming.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.incoming.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.outgoing.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outgoing.pop_front()
    }
}

impl Interceptor for KeyframeRequests {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
