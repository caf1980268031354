//! The WebSocket of a channel's chat, for those without a peer connection. What is said on it is the platform's matter:
//! `docs/chat-protocol.md`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    body::Bytes,
    extract::{
        State, WebSocketUpgrade,
        ws::{
            CloseFrame, Message, Utf8Bytes, WebSocket, close_code,
            rejection::WebSocketUpgradeRejection,
        },
    },
    response::Response,
};
use spillway_chat::protocol::MAX_CLIENT_FRAME;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    BroadcastId, ChannelName, EventPlace, NewCaptions, Refusal, Said, SignedEvent,
    api::model::PageRequest,
    app::App,
    caller::Asking,
    paths::InChannel,
    platform::Caller,
    problem::{Problem, ProblemDetails},
};

/// How often a client is asked whether it's there.
const PING: Duration = Duration::from_secs(20);
/// A client that nothing was heard of for so long is gone.
const SILENCE: Duration = Duration::from_secs(50);
/// Room for what is read at once: it's cleared before each reading, so not much more than frames take.
const READ_BUFFER: usize = 8 << 10;
/// How long a frame may take to leave.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody's way into a room, until it's dropped.
pub struct ChatLine {
    /// Where what they say goes.
    pub inlet: Box<dyn ChatInlet>,
    /// What they're sent; it ends when the room lets them go.
    pub frames: mpsc::Receiver<Arc<str>>,
}

/// What the router needs of chats. A part of [`Platform`](crate::Platform), and like it in all else.
#[async_trait]
pub trait Chats: Send + Sync + 'static {
    /// Opens a way into a channel's chat. 401, 403 and 404 as for [`Platform::watch`](crate::Platform::watch); a caller without a token
    /// may bring one in its hello. 503 when the node drains, or the room has more to do than it can.
    async fn join_chat(&self, channel: &ChannelName, caller: &Caller) -> Result<ChatLine, Refusal>;

    /// Puts an event into a channel's log, if one who may signed it. 400, 401, 404, 422, 503.
    async fn take_event(
        &self,
        channel: &ChannelName,
        event: SignedEvent,
    ) -> Result<EventPlace, Refusal>;

    /// What was said in a broadcast. 400 when the page doesn't begin behind an entry.
    async fn said(&self, broadcast: &BroadcastId, page: PageRequest) -> Result<Said, Refusal>;

    /// What moderators and streamers did in a channel, the latest first. 400 as above, 404 when there's no such channel.
    async fn actions(&self, channel: &ChannelName, page: PageRequest) -> Result<Said, Refusal>;

    /// Tells those who are in the chat of a broadcast's channel what was said in the broadcast. 404 when there's no such broadcast, 409
    /// when it's over, 422 when a cue is too far from the present.
    async fn caption(&self, broadcast: &BroadcastId, captions: NewCaptions) -> Result<(), Refusal>;
}

/// Where frames of a client go.
pub trait ChatInlet: Send + Sync + 'static {
    /// One frame.
    fn say(&self, frame: String);
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(join_chat))
}

/// Joins a channel's chat by WebSocket. See docs/chat-protocol.md; a token goes into `hello`.
#[utoipa::path(
    get, path = "/api/v1/channels/{channel}/chat", tag = "Chat", operation_id = "join_chat",
    params(("channel" = String, Path, description = "The channel")),
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 400, description = "It isn't a request for a WebSocket", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 404, description = "There's no such channel", body = ProblemDetails, content_type = "application/problem+json"),
    ),
    security((), ("token" = [])),
)]
async fn join_chat(
    State(app): State<Arc<App>>,
    InChannel(channel): InChannel,
    Asking(caller): Asking,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let line = app.platform.join_chat(&channel, &caller).await?;
    Ok(upgrade
        .read_buffer_size(READ_BUFFER)
        .max_message_size(MAX_CLIENT_FRAME)
        .max_frame_size(MAX_CLIENT_FRAME)
        .on_upgrade(|socket| carry(socket, line)))
}

/// Carries frames both ways until one side ends.
async fn carry(mut socket: WebSocket, mut line: ChatLine) {
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let message = tokio::select! {
            received = socket.recv() => {
                heard = Instant::now();
                match received {
                    Some(Ok(Message::Text(text))) => line.inlet.say(text.as_str().to_owned()),
                    // Not of the protocol: the room says so.
                    Some(Ok(Message::Binary(_))) => line.inlet.say(String::new()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                }
                continue;
            }
            frame = line.frames.recv() => match frame {
                Some(frame) => Message::Text(Utf8Bytes::from(&*frame)),
                None => Message::Close(Some(CloseFrame {
                    code: close_code::POLICY,
                    reason: Utf8Bytes::from_static("the room has let you go"),
                })),
            },
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE {
                    return;
                }
                Message::Ping(Bytes::new())
            }
        };
        let ends = matches!(message, Message::Close(_));
        match timeout(PATIENCE, socket.send(message)).await {
            Ok(Ok(())) if !ends => {}
            _ => return,
        }
    }
}
