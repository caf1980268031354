//! Outside services: told of events, and asked for permission. Described in `docs/webhooks.md`.

mod authorize;
mod deliver;
mod request;
#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use spillway_signaling::{ChannelName, api::model::Webhook};
use tokio::task::JoinSet;

use crate::{
    config::{self, WebhookEvent},
    metrics::Metrics,
};

use authorize::Authorizer;
pub use authorize::{Question, Verdict, Wish};
use deliver::Endpoint;
use request::Sender;

/// An event, as endpoints get it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// Which event.
    pub event: WebhookEvent,
    /// Where it happened.
    pub channel: ChannelName,
    /// Which session (its public identifier, as in the API).
    pub session: String,
    /// The client's address.
    pub address: IpAddr,
    /// The broadcast under way, if there is one.
    pub broadcast: Option<String>,
    /// Connected viewers of the channel, this event included.
    pub viewers: u32,
    /// Milliseconds since 1970.
    pub at: u64,
}

/// All outside services of a node.
pub struct Webhooks {
    endpoints: Vec<Endpoint>,
    authorizer: Authorizer,
    tasks: Mutex<JoinSet<()>>,
}

/// Why webhooks can't be used.
#[derive(Debug, thiserror::Error)]
#[error("webhooks can't be sent: {0}; check the system's certificates (package ca-certificates)")]
pub struct WebhookError(#[from] reqwest::Error);

impl Webhooks {
    /// Starts one delivery task for each configured endpoint. Must be called within a tokio runtime.
    pub fn start(config: &config::Webhooks, metrics: &Metrics) -> Result<Self, WebhookError> {
        let client = reqwest::Client::builder()
            .timeout(config.timeout)
            // The signature is for the service that was configured, and for no other.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("spillway/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let sender = Arc::new(Sender::new(client, &config.secret));
        let mut tasks = JoinSet::new();
        let endpoints = config
            .endpoints
            .iter()
            .map(|endpoint| {
                Endpoint::start(
                    endpoint,
                    config,
                    sender.clone(),
                    metrics.clone(),
                    &mut tasks,
                )
            })
            .collect();
        Ok(Self {
            endpoints,
            authorizer: Authorizer::new(config, sender),
            tasks: tasks.into(),
        })
    }

    /// Tells every endpoint that wants to know. Never waits: at a full queue the notice is dropped and counted.
    pub fn notify(&self, notice: &Notice) {
        for endpoint in &self.endpoints {
            endpoint.notify(notice);
        }
    }

    /// Whether somebody decides over that besides this node's tokens.
    pub fn decides(&self, wish: Wish) -> bool {
        self.authorizer.decides(wish)
    }

    /// Asks the service that decides. Allowed when there's none.
    pub async fn ask(&self, question: &Question<'_>) -> Verdict {
        self.authorizer.ask(question).await
    }

    /// The endpoints and how their deliveries go.
    pub fn states(&self) -> Vec<Webhook> {
        self.endpoints.iter().map(Endpoint::state).collect()
    }

    /// Delivers what waits, but not longer than `deadline`.
    pub async fn stop(&self, deadline: Duration) {
        for endpoint in &self.endpoints {
            endpoint.close();
        }
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            tracing::warn!("some webhooks weren't delivered before the shutdown's deadline");
        }
    }
}
