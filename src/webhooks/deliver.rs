//! Delivery of events to one endpoint: in order, retried, from a bounded queue.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{StatusCode, Url};
use spillway_signaling::api::model::Webhook;
use tokio::{sync::mpsc, task::JoinSet};

use super::{Notice, request::Sender};
use crate::{
    config,
    metrics::{DeliveryLabel, DeliveryOutcome, Metrics},
    time,
};

/// Pauses between tries don't grow beyond it.
const MAX_BACKOFF: Duration = Duration::from_mins(1);

/// The way to an endpoint's delivery task.
pub(super) struct Endpoint {
    events: Vec<config::WebhookEvent>,
    /// None once the node stops.
    queue: Mutex<Option<mpsc::Sender<Notice>>>,
    figures: Arc<Mutex<Webhook>>,
    metrics: Metrics,
}

struct Delivery {
    url: String,
    sender: Arc<Sender>,
    attempts: u32,
    backoff: Duration,
    figures: Arc<Mutex<Webhook>>,
    metrics: Metrics,
}

impl Endpoint {
    pub(super) fn start(
        endpoint: &config::Endpoint,
        config: &config::Webhooks,
        sender: Arc<Sender>,
        metrics: Metrics,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let figures = Arc::new(Mutex::new(Webhook {
            url: without_credentials(&endpoint.url),
            events: endpoint
                .events
                .iter()
                .map(|event| event.name().to_owned())
                .collect(),
            pending: 0,
            delivered: 0,
            failed: 0,
            last_error: None,
        }));
        let delivery = Delivery {
            url: endpoint.url.clone(),
            sender,
            attempts: config.attempts,
            backoff: config.backoff,
            figures: figures.clone(),
            metrics: metrics.clone(),
        };
        let (queue, notices) = mpsc::channel(config.queue);
        tasks.spawn(delivery.run(notices));
        Self {
            events: endpoint.events.clone(),
            queue: Some(queue).into(),
            figures,
            metrics,
        }
    }

    pub(super) fn notify(&self, notice: &Notice) {
        if !self.events.is_empty() && !self.events.contains(&notice.event) {
            return;
        }
        let queue = lock(&self.queue);
        let Some(queue) = queue.as_ref() else { return };
        // Counted before it's sent: the delivery may be done before this thread goes on.
        lock(&self.figures).pending += 1;
        if queue.try_send(notice.clone()).is_err() {
            let mut figures = lock(&self.figures);
            figures.pending -= 1;
            figures.failed += 1;
            figures.last_error = Some("the queue is full; events are dropped".into());
            count(&self.metrics, DeliveryOutcome::Dropped);
        }
    }

    pub(super) fn state(&self) -> Webhook {
        lock(&self.figures).clone()
    }

    /// Lets the task end once the queue is empty.
    pub(super) fn close(&self) {
        lock(&self.queue).take();
    }
}

impl Delivery {
    async fn run(self, mut notices: mpsc::Receiver<Notice>) {
        while let Some(notice) = notices.recv().await {
            let result = self.deliver(&notice).await;
            let outcome = if result.is_ok() {
                DeliveryOutcome::Delivered
            } else {
                DeliveryOutcome::GivenUp
            };
            let mut figures = lock(&self.figures);
            figures.pending -= 1;
            match result {
                Ok(()) => figures.delivered += 1,
                Err(error) => {
                    figures.failed += 1;
                    tracing::warn!(url = figures.url, %error, "a webhook wasn't delivered");
                    figures.last_error = Some(error);
                }
            }
            drop(figures);
            count(&self.metrics, outcome);
        }
    }

    async fn deliver(&self, notice: &Notice) -> Result<(), String> {
        let delivery = time::new_id();
        let body = serde_json::to_string(notice).map_err(|error| error.to_string())?;
        let mut pause = self.backoff;
        let mut tried = 1;
        loop {
            let error = match self.sender.post(&self.url, &delivery, body.clone()).await {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) if !worth_retrying(response.status()) => {
                    return Err(format!(
                        "the endpoint refused it with {}",
                        response.status()
                    ));
                }
                Ok(response) => format!("the endpoint answered {}", response.status()),
                Err(error) => error.without_url().to_string(),
            };
            if tried >= self.attempts {
                return Err(error);
            }
            lock(&self.figures).last_error = Some(error);
            count(&self.metrics, DeliveryOutcome::Retried);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MAX_BACKOFF);
            tried += 1;
        }
    }
}

/// The receiver's trouble passes; the sender's mistakes don't.
fn worth_retrying(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

fn without_credentials(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return "(not a URL)".into();
    };
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return "(not a URL)".into();
    }
    url.into()
}

fn count(metrics: &Metrics, outcome: DeliveryOutcome) {
    metrics
        .deliveries
        .get_or_create(&DeliveryLabel { outcome })
        .inc();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
