//! The WebRTC half of the demo: a sans-IO peer connection, driven over one UDP socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc::interceptor::{Registry, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MediaEngine,
};
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp;
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::packetizer::Payloader;
use rtc::rtp_transceiver::RTCRtpSenderId;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::DemoError;
use super::keyframes::KeyframeRequests;
use super::source::{self, KeyframeRequest, Sample};

/// Payload bytes of an RTP packet; with headers and SRTP tag it stays below 1200.
const MAX_PAYLOAD: usize = 1140;
const MAX_DATAGRAM: usize = 2048;
/// How long ICE and DTLS may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(1);
/// The content type of a DTLS alert record (RFC 5246 §6.2.1).
const DTLS_ALERT: u8 = 21;

/// One RTP stream that we send.
struct Track {
    sender: RTCRtpSenderId,
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    first_timestamp: u32,
}

impl Track {
    fn packet(&mut self, timestamp: u32, marker: bool, payload: Bytes) -> rtp::Packet {
        let header = rtp::header::Header {
            version: 2,
            marker,
            payload_type: self.payload_type,
            sequence_number: self.sequence,
            timestamp: self.first_timestamp.wrapping_add(timestamp),
            ssrc: self.ssrc,
            ..Default::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        rtp::Packet { header, payload }
    }
}

/// A publisher's peer connection.
pub(super) struct Peer {
    connection: RTCPeerConnection,
    video: Track,
    audio: Track,
    payloader: H264Payloader,
    keyframe: KeyframeRequest,
    /// The server has said good-bye.
    over: bool,
}

impl Peer {
    /// A peer connection that sends one video and one audio track.
    pub(super) fn new() -> Result<Self, DemoError> {
        let (video, audio) = (video_codec(), audio_codec());
        let mut media = MediaEngine::default();
        media.register_codec(video.clone(), RtpCodecKind::Video)?;
        media.register_codec(audio.clone(), RtpCodecKind::Audio)?;
        let keyframe = KeyframeRequest::default();
        let interceptors = Registry::new().with(
            Slot::from(KeyframeRequests::SLOT),
            KeyframeRequests::new(&keyframe),
        );
        let interceptors = register_default_interceptors(interceptors, &mut media)?;
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media)
            .with_interceptor_registry(interceptors)
            .build(Instant::now())?;
        let audio = add_track(&mut connection, RtpCodecKind::Audio, &audio)?;
        let video = add_track(&mut connection, RtpCodecKind::Video, &video)?;
        Ok(Self {
            connection,
            video,
            audio,
            payloader: H264Payloader::default(),
            keyframe,
            over: false,
        })
    }

    /// The offer, without candidates: the server is ICE-lite, so it learns our address from our checks.
    pub(super) fn offer(&mut self) -> Result<String, DemoError> {
        let offer = self.connection.create_offer(None)?;
        self.connection
            .set_local_description(Instant::now(), offer.clone())?;
        Ok(offer.sdp)
    }

    /// Connects to the server that gave `answer`, calls `live` once, and sends media until the
    /// connection breaks.
    pub(super) async fn publish(
        &mut self,
        answer: &str,
        live: impl FnOnce(),
    ) -> Result<(), DemoError> {
        let remote =
            first_udp_candidate(answer).ok_or(DemoError::Answer("it has no UDP candidate"))?;
        let socket = connect_socket(remote).await?;
        self.apply_answer(answer, remote, socket.local_addr()?)?;
        let give_up = Instant::now() + CONNECT_TIMEOUT;
        let mut live = Some(live);
        let mut samples = None;
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            self.flush(&socket, remote).await;
            if self.over {
                return Err(DemoError::Connection("was closed by the server"));
            }
            match self.poll_state() {
                Some(RTCPeerConnectionState::Connected) => {
                    if let Some(live) = live.take() {
                        samples = Some(source::start(self.keyframe.clone())?);
                        live();
                    }
                }
                Some(RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed) => {
                    return Err(DemoError::Connection("broke"));
                }
                _ if samples.is_none() && Instant::now() > give_up => {
                    return Err(DemoError::Connection("didn't come about in time"));
                }
                _ => {}
            }
            self.wait(&socket, remote, &mut samples, &mut buffer)
                .await?;
        }
    }

    /// Waits for whatever comes first: a timeout, a datagram or a sample, and handles it.
    async fn wait(
        &mut self,
        socket: &UdpSocket,
        remote: SocketAddr,
        samples: &mut Option<mpsc::Receiver<Sample>>,
        buffer: &mut [u8],
    ) -> Result<(), DemoError> {
        let now = Instant::now();
        let timeout = self
            .connection
            .poll_timeout()
            .map_or(now + IDLE, |at| at.min(now + IDLE));
        tokio::select! {
            () = sleep_until(timeout.into()) => self.connection.handle_timeout(Instant::now())?,
            received = socket.recv(buffer) => {
                // An ICMP error from a server that restarts shows up here; ICE finds out by itself.
                let Ok(length) = received else { return Ok(()) };
                self.receive(socket.local_addr()?, remote, &buffer[..length]);
            }
            sample = next_sample(samples) => self.send(sample.ok_or(DemoError::SourceStopped)?)?,
        }
        Ok(())
    }

    /// What a datagram can't be used for is the far end's trouble, never a reason to stop.
    fn receive(&mut self, local_addr: SocketAddr, peer_addr: SocketAddr, datagram: &[u8]) {
        let transport = TransportContext {
            local_addr,
            peer_addr,
            ecn: None,
            transport_protocol: TransportProtocol::UDP,
        };
        let message = TaggedBytesMut {
            now: Instant::now(),
            transport,
            message: BytesMut::from(datagram),
        };
        if let Err(error) = self.connection.handle_read(message) {
            tracing::debug!(%error, "the demo dropped a datagram");
        }
        while self.connection.poll_read().is_some() {}
    }

    fn send(&mut self, sample: Sample) -> Result<(), DemoError> {
        match sample {
            Sample::Audio(payload, timestamp) => {
                let packet = self.audio.packet(timestamp, false, payload);
                self.write(self.audio.sender, packet)
            }
            Sample::Video(access_unit, timestamp) => {
                let payloads = self.payloader.payload(MAX_PAYLOAD, &access_unit)?;
                let last = payloads.len().saturating_sub(1);
                for (i, payload) in payloads.into_iter().enumerate() {
                    let packet = self.video.packet(timestamp, i == last, payload);
                    self.write(self.video.sender, packet)?;
                }
                Ok(())
            }
        }
    }

    fn write(&mut self, sender: RTCRtpSenderId, packet: rtp::Packet) -> Result<(), DemoError> {
        let mut sender = self
            .connection
            .rtp_sender(sender)
            .ok_or(DemoError::Connection("lost its track"))?;
        Ok(sender.write_rtp(Instant::now(), packet)?)
    }

    async fn flush(&mut self, socket: &UdpSocket, remote: SocketAddr) {
        while let Some(message) = self.connection.poll_write() {
            // The library answers an authentic close_notify with its own and tells nobody; ICE alone would take half a
            // minute to notice. The other alerts are fatal.
            self.over |= message.message.first() == Some(&DTLS_ALERT);
            if message.transport.peer_addr == remote
                && let Err(error) = socket.send(&message.message).await
            {
                tracing::debug!(%error, "the demo couldn't send a datagram");
            }
        }
    }

    /// The state the connection changed to last, if it did.
    fn poll_state(&mut self) -> Option<RTCPeerConnectionState> {
        let mut last = None;
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                last = Some(state);
            }
        }
        last
    }

    fn apply_answer(
        &mut self,
        answer: &str,
        remote: SocketAddr,
        local: SocketAddr,
    ) -> Result<(), DemoError> {
        let only_remote = keep_candidate(answer, remote);
        self.connection
            .set_remote_description(Instant::now(), RTCSessionDescription::answer(only_remote)?)?;
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
        Ok(self
            .connection
            .add_local_candidate(RTCIceCandidate::from(&candidate).to_json()?)?)
    }
}

async fn next_sample(samples: &mut Option<mpsc::Receiver<Sample>>) -> Option<Sample> {
    match samples {
        Some(samples) => samples.recv().await,
        None => std::future::pending().await,
    }
}

fn video_codec() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: MIME_TYPE_H264.to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
                .to_owned(),
            rtcp_feedback: vec![],
        },
        payload_type: 102,
    }
}

fn audio_codec() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1".to_owned(),
            rtcp_feedback: vec![],
        },
        payload_type: 111,
    }
}

fn add_track(
    connection: &mut RTCPeerConnection,
    kind: RtpCodecKind,
    codec: &RTCRtpCodecParameters,
) -> Result<Track, DemoError> {
    let ssrc = rand::random();
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..Default::default()
        },
        codec: codec.rtp_codec.clone(),
        ..Default::default()
    };
    let track = MediaStreamTrack::new(
        "demo".to_owned(),
        format!("demo-{kind}"),
        format!("demo-{kind}"),
        kind,
        vec![encoding],
    );
    Ok(Track {
        sender: connection.add_track(track)?,
        ssrc,
        payload_type: codec.payload_type,
        sequence: rand::random(),
        first_timestamp: rand::random(),
    })
}

/// A socket whose local address is the one that the route to `remote` uses: an unspecified address
/// would be of no use as a candidate.
async fn connect_socket(remote: SocketAddr) -> Result<UdpSocket, DemoError> {
    let any = if remote.is_ipv4() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    } else {
        "::".parse().unwrap_or(remote.ip())
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(remote).await?;
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

/// IPv4 first: there's always a route to one on the same machine.
fn first_udp_candidate(answer: &str) -> Option<SocketAddr> {
    let mut candidates: Vec<_> = answer.lines().filter_map(udp_candidate).collect();
    candidates.sort_by_key(SocketAddr::is_ipv6);
    candidates.first().copied()
}

/// The answer with `remote` as its only candidate, since our socket is connected to it.
fn keep_candidate(answer: &str, remote: SocketAddr) -> String {
    let kept = answer
        .lines()
        .filter(|line| !line.starts_with("a=candidate:") || udp_candidate(line) == Some(remote));
    kept.flat_map(|line| [line, "\r\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\na=ice-lite\r\n\
        a=candidate:1 1 udp 2130706431 fe80::1 8189 typ host\r\n\
        a=candidate:2 1 UDP 2130706431 192.0.2.1 8189 typ host generation 0\r\n\
        a=candidate:3 1 tcp 1518280447 192.0.2.1 8189 typ host tcptype passive\r\n\
        a=end-of-candidates\r\n";

    #[test]
    fn the_first_ipv4_udp_candidate_is_used() {
        assert_eq!(
            first_udp_candidate(ANSWER),
            Some(SocketAddr::from(([192, 0, 2, 1], 8189)))
        );
        assert_eq!(
            first_udp_candidate("a=candidate:1 1 udp\r\na=candidate:\r\n"),
            None
        );
    }

    #[test]
    fn only_the_used_candidate_is_kept() {
        let kept = keep_candidate(ANSWER, SocketAddr::from(([192, 0, 2, 1], 8189)));
        let lines: Vec<_> = kept.lines().collect();
        let candidate = "a=candidate:2 1 UDP 2130706431 192.0.2.1 8189 typ host generation 0";
        assert_eq!(
            lines,
            ["v=0", "a=ice-lite", candidate, "a=end-of-candidates"]
        );
    }
}
