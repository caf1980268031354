//! Tells the node what is said, for those who watch over WebRTC: they have no playlist.
//!
//! Nobody waits for it. Cues go through a queue that has a bound to a task of their own, which asks the node again for a moment only: a
//! caption that is late is worth nothing.

use std::{
    mem,
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde::Serialize;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::sleep,
};

use super::node::{Node, NodeError};
use crate::{
    captions::{Cue, Language},
    media::Moment,
};

/// Cues that wait to be told; those that come beyond it aren't.
const QUEUE: usize = 64;
/// What the node takes (docs/sidecar.md): cues of one request, and of each the characters and the length in milliseconds.
const AT_ONCE: usize = 16;
const MAX_TEXT: usize = 500;
const LONGEST: u64 = 30_000;
/// What couldn't be told for so long isn't told any more.
const WORTH: Duration = Duration::from_secs(5);
/// When a node that couldn't take it is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// Where the captions of a broadcast are told.
#[derive(Debug, Clone)]
pub struct Prompter {
    /// Whose viewers hear of it.
    pub node: Node,
    /// The broadcast's identifier there.
    pub broadcast: String,
    /// Its stream time 0.
    pub started_at: Moment,
}

/// What is told at once: stream times in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Captions<'a> {
    language: &'a str,
    cues: Vec<&'a Spoken>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Spoken {
    from: u64,
    to: u64,
    text: String,
}

/// A cue, since when it's known.
struct Known {
    spoken: Spoken,
    since: Instant,
}

/// Where the cues of a presentation go.
#[derive(Debug)]
pub(super) struct Prompt {
    /// From the presentation's time 0 to stream time, in microseconds.
    ahead: i64,
    queue: mpsc::Sender<Known>,
}

impl Prompter {
    /// Takes cues of a presentation that counts from `epoch`, until what is returned is dropped. To be called within a tokio runtime.
    pub(super) fn open(&self, channel: &str, language: &Language, epoch: Moment) -> Prompt {
        let (queue, known) = mpsc::channel(QUEUE);
        let teller = Teller {
            prompter: self.clone(),
            channel: channel.to_owned(),
            language: language.clone(),
            complained: false,
        };
        tokio::spawn(teller.run(known));
        Prompt {
            ahead: epoch.since(self.started_at),
            queue,
        }
    }
}

impl Prompt {
    pub(super) fn tell(&self, cue: &Cue) {
        let known = Known {
            spoken: spoken(cue, self.ahead),
            since: Instant::now(),
        };
        if let Err(TrySendError::Full(_)) = self.queue.try_send(known) {
            tracing::debug!("a caption isn't told: the node takes too long");
        }
    }
}

/// A cue as the node takes it. What came before the broadcast's beginning was at it.
fn spoken(cue: &Cue, ahead: i64) -> Spoken {
    let at = |micros: u64| micros.saturating_add_signed(ahead) / 1_000;
    let (from, to) = (at(cue.start), at(cue.end));
    let is_text = |c: &char| !c.is_control() || *c == '\n';
    Spoken {
        from,
        to: to.min(from + LONGEST),
        text: cue.text.chars().filter(is_text).take(MAX_TEXT).collect(),
    }
}

struct Teller {
    prompter: Prompter,
    channel: String,
    language: Language,
    complained: bool,
}

impl Teller {
    async fn run(mut self, mut queue: mpsc::Receiver<Known>) {
        let mut waiting = Vec::with_capacity(AT_ONCE);
        while queue.recv_many(&mut waiting, AT_ONCE).await > 0 {
            self.tell(mem::take(&mut waiting)).await;
        }
    }

    async fn tell(&mut self, mut cues: Vec<Known>) {
        loop {
            cues.retain(|known| known.since.elapsed() < WORTH);
            if cues.is_empty() {
                return;
            }
            let captions = Captions {
                language: self.language.as_str(),
                cues: cues.iter().map(|known| &known.spoken).collect(),
            };
            let Prompter {
                node, broadcast, ..
            } = &self.prompter;
            let Err(error) = node.tell_captions(broadcast, &captions).await else {
                self.complained = false;
                return;
            };
            if !mem::replace(&mut self.complained, true) {
                tracing::warn!(channel = self.channel, %error, "captions aren't told to viewers over WebRTC");
            }
            if !is_worth_another_try(&error) {
                return;
            }
            sleep(AGAIN).await;
        }
    }
}

/// The node didn't take it, and may soon. What it may have taken isn't told twice.
fn is_worth_another_try(error: &NodeError) -> bool {
    match error {
        NodeError::Unreachable(error) => error.is_connect(),
        NodeError::Refused { status, .. } => {
            *status == StatusCode::TOO_MANY_REQUESTS || *status == StatusCode::SERVICE_UNAVAILABLE
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Json, Router, extract::State, http::Uri};
    use serde_json::{Value, json};
    use tokio::net::TcpListener;
    use url::Url;

    use super::*;
    use crate::whep::Token;

    type Told = Arc<Mutex<Vec<(String, Value)>>>;

    /// Refuses the first `refused`, with that status.
    async fn node(refused: usize, with: StatusCode) -> (Prompter, Told) {
        let told = Told::default();
        let answer = move |State(told): State<Told>, uri: Uri, Json(body): Json<Value>| async move {
            let mut told = told.lock().unwrap();
            told.push((uri.path().to_owned(), body));
            if told.len() <= refused {
                with
            } else {
                StatusCode::NO_CONTENT
            }
        };
        let router = Router::new().fallback(answer).with_state(told.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let url = Url::parse(&format!("http://{address}/base")).unwrap();
        let prompter = Prompter {
            node: Node::new(url, Token::new("t")).unwrap(),
            broadcast: "b1".to_owned(),
            started_at: Moment(1_000_120_000),
        };
        (prompter, told)
    }

    fn cue(start: u64, text: &str) -> Cue {
        Cue {
            start,
            end: start + 1_500_000,
            text: text.to_owned(),
        }
    }

    async fn until_told(told: &Told, times: usize) -> Vec<(String, Value)> {
        loop {
            let now = told.lock().unwrap().clone();
            if now.len() >= times {
                return now;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn open(prompter: &Prompter) -> Prompt {
        let language = "en".parse().unwrap();
        prompter.open("demo", &language, Moment(1_003_000_000))
    }

    #[tokio::test]
    async fn a_cue_is_told_at_once_in_stream_time() {
        let (prompter, told) = node(0, StatusCode::NO_CONTENT).await;
        let prompt = open(&prompter);
        prompt.tell(&cue(90_000_000, "going to\nthe park"));
        let expected = json!({
            "language": "en",
            "cues": [{"from": 92_880, "to": 94_380, "text": "going to\nthe park"}],
        });
        let path = "/base/api/v1/broadcasts/b1/captions".to_owned();
        assert_eq!(until_told(&told, 1).await, [(path, expected)]);
    }

    #[tokio::test]
    async fn those_that_wait_are_told_together_and_no_more_of_them_than_may() {
        let (prompter, told) = node(0, StatusCode::NO_CONTENT).await;
        let prompt = open(&prompter);
        // The task has no turn meanwhile.
        for number in 0..QUEUE as u64 + 9 {
            prompt.tell(&cue(number, "x"));
        }
        drop(prompt);
        let told = until_told(&told, QUEUE / AT_ONCE).await;
        let counts = told
            .iter()
            .map(|(_, body)| body["cues"].as_array().unwrap().len());
        assert_eq!(counts.collect::<Vec<_>>(), [AT_ONCE; QUEUE / AT_ONCE]);
    }

    #[tokio::test]
    async fn a_node_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
        let (prompter, told) = node(1, StatusCode::SERVICE_UNAVAILABLE).await;
        let prompt = open(&prompter);
        prompt.tell(&cue(0, "one"));
        let again = until_told(&told, 2).await;
        assert_eq!(again[0], again[1]);
        let (prompter, told) = node(1, StatusCode::CONFLICT).await;
        let prompt = open(&prompter);
        prompt.tell(&cue(0, "one"));
        until_told(&told, 1).await;
        prompt.tell(&cue(1, "two"));
        assert_eq!(until_told(&told, 2).await[1].1["cues"][0]["text"], "two");
    }

    #[test]
    fn what_the_node_would_refuse_is_made_fit() {
        let before = spoken(&cue(1_000_000, "x"), -2_880_000);
        assert_eq!((before.from, before.to), (0, 0));
        let long = Cue {
            start: 0,
            end: 90_000_000,
            text: "\u{7}é".repeat(600),
        };
        let fit = spoken(&long, 1_000);
        assert_eq!((fit.from, fit.to), (1, 30_001));
        assert_eq!(fit.text, "é".repeat(500));
    }
}
