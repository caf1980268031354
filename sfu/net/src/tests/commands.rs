use spillway_sfu::{EndReason, PublishRequest, Reject, SessionId, WatchRequest, WorkerId};

use super::*;
use crate::DataMessage;

fn publish(offer: &str, take_over: bool) -> PublishRequest {
    PublishRequest {
        channel: "demo".parse().unwrap(),
        offer: offer.into(),
        take_over,
    }
}

fn watch() -> WatchRequest {
    WatchRequest {
        channel: "demo".parse().unwrap(),
        offer: String::new(),
        selection: spillway_sfu::LayerSelection::default(),
        wait: true,
        for_others: false,
    }
}

#[tokio::test]
async fn viewers_spread_over_the_workers() {
    let (media, _events) = start(&config(3));
    let mut on_worker = [0; 3];
    for _ in 0..12 {
        let accepted = media.watch(watch()).await.unwrap();
        on_worker[usize::from(accepted.session.worker.0)] += 1;
    }
    assert_eq!(on_worker, [4, 4, 4]);
}

#[tokio::test]
async fn of_publishers_at_once_exactly_one_wins() {
    let (media, mut events) = start(&config(2));
    for _ in 0..20 {
        let all = [(); 8].map(|()| {
            let media = media.clone();
            tokio::spawn(async move { media.publish(publish("", false)).await })
        });
        let mut winners = Vec::new();
        for one in all {
            match one.await.unwrap() {
                Ok(accepted) => winners.push(accepted.session),
                Err(reject) => assert_eq!(reject, Reject::AlreadyLive),
            }
        }
        assert_eq!(winners.len(), 1);
        media.close(winners[0]).await.unwrap();
        assert!(matches!(events.recv().await, Some(Event::Ended { .. })));
    }
}

#[tokio::test]
async fn a_refused_publisher_leaves_the_channel_free() {
    let (media, _events) = start(&config(2));
    assert!(matches!(
        media.publish(publish("bad", false)).await,
        Err(Reject::Malformed(_))
    ));
    media.publish(publish("", false)).await.unwrap();
}

#[tokio::test]
async fn a_take_over_meets_the_present_publisher_on_its_worker() {
    let (media, _events) = start(&config(3));
    let first = media.publish(publish("", false)).await.unwrap().session;
    for _ in 0..3 {
        media.watch(watch()).await.unwrap();
    }
    let second = media.publish(publish("", true)).await.unwrap().session;
    assert_eq!(first.worker, second.worker);
}

#[tokio::test]
async fn a_session_whose_client_went_away_is_closed() {
    let (media, mut events) = start(&config(1));
    {
        let request = media.watch(watch());
        tokio::pin!(request);
        // Polled once, so that the request is on its way, then dropped like an aborted HTTP request.
        let first = std::future::poll_fn(|cx| std::task::Poll::Ready(request.as_mut().poll(cx)));
        if first.await.is_ready() {
            return;
        }
    }
    let ended = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap();
    assert!(matches!(
        ended,
        Some(Event::Ended {
            reason: EndReason::Closed,
            ..
        })
    ));
}

#[tokio::test]
async fn a_session_of_no_worker_is_no_session() {
    let (media, _events) = start(&config(1));
    let session = SessionId {
        worker: WorkerId(9),
        serial: 1,
    };
    assert_eq!(media.close(session).await, Err(Reject::NoSession));
}

#[tokio::test]
async fn a_platform_that_does_not_read_loses_data_but_no_ends() {
    let (media, mut events) = start(&config(1));
    let session = media.watch(watch()).await.unwrap().session;
    let message = DataMessage {
        session,
        channel: 1,
        text: "hello".into(),
    };
    let sent = crate::outlet::EVENTS + 100;
    for answer in media.send_data(vec![message; sent]) {
        assert_eq!(answer.await, Ok(Vec::new()));
    }
    media.close(session).await.unwrap();
    assert_eq!(media.statistics().await.unwrap()[0].worker.event_drops, 100);
    let mut received = 0;
    while let Ok(Some(event)) = tokio::time::timeout(PATIENCE, events.recv()).await {
        match event {
            Event::Data { .. } => received += 1,
            Event::Ended { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(received, crate::outlet::EVENTS);
}

#[tokio::test]
async fn layers_are_chosen_and_asked_for_on_the_sessions_worker() {
    let (media, _events) = start(&config(2));
    let sessions = [
        media.watch(watch()).await.unwrap().session,
        media.watch(watch()).await.unwrap().session,
    ];
    assert_ne!(sessions[0].worker, sessions[1].worker);
    let selection = spillway_sfu::LayerSelection::default;
    for session in sessions {
        media.select_layers(session, selection()).await.unwrap();
        assert_eq!(media.session_layers(session).await, Ok(Vec::new()));
        media.close(session).await.unwrap();
        let gone = media.select_layers(session, selection()).await;
        assert_eq!(gone, Err(Reject::NoSession));
        let gone = media.session_layers(session).await;
        assert_eq!(gone, Err(Reject::NoSession));
    }
}

#[tokio::test]
async fn messages_reach_sessions_of_all_workers_and_who_is_gone_is_named() {
    let (media, _events) = start(&config(2));
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(media.watch(watch()).await.unwrap().session);
    }
    media.close(sessions[2]).await.unwrap();
    let message = |session: &SessionId| DataMessage {
        session: *session,
        channel: 1,
        text: "hello".into(),
    };
    let messages: Vec<_> = sessions.iter().cycle().take(100).map(message).collect();
    let mut untaken = Vec::new();
    for answer in media.send_data(messages) {
        untaken.extend(answer.await.unwrap());
    }
    assert_eq!(untaken, vec![sessions[2]; 25]);
    let clocks = media.video_clocks(sessions.clone()).await.unwrap();
    let mut known: Vec<_> = clocks.iter().map(|clock| clock.session).collect();
    known.sort();
    sessions.remove(2);
    sessions.sort();
    assert_eq!(known, sessions);
}
