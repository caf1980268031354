//! Bounds of a connection, below the router.

use std::time::Duration;

use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};

/// The most header fields of an HTTP/1 request. More are answered with 431.
const MAX_HEADERS: usize = 64;
/// The most bytes of a request's head; a token in it is far smaller.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The most requests at a time on one HTTP/2 connection.
const MAX_CONCURRENT_STREAMS: u32 = 64;
/// What HTTP/2 keeps of one answer for a client that doesn't take it; hyper's own bound is 400 KB.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// An HTTP/2 connection that doesn't answer pings for this long is closed.
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Puts the bounds of a connection on a server: a client that sends its head slowly, or nothing at all, is cut off after
/// `header_timeout`. For the builder of `axum_server::Server::http_builder`.
pub fn bound(builder: &mut Builder<TokioExecutor>, header_timeout: Duration) {
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .keep_alive_interval(header_timeout)
        .keep_alive_timeout(HTTP2_PING_TIMEOUT);
}
