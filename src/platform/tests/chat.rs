//! Rooms over a real store: who comes in by which way, and what survives.

mod data_channels;
mod tokens;

use std::time::Duration;

use serde_json::{Value, json};
use spillway_chat::{
    protocol::{EventKind, StreamEvent},
    room::{Appended, NewEvent},
};
use spillway_signaling::{BroadcastId, ChatLine, NewCaptions, NewCue};
use tokio::time::timeout;

use super::*;
use crate::chat::Visitor;

/// How long something may take that is done at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client of a chat, by WebSocket.
struct Client {
    line: ChatLine,
    received: Vec<Value>,
}

impl Client {
    async fn join(fixture: &Fixture, hello: Value) -> Self {
        Self::join_with(fixture, None, hello).await
    }

    /// With a token in the request.
    async fn join_with(fixture: &Fixture, token: Option<&str>, hello: Value) -> Self {
        let caller = caller(token);
        let line = fixture.node.join_chat(&demo(), &caller).await.unwrap();
        let client = Self {
            line,
            received: Vec::new(),
        };
        client.say(&hello);
        client
    }

    fn say(&self, frame: &Value) {
        self.line.inlet.say(frame.to_string());
    }

    fn write(&self, id: &str, text: &str) {
        self.say(&json!({"type": "message", "id": id, "text": text}));
    }

    /// The next object of that type; those before it are kept.
    async fn next(&mut self, kind: &str) -> Value {
        loop {
            if let Some(place) = self
                .received
                .iter()
                .position(|object| object["type"] == kind)
            {
                return self.received.remove(place);
            }
            let frame = timeout(PATIENCE, self.line.frames.recv())
                .await
                .unwrap()
                .unwrap();
            self.received
                .extend(serde_json::from_str::<Vec<Value>>(&frame).unwrap());
        }
    }

    /// Waits until so many are there.
    async fn sees_chatters(&mut self, chatters: u64) {
        while self.next("presence").await["chatters"] != chatters {}
    }

    /// The room lets the client go.
    async fn is_let_go(&mut self) {
        while timeout(PATIENCE, self.line.frames.recv())
            .await
            .unwrap()
            .is_some()
        {}
    }
}

fn hello() -> Value {
    json!({"type": "hello"})
}

#[tokio::test]
async fn two_talk_and_a_third_reads_it_later() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let mut ada = Client::join(&fixture, json!({"type": "hello", "name": "Ada"})).await;
    let mut bob = Client::join(&fixture, json!({"type": "hello", "name": "Bob"})).await;
    assert_eq!(ada.next("welcome").await["author"]["name"], "Ada");
    bob.next("welcome").await;
    ada.write("c1", "hello <b>all</b>");
    bob.next("message").await;
    bob.write("c1", "hi");
    assert_eq!(ada.next("message").await["seq"], 1);
    assert_eq!(ada.next("message").await["text"], "hi");
    let mut late = Client::join(&fixture, hello()).await;
    assert_eq!(late.next("welcome").await["last"], 2);
    assert_eq!(late.next("message").await["text"], "hello <b>all</b>");
    late.next("message").await;
    let mut resumed = Client::join(&fixture, json!({"type": "hello", "after": 1})).await;
    assert_eq!(resumed.next("message").await["seq"], 2);
}

#[tokio::test]
async fn an_identity_is_the_same_author_and_a_forged_one_is_nobody() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let mut first = Client::join(&fixture, json!({"type": "hello", "name": "Ada"})).await;
    let welcome = first.next("welcome").await;
    drop(first);
    let again = json!({"type": "hello", "identity": welcome["identity"]});
    let mut again = Client::join(&fixture, again).await;
    assert_eq!(again.next("welcome").await["author"], welcome["author"]);
    let id = welcome["author"]["id"].as_str().unwrap();
    let forged = json!({"type": "hello", "identity": format!("{id}.AAAAAAAAAAAAAAAAAAAAAA")});
    let mut forged = Client::join(&fixture, forged).await;
    assert_ne!(forged.next("welcome").await["author"]["id"], id);
}

#[tokio::test]
async fn tokens_give_rights_and_unsound_ones_are_refused() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let moderate = fixture.token(TokenKind::Moderate, Some("demo")).await;
    let hello = |token: &str| json!({"type": "hello", "token": token});
    let mut moderator = Client::join(&fixture, hello(&moderate)).await;
    assert_eq!(moderator.next("welcome").await["rights"]["moderate"], true);
    let other = fixture.token(TokenKind::Moderate, Some("other")).await;
    for (token, code) in [("rubbish", "unauthorized"), (&*other, "forbidden")] {
        let mut client = Client::join(&fixture, hello(token)).await;
        assert_eq!(client.next("error").await["code"], code);
        client.is_let_go().await;
    }
}

#[tokio::test]
async fn a_restricted_channel_wants_a_token_in_the_hello() {
    let fixture = fixture().await;
    fixture.add_channel(true).await;
    let mut stranger = Client::join(&fixture, hello()).await;
    assert_eq!(stranger.next("error").await["code"], "unauthorized");
    stranger.is_let_go().await;
    let view = fixture.token(TokenKind::View, Some("demo")).await;
    let mut viewer = Client::join(&fixture, json!({"type": "hello", "token": view})).await;
    assert_eq!(viewer.next("welcome").await["rights"]["write"], true);
    let missing = "missing".parse().unwrap();
    let refusal = fixture.node.join_chat(&missing, &caller(None)).await.err();
    assert!(matches!(refusal, Some(Refusal::NotFound(_))));
}

#[tokio::test]
async fn data_channels_of_a_session_lead_into_its_channels_room() {
    let fixture = fixture().await;
    let token = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&token)).await.unwrap();
    fixture.live(0).await;
    for (stream, label) in [(1, "reactions"), (3, "chat"), (5, "other")] {
        let label = label.into();
        fixture
            .event(Event::ChannelOpened {
                session: id(0),
                id: stream,
                label,
            })
            .await;
    }
    let say = async |stream: u16, frame: Value| {
        let data = frame.to_string().into_bytes();
        fixture
            .event(Event::Data {
                session: id(0),
                id: stream,
                data,
                binary: false,
            })
            .await;
    };
    say(5, json!({"type": "hello", "name": "nobody hears this"})).await;
    say(3, hello()).await;
    let mut viewer = Client::join(&fixture, hello()).await;
    assert!(viewer.next("welcome").await["broadcast"]["started_at"].is_u64());
    say(
        3,
        json!({"type": "message", "id": "c1", "text": "welcome to my stream"}),
    )
    .await;
    let message = viewer.next("message").await;
    assert_eq!(message["author"]["role"], "streamer");
    assert_eq!(message["author"]["name"], "demo");
    assert!(message["at"].is_u64());
    say(1, json!({"type": "reaction", "emoji": "👍", "count": 2})).await;
    assert_eq!(viewer.next("reactions").await["counts"]["👍"], 2);
    let said = |what: &str| {
        fixture
            .media
            .said
            .lock()
            .unwrap()
            .iter()
            .any(|message| message.text.contains(what))
    };
    assert!(said("\"welcome\"") && said("welcome to my stream"));
    fixture.ended(0).await;
    viewer.write("c1", "still here?");
    viewer.next("message").await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let mut ada = Client::join(&fixture, json!({"type": "hello", "name": "Ada"})).await;
    let identity = ada.next("welcome").await["identity"].clone();
    ada.write("c1", "remember me");
    ada.next("message").await;
    let event = NewEvent {
        key: "e/pay/1".into(),
        event: StreamEvent {
            kind: EventKind::Donation,
            name: "Grace".into(),
            amount: Some(5),
            currency: Some("EUR".into()),
            text: String::new(),
            months: None,
        },
    };
    assert_eq!(
        fixture.node.chat.event(&demo(), event.clone()).await,
        Some(Appended::New(2))
    );
    let database = fixture.directory.path().join("spillway.db");
    let key = SigningKey::load_or_create(fixture.directory.path()).unwrap();
    let node = restarted(&database, key).await;
    let line = node.join_chat(&demo(), &caller(None)).await.unwrap();
    let mut again = Client {
        line,
        received: Vec::new(),
    };
    again.say(&json!({"type": "hello", "identity": identity, "after": 0}));
    assert_eq!(again.next("message").await["text"], "remember me");
    assert_eq!(again.next("event").await["seq"], 2);
    again.write("c1", "remember me");
    assert_eq!(again.next("stored").await["seq"], 1);
    assert_eq!(
        node.chat.event(&demo(), event).await,
        Some(Appended::Known(2))
    );
}

/// Another node over the same database.
async fn restarted(database: &std::path::Path, key: SigningKey) -> Node {
    let config = Config::default();
    let metrics = Metrics::default();
    let directory = database.parent().unwrap();
    let parts = Parts {
        store: Arc::new(Sqlite::open(database).unwrap()),
        storage: storage_in(directory, &config),
        verifier: Arc::new(Verifier::new(key, Issuers::default())),
        media: Arc::new(FakeMedia::default()),
        webhooks: Webhooks::start(&config.webhooks, &metrics).unwrap(),
        metrics,
        connections: Connections::new(ConnectionLimits {
            total: 1,
            per_address: 1,
            exempt: Vec::new(),
        }),
    };
    Node::new(&config, parts).await.unwrap()
}

#[tokio::test]
async fn a_channel_that_is_deleted_has_no_chat() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let mut ada = Client::join(&fixture, hello()).await;
    ada.next("welcome").await;
    fixture.node.delete_channel(&demo()).await.unwrap();
    ada.is_let_go().await;
}

#[tokio::test]
async fn a_moderator_whose_token_is_revoked_is_let_go() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let (token, id) = fixture
        .token_with_id(TokenKind::Moderate, Some("demo"))
        .await;
    let mut moderator = Client::join(&fixture, json!({"type": "hello", "token": token})).await;
    moderator.next("welcome").await;
    fixture.node.revoke_token(&id).await.unwrap();
    assert_eq!(moderator.next("error").await["code"], "unauthorized");
    moderator.is_let_go().await;
    let mut again = Client::join(&fixture, json!({"type": "hello", "token": token})).await;
    assert_eq!(again.next("error").await["code"], "unauthorized");
}

#[tokio::test]
async fn what_was_said_in_a_broadcast_is_listed_in_parts() {
    let fixture = fixture().await;
    let token = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&token)).await.unwrap();
    fixture.live(0).await;
    let mut ada = Client::join(&fixture, hello()).await;
    let broadcast = ada.next("welcome").await["broadcast"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for n in 0..3 {
        ada.write(&format!("c{n}"), &format!("text {n}"));
        ada.next("message").await;
    }
    let list = async |after: Option<String>| {
        let page = PageRequest { limit: 2, after };
        let said = fixture
            .node
            .said(&broadcast.parse().unwrap(), page)
            .await
            .unwrap();
        (
            said.items
                .iter()
                .map(|item| item.get().to_owned())
                .collect::<String>(),
            said.next,
        )
    };
    let (first, next) = list(None).await;
    assert!(first.contains("text 1") && !first.contains("text 2"));
    let (second, end) = list(next).await;
    assert!(second.contains("text 2") && end.is_none());
}

impl Fixture {
    async fn channel_opened(&self, stream: u16, label: &str) {
        let label = label.into();
        self.event(Event::ChannelOpened {
            session: id(0),
            id: stream,
            label,
        })
        .await;
    }

    async fn said_on(&self, stream: u16, frame: Value) {
        self.event(Event::Data {
            session: id(0),
            id: stream,
            data: frame.to_string().into_bytes(),
            binary: false,
        })
        .await;
    }

    async fn broadcast(&self) -> BroadcastId {
        let token = self.token(TokenKind::Publish, Some("demo")).await;
        self.publish(Some(&token)).await.unwrap();
        self.live(0).await;
        let on_air = self.node.broadcasts(None, first_page()).await.unwrap();
        on_air.items[0].id.parse().unwrap()
    }
}

fn captions(from: u64) -> NewCaptions {
    NewCaptions {
        language: "en".into(),
        cues: vec![NewCue {
            from,
            to: from + 1_000,
            text: "going to the park".into(),
        }],
    }
}

#[tokio::test]
async fn what_is_said_in_a_broadcast_reaches_those_who_are_in_its_chat() {
    let fixture = fixture().await;
    let broadcast = fixture.broadcast().await;
    let node = &fixture.node;
    // Nobody is there.
    node.caption(&broadcast, captions(0)).await.unwrap();
    let mut ada = Client::join(&fixture, hello()).await;
    ada.next("welcome").await;
    node.caption(&broadcast, captions(1_000)).await.unwrap();
    let told = ada.next("caption").await;
    assert_eq!(
        (&told["from"], &told["language"]),
        (&json!(1_000), &json!("en"))
    );
    let far = node.caption(&broadcast, captions(61_000 + 20_000)).await;
    let Err(Refusal::Unprocessable(detail)) = far else {
        panic!("{far:?}");
    };
    assert!(detail.contains("present stream time"), "{detail}");
}

#[tokio::test]
async fn captions_of_what_is_over_or_unknown_are_refused() {
    let fixture = fixture().await;
    let broadcast = fixture.broadcast().await;
    let unknown = "none".parse().unwrap();
    let refused = fixture.node.caption(&unknown, captions(0)).await;
    assert!(matches!(refused, Err(Refusal::NotFound(_))), "{refused:?}");
    fixture.node.delete_channel(&demo()).await.unwrap();
    let refused = fixture.node.caption(&broadcast, captions(0)).await;
    assert!(
        matches!(refused, Err(Refusal::Conflict { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn who_finds_the_room_full_is_told_and_who_leaves_it_then_is_gone() {
    let fixture = fixture().await;
    let token = fixture.token(TokenKind::Publish, Some("demo")).await;
    fixture.publish(Some(&token)).await.unwrap();
    let mut ada = Client::join(&fixture, hello()).await;
    let leaver = Client::join(&fixture, hello()).await;
    fixture.channel_opened(3, "chat").await;
    fixture.said_on(3, hello()).await;
    ada.sees_chatters(3).await;
    // The room has no turn meanwhile.
    let flood = Client::join(&fixture, json!({})).await;
    for _ in 0..crate::chat::INBOX {
        flood.say(&json!({}));
    }
    ada.write("c1", "is there room?");
    drop(leaver);
    fixture
        .said_on(
            3,
            json!({"type": "message", "id": "c2", "text": "and here?"}),
        )
        .await;
    // Not by the platform, which asks the store first: the room would have a turn while it waits.
    let visitor = Visitor {
        address: caller(None).address,
        origin: caller(None).origin,
        may_view: true,
        pass: None,
    };
    let refused = fixture.node.chat.join(&demo(), visitor).err();
    assert!(
        matches!(refused, Some(Refusal::Overloaded { .. })),
        "{refused:?}"
    );
    let told = ada.next("error").await;
    assert_eq!((&told["code"], &told["id"]), (&json!("busy"), &json!("c1")));
    ada.sees_chatters(2).await;
    ada.write("c1", "now there is");
    assert_eq!(ada.next("message").await["text"], "now there is");
    let said = fixture.media.said.lock().unwrap();
    let told = said.iter().find(|message| message.text.contains("busy"));
    assert!(told.unwrap().text.contains("\"id\":\"c2\""), "{told:?}");
}

#[tokio::test]
async fn what_moderators_did_is_listed_with_who_what_and_why() {
    let fixture = fixture().await;
    fixture.add_channel(false).await;
    let token = fixture.token(TokenKind::Moderate, Some("demo")).await;
    let hello = json!({"type": "hello", "name": "Mo", "token": token});
    let mut moderator = Client::join(&fixture, hello).await;
    moderator.next("welcome").await;
    let hello = json!({"type": "hello", "name": "Eve"});
    let mut spammer = Client::join(&fixture, hello).await;
    let author = spammer.next("welcome").await["author"]["id"].clone();
    for action in [
        json!({"kind": "rules", "slow_s": 5, "words": ["secret"]}),
        json!({"kind": "ban", "author": author, "reason": "spam"}),
    ] {
        moderator.say(&json!({"type": "moderate", "action": action}));
        moderator.next("action").await;
    }
    moderator.write("c1", "done");
    moderator.next("message").await;
    let list = async |after: Option<String>| {
        let page = PageRequest { limit: 1, after };
        let listed = fixture.node.actions(&demo(), page).await.unwrap();
        let items = listed.items.iter().map(|item| item.get());
        (items.collect::<String>(), listed.next)
    };
    let (first, next) = list(None).await;
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(
        first["action"],
        json!({"kind": "ban", "author": author, "reason": "spam"})
    );
    assert_eq!(
        (&first["by"]["name"], &first["by"]["role"]),
        (&json!("Mo"), &json!("moderator"))
    );
    assert!(first["time"].is_u64());
    let (second, next) = list(next).await;
    assert!(
        second.contains("\"slow_s\":5") && !second.contains("secret"),
        "{second}"
    );
    assert_eq!(list(next).await, (String::new(), None));
    let page = PageRequest {
        limit: 1,
        after: Some("x".into()),
    };
    let refused = fixture.node.actions(&demo(), page).await.err();
    assert!(matches!(refused, Some(Refusal::Malformed(_))));
    let missing = "missing".parse().unwrap();
    let refused = fixture.node.actions(&missing, first_page()).await.err();
    assert!(matches!(refused, Some(Refusal::NotFound(_))));
}

#[tokio::test]
async fn what_is_pinned_is_found_in_the_log() {
    let mut config = Config::default();
    config.chat.recent = 1;
    let fixture = fixture_with(&config).await;
    fixture.add_channel(false).await;
    let token = fixture.token(TokenKind::Moderate, Some("demo")).await;
    let mut moderator = Client::join(&fixture, json!({"type": "hello", "token": token})).await;
    moderator.next("welcome").await;
    for id in ["c1", "c2"] {
        moderator.write(id, id);
        moderator.next("message").await;
    }
    moderator.say(&json!({"type": "moderate", "action": {"kind": "pin", "seq": 1}}));
    assert_eq!(moderator.next("pinned").await["entry"]["text"], "c1");
    let key = SigningKey::load_or_create(fixture.directory.path()).unwrap();
    let node = restarted(&fixture.directory.path().join("spillway.db"), key).await;
    let line = node.join_chat(&demo(), &caller(None)).await.unwrap();
    let mut later = Client {
        line,
        received: Vec::new(),
    };
    later.say(&hello());
    assert_eq!(later.next("welcome").await["pinned"]["text"], "c1");
}
