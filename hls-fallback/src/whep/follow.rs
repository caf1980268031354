//! A subscription that is renewed whenever it ends.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::{Ended, Event, Options, Subscription};
use crate::media::{Frame, KeyframeWish, Moment};
use crate::receive::{Receiver, Request, Statistics};

/// The first wait before another try; it doubles up to the most, and begins anew after a subscription that lasted.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const MOST_WAIT: Duration = Duration::from_secs(10);
const LASTED: Duration = Duration::from_secs(10);
/// What a node may ask for with `Retry-After`.
const MOST_RETRY_AFTER: Duration = Duration::from_mins(1);
const STATISTICS_INTERVAL: Duration = Duration::from_secs(1);

/// What whoever takes the frames asks for.
#[derive(Debug, Default)]
pub struct KeyframeWishes {
    missing: Notify,
    due: Notify,
}

impl KeyframeWishes {
    /// Has a keyframe be asked for.
    pub fn add(&self, wish: KeyframeWish) {
        match wish {
            KeyframeWish::Missing => self.missing.notify_one(),
            KeyframeWish::Due => self.due.notify_one(),
        }
    }
}

/// What [`follow`] tells.
#[derive(Debug)]
pub enum Update {
    /// Media can flow. Frames from now on are of a new session: of each track the first may be any, and times may differ
    /// from those before.
    Connected,
    /// The next frame of a track.
    Frame(Frame),
    /// Once a second: what was counted in this session.
    Statistics(Statistics),
    /// The session is over; there will be another.
    Interrupted {
        /// Why.
        why: Ended,
        /// When the next one is asked for.
        again_in: Duration,
    },
}

/// Watches a channel until the node says that it may not. Tells `sink` all it gets, and asks for the keyframes that are wished
/// for. Dropping the future ends the session.
pub async fn follow(
    options: &Options,
    wishes: &KeyframeWishes,
    mut sink: impl FnMut(Update),
) -> Ended {
    let mut wait = FIRST_WAIT;
    loop {
        let began = Instant::now();
        // Boxed, since it holds a lot while it connects.
        let Err(why) = Box::pin(watch(options, wishes, &mut sink)).await;
        if why.is_final() {
            return why;
        }
        if began.elapsed() > LASTED {
            wait = FIRST_WAIT;
        }
        let again_in =
            jittered(wait).max(why.retry_after().unwrap_or_default().min(MOST_RETRY_AFTER));
        wait = (wait * 2).min(MOST_WAIT);
        sink(Update::Interrupted { why, again_in });
        tokio::time::sleep(again_in).await;
    }
}

/// Between half and all of it, so that the sidecars of a node that died don't come back at once.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.5..=1.0))
}

/// One session, to its end.
async fn watch(
    options: &Options,
    wishes: &KeyframeWishes,
    sink: &mut impl FnMut(Update),
) -> Result<std::convert::Infallible, Ended> {
    let mut subscription = Subscription::open(options).await?;
    let mut receiver = Receiver::new(Instant::now(), wall_clock());
    receiver.set_parameter_sets(subscription.parameter_sets());
    let mut tells = tokio::time::interval(STATISTICS_INTERVAL);
    loop {
        let timeout = receiver.next_timeout();
        tokio::select! {
            event = subscription.next() => match event? {
                Event::Connected => sink(Update::Connected),
                Event::Packet(packet) => receiver.on_packet(Instant::now(), packet),
                Event::SenderReport { kind, ntp, timestamp } => {
                    receiver.on_sender_report(Instant::now(), kind, ntp, timestamp);
                }
            },
            () = sleep_until(timeout) => {}
            () = wishes.missing.notified() => subscription.request_keyframe()?,
            () = wishes.due.notified() => subscription.request_refresh()?,
            _ = tells.tick() => sink(Update::Statistics(receiver.statistics())),
        }
        let now = Instant::now();
        while let Some(frame) = receiver.poll(now) {
            sink(Update::Frame(frame));
        }
        while let Some(request) = receiver.poll_request(now) {
            match request {
                Request::Keyframe => subscription.request_keyframe()?,
                Request::Resend { ssrc, sequences } => {
                    subscription.request_resend(ssrc, &sequences)?;
                }
            }
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn wall_clock() -> Moment {
    // Before 1970 there was no Spillway.
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Moment(since.unwrap_or_default().as_micros() as i64)
}
