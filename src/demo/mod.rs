//! The demo publisher: a moving test picture with a burnt-in clock, and a tone, published over WHIP
//! like any other publisher's.
//!
//! The picture is 1280 × 720 at 30 frames a second (H.264 constrained baseline, about 2.5 Mbit/s at most,
//! a keyframe every two seconds and on request), the sound is Opus in stereo. For eyes and ears: the
//! time of day in UTC in large digits, and a flash together with a beep at each full second, which
//! shows whether picture and sound are in sync. For programs: the unix time in milliseconds, as a row
//! of black and white blocks (see [`timecode`] for the format), which shows the latency.

use std::future::Future;
use std::time::Duration;

use thiserror::Error;
use tokio::time::sleep;

mod font;
mod keyframes;
mod peer;
mod picture;
mod sound;
mod source;
pub mod timecode;
mod whip;

const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// A session that lasted this long counts as a success: the next retry is quick again.
const GOOD_SESSION: Duration = Duration::from_secs(30);

/// Where the demo publishes to.
#[derive(Clone)]
pub struct DemoConfig {
    /// The WHIP endpoint, such as `http://127.0.0.1:8080/whip/demo`.
    pub whip_url: String,
    /// A publish token for that channel.
    pub token: String,
}

/// Why a demo session couldn't start or ended.
#[derive(Debug, Error)]
pub enum DemoError {
    /// No HTTP answer.
    #[error("the WHIP endpoint {url} can't be reached: {source}")]
    Unreachable {
        /// The endpoint.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// An HTTP answer other than 201.
    #[error("the WHIP endpoint answered {status}: {body}")]
    Refused {
        /// The HTTP status.
        status: reqwest::StatusCode,
        /// The beginning of the answer's body.
        body: String,
    },
    /// The 201 lacks something that WHIP demands.
    #[error("the WHIP endpoint's answer is of no use: {0}")]
    Answer(&'static str),
    /// The peer connection failed.
    #[error("the peer connection failed: {0}")]
    Peer(#[from] rtc::shared::error::Error),
    /// No media connection came about in time, or it broke.
    #[error("the media connection {0}")]
    Connection(&'static str),
    /// A socket operation failed.
    #[error("UDP socket: {0}")]
    Socket(#[from] std::io::Error),
    /// The H.264 encoder failed.
    #[error("H.264 encoder: {0}")]
    Video(openh264::Error),
    /// The Opus encoder failed.
    #[error("Opus encoder: {0}")]
    Audio(opus::Error),
    /// The source's thread can't be started.
    #[error("the source's thread can't be started: {0}")]
    Thread(std::io::Error),
    /// The source ended by itself; it has said why in the log.
    #[error("the source stopped")]
    SourceStopped,
}

/// Publishes until `shutdown` resolves, however often the session breaks; then ends the session cleanly.
pub async fn run(config: DemoConfig, shutdown: impl Future<Output = ()>) {
    tokio::pin!(shutdown);
    let mut retry = FIRST_RETRY;
    loop {
        let started = tokio::time::Instant::now();
        let Err(error) = publish(&config, shutdown.as_mut()).await else {
            return;
        };
        if started.elapsed() >= GOOD_SESSION {
            retry = FIRST_RETRY;
        }
        tracing::warn!(%error, retry_in = ?retry, "the demo isn't live");
        tokio::select! {
            () = shutdown.as_mut() => return,
            () = sleep(retry) => retry = (retry * 2).min(LAST_RETRY),
        }
    }
}

/// One session. `Ok` once `shutdown` has resolved.
async fn publish(
    config: &DemoConfig,
    mut shutdown: impl Future<Output = ()> + Unpin,
) -> Result<(), DemoError> {
    let client = whip::Client::new(config)?;
    let mut peer = peer::Peer::new()?;
    let offer = peer.offer()?;
    let session = tokio::select! {
        () = &mut shutdown => return Ok(()),
        session = client.publish(offer) => session?,
    };
    let published = tokio::select! {
        () = &mut shutdown => Ok(()),
        result = peer.publish(&session.answer, || tracing::info!(url = %config.whip_url, "the demo is live")) => result,
    };
    client.end(session).await;
    published
}
