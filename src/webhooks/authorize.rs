//! Permission asked of an outside service before a session is let in.

use std::{net::IpAddr, sync::Arc};

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use spillway_signaling::ChannelName;

use super::request::Sender;
use crate::{config, time};

/// Longer answers aren't read.
const MAX_ANSWER_BYTES: usize = 4096;

/// What a client wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish {
    /// Publish to the channel.
    Publish,
    /// Watch it.
    View,
}

/// What the service is asked.
#[derive(Serialize)]
pub struct Question<'a> {
    /// What the client wants to do.
    pub action: Wish,
    /// With which channel.
    pub channel: &'a ChannelName,
    /// The client's address.
    pub address: IpAddr,
    /// The client's bearer token, as it came: the service may judge it itself.
    pub token: Option<&'a str>,
    /// The client's `User-Agent`.
    pub user_agent: Option<&'a str>,
}

/// What the service said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Let it in.
    Allowed {
        /// Who it is, if the service says so: publishers of one user may take over from each other.
        user: Option<String>,
    },
    /// Don't, and tell the client this.
    Denied(String),
    /// The service didn't answer, and sessions aren't let in without its answer.
    Unavailable,
}

/// The optional body of an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    user: Option<String>,
    detail: Option<String>,
}

pub(super) struct Authorizer {
    publish: String,
    view: String,
    fail_open: bool,
    sender: Arc<Sender>,
}

impl Authorizer {
    pub(super) fn new(config: &config::Webhooks, sender: Arc<Sender>) -> Self {
        Self {
            publish: config.authorize_publish.clone(),
            view: config.authorize_view.clone(),
            fail_open: config.authorize_fail_open,
            sender,
        }
    }

    pub(super) fn decides(&self, wish: Wish) -> bool {
        !self.url(wish).is_empty()
    }

    pub(super) async fn ask(&self, question: &Question<'_>) -> Verdict {
        if !self.decides(question.action) {
            return Verdict::Allowed { user: None };
        }
        match self.send(question).await {
            Ok(verdict) => verdict,
            Err(error) => {
                tracing::warn!(%error, fail_open = self.fail_open, "the service that authorises didn't answer");
                if self.fail_open {
                    Verdict::Allowed { user: None }
                } else {
                    Verdict::Unavailable
                }
            }
        }
    }

    async fn send(&self, question: &Question<'_>) -> Result<Verdict, String> {
        let body = serde_json::to_string(question).map_err(|error| error.to_string())?;
        let response = self
            .sender
            .post(self.url(question.action), &time::new_id(), body)
            .await;
        let mut response = response.map_err(|error| error.without_url().to_string())?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| error.without_url().to_string())?
        {
            text.extend_from_slice(&chunk);
            if text.len() > MAX_ANSWER_BYTES {
                return Err(format!(
                    "its answer is longer than {MAX_ANSWER_BYTES} bytes"
                ));
            }
        }
        // A body is optional, and one that isn't ours (an error page) says nothing.
        let answer: Answer = serde_json::from_slice(&text).unwrap_or_default();
        match status {
            status if status.is_success() => Ok(Verdict::Allowed { user: answer.user }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                let detail = answer
                    .detail
                    .unwrap_or_else(|| "the service that decides over this channel said no".into());
                Ok(Verdict::Denied(detail))
            }
            status => Err(format!("it answered {status}")),
        }
    }

    fn url(&self, wish: Wish) -> &str {
        match wish {
            Wish::Publish => &self.publish,
            Wish::View => &self.view,
        }
    }
}
