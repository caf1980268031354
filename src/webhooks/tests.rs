#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};

use super::*;

const SECRET: &str = "sixteen letters!";

#[derive(Clone, Default)]
struct Service {
    /// What it answers, in order; 200 afterwards.
    answers: Arc<Mutex<VecDeque<(StatusCode, &'static str)>>>,
    requests: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

impl Service {
    async fn start(answers: &[(StatusCode, &'static str)]) -> (Self, String) {
        let service = Self::default();
        service.answers.lock().unwrap().extend(answers);
        let router = Router::new()
            .route("/hook", post(answer))
            .with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (service, url)
    }

    fn bodies(&self) -> Vec<serde_json::Value> {
        self.requests
            .lock()
            .unwrap()
            .iter()
            .map(|(_, body)| serde_json::from_str(body).unwrap())
            .collect()
    }

    fn header(&self, request: usize, name: &str) -> String {
        self.requests.lock().unwrap()[request].0[name]
            .to_str()
            .unwrap()
            .to_owned()
    }
}

async fn answer(
    State(service): State<Service>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, &'static str) {
    service.requests.lock().unwrap().push((headers, body));
    service
        .answers
        .lock()
        .unwrap()
        .pop_front()
        .unwrap_or((StatusCode::OK, ""))
}

fn config(url: &str) -> config::Webhooks {
    config::Webhooks {
        secret: SECRET.into(),
        backoff: Duration::from_millis(5),
        attempts: 3,
        timeout: Duration::from_millis(500),
        endpoints: vec![config::Endpoint {
            url: url.into(),
            events: vec![],
        }],
        ..config::Webhooks::default()
    }
}

fn start(config: &config::Webhooks) -> Webhooks {
    Webhooks::start(config, &Metrics::default()).unwrap()
}

fn notice(event: WebhookEvent) -> Notice {
    Notice {
        event,
        channel: "demo".parse().unwrap(),
        session: "0-1".into(),
        address: "192.0.2.1".parse().unwrap(),
        broadcast: None,
        viewers: 0,
        at: 0,
    }
}

async fn ask(config: &config::Webhooks) -> Verdict {
    let question = Question {
        action: Wish::Publish,
        channel: &"demo".parse().unwrap(),
        address: "192.0.2.1".parse().unwrap(),
        token: Some("key"),
        user_agent: None,
    };
    start(config).ask(&question).await
}

fn asking(url: String) -> config::Webhooks {
    config::Webhooks {
        endpoints: vec![],
        authorize_publish: url,
        ..config("")
    }
}

#[tokio::test]
async fn an_event_arrives_signed() {
    let (service, url) = Service::start(&[]).await;
    let webhooks = start(&config(&url));
    webhooks.notify(&notice(WebhookEvent::OnPublish));
    webhooks.stop(Duration::from_secs(5)).await;
    let body = &service.bodies()[0];
    assert_eq!(
        (&body["event"], &body["channel"]),
        (&"on-publish".into(), &"demo".into())
    );
    let signature = service.header(0, "spillway-signature");
    let (time, mac) = signature
        .strip_prefix("t=")
        .unwrap()
        .split_once(",v1=")
        .unwrap();
    let raw = service.requests.lock().unwrap()[0].1.clone();
    assert_eq!(
        mac,
        request::sign(SECRET.as_bytes(), time.parse().unwrap(), &raw)
    );
    assert_eq!(webhooks.states()[0].delivered, 1);
}

#[tokio::test]
async fn a_delivery_that_fails_is_tried_again_under_its_name() {
    let busy = (StatusCode::SERVICE_UNAVAILABLE, "");
    let (service, url) = Service::start(&[busy, busy]).await;
    let webhooks = start(&config(&url));
    webhooks.notify(&notice(WebhookEvent::OnPublish));
    webhooks.stop(Duration::from_secs(5)).await;
    assert_eq!(service.bodies().len(), 3);
    assert_eq!(
        service.header(0, "spillway-delivery"),
        service.header(2, "spillway-delivery")
    );
    assert_eq!(
        (webhooks.states()[0].delivered, webhooks.states()[0].failed),
        (1, 0)
    );
}

#[tokio::test]
async fn a_delivery_is_given_up_after_the_configured_tries_and_the_next_one_goes_on() {
    let broken = (StatusCode::INTERNAL_SERVER_ERROR, "");
    let (service, url) = Service::start(&[broken, broken, broken]).await;
    let webhooks = start(&config(&url));
    webhooks.notify(&notice(WebhookEvent::OnPublish));
    webhooks.notify(&notice(WebhookEvent::OnUnpublish));
    webhooks.stop(Duration::from_secs(5)).await;
    assert_eq!(service.bodies().last().unwrap()["event"], "on-unpublish");
    let state = &webhooks.states()[0];
    assert_eq!((state.delivered, state.failed, state.pending), (1, 1, 0));
    assert!(state.last_error.as_ref().unwrap().contains("500"));
}

#[tokio::test]
async fn a_delivery_that_the_endpoint_refuses_is_not_repeated() {
    let (service, url) = Service::start(&[(StatusCode::BAD_REQUEST, "")]).await;
    let webhooks = start(&config(&url));
    webhooks.notify(&notice(WebhookEvent::OnPublish));
    webhooks.stop(Duration::from_secs(5)).await;
    assert_eq!(service.bodies().len(), 1);
    assert_eq!(webhooks.states()[0].failed, 1);
}

#[tokio::test]
async fn events_that_nobody_wants_are_not_sent_and_a_full_queue_drops() {
    let (service, url) = Service::start(&[]).await;
    let mut config = config(&url);
    config.queue = 1;
    config.endpoints[0].events = vec![WebhookEvent::OnPublish];
    let webhooks = start(&config);
    // The delivery task can't run between these: the test's runtime has one thread.
    for event in [
        WebhookEvent::OnViewerJoin,
        WebhookEvent::OnPublish,
        WebhookEvent::OnPublish,
    ] {
        webhooks.notify(&notice(event));
    }
    webhooks.stop(Duration::from_secs(5)).await;
    assert_eq!(service.bodies().len(), 1);
    assert_eq!(
        (webhooks.states()[0].delivered, webhooks.states()[0].failed),
        (1, 1)
    );
}

#[tokio::test]
async fn a_service_allows_names_the_user_or_denies_with_its_reason() {
    let (service, url) = Service::start(&[
        (StatusCode::OK, "{\"user\": \"alice\"}"),
        (StatusCode::NO_CONTENT, ""),
        (StatusCode::FORBIDDEN, "{\"detail\": \"pay first\"}"),
        (StatusCode::FORBIDDEN, "<html>"),
    ])
    .await;
    let config = asking(url);
    assert_eq!(
        ask(&config).await,
        Verdict::Allowed {
            user: Some("alice".into())
        }
    );
    assert_eq!(ask(&config).await, Verdict::Allowed { user: None });
    assert_eq!(ask(&config).await, Verdict::Denied("pay first".into()));
    assert!(matches!(ask(&config).await, Verdict::Denied(_)));
    let body = &service.bodies()[0];
    assert_eq!(
        (&body["action"], &body["token"]),
        (&"publish".into(), &"key".into())
    );
    assert!(service.header(0, "spillway-signature").starts_with("t="));
}

#[tokio::test]
async fn a_service_that_does_not_answer_lets_nobody_in_unless_configured_to() {
    // A port that nobody listens on, and a service that breaks.
    let (_, broken) = Service::start(&[(StatusCode::INTERNAL_SERVER_ERROR, ""); 2]).await;
    for url in ["http://127.0.0.1:9/hook".to_owned(), broken] {
        let mut config = asking(url);
        assert_eq!(ask(&config).await, Verdict::Unavailable);
        config.authorize_fail_open = true;
        assert_eq!(ask(&config).await, Verdict::Allowed { user: None });
    }
}

#[tokio::test]
async fn nobody_is_asked_when_no_service_is_configured() {
    assert_eq!(
        ask(&config::Webhooks::default()).await,
        Verdict::Allowed { user: None }
    );
}
