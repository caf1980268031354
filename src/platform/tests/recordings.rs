#![allow(clippy::unwrap_used)]

use spillway_signaling::{
    BroadcastId, Marker, NewMarker, ObjectPart, RecordingReport, RecordingState, Recordings as _,
    Signature, Ticket, VodObject, platform::Action,
};

use super::*;
use crate::config::{KeepFor, Quota};

/// A channel on air, and its broadcast.
async fn on_air_with(config: &Config) -> (Fixture, BroadcastId, String) {
    let fixture = fixture_with(config).await;
    let key = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(0).await;
    let id = latest(&fixture).await;
    (fixture, id, key)
}

async fn on_air() -> (Fixture, BroadcastId, String) {
    on_air_with(&Config::default()).await
}

async fn latest(fixture: &Fixture) -> BroadcastId {
    let all = fixture.node.broadcasts(None, first_page()).await.unwrap();
    all.items[0].id.parse().unwrap()
}

fn report(state: RecordingState, bytes: u64) -> RecordingReport {
    RecordingReport {
        state,
        duration_ms: 1000,
        bytes,
        problem: None,
    }
}

async fn note(fixture: &Fixture, id: &BroadcastId, state: RecordingState) -> Result<(), Refusal> {
    fixture.node.note_recording(id, report(state, 10)).await
}

/// Writes an object, as a sidecar would.
fn write(fixture: &Fixture, id: &BroadcastId, object: &str, text: &str) {
    let path = media(fixture, id).join(object);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn media(fixture: &Fixture, id: &BroadcastId) -> std::path::PathBuf {
    let directory = fixture.directory.path().join("media/vod");
    directory.join(id.as_str())
}

async fn find(
    fixture: &Fixture,
    id: &BroadcastId,
    token: Option<&str>,
) -> Result<Option<Signature>, Refusal> {
    let caller = caller(token);
    let found = fixture.node.find_vod(id, Ticket::Caller(&caller)).await;
    found.map(|source| source.signature)
}

async fn markers(fixture: &Fixture, id: &BroadcastId) -> Vec<Marker> {
    fixture.node.markers(id).await.unwrap()
}

/// Ends the broadcast, and its channel is idle.
async fn end(fixture: &Fixture) {
    let ended = fixture.node.state().on_air.end(&demo(), time::now());
    fixture.node.save(ended.as_slice()).await;
}

#[tokio::test]
async fn a_recording_is_found_from_its_first_report_to_its_deletion() {
    let (fixture, id, _) = on_air().await;
    assert!(matches!(
        fixture.node.recording(&id).await,
        Err(Refusal::NotFound(_))
    ));
    note(&fixture, &id, RecordingState::Recording)
        .await
        .unwrap();
    write(&fixture, &id, "index.m3u8", "#EXTM3U");
    let recording = fixture.node.recording(&id).await.unwrap();
    assert_eq!(recording.state, RecordingState::Recording);
    assert_eq!((recording.ended_at, recording.video), (None, None));
    let refused = fixture.node.delete_recording(&id).await;
    assert!(matches!(refused, Err(Refusal::Conflict { .. })));

    end(&fixture).await;
    note(&fixture, &id, RecordingState::Ready).await.unwrap();
    let listed = fixture.node.recordings(&demo(), first_page()).await;
    let listed = listed.unwrap().items;
    assert!(listed[0].ended_at.is_some() && listed[0].video.is_some());
    let caller = caller(None);
    let source = fixture.node.find_vod(&id, Ticket::Caller(&caller)).await;
    assert!(source.unwrap().is_final);

    fixture.node.delete_recording(&id).await.unwrap();
    assert!(find(&fixture, &id, None).await.is_err());
    assert!(media(&fixture, &id).exists());
    fixture.node.recording_doomed().await;
    fixture.node.keep_recordings().await;
    assert!(!media(&fixture, &id).exists());
    // What is reported all the same is deleted again.
    write(&fixture, &id, "video.mp4", "late");
    let late = note(&fixture, &id, RecordingState::Ready).await;
    assert!(matches!(late, Err(Refusal::NotFound(_))));
    fixture.node.keep_recordings().await;
    assert!(!media(&fixture, &id).exists());
}

#[tokio::test]
async fn nothing_is_noted_of_a_broadcast_that_there_is_not() {
    let fixture = fixture().await;
    let unknown = "b1".parse().unwrap();
    let noted = note(&fixture, &unknown, RecordingState::Recording).await;
    assert!(matches!(noted, Err(Refusal::NotFound(_))));
}

#[tokio::test]
async fn objects_are_read_from_the_storage() {
    let (fixture, id, _) = on_air().await;
    write(&fixture, &id, "720p/7.m4s", "0123456789");
    let read = async |object: &str, part| {
        let object: VodObject = object.parse().unwrap();
        fixture.node.read_vod(&id, &object, part).await
    };
    let part = ObjectPart::Last(3);
    let got = read("720p/7.m4s", part).await.unwrap();
    assert_eq!((got.size, got.range), (10, 7..10));
    assert!(got.modified.0 > 0 && got.tag.is_some());
    let missing = read("720p/8.m4s", ObjectPart::Whole).await;
    assert!(matches!(missing, Err(Refusal::NotFound(_))));
    // Not a file, so the storage can't read it.
    write(&fixture, &id, "poster.jpg/x", "");
    let broken = read("poster.jpg", ObjectPart::Whole).await;
    assert!(
        matches!(broken, Err(Refusal::Broken(_) | Refusal::NotFound(_))),
        "{broken:?}"
    );
}

#[tokio::test]
async fn a_restricted_channels_recordings_are_for_those_who_may_watch_it() {
    let (fixture, id, key) = on_air().await;
    note(&fixture, &id, RecordingState::Ready).await.unwrap();
    assert_eq!(find(&fixture, &id, None).await.unwrap(), None);
    let mut profile = ChannelProfile::default();
    profile.settings.restricted_viewing = true;
    fixture.node.put_channel(&demo(), profile).await.unwrap();
    let stranger = find(&fixture, &id, None).await;
    assert!(matches!(stranger, Err(Refusal::Unauthorized(_))));
    let signature = find(&fixture, &id, Some(&key)).await.unwrap().unwrap();
    let by = async |id: &BroadcastId, signature: &Signature| {
        let ticket = Ticket::Signature(signature);
        fixture.node.find_vod(id, ticket).await
    };
    assert_eq!(by(&id, &signature).await.unwrap().signature, None);
    let forged = "99999999999-AAAA".parse().unwrap();
    assert!(matches!(by(&id, &forged).await, Err(Refusal::Forbidden(_))));
}

#[tokio::test]
async fn a_channel_takes_its_recordings_along() {
    let (fixture, id, _) = on_air().await;
    note(&fixture, &id, RecordingState::Recording)
        .await
        .unwrap();
    write(&fixture, &id, "index.m3u8", "#EXTM3U");
    fixture.node.delete_channel(&demo()).await.unwrap();
    fixture.node.keep_recordings().await;
    assert!(!media(&fixture, &id).exists());
    assert!(find(&fixture, &id, None).await.is_err());
    // One of the same name has none of them.
    fixture.add_channel(false).await;
    let listed = fixture.node.recordings(&demo(), first_page()).await;
    assert!(listed.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_recording_that_begins_late_does_not_outlive_its_channel() {
    let (fixture, id, _) = on_air().await;
    fixture.node.delete_channel(&demo()).await.unwrap();
    let late = note(&fixture, &id, RecordingState::Recording).await;
    assert!(matches!(late, Err(Refusal::NotFound(_))));
    fixture.add_channel(false).await;
    assert!(find(&fixture, &id, None).await.is_err());
}

#[tokio::test]
async fn old_recordings_are_deleted_and_then_their_broadcasts_forgotten() {
    let mut config = Config::default();
    config.vod.retention = KeepFor(Some(Duration::from_millis(1)));
    config.channels.keep_broadcasts = Duration::from_millis(1);
    let (fixture, id, _) = on_air_with(&config).await;
    note(&fixture, &id, RecordingState::Finishing)
        .await
        .unwrap();
    write(&fixture, &id, "index.m3u8", "#EXTM3U");
    end(&fixture).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    fixture.node.keep_recordings().await;
    fixture.node.tidy().await;
    assert!(media(&fixture, &id).exists(), "it's being made");
    note(&fixture, &id, RecordingState::Ready).await.unwrap();
    fixture.node.tidy().await;
    assert_eq!(latest(&fixture).await, id, "its media is there");
    fixture.node.keep_recordings().await;
    assert!(!media(&fixture, &id).exists());
    fixture.node.tidy().await;
    let left = fixture.node.broadcasts(None, first_page()).await.unwrap();
    assert!(left.items.is_empty());
}

#[tokio::test]
async fn what_passes_the_quota_is_deleted() {
    let mut config = Config::default();
    config.vod.retention = KeepFor(None);
    config.vod.quota = Quota(Some(9));
    let (fixture, id, _) = on_air_with(&config).await;
    note(&fixture, &id, RecordingState::Recording)
        .await
        .unwrap();
    fixture.node.keep_recordings().await;
    assert!(find(&fixture, &id, None).await.is_ok(), "it's being made");
    end(&fixture).await;
    note(&fixture, &id, RecordingState::Ready).await.unwrap();
    fixture.node.keep_recordings().await;
    assert!(find(&fixture, &id, None).await.is_err());
}

#[tokio::test]
async fn markers_are_within_the_broadcast() {
    let (fixture, id, _) = on_air().await;
    let set = async |title: &str, at: Option<Timestamp>| {
        let marker = NewMarker {
            title: title.into(),
            at,
        };
        fixture.node.add_marker(&demo(), marker).await
    };
    let now = set("Song", None).await.unwrap();
    let began = fixture.node.recording(&id).await;
    assert!(began.is_err(), "markers need no recording");
    let began = fixture
        .node
        .broadcast(id.as_str())
        .await
        .unwrap()
        .started_at;
    let first = set("Opening", Some(began)).await.unwrap();
    for outside in [
        time::before(began, Duration::from_millis(1)),
        time::after(time::now(), Duration::from_mins(1)),
    ] {
        let refused = set("Nowhere", Some(outside)).await;
        assert!(matches!(refused, Err(Refusal::Unprocessable(_))));
    }
    let titles: Vec<_> = markers(&fixture, &id).await;
    let mut expected = vec![first, now.clone()];
    expected.sort_by_key(|marker| (marker.at, marker.id.clone()));
    assert_eq!(titles, expected);
    fixture.node.delete_marker(&id, &now.id).await.unwrap();
    assert!(fixture.node.delete_marker(&id, &now.id).await.is_err());

    end(&fixture).await;
    let late = set("Late", None).await;
    assert!(matches!(late, Err(Refusal::Conflict { .. })));
    fixture.node.delete_channel(&demo()).await.unwrap();
    let nowhere = set("Late", None).await;
    assert!(matches!(nowhere, Err(Refusal::NotFound(_))));
}

#[tokio::test]
async fn a_publisher_that_returns_is_marked() {
    let (fixture, id, key) = on_air().await;
    assert!(markers(&fixture, &id).await.is_empty());
    fixture.ended(0).await;
    fixture.publish(Some(&key)).await.unwrap();
    fixture.live(1).await;
    let markers = markers(&fixture, &id).await;
    assert_eq!(markers.len(), 1);
    assert_eq!(markers[0].title, "Back");
    assert!(markers[0].at <= time::now());
}

#[tokio::test]
async fn who_publishes_or_moderates_marks_and_a_sidecar_reads() {
    let (fixture, _, key) = on_air().await;
    let name = demo();
    let tokens = [
        (key, true, true),
        (
            fixture.token(TokenKind::Moderate, Some("demo")).await,
            true,
            true,
        ),
        (fixture.token(TokenKind::Admin, None).await, true, true),
        (fixture.token(TokenKind::Service, None).await, false, true),
        (
            fixture.token(TokenKind::View, Some("demo")).await,
            false,
            false,
        ),
        (
            fixture.token(TokenKind::Publish, Some("other")).await,
            false,
            false,
        ),
    ];
    for (token, marks, reads) in tokens {
        let caller = caller(Some(&token));
        let may = async |action| fixture.node.authorize(&caller, action).await.is_ok();
        assert_eq!(may(Action::Mark(&name)).await, marks);
        assert_eq!(may(Action::SeeMarkers(&name)).await, reads);
    }
    let nobody = caller(None);
    let stranger = fixture.node.authorize(&nobody, Action::Mark(&name)).await;
    assert!(matches!(stranger, Err(Refusal::Unauthorized(_))));
}
