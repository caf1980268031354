//! Broadcasts that end, begin again, and take each other's place.

use std::time::{Duration, Instant};

use spillway_hls::{
    media::{Moment, Rate},
    origin::{
        AddRenditionError, Limits, Origin, Presentation, PublishError, PushError, RenditionInfo,
        RenditionKind, RenditionWriter, Settings, SettingsError, first_segment_number,
    },
};

use crate::{
    broadcast::{Broadcast, FIRST, audio_info, picture, settings, sound, video_info},
    server::{Server, lines},
};

#[tokio::test]
async fn a_broadcast_that_ended_is_readable_for_a_while() {
    let limits = Limits {
        linger: Duration::from_mins(1),
        ..Limits::default()
    };
    let server = Server::limited(limits).await;
    let mut broadcast = Broadcast::new();
    server
        .origin
        .publish("demo", &broadcast.presentation)
        .unwrap();
    broadcast.push_seconds(2);
    let now = Instant::now();
    server.origin.sweep(now);
    server.origin.sweep(now + Duration::from_hours(1));
    assert_eq!(server.status("index.m3u8").await, 200, "it's live");
    broadcast.finish();
    server.origin.sweep(now);
    server.origin.sweep(now + Duration::from_secs(59));
    assert!(
        server
            .text("720p/index.m3u8")
            .await
            .ends_with("#EXT-X-ENDLIST\n")
    );
    server.origin.sweep(now + Duration::from_mins(1));
    assert_eq!(server.status("index.m3u8").await, 404);
}

#[tokio::test]
async fn numbers_never_go_back_when_another_broadcast_takes_the_place() {
    let mut first = Broadcast::new();
    first.push_seconds(5);
    let server = Server::with(&first.presentation).await;
    let waiting = server.start("720p/index.m3u8?_HLS_msn=1005&_HLS_part=0");
    tokio::time::sleep(Duration::from_millis(100)).await;
    // The clock says less than what the first one came to.
    let next = server.origin.next_number("demo", Moment(0));
    assert_eq!(next, FIRST + 6, "1005 was announced");
    let mut second = Broadcast::with(settings(), next);
    server.origin.publish("demo", &second.presentation).unwrap();
    assert!(matches!(
        first.video.push(picture(150, true)),
        Ok(()) | Err(PushError::Replaced)
    ));
    second.push_seconds(1);
    let (status, playlist) = waiting.await.unwrap();
    assert_eq!(
        status, 200,
        "who waited for the first one goes on with the second"
    );
    assert_eq!(lines(&playlist, "#EXT-X-MEDIA-SEQUENCE:"), ["1006"]);
    assert_eq!(lines(&playlist, "#EXT-X-DISCONTINUITY-SEQUENCE:"), ["503"]);
    // Players that haven't come to it still fetch the last of the first one.
    assert_eq!(server.status("720p/1004.m4s").await, 200);
    assert_eq!(server.status("720p/1005.0.m4s").await, 404);
    let now = Instant::now();
    server.origin.sweep(now);
    server.origin.sweep(now + Duration::from_mins(1));
    assert_eq!(server.status("720p/1004.m4s").await, 404);
    assert_eq!(server.status("720p/1006.m4s").await, 200);
}

#[test]
fn a_presentation_must_go_on_above_the_one_before_it() {
    let origin = Origin::default();
    let mut first = Broadcast::new();
    origin.publish("demo", &first.presentation).unwrap();
    first.push_seconds(1);
    let second = Presentation::new(settings()).unwrap();
    origin.publish("demo", &second).unwrap();
    let mut writer = second.add_rendition(video_info("720p")).unwrap();
    assert!(matches!(
        writer.begin_segment(FIRST + 1, 0),
        Err(PushError::Number { next: 1002, .. })
    ));
    writer.begin_segment(FIRST + 2, 0).unwrap();
}

#[test]
fn a_process_that_begins_anew_goes_on_above_the_one_before_it() {
    let before = first_segment_number(Moment(1_767_225_600_000_000));
    // It ran for an hour, with segments of a second, and was killed.
    let after = first_segment_number(Moment(1_767_225_600_000_000 + 3_601_000_000));
    assert!(after > before + 3600);
    // Players may keep numbers in 32 bits: they hold beyond 2080.
    assert!(first_segment_number(Moment(3_471_292_800_000_000)) < 1 << 31);
}

#[test]
fn writers_of_a_replaced_broadcast_are_told() {
    let origin = Origin::default();
    let mut first = Broadcast::new();
    origin.publish("demo", &first.presentation).unwrap();
    first.push_seconds(1);
    origin
        .publish("demo", &Presentation::new(settings()).unwrap())
        .unwrap();
    assert!(first.presentation.has_ended());
    let pushed = (30..36).try_for_each(|frame| first.video.push(picture(frame, frame == 30)));
    assert!(matches!(pushed, Err(PushError::Replaced)));
}

#[test]
fn samples_that_break_the_contract_are_refused_with_a_reason() {
    let presentation = Presentation::new(settings()).unwrap();
    let mut video = presentation.add_rendition(video_info("720p")).unwrap();
    assert!(matches!(
        video.push(picture(0, true)),
        Err(PushError::NotStarted)
    ));
    video.start(crate::broadcast::h264(64, 64)).unwrap();
    video.begin_segment(10, 30).unwrap();
    video.push(picture(29, true)).unwrap();
    assert!(matches!(
        video.push(picture(30, false)),
        Err(PushError::NoKeyframe(10))
    ));
    video.push(picture(30, true)).unwrap();
    assert!(matches!(
        video.push(picture(32, false)),
        Err(PushError::Gap { .. })
    ));
    assert!(matches!(
        video.push(picture(30, false)),
        Err(PushError::Gap { .. })
    ));
    let mut endless = picture(31, false);
    endless.duration = 0;
    assert!(matches!(video.push(endless), Err(PushError::NoDuration(_))));
    assert!(matches!(
        video.begin_segment(12, 60),
        Err(PushError::Number { next: 11, got: 12 })
    ));
    assert!(matches!(
        video.begin_segment(11, 30),
        Err(PushError::TooLate(11))
    ));
    for ahead in 0..16 {
        video.begin_segment(11 + ahead, 100 + ahead).unwrap();
    }
    assert!(matches!(
        video.begin_segment(27, 200),
        Err(PushError::TooManyAnnounced)
    ));
    // Another instant for one of them, and those after it are forgotten.
    video.begin_segment(11, 1000).unwrap();
    let pushed = (31..200).try_for_each(|frame| video.push(picture(frame, false)));
    assert!(matches!(pushed, Err(PushError::SegmentTooLong(10))));
}

#[test]
fn a_segment_cannot_begin_before_what_was_pushed() {
    let mut broadcast = Broadcast::new();
    broadcast.push(40);
    assert!(matches!(
        broadcast.video.begin_segment(FIRST + 2, 39),
        Err(PushError::TooLate(1002))
    ));
    broadcast.video.begin_segment(FIRST + 2, 40).unwrap();
    // It has ended with that, so the next one can't be put off.
    assert!(matches!(
        broadcast.video.begin_segment(FIRST + 2, 41),
        Err(PushError::TooLate(1002))
    ));
    // Sound may end after the instant, not begin after it.
    let began = Broadcast::new();
    let mut audio = began.audio;
    audio.begin_segment(FIRST, 0).unwrap();
    audio.push(sound(0)).unwrap();
    audio.push(sound(1)).unwrap();
    assert!(matches!(
        audio.begin_segment(FIRST + 1, 0),
        Err(PushError::TooLate(1001))
    ));
    audio.begin_segment(FIRST + 1, 1).unwrap();
}

#[test]
fn a_rendition_must_fit_the_grid_and_the_part() {
    let presentation = Presentation::new(settings()).unwrap();
    let refusal = |numerator, denominator, timescale| {
        let rate = Rate {
            numerator,
            denominator,
        };
        let kind = RenditionKind::Video { rate };
        let info = RenditionInfo {
            name: "x".into(),
            kind,
            timescale,
        };
        presentation
            .add_rendition(info)
            .map(RenditionWriter::remove)
            .err()
    };
    // A part is 200 ms.
    assert_eq!(refusal(15, 1, 15), None);
    assert_eq!(refusal(12, 1, 12), Some(AddRenditionError::Rate));
    assert_eq!(
        refusal(30, 1, 1000),
        Some(AddRenditionError::Timescale(1000))
    );
    assert_eq!(refusal(30, 1, 0), Some(AddRenditionError::Timescale(0)));
    assert_eq!(refusal(0, 1, 30), Some(AddRenditionError::Timescale(30)));
}

#[test]
fn settings_that_no_part_can_keep_are_refused() {
    let refusal = |change: fn(&mut Settings)| {
        let mut settings = settings();
        change(&mut settings);
        Presentation::new(settings).err()
    };
    assert!(matches!(
        refusal(|settings| settings.part_frames = 4),
        Some(SettingsError::Part(_))
    ));
    assert!(matches!(
        refusal(|settings| settings.part_frames = 16),
        Some(SettingsError::Part(_))
    ));
    assert_eq!(
        refusal(|settings| settings.target_duration = 0),
        Some(SettingsError::TargetDuration(0))
    );
    assert_eq!(
        refusal(|settings| settings.grid.numerator = 0),
        Some(SettingsError::Rate)
    );
}

#[test]
fn names_and_numbers_have_bounds() {
    let presentation = Presentation::new(settings()).unwrap();
    for name in ["", "a/b", "ä", &"x".repeat(65)] {
        assert_eq!(
            presentation.add_rendition(video_info(name)).unwrap_err(),
            AddRenditionError::Name
        );
        assert_eq!(
            Origin::default().publish(name, &presentation),
            Err(PublishError::Name)
        );
    }
    let writers: Vec<_> = (0..16)
        .map(|index| {
            presentation
                .add_rendition(video_info(&index.to_string()))
                .unwrap()
        })
        .collect();
    assert_eq!(
        presentation.add_rendition(audio_info()).unwrap_err(),
        AddRenditionError::TooMany
    );
    drop(writers);
    let _audio = presentation.add_rendition(audio_info()).unwrap();
    let taken = presentation.add_rendition(audio_info()).unwrap_err();
    assert_eq!(taken, AddRenditionError::Taken("audio".into()));
    let origin = Origin::new(Limits {
        channels: 1,
        ..Limits::default()
    });
    origin.publish("a", &presentation).unwrap();
    assert_eq!(
        origin.publish("b", &presentation),
        Err(PublishError::TooMany(1))
    );
    origin.remove("a");
    origin
        .publish("b", &Presentation::new(settings()).unwrap())
        .unwrap();
}
