//! Passes requests on to sidecars on this machine.

use std::{
    fmt::Display,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, Method, Request, StatusCode, header},
    response::Response,
};
use hyper::body::{Body as HttpBody, Frame};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{
    sync::Semaphore,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{RETRY, unavailable};
use crate::problem::Problem;

/// How long connecting to a sidecar on this machine may take: where its queue is full for a moment, the system tries again after a
/// second.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a sidecar may take to begin its answer. A blocking reload waits for up to three target durations of a playlist
/// with 6 s segments (RFC 8216bis §6.2.5.2).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer may take to be read. A viewer who takes longer for a segment can't play it, and keeps others from a place.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// How long an idle connection to a sidecar is kept. All are: players' requests wait for the same part, end together, and come again
/// at once.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// So much of an answer is read at a time. An HTTP/2 client that takes nothing of it can have us keep that, beside what the request and
/// its connection to the sidecar take themselves: 44 KB were seen.
const PIECE: usize = 16 * 1024;

/// What a sidecar hears of the client's request: nothing that says who asks.
const PASSED_ON: [HeaderName; 7] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::RANGE,
    header::USER_AGENT,
];
/// What doesn't leave its connection (RFC 9110 §7.6.1), and what is not a sidecar's to say.
const HELD_BACK: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::SET_COOKIE,
];

/// The way to sidecars on this machine.
pub(crate) struct SidecarProxy {
    client: Client<HttpConnector, Body>,
    room: Arc<Semaphore>,
}

/// Why a sidecar has no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// Nobody listens there: another sidecar may do.
    Unreachable,
    /// Another reason, as the client is told it.
    Other(Problem),
}

impl SidecarProxy {
    /// For at most so many requests at a time.
    pub(crate) fn new(most: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(most)
            .http1_max_buf_size(PIECE)
            .build(connector);
        Self {
            client,
            room: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// The sidecar's answer. Its place is given back when the answer is sent, or isn't after a minute, which breaks it off; and
    /// when the client goes, which also ends the request to the sidecar.
    pub(super) async fn pass(&self, request: Request<Body>) -> Result<Response, NoAnswer> {
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            NoAnswer::Other(unavailable(
                "this server passes on as many requests as it may (limits.hls_requests)",
            ))
        })?;
        match timeout(ANSWER_TIMEOUT, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(seated(response, place)),
            Ok(Err(error)) if error.is_connect() => Err(NoAnswer::Unreachable),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a sidecar's answer broke off");
                Err(NoAnswer::Other(
                    Problem::new(
                        StatusCode::BAD_GATEWAY,
                        "the sidecar that has this channel broke off; try again",
                    )
                    .retry_after(RETRY),
                ))
            }
            Err(_) => Err(NoAnswer::Other(unavailable(
                "the sidecar that has this channel doesn't answer",
            ))),
        }
    }
}

/// Keeps the place while the answer is sent. A task of its own looks at the time, since nobody asks for more of a body that the
/// client doesn't read.
fn seated<Answer>(response: Response<Answer>, place: impl Send + 'static) -> Response
where
    Answer: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    Answer::Error: Display + Send,
{
    let (mut parts, answer) = response.into_parts();
    hold_back(&mut parts.headers);
    let rest = Arc::new(Mutex::new(Rest {
        answer: Some((answer, place)),
        reader: None,
    }));
    let late = Arc::clone(&rest);
    let timer = tokio::spawn(async move {
        sleep(READ_TIMEOUT).await;
        tracing::debug!("an answer wasn't read in time");
        Rest::locked(&late).break_off();
    });
    Response::from_parts(
        parts,
        Body::new(SeatedBody {
            rest,
            timer: timer.abort_handle(),
        }),
    )
}

/// What has yet to be sent of an answer, with its place.
struct Rest<Answer, Place> {
    /// None: all is sent, or nothing of it will be any more.
    answer: Option<(Answer, Place)>,
    /// Who waits for more.
    reader: Option<Waker>,
}

impl<Answer, Place> Rest<Answer, Place> {
    fn locked(rest: &Mutex<Self>) -> MutexGuard<'_, Self> {
        // It holds together at every step.
        rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn break_off(&mut self) {
        self.answer = None;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

struct SeatedBody<Answer, Place> {
    rest: Arc<Mutex<Rest<Answer, Place>>>,
    timer: AbortHandle,
}

impl<Answer, Place> HttpBody for SeatedBody<Answer, Place>
where
    Answer: HttpBody<Data = Bytes> + Unpin,
    Answer::Error: Display,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut rest = Rest::locked(&self.rest);
        let Some((answer, _)) = &mut rest.answer else {
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        };
        let polled = Pin::new(answer).poll_frame(context);
        if polled.is_pending() {
            rest.reader = Some(context.waker().clone());
        }
        polled.map_err(|error| {
            tracing::debug!(%error, "a sidecar's answer broke off");
            io::Error::other("the sidecar's answer broke off")
        })
    }
}

impl<Answer, Place> Drop for SeatedBody<Answer, Place> {
    fn drop(&mut self) {
        self.timer.abort();
        Rest::locked(&self.rest).break_off();
    }
}

fn hold_back(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HELD_BACK) {
        headers.remove(name);
    }
    // Answered here, the same for all addresses.
    let cross_origin: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("access-control-"))
        .cloned()
        .collect();
    for name in &cross_origin {
        headers.remove(name);
    }
}

/// What the sidecar is asked.
pub(super) fn request(
    method: Method,
    target: &str,
    headers: &HeaderMap,
) -> Result<Request<Body>, Problem> {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .body(Body::empty())
        .map_err(|error| Problem::internal(format_args!("a sidecar's address: {error}")))?;
    for name in PASSED_ON {
        for value in headers.get_all(&name) {
            request.headers_mut().append(name.clone(), value.clone());
        }
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::convert::Infallible;

    use futures_util::stream::pending;
    use http_body_util::{BodyExt as _, Full, StreamBody};

    use super::*;

    const TEXT: &[u8] = b"#EXTM3U";

    #[tokio::test(start_paused = true)]
    async fn a_place_is_given_back_when_an_answer_is_read_or_is_not_in_time() {
        let room = Arc::new(Semaphore::new(1));
        let answer = || {
            let place = Arc::clone(&room).try_acquire_owned().unwrap();
            seated(Response::new(Full::from(TEXT)), place)
        };
        let read = answer().into_body().collect().await.unwrap();
        assert_eq!(read.to_bytes(), TEXT);
        tokio::task::yield_now().await;
        let unread = answer();
        assert_eq!(room.available_permits(), 0);
        sleep(READ_TIMEOUT + Duration::from_secs(1)).await;
        assert_eq!(room.available_permits(), 1);
        assert!(unread.into_body().collect().await.is_err());
        drop(answer());
        assert_eq!(room.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_sidecar_that_has_stopped_hears_of_the_end() {
        let answer = StreamBody::new(pending::<Result<Frame<Bytes>, Infallible>>());
        let waits = seated(Response::new(answer), ()).into_body().collect();
        assert!(timeout(2 * READ_TIMEOUT, waits).await.unwrap().is_err());
    }
}
