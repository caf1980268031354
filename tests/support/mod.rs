//! Runs the real `spillway` binary.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    unreachable_pub
)]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const START_DEADLINE: Duration = Duration::from_secs(30);

/// A command on a data directory of its own.
pub fn spillway(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spillway"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SPILLWAY_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(directory)
        .env("SPILLWAY_DATA_DIR", directory.join("data"))
        // A sidecar may lie beside the binary; what it does is tested by itself.
        .env("SPILLWAY_NO_HLS", "true")
        .stdin(Stdio::null());
    command
}

/// `spillway serve` on free ports, with one worker.
pub fn serve(directory: &Path) -> Command {
    let mut command = spillway(directory);
    command.args([
        "serve",
        "--http",
        "127.0.0.1:0",
        "--media-port",
        "0",
        "--workers",
        "1",
    ]);
    command
}

/// Runs to the end; a server that starts although it shouldn't is killed after a while.
pub fn finish(command: &mut Command) -> Output {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + START_DEADLINE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

/// Runs to the end, which must be an error; returns what it says.
pub fn error_of(command: &mut Command) -> String {
    let output = finish(command);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

/// Runs to the end, which must be a success; returns what it prints.
pub fn output_of(command: &mut Command) -> String {
    let output = finish(command);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A running server; killed when it's dropped.
pub struct Server {
    pub child: Child,
    pub welcome: String,
    pub address: SocketAddr,
    _directory: tempfile::TempDir,
    pub data_dir: PathBuf,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), arguments)
    }

    /// Starts on a free HTTP port and waits for the welcome.
    pub fn start_in(directory: tempfile::TempDir, arguments: &[&str]) -> Self {
        Self::start_as(spillway(directory.path()), directory, arguments)
    }

    /// The same with a command that is prepared already.
    pub fn start_as(
        mut command: Command,
        directory: tempfile::TempDir,
        arguments: &[&str],
    ) -> Self {
        let address = free_tcp();
        command.args([
            "serve",
            "--http",
            &address.to_string(),
            "--media-port",
            "0",
            "--workers",
            "1",
        ]);
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut welcome = String::new();
        while !welcome.contains("Ctrl-C") {
            if lines.read_line(&mut welcome).unwrap() == 0 {
                let mut errors = String::new();
                child
                    .stderr
                    .take()
                    .unwrap()
                    .read_to_string(&mut errors)
                    .unwrap();
                panic!("the server didn't start: {errors}");
            }
        }
        let data_dir = directory.path().join("data");
        Self {
            child,
            welcome,
            address,
            _directory: directory,
            data_dir,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn token(&self, arguments: &[&str]) -> String {
        let parent = self.data_dir.parent().unwrap();
        output_of(spillway(parent).arg("token").args(arguments))
            .trim()
            .to_owned()
    }

    pub fn terminate(&self) {
        Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
    }

    /// Waits for the end and returns whether it was a success.
    pub fn ended(&mut self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            assert!(
                Instant::now() < deadline,
                "the server didn't end within {within:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A TCP port that's free now.
pub fn free_tcp() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A UDP port that's taken while the socket lives.
pub fn busy_udp() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}
