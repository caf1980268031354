//! What players report by beacon, and how it's asked for.

use serde_json::json;
use spillway_chat::protocol::Player;
use spillway_signaling::{Config, Device, RequestRate, api::model::ChannelSettings};

use crate::{
    client::{Request, get, request},
    fake::channel,
    server::{start, start_with},
};

const REPORT: &str = r#"{"player":"hls","played_ms":4000,"startup_ms":900}"#;
const FIGURES: &str = "/api/v1/broadcasts/b1/audience";

fn beacon(body: impl Into<Vec<u8>>) -> Request {
    request("POST", "/api/v1/channels/demo/reports").body("text/plain;charset=UTF-8", body)
}

#[tokio::test]
async fn a_report_is_taken_as_text_and_as_json() {
    let server = start().await;
    let reply = server.send(beacon(REPORT)).await;
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    let typed = json!({"type": "report", "player": "webrtc", "played_ms": 1});
    let framed = request("POST", "/api/v1/channels/demo/reports").json(&typed);
    assert_eq!(server.send(framed).await.status, 204);
    let reported = server.audiences.reported();
    assert_eq!(reported.len(), 2);
    let (caller, report) = &reported[0];
    assert_eq!(caller.origin.device, Device::Other);
    assert_eq!(
        (report.player, report.played_ms, report.startup_ms),
        (Player::Hls, 4000, Some(900))
    );
    assert_eq!(reported[1].1.player, Player::Webrtc);
}

#[tokio::test]
async fn what_is_no_report_is_refused() {
    let server = start().await;
    for wrong in ["", "{", "[]", "{}", r#"{"player":"vhs","played_ms":1}"#] {
        server.send(beacon(wrong)).await.problem(400);
    }
    let message = r#"{"type":"message","player":"hls","played_ms":1}"#;
    server.send(beacon(message)).await.problem(400);
    let long = format!("{REPORT}{}", " ".repeat(4 << 10));
    server.send(beacon(long)).await.problem(413);
    let form = request("POST", "/api/v1/channels/demo/reports")
        .body("application/x-www-form-urlencoded", REPORT);
    server.send(form).await.problem(415);
    let unknown = request("POST", "/api/v1/channels/other/reports").body("text/plain", REPORT);
    server.send(unknown).await.problem(404);
    assert!(server.audiences.reported().is_empty());
}

#[tokio::test]
async fn a_restricted_channel_takes_reports_of_those_who_may_watch() {
    let server = start().await;
    server.add(spillway_signaling::api::model::Channel {
        settings: ChannelSettings {
            restricted_viewing: true,
            ..ChannelSettings::default()
        },
        ..channel("demo")
    });
    server.send(beacon(REPORT)).await.problem(401);
    let other = beacon(REPORT).token("view:other");
    server.send(other).await.problem(403);
    let in_header = beacon(REPORT).token("view:demo");
    assert_eq!(server.send(in_header).await.status, 204);
    let in_query = request("POST", "/api/v1/channels/demo/reports?token=view%3Ademo")
        .body("text/plain", REPORT);
    assert_eq!(server.send(in_query).await.status, 204);
}

#[tokio::test]
async fn reports_of_an_address_are_bounded_beside_its_other_requests() {
    let server = start_with(Config {
        reports: RequestRate {
            burst: 2,
            per_second: 0.1,
            addresses: 100,
        },
        ..Config::default()
    })
    .await;
    assert_eq!(server.send(beacon(REPORT)).await.status, 204);
    assert_eq!(server.send(beacon(REPORT)).await.status, 204);
    let refused = server.send(beacon(REPORT)).await;
    refused.problem(429);
    assert!((1..=10).contains(&refused.get("retry-after").parse().unwrap()));
    let signed = request("POST", "/api/v1/channels/demo/events")
        .body("application/json", "{}")
        .header("Spillway-Signature", "good");
    assert_eq!(server.send(signed).await.status, 200);
}

#[tokio::test]
async fn country_and_device_come_with_a_report() {
    let config = Config {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        country_header: Some("cf-ipcountry".parse().unwrap()),
        ..Config::default()
    };
    let server = start_with(config).await;
    let phone = beacon(REPORT)
        .header("CF-IPCountry", "DE")
        .header("Sec-CH-UA-Mobile", "?1");
    assert_eq!(server.send(phone).await.status, 204);
    let (caller, _) = server.audiences.reported().remove(0);
    assert_eq!(caller.origin.device, Device::Mobile);
    assert_eq!(caller.origin.country.unwrap().to_string(), "DE");
}

#[tokio::test]
async fn figures_are_for_administrators_and_the_streamer() {
    let server = start().await;
    server.send(get(FIGURES)).await.problem(401);
    server
        .send(get(FIGURES).token("view:demo"))
        .await
        .problem(403);
    server
        .send(get(FIGURES).token("publish:other"))
        .await
        .problem(403);
    let none = get("/api/v1/broadcasts/none/audience").token("admin");
    server.send(none).await.problem(404);
    for token in ["admin", "publish:demo"] {
        let reply = server.send(get(FIGURES).token(token)).await;
        assert_eq!(reply.status, 200, "{token}");
        let latency = json!({"count": 1, "p50": 180, "p95": 180, "p99": 180});
        let none = json!({"count": 0, "p50": null, "p95": null, "p99": null});
        let expected = json!({
            "broadcast": "b1", "channel": "demo", "started_at": 1000, "ended_at": 2000, "step": 1,
            "total": {"watched_s": 90.5, "stalled_s": 0.25, "stalls": 1, "joins": 2, "viewers_most": 1.5,
                "sessions_most": 2, "latency_ms": latency, "startup_ms": none},
            "points": [{"at": 0, "viewers": 1.5, "sessions_most": 2, "joins": 2, "watched_s": 90.5,
                "stalled_s": 0.25, "stalls": 1, "latency_ms": latency}],
            "players": [{"name": "webrtc", "watched_s": 90.5, "stalled_s": 0.25, "stalls": 1, "joins": 2,
                "latency_ms": latency, "startup_ms": none}],
            "devices": [], "countries": [], "heights": [{"height": 720, "watched_s": 90.5}], "raised": {"EUR": 1250},
        });
        assert_eq!(reply.json(), expected);
    }
}

#[tokio::test]
async fn a_step_is_a_minute_to_a_day() {
    let server = start().await;
    for (step, given) in [("1", 1), ("1440", 1440)] {
        let asked = get(format!("{FIGURES}?step={step}")).token("admin");
        assert_eq!(server.send(asked).await.json()["step"], given);
    }
    for wrong in ["0", "1441", "-1", "x", ""] {
        let asked = get(format!("{FIGURES}?step={wrong}")).token("admin");
        server.send(asked).await.problem(400);
    }
}
