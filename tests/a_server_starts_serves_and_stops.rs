//! The life of a server: it greets, serves, refuses, and stops cleanly when told to.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    io::Read as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode, Version};
use support::{Server, output_of, spillway};

const STOP: Duration = Duration::from_secs(15);

async fn status(url: String) -> StatusCode {
    Client::new().get(url).send().await.unwrap().status()
}

#[tokio::test]
async fn it_greets_with_urls_and_without_a_key() {
    let server = Server::start(&[]);
    for part in [
        "/whip/mychannel",
        "/studio/mychannel",
        "spillway token publish mychannel",
    ] {
        assert!(server.welcome.contains(part), "{}", server.welcome);
    }
    assert!(!server.welcome.contains("eyJ"), "{}", server.welcome);
    assert_eq!(status(server.url("/healthz")).await, StatusCode::OK);
    assert_eq!(status(server.url("/readyz")).await, StatusCode::OK);
}

#[tokio::test]
async fn whip_and_whep_answer_from_the_media_core() {
    let server = Server::start(&[]);
    let post = async |path: &str, token: Option<&str>, offer: &'static str| {
        let mut request = Client::new()
            .post(server.url(path))
            .header("Content-Type", "application/sdp")
            .body(offer);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().status()
    };
    assert_eq!(
        post("/whip/demo", None, "v=0").await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(post("/whep/demo", None, "v=0").await, StatusCode::NOT_FOUND);
    let key = server.token(&["publish", "demo"]);
    assert_eq!(
        post("/whip/demo", Some(&key), "nonsense").await,
        StatusCode::BAD_REQUEST
    );
    // The key was sound, so the channel is known now.
    assert_eq!(
        post("/whep/demo", None, "nonsense").await,
        StatusCode::BAD_REQUEST
    );
    let id = server
        .token(&["list"])
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned();
    server.token(&["revoke", &id]);
    assert_eq!(
        post("/whip/demo", Some(&key), "nonsense").await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn metrics_need_an_admin_token_and_count() {
    let server = Server::start(&[]);
    assert_eq!(
        status(server.url("/metrics")).await,
        StatusCode::UNAUTHORIZED
    );
    let admin = server.token(&["admin"]);
    let metrics = Client::new()
        .get(server.url("/metrics"))
        .bearer_auth(admin)
        .send()
        .await
        .unwrap();
    let text = metrics.text().await.unwrap();
    assert!(
        text.contains("spillway_worker_sessions{worker=\"0\"} 0"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn a_slash_at_the_end_of_a_page_is_taken_away() {
    let server = Server::start(&[]);
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    for page in ["watch", "studio"] {
        let url = server.url(&format!("/{page}/demo/?layer=h"));
        let answer = client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(
            answer.headers()["location"],
            format!("/{page}/demo?layer=h")
        );
        // Nothing that isn't a channel is redirected: a browser would take "//evil" for another site.
        let url = server.url(&format!("/{page}/%2F%2Fevil/"));
        assert_eq!(status(url).await, StatusCode::NOT_FOUND);
    }
}

/// The one session of the demo publisher that's connected, once there is one.
async fn demo_session(server: &Server, admin: &str, other_than: &str) -> String {
    loop {
        let listed = Client::new()
            .get(server.url("/api/v1/sessions"))
            .bearer_auth(admin);
        let text = listed.send().await.unwrap().text().await.unwrap();
        let listed: serde_json::Value = serde_json::from_str(&text).unwrap();
        let session = &listed["items"][0];
        let id = session["id"].as_str().unwrap_or_default();
        if session["connected"] == true && id != other_than {
            return id.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_demo_is_back_soon_after_a_kick() {
    let server = Server::start(&["--demo"]);
    let admin = server.token(&["admin"]);
    let first = tokio::time::timeout(STOP, demo_session(&server, &admin, ""))
        .await
        .unwrap();
    let kicked = Client::new()
        .delete(server.url(&format!("/api/v1/sessions/{first}")))
        .bearer_auth(&admin);
    assert!(kicked.send().await.unwrap().status().is_success());
    tokio::time::timeout(
        Duration::from_secs(5),
        demo_session(&server, &admin, &first),
    )
    .await
    .unwrap();
}

#[test]
fn it_stops_cleanly_when_told_to() {
    let mut server = Server::start(&[]);
    server.terminate();
    assert!(server.ended(STOP));
}

#[tokio::test]
async fn connections_beyond_the_descriptor_table_do_not_stop_it() {
    let server = Server::start(&[]);
    let limit = std::process::Command::new("prlimit")
        .args(["--pid", &server.child.id().to_string(), "--nofile=64:64"])
        .status()
        .unwrap();
    assert!(limit.success());
    let crowd: Vec<_> = (0..100)
        .filter_map(|_| TcpStream::connect(server.address).ok())
        .collect();
    assert!(crowd.len() > 64);
    drop(crowd);
    let url = server.url("/healthz");
    let answered = async { while Client::new().get(&url).send().await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(10), answered)
        .await
        .unwrap();
}

/// A server with room for two connections of one address.
fn small_server(directory: tempfile::TempDir, arguments: &[&str]) -> Server {
    let configuration = "[limits]\nconnections_per_address = 2\n";
    std::fs::write(directory.path().join("small.toml"), configuration).unwrap();
    Server::start_in(
        directory,
        &[&["--config", "small.toml"], arguments].concat(),
    )
}

/// What the server says to one of three connections, until it closes it; which one isn't given.
fn said_to_one_of_three(server: &Server) -> String {
    let mut crowd = [(); 3].map(|()| TcpStream::connect(server.address).unwrap());
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        for stream in &mut crowd {
            stream
                .set_read_timeout(Some(Duration::from_millis(50)))
                .unwrap();
            let mut said = String::new();
            if stream.read_to_string(&mut said).is_ok() {
                return said;
            }
        }
        assert!(Instant::now() < deadline, "all three were let in");
    }
}

#[tokio::test]
async fn a_connection_too_many_is_refused_and_counted() {
    let server = small_server(tempfile::tempdir().unwrap(), &[]);
    let said = said_to_one_of_three(&server);
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert!(said.contains("Retry-After: 5"), "{said}");
    let admin = server.token(&["admin"]);
    let client = Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let ask = async || {
        let request = client.get(server.url("/metrics")).bearer_auth(&admin);
        request.send().await.unwrap().text().await.unwrap()
    };
    // The two before are gone only once the server has noticed it.
    let mut metrics = ask().await;
    while !metrics.contains("spillway_http_connections 1\n") {
        metrics = ask().await;
    }
    let count = metrics
        .lines()
        .find_map(|line| {
            line.strip_prefix("spillway_http_connections_refused_total{bound=\"per_address\"} ")
        })
        .unwrap();
    assert!(count.parse::<u64>().unwrap() >= 1, "{metrics}");
}

#[test]
fn a_tls_connection_too_many_is_closed() {
    let directory = with_certificate();
    let server = small_server(
        directory,
        &["--tls-cert", "tls.crt", "--tls-key", "tls.key"],
    );
    assert_eq!(said_to_one_of_three(&server), "");
}

fn with_certificate() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(directory.path().join("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(
        directory.path().join("tls.key"),
        made.signing_key.serialize_pem(),
    )
    .unwrap();
    directory
}

#[tokio::test]
async fn https_speaks_http_2() {
    let server = Server::start_in(
        with_certificate(),
        &["--tls-cert", "tls.crt", "--tls-key", "tls.key"],
    );
    let client = Client::builder()
        .danger_accept_invalid_certs(true)
        .build()
        .unwrap();
    let answer = client
        .get(format!("https://{}/healthz", server.address))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status(), answer.version()),
        (StatusCode::OK, Version::HTTP_2)
    );
    assert!(server.welcome.contains("https://"), "{}", server.welcome);
}

#[test]
fn the_doctor_finds_nothing_wrong_here() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = [
        "doctor",
        "--http",
        "127.0.0.1:0",
        "--media-port",
        "0",
        "--workers",
        "1",
    ];
    let report = output_of(spillway(directory.path()).args(arguments));
    for test in ["clock", "database", "media ports", "UDP segmentation"] {
        assert!(report.contains(&format!("ok    {test}")), "{report}");
    }
}
