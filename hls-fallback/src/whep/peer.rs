//! The WebRTC half of a WHEP viewer: a sans-IO peer connection, and the socket that it is driven over.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc::interceptor::{Registry, Slot};
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::rtp_sender::{RTCRtpHeaderExtensionCapability, RtpCodecKind};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use tokio::net::UdpSocket;

use super::tap::{Incoming, TRANSPORT_CC, Tap};
use super::{Ended, codecs};

const MAX_DATAGRAM: usize = 2048;
/// Datagrams that are read before anything else is done.
const MAX_AT_ONCE: usize = 64;
/// A node sends what it has cached at 50 Mbit/s; the system grants less where it is told to.
const SOCKET_BUFFER: usize = 2 << 20;
/// A path that is silent for so long isn't one any more: players can't wait for half a minute to hear of it.
const DISCONNECTED: Duration = Duration::from_secs(3);
const FAILED: Duration = Duration::from_secs(3);
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Resends without RTX are datagrams that were sent before (RFC 3711 §3.3.2).
const REPLAY_WINDOW: usize = 1024;
/// The content type of a DTLS alert record (RFC 5246 §6.2.1).
const DTLS_ALERT: u8 = 21;
const IDLE: Duration = Duration::from_secs(1);

/// A peer connection that has made an offer.
pub(super) struct Peer {
    /// It is large.
    connection: Box<RTCPeerConnection>,
    incoming: Receiver<Incoming>,
}

/// A peer connection that knows where to find the node.
pub(super) struct Connection {
    peer: Peer,
    socket: UdpSocket,
    local: SocketAddr,
    buffer: Vec<u8>,
    state: Option<RTCPeerConnectionState>,
    /// The node has said good-bye.
    over: bool,
}

impl Peer {
    pub(super) fn new(now: Instant) -> Result<Self, Ended> {
        let mut media = MediaEngine::default();
        codecs::register(&mut media)?;
        for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
            let uri = TRANSPORT_CC.to_owned();
            let extension = RTCRtpHeaderExtensionCapability { uri };
            media.register_header_extension(extension, kind, None)?;
        }
        let (tap, incoming) = Tap::new();
        let settings = SettingEngineBuilder::new()
            .with_ice_timeouts(Some(DISCONNECTED), Some(FAILED), Some(KEEP_ALIVE))
            .with_srtp_replay_protection_window(REPLAY_WINDOW)
            .build();
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media)
            .with_setting_engine(settings)
            .with_interceptor_registry(Registry::new().with(Slot::from(Tap::SLOT), tap))
            .build(now)?;
        for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
            connection.add_transceiver_from_kind(kind, None)?;
        }
        Ok(Self {
            connection: Box::new(connection),
            incoming,
        })
    }

    /// The offer, without candidates: the node is ICE-lite, so it learns our address from our checks.
    pub(super) fn offer(&mut self, now: Instant) -> Result<String, Ended> {
        let offer = self.connection.create_offer(None)?;
        self.connection.set_local_description(now, offer.clone())?;
        Ok(offer.sdp)
    }

    /// Begins to connect to the node that gave `answer`.
    pub(super) async fn connect(mut self, answer: &str) -> Result<Connection, Ended> {
        let remote = first_udp_candidate(answer).ok_or(Ended::Answer("it has no UDP candidate"))?;
        let socket = socket_toward(remote).await?;
        let local = socket.local_addr()?;
        self.apply_answer(answer, local)?;
        Ok(Connection {
            peer: self,
            socket,
            local,
            buffer: vec![0; MAX_DATAGRAM],
            state: None,
            over: false,
        })
    }

    fn apply_answer(&mut self, answer: &str, local: SocketAddr) -> Result<(), Ended> {
        let answer = RTCSessionDescription::answer(edited(answer, local.is_ipv4()))?;
        self.connection
            .set_remote_description(Instant::now(), answer)?;
        let candidate = CandidateHostConfig {
            base_config: CandidateConfig {
                network: "udp".to_owned(),
                address: local.ip().to_string(),
                port: local.port(),
                component: 1,
                ..Default::default()
            },
            ..Default::default()
        }
        .new_candidate_host()?;
        let candidate = RTCIceCandidate::from(&candidate).to_json()?;
        Ok(self.connection.add_local_candidate(candidate)?)
    }
}

impl Connection {
    /// Sends what is to be sent.
    pub(super) fn flush(&mut self) {
        while let Some(message) = self.peer.connection.poll_write() {
            // The library answers an authentic close_notify with its own and tells nobody; ICE alone would take seconds
            // to notice. The other alerts are fatal.
            self.over |= message.message.first() == Some(&DTLS_ALERT);
            let to = message.transport.peer_addr;
            // A full send buffer loses as any network may.
            if let Err(error) = self.socket.try_send_to(&message.message, to) {
                tracing::debug!(%error, "a datagram to the node wasn't sent");
            }
        }
    }

    /// Waits until there is something to do, and does it. May be dropped at any time.
    pub(super) async fn wait(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        let idle = now + IDLE;
        let timeout = self.peer.connection.poll_timeout();
        let timeout = timeout.map_or(idle, |at| at.min(idle));
        tokio::select! {
            () = tokio::time::sleep_until(timeout.into()) => {
                self.peer.connection.handle_timeout(Instant::now())?;
            }
            // An ICMP error from a node that restarts shows up here; ICE finds out by itself.
            received = self.socket.recv_from(&mut self.buffer) => if let Ok((length, from)) = received {
                self.receive(from, length);
                self.receive_rest();
            },
        }
        Ok(())
    }

    /// What came in since.
    pub(super) fn poll(&mut self) -> Option<Incoming> {
        self.peer.incoming.try_recv().ok()
    }

    /// The state that the connection changed to last, if it did.
    pub(super) fn poll_state(&mut self) -> Option<RTCPeerConnectionState> {
        self.handle_events();
        if self.over {
            return Some(RTCPeerConnectionState::Closed);
        }
        self.state.take()
    }

    /// The library's own state advances with its events: media before the end of the handshake would be dropped.
    fn handle_events(&mut self) {
        while let Some(event) = self.peer.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.state = Some(state);
            }
        }
    }

    pub(super) fn send_rtcp(
        &mut self,
        packet: impl rtc::rtcp::Packet + 'static,
    ) -> Result<(), Ended> {
        // Which track it is about stands in the packet; the id is of no use.
        let message = RTCMessage::RtcpPacket(String::new(), vec![Box::new(packet)]);
        self.peer.connection.handle_write(TaggedRTCMessage {
            now: Instant::now(),
            message,
        })?;
        self.flush();
        Ok(())
    }

    /// Says good-bye.
    pub(super) fn close(&mut self) {
        if let Err(error) = self.peer.connection.close() {
            tracing::debug!(%error, "a peer connection wasn't closed well");
        }
        self.flush();
    }

    /// What came with it: a picture's packets come at once.
    fn receive_rest(&mut self) {
        for _ in 1..MAX_AT_ONCE {
            let Ok((length, from)) = self.socket.try_recv_from(&mut self.buffer) else {
                return;
            };
            self.receive(from, length);
        }
    }

    /// What a datagram can't be used for is the far end's trouble, never a reason to stop.
    fn receive(&mut self, peer_addr: SocketAddr, length: usize) {
        let message = TaggedBytesMut {
            now: Instant::now(),
            transport: TransportContext {
                local_addr: self.local,
                peer_addr,
                ecn: None,
                transport_protocol: TransportProtocol::UDP,
            },
            message: BytesMut::from(&self.buffer[..length]),
        };
        if let Err(error) = self.peer.connection.handle_read(message) {
            tracing::debug!(%error, "a datagram was dropped");
        }
        while self.peer.connection.poll_read().is_some() {}
        self.handle_events();
    }
}

/// A socket whose local address is the one that the route to `remote` uses: an unspecified address would be of no use as a
/// candidate. It isn't connected, since the node may have other addresses that way.
async fn socket_toward(remote: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if remote.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let probe = UdpSocket::bind((any, 0)).await?;
    probe.connect(remote).await?;
    let local = probe.local_addr()?.ip();
    let socket = UdpSocket::bind((local, 0)).await?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER)?;
    Ok(socket)
}

/// The address of a UDP `a=candidate` line (RFC 8839 §5.1).
fn udp_candidate(line: &str) -> Option<SocketAddr> {
    let mut fields = line.strip_prefix("a=candidate:")?.split_ascii_whitespace();
    let is_udp = fields.nth(2)?.eq_ignore_ascii_case("udp");
    let ip: IpAddr = fields.nth(1)?.parse().ok()?;
    let port = fields.next()?.parse().ok()?;
    is_udp.then_some(SocketAddr::new(ip, port))
}

/// IPv4 first: it is the family that is there more often. Of a family the node names its best one first.
fn first_udp_candidate(answer: &str) -> Option<SocketAddr> {
    let mut candidates: Vec<_> = answer.lines().filter_map(udp_candidate).collect();
    candidates.sort_by_key(SocketAddr::is_ipv6);
    candidates.first().copied()
}

/// The answer without the candidates that our socket can't reach, which are those of TCP and of the other family. Without the
/// tracks, too: the library wants either to know of each by its SSRC or of none, and [`Tap`] knows all by payload type.
fn edited(answer: &str, ipv4: bool) -> String {
    const TRACKS: [&str; 3] = ["a=msid:", "a=ssrc:", "a=ssrc-group:"];
    let kept = answer.lines().filter(|line| {
        let is_reachable = !line.starts_with("a=candidate:")
            || udp_candidate(line).is_some_and(|address| address.is_ipv4() == ipv4);
        is_reachable && !TRACKS.iter().any(|track| line.starts_with(track))
    });
    kept.flat_map(|line| [line, "\r\n"]).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::tap::TRANSPORT_CC_ID;
    use super::*;

    const ANSWER: &str = "v=0\r\na=ice-lite\r\n\
        a=candidate:1 1 udp 2130706431 fe80::1 8189 typ host\r\n\
        a=candidate:2 1 UDP 2130706431 192.0.2.1 8189 typ host generation 0\r\n\
        a=candidate:3 1 tcp 1518280447 192.0.2.1 8189 typ host tcptype passive\r\n\
        a=end-of-candidates\r\n\
        a=msid-semantic: WMS s\r\na=msid:s video\r\na=ssrc:7 cname:s\r\na=ssrc-group:FID 7 8\r\n";

    #[test]
    fn only_what_our_socket_reaches_is_kept_and_no_track() {
        let candidate = SocketAddr::from(([192, 0, 2, 1], 8189));
        assert_eq!(first_udp_candidate(ANSWER), Some(candidate));
        let kept = edited(ANSWER, true);
        let lines: Vec<_> = kept.lines().collect();
        let candidate = "a=candidate:2 1 UDP 2130706431 192.0.2.1 8189 typ host generation 0";
        assert_eq!(
            lines,
            [
                "v=0",
                "a=ice-lite",
                candidate,
                "a=end-of-candidates",
                "a=msid-semantic: WMS s"
            ]
        );
    }

    #[test]
    fn the_offer_names_all_codecs_their_feedback_and_retransmissions() {
        let now = Instant::now();
        let offer = Peer::new(now).unwrap().offer(now).unwrap();
        let lines: Vec<_> = offer.lines().collect();
        for line in [
            "a=recvonly",
            "a=rtpmap:111 opus/48000/2",
            "a=rtpmap:102 H264/90000",
            "a=rtpmap:114 H265/90000",
            "a=rtpmap:45 AV1/90000",
            "a=rtpmap:98 VP9/90000",
            "a=rtpmap:96 VP8/90000",
            "a=rtpmap:97 rtx/90000",
            "a=fmtp:97 apt=96",
            "a=fmtp:103 apt=102",
            "a=rtcp-fb:111 nack",
            "a=rtcp-fb:102 nack",
            "a=rtcp-fb:102 nack pli",
            "a=rtcp-fb:102 ccm fir",
            "a=rtcp-fb:102 transport-cc",
        ] {
            let found = lines.iter().any(|found| found.trim_end() == line);
            assert!(found, "{line} in {offer}");
        }
        let extension = format!("a=extmap:{TRANSPORT_CC_ID} {TRANSPORT_CC}");
        let extensions = lines.iter().filter(|line| line.starts_with("a=extmap:"));
        assert!(extensions.clone().count() == 2, "{offer}");
        assert!(extensions.clone().all(|line| *line == extension), "{offer}");
    }
}
