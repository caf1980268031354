//! Neither a token nor a session's key is ever logged.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tracing_subscriber::{filter::LevelFilter, fmt};

use crate::{
    client::{get, request},
    server::{start, whep},
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// The server runs on the test's own thread, so a thread's subscriber sees all of it, and nothing of other tests.
#[tokio::test(flavor = "current_thread")]
async fn a_request_is_logged_by_its_route() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let server = start().await;
    let session = server.publish().await;
    server.send(whep("demo?token=sesame")).await;
    server.send(request("DELETE", &session)).await;
    server
        .send(get("/api/v1/sessions").token("wrong-sesame"))
        .await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("/whip/{channel}/{session}"), "{text}");
    assert!(text.contains("/whep/{channel}"), "{text}");
    let key = session.rsplit('/').next().unwrap();
    for secret in ["sesame", "publish:demo", key] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
