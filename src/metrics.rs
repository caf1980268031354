//! The node's metrics, in `OpenMetrics` text.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use spillway_signaling::{ConnectionBound, Connections, RecordingState, platform::Role};

use crate::{media::MediaFigures, store::RecordingTotals};

/// What the platform counts. Media figures are asked for when somebody reads the metrics.
#[derive(Clone, Default)]
pub struct Metrics {
    /// Sessions that were let in.
    pub joins: Family<RoleLabel, Counter>,
    /// Sessions that were refused, by reason.
    pub refusals: Family<RefusalLabel, Counter>,
    /// Sessions that ended, by reason.
    pub ends: Family<EndLabel, Counter>,
    /// Deliveries of webhooks, by what became of them.
    pub deliveries: Family<DeliveryLabel, Counter>,
    /// Times that this node's own sidecar was started again.
    pub sidecar_restarts: Counter,
    /// Players' reports that were counted.
    pub audience_reports: Counter,
    /// Those that weren't.
    pub audience_dropped: Counter,
}

/// Publisher or viewer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RoleLabel {
    role: &'static str,
}

/// Why a session was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabel {
    /// Publisher or viewer.
    pub role: &'static str,
    /// One word.
    pub reason: &'static str,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndLabel {
    /// Publisher or viewer.
    pub role: &'static str,
    /// One word.
    pub reason: &'static str,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeliveryLabel {
    /// What became of it.
    pub outcome: DeliveryOutcome,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum DeliveryOutcome {
    /// The endpoint took it.
    Delivered,
    /// It'll be tried again.
    Retried,
    /// It was tried as often as configured.
    GivenUp,
    /// The queue was full.
    Dropped,
}

/// What is known only at the moment of reading.
pub struct Snapshot {
    /// Sessions by role.
    pub sessions: [(Role, u64); 2],
    /// Channels on air.
    pub live_channels: u64,
    /// Event streams of viewers.
    pub event_streams: u64,
    /// Sidecars that were heard of lately.
    pub sidecars: u64,
    /// Recordings, and how much they take.
    pub recordings: RecordingTotals,
    /// HTTP connections.
    pub connections: Connections,
    /// Tasks of the runtime: requests, event streams, sessions' timers, and those that run as long as the node.
    pub tasks: u64,
    /// The media plane's.
    pub media: MediaFigures,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BoundLabel {
    bound: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkerLabel {
    worker: u32,
}

/// The name of a role in labels.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Publisher => "publisher",
        Role::Viewer => "viewer",
    }
}

impl RoleLabel {
    /// The label of a role.
    pub fn new(of: Role) -> Self {
        Self { role: role(of) }
    }
}

impl Metrics {
    /// Everything as `OpenMetrics` text.
    pub fn encode(&self, snapshot: Snapshot) -> String {
        let mut registry = Registry::with_prefix("spillway");
        registry.register("joins", "Sessions that were let in", self.joins.clone());
        registry.register(
            "refusals",
            "Sessions that were refused",
            self.refusals.clone(),
        );
        registry.register("ends", "Sessions that ended", self.ends.clone());
        registry.register(
            "webhook_deliveries",
            "Deliveries of webhooks",
            self.deliveries.clone(),
        );
        registry.register(
            "sidecar_restarts",
            "Times that this node's own sidecar was started again",
            self.sidecar_restarts.clone(),
        );
        registry.register(
            "audience_reports",
            "Reports of players that were counted",
            self.audience_reports.clone(),
        );
        registry.register(
            "audience_dropped",
            "Reports of players that came too soon, off air, or when too much waited to be written",
            self.audience_dropped.clone(),
        );
        snapshot.register(&mut registry);
        let mut encoded = String::new();
        if let Err(error) = text::encode(&mut encoded, &registry) {
            tracing::error!(%error, "metrics can't be encoded");
        }
        encoded
    }
}

impl Snapshot {
    fn register(self, registry: &mut Registry) {
        let sessions = Family::<RoleLabel, Gauge>::default();
        for (role, count) in self.sessions {
            sessions
                .get_or_create(&RoleLabel::new(role))
                .set(count as i64);
        }
        registry.register("sessions", "Sessions now", sessions);
        let live: Gauge = Gauge::default();
        live.set(self.live_channels as i64);
        registry.register("live_channels", "Channels on air now", live);
        let event_streams: Gauge = Gauge::default();
        event_streams.set(self.event_streams as i64);
        registry.register(
            "event_streams",
            "Event streams of viewers now",
            event_streams,
        );
        let sidecars: Gauge = Gauge::default();
        sidecars.set(self.sidecars as i64);
        registry.register("sidecars", "Sidecars that serve HLS now", sidecars);
        register_recordings(&self.recordings, registry);
        register_connections(&self.connections, registry);
        let tasks: Gauge = Gauge::default();
        tasks.set(self.tasks as i64);
        registry.register("tasks", "Tasks of the asynchronous runtime now", tasks);
        self.media.register(registry);
        let cpu = Counter::<f64, AtomicU64>::default();
        cpu.inc_by(cpu_seconds());
        registry.register_with_unit(
            "process_cpu",
            "CPU time of this process",
            Unit::Seconds,
            cpu,
        );
    }
}

fn register_recordings(totals: &RecordingTotals, registry: &mut Registry) {
    let recordings = Family::<StateLabel, Gauge>::default();
    for state in [
        RecordingState::Recording,
        RecordingState::Finishing,
        RecordingState::Ready,
        RecordingState::Failed,
    ] {
        let count = totals.by_state.iter().find(|(of, _)| *of == state);
        let state = StateLabel {
            state: state_name(state),
        };
        recordings
            .get_or_create(&state)
            .set(count.map_or(0, |(_, count)| *count as i64));
    }
    let doomed = StateLabel { state: "deleting" };
    recordings.get_or_create(&doomed).set(totals.doomed as i64);
    registry.register("recordings", "Recordings now", recordings);
    let bytes: Gauge = Gauge::default();
    bytes.set(totals.bytes as i64);
    registry.register_with_unit(
        "recordings",
        "How much of the storage recordings take, as sidecars say",
        Unit::Bytes,
        bytes,
    );
}

fn state_name(state: RecordingState) -> &'static str {
    match state {
        RecordingState::Recording => "recording",
        RecordingState::Finishing => "finishing",
        RecordingState::Ready => "ready",
        RecordingState::Failed => "failed",
    }
}

fn register_connections(connections: &Connections, registry: &mut Registry) {
    let open: Gauge = Gauge::default();
    open.set(connections.open() as i64);
    registry.register("http_connections", "HTTP connections now", open);
    let refused = Family::<BoundLabel, Counter>::default();
    for (bound, name) in [
        (ConnectionBound::Total, "total"),
        (ConnectionBound::PerAddress, "per_address"),
    ] {
        refused
            .get_or_create(&BoundLabel { bound: name })
            .inc_by(connections.refused(bound));
    }
    registry.register(
        "http_connections_refused",
        "HTTP connections that were refused, by the bound that they'd have passed",
        refused,
    );
}

impl MediaFigures {
    fn register(self, registry: &mut Registry) {
        let sessions = Family::<WorkerLabel, Gauge>::default();
        let lag = Family::<WorkerLabel, Gauge<f64, AtomicU64>>::default();
        let busy = Family::<WorkerLabel, Counter<f64, AtomicU64>>::default();
        let mut counters: Vec<(&'static str, Family<WorkerLabel, Counter>)> = Vec::new();
        for (worker, figures) in (0..).zip(self.workers) {
            let label = WorkerLabel { worker };
            sessions.get_or_create(&label).set(figures.sessions as i64);
            lag.get_or_create(&label).set(figures.lag.as_secs_f64());
            busy.get_or_create(&label)
                .inc_by(figures.busy.as_secs_f64());
            for (name, count) in figures.counters {
                let known = counters
                    .iter()
                    .position(|(known, _)| *known == name)
                    .unwrap_or_else(|| {
                        counters.push((name, Family::default()));
                        counters.len() - 1
                    });
                if let Some((_, family)) = counters.get(known) {
                    family.get_or_create(&label).inc_by(count);
                }
            }
        }
        registry.register("worker_sessions", "Sessions of a worker now", sessions);
        registry.register_with_unit(
            "worker_lag",
            "How long what a worker gets waits for it, smoothed over half a second",
            Unit::Seconds,
            lag,
        );
        registry.register_with_unit(
            "worker_busy",
            "How long a worker had something to do",
            Unit::Seconds,
            busy,
        );
        for (name, family) in counters {
            registry.register(
                format!("media_{name}"),
                "Counted by a media worker since the start",
                family,
            );
        }
    }
}

/// CPU seconds of this process, as the kernel counts them (clock ticks of 10 ms; `proc(5)`).
fn cpu_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name that may hold anything; utime and stime are the 12th and 13th after it.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use spillway_signaling::ConnectionLimits;

    use super::*;
    use crate::media::WorkerFigures;

    #[test]
    fn everything_is_told_and_ends_as_openmetrics_does() {
        let metrics = Metrics::default();
        metrics
            .joins
            .get_or_create(&RoleLabel::new(Role::Viewer))
            .inc();
        let label = RefusalLabel {
            role: "viewer",
            reason: "overloaded",
        };
        metrics.refusals.get_or_create(&label).inc();
        let label = DeliveryLabel {
            outcome: DeliveryOutcome::GivenUp,
        };
        metrics.deliveries.get_or_create(&label).inc();
        let worker = |sessions| WorkerFigures {
            sessions,
            lag: Duration::from_millis(3),
            busy: Duration::from_millis(1500),
            counters: vec![("packets_sent", 5)],
        };
        let media = MediaFigures {
            workers: vec![worker(2), worker(1)],
            ..MediaFigures::default()
        };
        let sessions = [(Role::Publisher, 1), (Role::Viewer, 2)];
        let text = metrics.encode(Snapshot {
            sessions,
            live_channels: 1,
            event_streams: 3,
            sidecars: 2,
            recordings: RecordingTotals {
                by_state: vec![(RecordingState::Ready, 3)],
                doomed: 1,
                bytes: 4096,
                kept_bytes: 4096,
            },
            connections: Connections::new(ConnectionLimits {
                total: 1,
                per_address: 1,
                exempt: Vec::new(),
            }),
            tasks: 12,
            media,
        });
        for line in [
            "spillway_joins_total{role=\"viewer\"} 1",
            "spillway_refusals_total{role=\"viewer\",reason=\"overloaded\"} 1",
            "spillway_webhook_deliveries_total{outcome=\"GivenUp\"} 1",
            "spillway_sessions{role=\"viewer\"} 2",
            "spillway_live_channels 1",
            "spillway_recordings{state=\"ready\"} 3",
            "spillway_recordings{state=\"failed\"} 0",
            "spillway_recordings{state=\"deleting\"} 1",
            "spillway_recordings_bytes 4096",
            "spillway_event_streams 3",
            "spillway_sidecars 2",
            "spillway_sidecar_restarts_total 0",
            "spillway_audience_reports_total 0",
            "spillway_audience_dropped_total 0",
            "spillway_http_connections 0",
            "spillway_tasks 12",
            "spillway_http_connections_refused_total{bound=\"per_address\"} 0",
            "spillway_worker_sessions{worker=\"1\"} 1",
            "spillway_worker_lag_seconds{worker=\"0\"} 0.003",
            "spillway_worker_busy_seconds_total{worker=\"1\"} 1.5",
            "spillway_media_packets_sent_total{worker=\"0\"} 5",
        ] {
            assert!(
                text.lines().any(|written| written == line),
                "{line} isn't in\n{text}"
            );
        }
        assert!(text.ends_with("# EOF\n"));
        assert!(text.contains("spillway_process_cpu_seconds_total"));
    }
}
