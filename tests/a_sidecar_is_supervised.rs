//! The node runs a sidecar beside itself: starts it, starts it again, ends it, and minds its death not at all.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use reqwest::Client;
use support::{Server, finish, serve, spillway};

const PATIENCE: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(15);

/// Notes each start on a line of `starts`: process, token, arguments.
const NOTES: &str = "echo \"$$ $SPILLWAY_TOKEN $SPILLWAY_LOG_FILTER $*\" >> starts\n";
/// Lives until its input ends, and says so.
const LIVES: &str = "cat > /dev/null; echo ended >> ends\n";

/// A directory with such a sidecar.
fn with_sidecar(script: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("sidecar.sh");
    fs::write(&program, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// A node with that sidecar.
fn start(directory: tempfile::TempDir, arguments: &[&str]) -> (Server, PathBuf) {
    let path = directory.path().to_owned();
    let mut command = spillway(&path);
    command
        .env_remove("SPILLWAY_NO_HLS")
        .env("SPILLWAY_HLS_COMMAND", path.join("sidecar.sh"))
        .env("SPILLWAY_HLS_ARGS", "--part-target,200ms")
        .env("SPILLWAY_LOG_FILTER", "debug");
    (Server::start_as(command, directory, arguments), path)
}

/// The lines of a file, once there are so many.
fn lines(path: &Path, count: usize) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < deadline, "{} has {text:?}", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// What the API says to a token that wants to follow the broadcasts.
async fn said_to(server: &Server, token: &str) -> u16 {
    let request = Client::new().head(server.url("/api/v1/events"));
    let answer = request.bearer_auth(token).send().await.unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn it_is_told_where_the_node_is_and_gets_a_token() {
    let (server, path) = start(with_sidecar(&format!("{NOTES}{LIVES}")), &[]);
    let starts = lines(&path.join("starts"), 1);
    let [_, token, filter, arguments @ ..] = &words(&starts[0])[..] else {
        panic!("{starts:?}")
    };
    assert_eq!(*filter, "debug");
    let node = server.url("");
    let expected = [
        "--node",
        node.as_str(),
        "--listen",
        "127.0.0.1:0",
        "--id",
        "local",
        "--supervised",
        "--part-target",
        "200ms",
    ];
    assert_eq!(arguments, expected);
    assert_eq!(said_to(&server, token).await, 200);
    let listed = server.token(&["list"]);
    assert!(listed.contains("service"), "{listed}");
}

/// Notes where recordings go, or that they go nowhere.
const NOTES_STORAGE: &str = "echo \"${SPILLWAY_STORAGE-none} ${SPILLWAY_SPOOL-none}\" >> starts\n";

#[test]
fn it_is_told_where_recordings_go_unless_there_shall_be_none() {
    let sidecar = || with_sidecar(&format!("{NOTES_STORAGE}{LIVES}"));
    let (_server, path) = start(sidecar(), &[]);
    let data = path.join("data");
    let told = format!("file://{0}/media {0}/spool", data.display());
    assert_eq!(lines(&path.join("starts"), 1), [told]);

    let directory = sidecar();
    let path = directory.path().to_owned();
    let mut command = spillway(&path);
    command
        .env_remove("SPILLWAY_NO_HLS")
        .env("SPILLWAY_HLS_COMMAND", path.join("sidecar.sh"))
        .env("SPILLWAY_STORAGE", "file:///elsewhere");
    let _server = Server::start_as(command, directory, &["--no-vod"]);
    assert_eq!(lines(&path.join("starts"), 1), ["none none"]);
}

#[tokio::test]
async fn one_that_dies_is_started_again_while_the_node_goes_on() {
    let (server, path) = start(with_sidecar(&format!("{NOTES}exit 3\n")), &["--demo"]);
    let starts = lines(&path.join("starts"), 3);
    let tokens: Vec<_> = starts.iter().map(|line| words(line)[1]).collect();
    assert_eq!(tokens[0], tokens[2], "the token holds for the node's run");
    let health = Client::new()
        .get(server.url("/readyz"))
        .send()
        .await
        .unwrap();
    assert!(health.status().is_success());
    let metrics = Client::new()
        .get(server.url("/metrics"))
        .bearer_auth(server.token(&["admin"]));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    let count = metrics
        .lines()
        .find_map(|line| line.strip_prefix("spillway_sidecar_restarts_total "))
        .unwrap();
    assert!(count.parse::<u64>().unwrap() >= 2, "{metrics}");
}

#[test]
fn it_ends_with_the_node_and_its_token_is_void_then() {
    let (mut server, path) = start(with_sidecar(&format!("{NOTES}{LIVES}")), &[]);
    lines(&path.join("starts"), 1);
    server.terminate();
    assert!(server.ended(STOP));
    assert_eq!(lines(&path.join("ends"), 1), ["ended"]);
    let listed = server.token(&["list"]);
    let sidecars = listed
        .lines()
        .find(|line| line.contains("service"))
        .unwrap();
    assert!(sidecars.contains("revoked"), "{listed}");
}

#[test]
fn one_that_will_not_end_is_killed() {
    let stubborn = format!("trap '' TERM\n{NOTES}while :; do sleep 1; done\n");
    let (mut server, path) = start(with_sidecar(&stubborn), &[]);
    let starts = lines(&path.join("starts"), 1);
    let began = Instant::now();
    server.terminate();
    assert!(server.ended(STOP));
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
    let process = Path::new("/proc").join(words(&starts[0])[0]);
    assert!(!process.exists());
}

#[test]
fn it_does_not_outlive_a_node_that_was_killed() {
    let (mut server, path) = start(with_sidecar(&format!("{NOTES}{LIVES}")), &[]);
    lines(&path.join("starts"), 1);
    server.child.kill().unwrap();
    assert_eq!(lines(&path.join("ends"), 1), ["ended"]);
}

#[test]
fn a_token_that_a_killed_node_left_is_revoked_at_the_next_start() {
    let directory = with_sidecar(&format!("{NOTES}{LIVES}"));
    let path = directory.path().to_owned();
    // A directory that outlives the first server.
    let run = || {
        let mut command = serve(&path);
        command
            .env_remove("SPILLWAY_NO_HLS")
            .env("SPILLWAY_HLS_COMMAND", path.join("sidecar.sh"));
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        command.spawn().unwrap()
    };
    for count in 1..=2 {
        let mut node = run();
        lines(&path.join("starts"), count);
        node.kill().unwrap();
        node.wait().unwrap();
    }
    let listed = finish(spillway(&path).args(["token", "list"]));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let sidecars: Vec<_> = listed
        .lines()
        .filter(|line| line.contains("service"))
        .collect();
    assert_eq!(sidecars.len(), 2, "{listed}");
    let revoked = sidecars.iter().filter(|line| line.contains("revoked"));
    assert_eq!(revoked.count(), 1, "{listed}");
}

#[test]
fn a_node_without_a_sidecar_says_so_and_runs() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = serve(directory.path());
    command
        .env_remove("SPILLWAY_NO_HLS")
        .env("SPILLWAY_HLS_COMMAND", "/nonexistent/spillway-hls");
    let log = log_of(&mut command);
    assert!(
        log.contains("HLS is off: hls.command is /nonexistent/spillway-hls"),
        "{log}"
    );
}

#[test]
fn a_node_that_is_to_run_none_looks_for_none() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = serve(directory.path());
    command
        .env_remove("SPILLWAY_NO_HLS")
        .env("SPILLWAY_HLS_COMMAND", "/nonexistent/spillway-hls")
        .arg("--no-hls");
    let log = log_of(&mut command);
    assert!(
        log.contains("--no-hls") && !log.contains("HLS is off"),
        "{log}"
    );
}

/// What a server logs until it's told to stop, once it has greeted.
fn log_of(command: &mut Command) -> String {
    use std::io::{BufRead as _, BufReader, Read as _};
    let piped = std::process::Stdio::piped;
    let mut child = command.stdout(piped()).stderr(piped()).spawn().unwrap();
    let mut greeting = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("Ctrl-C") {
        line.clear();
        assert!(
            greeting.read_line(&mut line).unwrap() > 0,
            "it didn't start"
        );
    }
    let id = child.id().to_string();
    Command::new("kill").arg(id).status().unwrap();
    let mut log = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(child.wait().unwrap().success(), "{log}");
    log
}
