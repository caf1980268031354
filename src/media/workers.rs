//! The media workers of `spillway-sfu-net`, each driving an engine of `spillway-sfu`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use spillway_sfu::{
    Accepted, EngineStatistics, Event, IceCredentials, LayerSelection, LayerStatistics, Limits,
    MediaKind, PublishRequest, Reject, SessionId, SessionStatistics, VideoClock, WatchRequest,
    WorkerId,
    dtls::{Certificate, CertificateError},
    rtp::time::PlayoutDelay,
    sdp,
};
use spillway_sfu_net::{DataMessage, Media, MediaConfig, NetConfig, NetError, WorkerStatistics};
use spillway_signaling::api::model::SessionFigures;
use tokio::sync::{mpsc, oneshot};

use super::{MediaFigures, MediaPlane, RestartedIce, WorkerFigures};
use crate::config::Config;

/// The running workers.
#[derive(Clone)]
pub struct Workers(Media);

/// Why there is no media plane.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The ports can't be opened.
    #[error(transparent)]
    Net(#[from] NetError),
    /// There's no certificate for DTLS.
    #[error("can't make the certificate for DTLS: {0}; check that OpenSSL is installed whole")]
    Certificate(#[from] CertificateError),
}

/// Opens the media ports and starts the workers. Blocks for up to 1.5 s when a STUN server is configured.
pub fn start(config: &Config) -> Result<(Workers, mpsc::Receiver<Event>), MediaError> {
    let (media, events) = Media::start(&MediaConfig {
        net: net_config(config),
        certificate: Arc::new(Certificate::generate()?),
        limits: limits(config),
        playout_delay: playout_delay(config),
    })?;
    Ok((Workers(media), events))
}

fn net_config(config: &Config) -> NetConfig {
    let media = &config.media;
    NetConfig {
        media_port: media.port,
        workers: usize::from(media.worker_count()),
        single_port: media.single_port,
        tcp: media.tcp,
        announce: media.announce.clone(),
        include_loopback: media.include_loopback,
        stun_server: (!media.stun_server.is_empty()).then(|| media.stun_server.clone()),
        most_lag: config.limits.worker_lag,
        most_egress: Some(config.limits.egress_bits_per_second).filter(|&most| most > 0),
        ..NetConfig::default()
    }
}

fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    // The node's bounds, shared out among its workers.
    let workers = config.media.worker_count();
    Limits {
        // The node's own bounds come first; one worker may hold all of the node's sessions.
        sessions: limits.publishers + limits.viewers + limits.sidecar_sessions(),
        cached_bytes_per_layer: limits.cache_bytes_per_layer,
        cached_bytes: limits.cache_bytes / usize::from(workers),
        catch_up_bits_per_second: limits.catch_up_bits_per_second / u64::from(workers),
        keyframe_interval: limits.keyframe_interval,
    }
}

/// The header extension counts in steps of 10 ms.
fn playout_delay(config: &Config) -> PlayoutDelay {
    let steps = |delay: Duration| (delay.as_millis() / 10) as u16;
    PlayoutDelay {
        min: steps(config.media.playout_delay_min),
        max: steps(config.media.playout_delay_max),
    }
}

impl Workers {
    /// The addresses that clients are told, worker by worker.
    pub fn addresses(&self) -> impl Iterator<Item = std::net::SocketAddr> {
        self.0
            .candidates()
            .iter()
            .flatten()
            .map(|candidate| candidate.address)
    }

    /// Ends every session with a good-bye, and the workers.
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), NetError> {
        self.0.shutdown(deadline).await
    }
}

#[async_trait]
impl MediaPlane for Workers {
    async fn publish(&self, request: PublishRequest) -> Result<Accepted, Reject> {
        self.0.publish(request).await
    }

    async fn watch(&self, request: WatchRequest) -> Result<Accepted, Reject> {
        self.0.watch(request).await
    }

    async fn restart_ice(
        &self,
        session: SessionId,
        remote: IceCredentials,
    ) -> Result<RestartedIce, Reject> {
        let local = self.0.restart_ice(session, remote).await?;
        let candidates = self
            .0
            .candidates()
            .get(usize::from(session.worker.0))
            .map_or(&[][..], Vec::as_slice);
        // All m-sections share one transport (BUNDLE), so the first names them all (RFC 8840 §4.4).
        let sdpfrag = sdp::write_sdpfrag(&local, candidates, &["0".to_owned()]);
        Ok(RestartedIce {
            ufrag: local.ufrag.clone(),
            sdpfrag,
        })
    }

    async fn select_layers(
        &self,
        session: SessionId,
        selection: LayerSelection,
    ) -> Result<(), Reject> {
        self.0.select_layers(session, selection).await
    }

    async fn session_layers(&self, session: SessionId) -> Result<Vec<LayerStatistics>, Reject> {
        self.0.session_layers(session).await
    }

    fn send_data(&self, messages: Vec<DataMessage>) -> Vec<oneshot::Receiver<Vec<SessionId>>> {
        self.0.send_data(messages)
    }

    fn close_channel(&self, session: SessionId, channel: u16) {
        self.0.close_channel(session, channel);
    }

    async fn video_clocks(&self, sessions: Vec<SessionId>) -> Result<Vec<VideoClock>, Reject> {
        self.0.video_clocks(sessions).await
    }

    async fn close(&self, session: SessionId) -> Result<(), Reject> {
        self.0.close(session).await
    }

    async fn figures(&self) -> MediaFigures {
        match self.0.statistics().await {
            Ok(workers) => workers.into_iter().fold(MediaFigures::default(), add),
            Err(reject) => {
                tracing::warn!(%reject, "a media worker has no figures");
                MediaFigures::default()
            }
        }
    }

    fn is_healthy(&self) -> bool {
        self.0.is_healthy()
    }

    fn is_running(&self, worker: WorkerId) -> bool {
        self.0.is_running(worker)
    }
}

fn add(mut figures: MediaFigures, worker: WorkerStatistics<EngineStatistics>) -> MediaFigures {
    let WorkerStatistics {
        engine,
        udp,
        tcp,
        worker,
        lag,
        busy,
    } = worker;
    figures.workers.push(WorkerFigures {
        sessions: engine.sessions.len() as u64,
        lag,
        busy,
        counters: vec![
            ("packets_in", engine.packets_in),
            ("bits_in", engine.bytes_in * 8),
            ("packets_out", engine.packets_out),
            ("bits_out", engine.bytes_out * 8),
            ("packets_rejected", engine.rejected),
            ("reports_unread", engine.unread),
            ("keyframe_requests", engine.keyframe_requests),
            ("udp_messages_out", udp.messages),
            ("udp_datagrams_in", udp.received),
            ("udp_datagrams_out", udp.sent),
            ("udp_dropped_queue_full", udp.queue_drops),
            ("udp_send_errors", udp.send_errors),
            ("udp_segmentation_refused", udp.segmentation_refusals),
            ("tcp_accepted", tcp.accepted),
            ("tcp_refused", tcp.refused),
            ("tcp_dropped_queue_full", tcp.queue_drops),
            ("unknown_datagrams", worker.unknown),
            ("handed_over_datagrams", worker.handed_over),
            ("handover_dropped", worker.handover_drops),
            ("messages_dropped", worker.peer_drops + worker.event_drops),
        ],
    });
    figures.sessions.extend(
        engine
            .sessions
            .into_iter()
            .map(|session| (session.session, describe(&session))),
    );
    figures
}

fn describe(session: &SessionStatistics) -> SessionFigures {
    let largest = |kind| {
        let layers = session
            .layers
            .iter()
            .filter(move |layer| layer.kind == kind && layer.flowing);
        layers.max_by_key(|layer| {
            (
                u32::from(layer.width) * u32::from(layer.height),
                layer.bitrate,
            )
        })
    };
    let (video, audio) = (largest(MediaKind::Video), largest(MediaKind::Audio));
    let flowing = session.layers.iter().filter(|layer| layer.flowing);
    let known = |rate| (rate > 0).then_some(rate);
    SessionFigures {
        transport: session.path.map(|path| match path.protocol {
            spillway_sfu::Protocol::Udp => "udp".into(),
            spillway_sfu::Protocol::Tcp(_) => "tcp".into(),
        }),
        video_codec: video
            .and_then(|layer| layer.codec)
            .map(|codec| codec.name().into()),
        audio_codec: audio
            .and_then(|layer| layer.codec)
            .map(|codec| codec.name().into()),
        width: video.map(|layer| layer.width).filter(|width| *width > 0),
        height: video.map(|layer| layer.height).filter(|height| *height > 0),
        packets: session.packets,
        bytes: session.bytes,
        bits_per_second: Some(flowing.map(|layer| layer.bitrate).sum()),
        packets_lost: session.lost,
        packets_resent: session.resent,
        keyframe_requests: session.keyframe_requests,
        round_trip_ms: session.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
        estimated_bits_per_second: known(session.estimate),
        delivered_bits_per_second: known(session.delivered),
    }
}
