//! The sidecar's command, beside a node that isn't one.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_mins(1);

fn sidecar() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spillway-hls"));
    command
        .args(["--token", "t", "--encoder", "openh264"])
        .args(["--listen", "127.0.0.1:0"])
        .env_remove("SPILLWAY_STORAGE")
        .env_remove("SPILLWAY_SPOOL")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn an_address_that_is_none_of_a_node_is_said_to_be_none() {
    let output = sidecar()
        .args(["--node", "ftp://live.example"])
        .output()
        .unwrap();
    let said = said(&output);
    assert!(!output.status.success());
    assert!(said.contains("is no address of a node"), "{said}");
}

#[test]
fn a_spool_that_another_uses_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let segment = spool.join("b1/source/7.m4s");
    fs::create_dir_all(segment.parent().unwrap()).unwrap();
    fs::write(&segment, b"being written").unwrap();
    fs::write(spool.join("b1/recording.jsonl"), b"").unwrap();
    let lock = fs::File::create(spool.join(".lock")).unwrap();
    lock.lock().unwrap();
    let storage = url::Url::from_directory_path(folder.path().join("media")).unwrap();
    let mut command = sidecar();
    command.args(["--node", "http://127.0.0.1:1", "--storage"]);
    command.arg(storage.as_str()).arg("--spool").arg(&spool);
    let output = command.output().unwrap();
    let said = said(&output);
    assert!(!output.status.success());
    assert!(
        said.contains("--spool") && said.contains("another"),
        "{said}"
    );
    assert_eq!(fs::read(&segment).unwrap(), b"being written");
    assert_eq!(count(&spool), 2, "the broadcast and the lock");
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// A node as far as a sidecar meets it: it notes what it's asked, and refuses registrations with a problem, if it has one.
#[derive(Clone, Default)]
struct FakeNode {
    problem: Arc<Mutex<Option<StatusCode>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeNode {
    async fn start(&self) -> SocketAddr {
        let router = Router::new().fallback(answer).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn refuse(&self, with: Option<StatusCode>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = with;
    }

    fn was_asked(&self, what: &str) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().any(|known| known == what)
    }

    async fn until_asked(&self, what: &str) {
        let began = Instant::now();
        while !self.was_asked(what) {
            assert!(began.elapsed() < PATIENCE, "never asked: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn answer(State(node): State<FakeNode>, request: Request) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    node.asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(asked);
    let problem = *node.problem.lock().unwrap_or_else(PoisonError::into_inner);
    match problem {
        Some(status) if request.method() == Method::PUT => {
            let detail = "another sidecar has this name: choose another --id";
            (
                status,
                Json(json!({"status": status.as_u16(), "detail": detail})),
            )
                .into_response()
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

/// A sidecar that runs, and what it logs.
struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Running {
    fn start(mut command: Command, node: SocketAddr) -> Self {
        let node = format!("http://{node}");
        let mut child = command.args(["--node", &node]).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let kept = log.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                let mut log = kept.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&std::mem::take(&mut line));
            }
        });
        Self { child, log }
    }

    fn log(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.clone()
    }

    async fn until_it_says(&self, what: &str) -> String {
        let began = Instant::now();
        loop {
            let log = self.log();
            if log.contains(what) {
                return log;
            }
            assert!(began.elapsed() < PATIENCE, "never: {what}\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where it serves.
    async fn address(&self) -> SocketAddr {
        let log = self.until_it_says("serving LL-HLS").await;
        let (_, rest) = log.split_once("address=").unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_refuses_it_is_quoted_and_not_watched_until_it_takes_it() {
    let node = FakeNode::default();
    node.refuse(Some(StatusCode::CONFLICT));
    let running = Running::start(sidecar(), node.start().await);
    let log = running.until_it_says("choose another --id").await;
    assert!(log.contains("409 Conflict"), "{log}");
    // It would have been asked at once.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!node.was_asked("GET /api/v1/events"));
    node.refuse(None);
    node.until_asked("GET /api/v1/events").await;
    running.until_it_says("takes this sidecar now").await;
    assert_eq!(running.log().matches("choose another").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_the_idle_does_not_keep_others_out() {
    let node = FakeNode::default();
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_spillway-hls");
    command
        .args(["-c", "ulimit -Sn 128; exec \"$0\" \"$@\"", program])
        .args(["--token", "t", "--encoder", "openh264"])
        .args(["--listen", "127.0.0.1:0"])
        .env_remove("SPILLWAY_STORAGE")
        .env_remove("SPILLWAY_SPOOL")
        .stderr(Stdio::piped());
    let running = Running::start(command, node.start().await);
    let address = running.address().await;
    let idle: Vec<_> = (0..300)
        .map(|_| std::net::TcpStream::connect(address).unwrap())
        .collect();
    let url = format!("http://{address}/hls/nobody/index.m3u8");
    let asked = tokio::time::timeout(PATIENCE, reqwest::get(url)).await;
    assert_eq!(asked.unwrap().unwrap().status(), StatusCode::NOT_FOUND);
    assert!(!running.log().contains("Too many open files"));
    drop(idle);
}

/// A connection that was let in, and is kept.
fn occupy(address: SocketAddr) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
    stream
}

/// With as many connections as may be, one more is told so.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_too_many_is_answered_with_503() {
    let node = FakeNode::default();
    let mut command = sidecar();
    command.args(["--connections", "2"]);
    let running = Running::start(command, node.start().await);
    let address = running.address().await;
    let idle = tokio::task::spawn_blocking(move || [0; 2].map(|_| occupy(address)));
    let idle = idle.await.unwrap();
    let refused = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = refused.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    drop(idle);
}
