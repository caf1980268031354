//! How much one viewer's path carries, from what its feedback says: Google Congestion Control
//! (draft-ietf-rmcat-gcc-02) as libwebrtc has it since, with probes made of retransmissions and padding.
//!
//! Pure: time comes in, and no packet leaves from here. [`Controller`] is told of everything that left and arrived, and
//! says how much may be sent, and when a probe wants to be filled.

mod acknowledged;
mod aimd;
mod loss;
mod probe;
mod receiver;
#[cfg(test)]
mod simulation;
mod trend;

use std::time::{Duration, Instant};

use acknowledged::Acknowledged;
use aimd::DelayBased;
use loss::LossBased;
use probe::Prober;
use receiver::Receiver;
use trend::{DelayTrend, Usage};

/// What a path is believed to carry before anything was heard of it: the pace that every path is tried at.
const FIRST_RATE: f64 = 5_000_000.0;
/// Bounds of the estimate, in bits per second.
const LEAST_RATE: f64 = 50_000.0;
const MOST_RATE: f64 = 100_000_000.0;
/// No probe this soon after the queue grew.
const CALM: Duration = Duration::from_millis(700);
/// A probe fills a queue of its own, which says nothing of what was sent before it: for so long, and a round trip.
const AFTER_PROBE: Duration = Duration::from_millis(300);
/// A surge says nothing of what was sent before it for so long at most, and again only this long after the last one: a path
/// that is caught up with again and again, and never done, is too thin.
const LONGEST_SURGE: Duration = Duration::from_millis(1_500);
const BETWEEN_SURGES: Duration = Duration::from_secs(3);
/// A probe is this much above what is wanted: one that just fills it could be a little short for many reasons.
const PROBE_MARGIN: f64 = 1.2;
/// A queue this long is too long, growing or not.
const LONG_QUEUE: Duration = Duration::from_millis(250);
/// Without feedback for what was sent this long the path is presumed to carry less.
const SILENCE: Duration = Duration::from_secs(1);
/// The round trip before one was measured.
const ASSUMED_RTT: Duration = Duration::from_millis(100);

/// What became of one packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacketResult {
    /// Departure in microseconds of our clock.
    pub(crate) sent: u64,
    /// Arrival in microseconds of the receiver's clock; `None` if it was lost.
    pub(crate) arrived: Option<i64>,
    pub(crate) bytes: u16,
    /// It left while a probe ran.
    pub(crate) probe: bool,
}

/// Estimates one path.
#[derive(Debug)]
pub(crate) struct Controller {
    trend: DelayTrend,
    acknowledged: Acknowledged,
    delay: DelayBased,
    loss: LossBased,
    prober: Prober,
    /// What receivers without transport-wide feedback say themselves.
    receiver: Receiver,
    /// When packets of a probe were last reported or a surge was under way, and whether the report being read tells of a
    /// probe.
    probed: Option<Instant>,
    /// When a surge began, and was last seen.
    surge: Option<(Instant, Instant)>,
    reports_probe: bool,
    lost: u32,
    total: u32,
    /// When transport-wide feedback came last, or its absence was last acted upon.
    heard: Option<Instant>,
    /// Reports of another kind came: where no transport-wide feedback does, delays aren't known.
    reported: bool,
}

impl Controller {
    /// `seed` tells viewers apart: those behind one path shan't probe it in step.
    pub(crate) fn new(seed: u32) -> Self {
        Self {
            trend: DelayTrend::new(),
            acknowledged: Acknowledged::default(),
            delay: DelayBased::new(FIRST_RATE),
            loss: LossBased::new(MOST_RATE),
            prober: Prober::new(seed),
            receiver: Receiver::new(),
            probed: None,
            surge: None,
            reports_probe: false,
            lost: 0,
            total: 0,
            heard: None,
            reported: false,
        }
    }

    /// What may be sent, in bits per second.
    pub(crate) fn rate(&self) -> u64 {
        let seen = if self.heard.is_none() && self.reported {
            self.receiver.rate().unwrap_or(MOST_RATE)
        } else {
            self.delay.rate()
        };
        let rate = seen.min(self.loss.rate());
        rate.clamp(LEAST_RATE, MOST_RATE) as u64
    }

    /// Whether the path was seen to carry no more, rather than never tried with more.
    pub(crate) fn is_measured(&self) -> bool {
        self.delay.shrunk().is_some()
            || self.loss.rate() < MOST_RATE
            || self.receiver.rate().is_some()
    }

    /// Whether packets that leave now belong to a probe.
    pub(crate) fn is_probing(&self) -> bool {
        self.prober.is_running() || self.receiver.is_filling()
    }

    /// More than the layer's own rate leaves for a while: a group of pictures is caught up with. As with a probe, the
    /// queue that this fills says nothing of the layer.
    pub(crate) fn on_surge(&mut self, now: Instant) {
        let since = |at| now.saturating_duration_since(at);
        let began = match self.surge {
            Some((began, last)) if since(last) < BETWEEN_SURGES => began,
            _ => now,
        };
        self.surge = Some((began, now));
        if since(began) < LONGEST_SURGE {
            self.probed = Some(now);
        }
    }

    /// Accounts for a packet of a probe that left.
    pub(crate) fn on_probe_sent(&mut self, bytes: usize) {
        self.prober.on_sent(bytes);
        self.receiver.on_sent(bytes);
    }

    /// Takes what became of a packet. They come in the order in which they were sent; afterwards comes
    /// [`Controller::on_feedback`].
    pub(crate) fn on_packet(&mut self, packet: &PacketResult) {
        self.total += 1;
        let Some(arrived) = packet.arrived else {
            self.lost += 1;
            return;
        };
        self.acknowledged.on_packet(arrived, packet.bytes);
        self.trend.on_packet(packet);
        if packet.probe {
            self.reports_probe = true;
            self.prober.on_packet(packet);
        }
    }

    /// A feedback report was read. `queueing` is how much longer than the shortest ever its newest packet was on its way.
    pub(crate) fn on_feedback(&mut self, now: Instant, rtt: Option<Duration>, queueing: Duration) {
        if self.heard.replace(now).is_none() {
            self.receiver = Receiver::new();
        }
        let rtt = rtt.unwrap_or(ASSUMED_RTT);
        if std::mem::take(&mut self.reports_probe) {
            self.probed = Some(now);
        }
        let probed = self
            .probed
            .is_some_and(|at| now.saturating_duration_since(at) < AFTER_PROBE + rtt);
        let usage = match self.trend.usage() {
            _ if queueing >= LONG_QUEUE => Usage::Over,
            Usage::Over if probed => Usage::Under,
            usage => usage,
        };
        let acknowledged = self.acknowledged.rate();
        self.delay.update(now, usage, &self.acknowledged, rtt);
        if !probed {
            self.loss.update(now, self.lost, self.total, acknowledged);
        }
        (self.lost, self.total) = (0, 0);
        if let Some(rate) = self.prober.result(now) {
            self.delay.on_probe(now, rate);
            self.loss.on_probe(rate);
        }
        self.bound();
    }

    /// The receiver's own estimate came.
    pub(crate) fn on_remb(&mut self, now: Instant, bits_per_second: u64) {
        if self.heard.is_some() {
            return;
        }
        self.reported = true;
        self.receiver.on_estimate(now, bits_per_second as f64);
    }

    /// A receiver report came from a viewer without transport-wide feedback: its loss, 0 to 1, and what is sent to it.
    pub(crate) fn on_report(&mut self, now: Instant, lost: f64, sent: u64) {
        if self.heard.is_some() {
            return;
        }
        self.reported = true;
        let lost = (lost * 256.0) as u32;
        let carried = sent as f64 * (1.0 - f64::from(lost) / 256.0);
        self.loss.update(now, lost, 256, Some(carried));
        self.bound();
        let told = self.receiver.rate();
        if self.receiver.is_filling() && told.is_some_and(|told| told > self.loss.rate()) {
            self.receiver.stop(now, false);
        }
    }

    /// A better layer needs this much: probes for it if it is time for that.
    pub(crate) fn probe_for(&mut self, now: Instant, bits_per_second: u64) {
        let calm = |at| now.saturating_duration_since(at) >= CALM;
        if self.heard.is_none() {
            // Where losses set the limit nothing is gained by sending more.
            if self
                .receiver
                .rate()
                .is_some_and(|told| told <= self.loss.rate())
            {
                self.receiver.want(now, bits_per_second as f64);
            }
        } else if self.rate() < bits_per_second
            && self.trend.usage() != Usage::Over
            && self.delay.shrunk().is_none_or(calm)
        {
            self.prober
                .start(now, bits_per_second as f64 * PROBE_MARGIN);
        }
    }

    /// Bytes that the running probe lacks now.
    pub(crate) fn probe_missing(&self, now: Instant) -> usize {
        self.prober.missing(now) + self.receiver.missing(now)
    }

    /// That nothing was heard until now isn't the path's doing.
    pub(crate) fn excuse(&mut self, now: Instant) {
        if let Some(heard) = &mut self.heard {
            *heard = now;
        }
    }

    /// Ends what has run its time. `sent` is when the last packet left.
    pub(crate) fn handle_timeout(&mut self, now: Instant, sent: Option<Instant>) {
        self.prober.handle_timeout(now);
        self.receiver.handle_timeout(now);
        if let (Some(heard), Some(sent)) = (self.heard, sent)
            && sent > heard
            && now.saturating_duration_since(heard) >= SILENCE
        {
            self.heard = Some(now);
            self.delay.on_silence(now);
            self.bound();
        }
    }

    /// When [`Controller::handle_timeout`] is to be called, or a probe filled.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let filling = self.receiver.next_timeout();
        self.prober.next_timeout().into_iter().chain(filling).min()
    }

    fn bound(&mut self) {
        self.delay.bound(LEAST_RATE, MOST_RATE);
        self.loss.bound(LEAST_RATE, MOST_RATE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_transport_wide_feedback_losses_and_the_viewers_own_word_decide() {
        let start = Instant::now();
        let mut controller = Controller::new(1);
        assert_eq!(controller.rate(), FIRST_RATE as u64);
        let second = |n: u64| start + Duration::from_secs(n);
        controller.on_report(second(1), 0.0, 4_000_000);
        assert!(
            controller.rate() > 20_000_000,
            "nothing says that a larger layer wouldn't fit"
        );
        controller.on_remb(second(1), 2_000_000);
        assert_eq!(controller.rate(), 2_000_000);
        controller.on_report(second(2), 0.4, 2_000_000);
        assert!(controller.rate() < 1_500_000, "{}", controller.rate());
    }
}
