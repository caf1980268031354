//! The demo publishes decodable, live pictures to a WHIP server that shares no code with ours, makes a
//! keyframe when asked, ends its session when told to, and comes back when the server does.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, post};
use bytes::{Bytes, BytesMut};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::event::{RTCPeerConnectionEvent, RTCTrackEvent};
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp::codec::h264::H264Packet;
use rtc::rtp::packetizer::Depacketizer;
use rtc::rtp_transceiver::RTCRtpReceiverId;
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use spillway::demo::{self, DemoConfig, timecode};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout};

const PATIENCE: Duration = Duration::from_secs(20);

/// What the server saw.
#[derive(Debug)]
enum Seen {
    Frame {
        keyframe: bool,
        timecode: Option<u64>,
        unix_ms: u64,
    },
    Audio,
    Deleted,
}

#[derive(Clone)]
struct Server {
    seen: mpsc::UnboundedSender<Seen>,
    ask_for_keyframe: Arc<tokio::sync::Notify>,
}

#[tokio::test]
async fn the_demo_publishes_over_whip() {
    let (seen, mut seen_rx) = mpsc::unbounded_channel();
    let server = Server {
        seen,
        ask_for_keyframe: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let whip_url = format!("http://{}/whip/demo", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let demo = tokio::spawn(demo::run(
        DemoConfig {
            whip_url,
            token: "secret".into(),
        },
        async {
            stopped.await.ok();
        },
    ));
    // The demo starts before its server listens, so it has to try again.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ask_for_keyframe = server.ask_for_keyframe.clone();
    let app = Router::new()
        .route("/whip/demo", post(publish))
        .route("/session/1", delete(end))
        .with_state(server);
    tokio::spawn(async { axum::serve(listener, app).await });

    let (mut frames, mut audio) = (0, 0);
    while frames < 40 {
        match timeout(PATIENCE, seen_rx.recv())
            .await
            .expect("media in time")
            .unwrap()
        {
            Seen::Frame {
                timecode, unix_ms, ..
            } => {
                let age = unix_ms.abs_diff(timecode.expect("a timecode in each picture"));
                assert!(age < 1000, "picture is {age} ms old");
                frames += 1;
            }
            Seen::Audio => audio += 1,
            Seen::Deleted => panic!("the session was ended early"),
        }
    }
    assert!(audio >= 40, "only {audio} audio packets in {frames} frames");

    ask_for_keyframe.notify_one();
    let mut waited = 0;
    while !matches!(
        timeout(PATIENCE, seen_rx.recv()).await.unwrap(),
        Some(Seen::Frame { keyframe: true, .. })
    ) {
        waited += 1;
    }
    assert!(waited < 60, "the keyframe took {waited} packets and frames");

    stop.send(()).unwrap();
    timeout(PATIENCE, demo)
        .await
        .expect("the demo ends when told")
        .unwrap();
    while !matches!(
        timeout(PATIENCE, seen_rx.recv()).await.unwrap(),
        Some(Seen::Deleted)
    ) {}
}

async fn publish(
    State(server): State<Server>,
    headers: HeaderMap,
    offer: String,
) -> impl IntoResponse {
    assert_eq!(headers[header::AUTHORIZATION], "Bearer secret");
    assert_eq!(headers[header::CONTENT_TYPE], "application/sdp");
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let local = socket.local_addr().unwrap();
    let mut media = MediaEngine::default();
    media.register_default_codecs().unwrap();
    let interceptors =
        register_default_interceptors(rtc::interceptor::Registry::new(), &mut media).unwrap();
    let mut connection = RTCPeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_interceptor_registry(interceptors)
        .build(Instant::now())
        .unwrap();
    connection
        .set_remote_description(Instant::now(), RTCSessionDescription::offer(offer).unwrap())
        .unwrap();
    let base_config = CandidateConfig {
        network: "udp".to_owned(),
        address: local.ip().to_string(),
        port: local.port(),
        component: 1,
        ..Default::default()
    };
    let candidate = CandidateHostConfig {
        base_config,
        ..Default::default()
    }
    .new_candidate_host()
    .unwrap();
    connection
        .add_local_candidate(RTCIceCandidate::from(&candidate).to_json().unwrap())
        .unwrap();
    let answer = connection.create_answer(None).unwrap();
    connection
        .set_local_description(Instant::now(), answer)
        .unwrap();
    let answer = connection.local_description().unwrap().sdp;
    tokio::spawn(receive(connection, socket, local, server));
    (
        StatusCode::CREATED,
        [
            (header::LOCATION, "/session/1"),
            (header::CONTENT_TYPE, "application/sdp"),
        ],
        answer,
    )
}

async fn end(State(server): State<Server>) {
    server.seen.send(Seen::Deleted).unwrap();
}

async fn receive(
    mut connection: RTCPeerConnection,
    socket: UdpSocket,
    local: SocketAddr,
    server: Server,
) {
    let mut pictures = Pictures::default();
    let mut video = None;
    let mut buffer = [0; 2048];
    loop {
        while let Some(message) = connection.poll_write() {
            socket
                .send_to(&message.message, message.transport.peer_addr)
                .await
                .ok();
        }
        while let Some(event) = connection.poll_event() {
            if let RTCPeerConnectionEvent::OnTrack(RTCTrackEvent::OnOpen(track)) = event {
                let ssrc = connection
                    .rtp_receiver(track.receiver_id)
                    .unwrap()
                    .track()
                    .ssrcs()
                    .next()
                    .unwrap();
                if track.track_id.contains("video") {
                    video = Some((track.receiver_id, ssrc));
                }
            }
        }
        while let Some(message) = connection.poll_read() {
            let RTCMessage::RtpPacket(track, packet) = message.message else {
                continue;
            };
            if !track.contains("video") {
                server.seen.send(Seen::Audio).ok();
            } else if let Some(frame) = pictures.push(&packet.payload, packet.header.marker) {
                server.seen.send(frame).ok();
            }
        }
        let due = connection
            .poll_timeout()
            .unwrap_or_else(|| Instant::now() + PATIENCE);
        tokio::select! {
            () = sleep_until(due.into()) => connection.handle_timeout(Instant::now()).unwrap(),
            () = server.ask_for_keyframe.notified() => request_keyframe(&mut connection, video.unwrap()),
            received = socket.recv_from(&mut buffer) => {
                let Ok((length, peer_addr)) = received else { continue };
                let transport = TransportContext {
                    local_addr: local,
                    peer_addr,
                    ecn: None,
                    transport_protocol: TransportProtocol::UDP,
                };
                let message = BytesMut::from(&buffer[..length]);
                connection.handle_read(TaggedBytesMut { now: Instant::now(), transport, message }).ok();
            }
        }
    }
}

fn request_keyframe(
    connection: &mut RTCPeerConnection,
    (receiver, media_ssrc): (RTCRtpReceiverId, u32),
) {
    let request = PictureLossIndication {
        sender_ssrc: 1,
        media_ssrc,
    };
    connection
        .rtp_receiver(receiver)
        .unwrap()
        .write_rtcp(Instant::now(), vec![Box::new(request)])
        .unwrap();
}

/// Puts access units together and decodes them.
struct Pictures {
    depacketizer: H264Packet,
    access_unit: Vec<u8>,
    decoder: Decoder,
}

impl Default for Pictures {
    fn default() -> Self {
        Self {
            depacketizer: H264Packet::default(),
            access_unit: Vec::new(),
            decoder: Decoder::new().unwrap(),
        }
    }
}

impl Pictures {
    fn push(&mut self, payload: &Bytes, marker: bool) -> Option<Seen> {
        self.access_unit
            .extend_from_slice(&self.depacketizer.depacketize(payload).unwrap());
        if !marker {
            return None;
        }
        let access_unit = std::mem::take(&mut self.access_unit);
        let keyframe = openh264::nal_units(&access_unit)
            .any(|nal| nal.iter().find(|b| **b > 1).is_some_and(|b| b & 0x1f == 5));
        let picture = self.decoder.decode(&access_unit).unwrap()?;
        let unix_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_millis() as u64;
        Some(Seen::Frame {
            keyframe,
            timecode: timecode::read(picture.y(), picture.strides().0, picture.dimensions().0),
            unix_ms,
        })
    }
}
