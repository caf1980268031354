//! What clients send, read and bounded.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use super::{
    Code, DEFAULT_HISTORY, MAX_CLIENT_FRAME, MAX_CLIENT_ID, MAX_FOLLOWERS_ONLY_S, MAX_HISTORY,
    MAX_REASON, MAX_SLOW_S, MAX_TAPS, MAX_TIMEOUT_S, MAX_WORD, MAX_WORDS, Problem,
};
use crate::{AuthorId, text};

/// One frame of a client.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum ClientFrame {
    Hello(Hello),
    Message(NewMessage),
    Reaction(Reaction),
    Moderate { id: Option<String>, action: Action },
    Follow(bool),
    Rename(String),
    Report(Report),
}

/// Who comes. Nothing of it is believed yet, and `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Hello {
    /// What others are to see.
    pub name: Option<String>,
    /// A token of the platform.
    pub token: Option<String>,
    /// From an earlier welcome.
    pub identity: Option<String>,
    /// The last entry that the client has.
    pub after: Option<u64>,
    /// How many of the latest entries are wanted where there's no `after`.
    #[serde(default = "default_history")]
    pub history: u32,
}

fn default_history() -> u32 {
    DEFAULT_HISTORY
}

impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello")
            .field("name", &self.name)
            .field("after", &self.after)
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}

/// Something written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NewMessage {
    /// The author's name for it.
    pub id: String,
    /// As written.
    pub text: String,
    /// The stream time of the picture that its author sees, in milliseconds.
    pub at: Option<u64>,
}

/// Taps on an emoji.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reaction {
    /// Which.
    pub emoji: String,
    /// How many since the last frame.
    #[serde(default = "one")]
    pub count: u32,
}

fn one() -> u32 {
    1
}

/// What moderators do; it's an entry of the log as it was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Action {
    Delete {
        seq: u64,
    },
    Timeout {
        author: AuthorId,
        seconds: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    Ban {
        author: AuthorId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    Unban {
        author: AuthorId,
    },
    Pin {
        seq: Option<u64>,
    },
    Rules(RulesChange),
    Goal(GoalSetting),
}

/// The rules that change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesChange {
    /// Seconds between two messages of one author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_s: Option<u32>,
    /// How many seconds one must have followed; `Some(None)`: one needn't.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "named"
    )]
    pub followers_only_s: Option<Option<u32>>,
    /// Whether links may be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<bool>,
    /// Words that mayn't. Never in the log.
    #[serde(default, skip_serializing)]
    pub words: Option<Vec<String>>,
}

/// Tells `null` from nothing.
#[expect(
    clippy::option_option,
    reason = "a rule that is lifted isn't one that stays as it is"
)]
fn named<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(value).map(Some)
}

/// What donations are wanted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoalSetting {
    /// ISO 4217.
    pub currency: String,
    /// In minor units; 0: no goal.
    pub amount: u64,
    /// What for.
    #[serde(default)]
    pub title: String,
}

/// By what a viewer watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Player {
    /// A peer connection.
    Webrtc,
    /// LL-HLS.
    Hls,
}

/// How a player does since its last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Report {
    /// By what it plays.
    pub player: Player,
    /// How long the picture moved, in milliseconds.
    pub played_ms: u32,
    /// How long it stood, in milliseconds.
    #[serde(default)]
    pub stalled_ms: u32,
    /// How often.
    #[serde(default)]
    pub stalls: u32,
    /// How far behind it is, in milliseconds.
    pub latency_ms: Option<u32>,
    /// The picture's height in pixels.
    pub height: Option<u32>,
    /// How long it took from the wish to watch to the first picture, in milliseconds; only in the first report of a viewing.
    pub startup_ms: Option<u32>,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct OptionalTag {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Moderate {
    id: Option<String>,
    action: Action,
}

#[derive(Deserialize)]
struct Follow {
    on: bool,
}

#[derive(Deserialize)]
struct Rename {
    name: String,
}

/// Reads one frame.
pub fn parse(frame: &[u8]) -> Result<ClientFrame, Problem> {
    if frame.len() > MAX_CLIENT_FRAME {
        return Err(Problem::new(
            Code::TooLong,
            format!("a frame may have {MAX_CLIENT_FRAME} bytes at most"),
        ));
    }
    let tag: Tag = read(frame)?;
    match tag.kind.as_str() {
        "hello" => read::<Hello>(frame).map(|hello| {
            ClientFrame::Hello(Hello {
                history: hello.history.min(MAX_HISTORY),
                ..hello
            })
        }),
        "message" => read::<NewMessage>(frame).and_then(message),
        "reaction" => read::<Reaction>(frame).and_then(reaction),
        "moderate" => read::<Moderate>(frame).and_then(moderate),
        "follow" => read::<Follow>(frame).map(|follow| ClientFrame::Follow(follow.on)),
        "rename" => read::<Rename>(frame).map(|rename| ClientFrame::Rename(rename.name)),
        "report" => read::<Report>(frame).map(ClientFrame::Report),
        _ => Err(Problem::new(
            Code::Unknown,
            "no frame of a client has this type; see docs/chat-protocol.md",
        )),
    }
}

/// Reads a report that comes by itself, where nothing else can: its `type` needn't be there.
pub fn parse_report(body: &[u8]) -> Result<Report, Problem> {
    let tag: OptionalTag = read(body)?;
    if tag.kind.is_some_and(|kind| kind != "report") {
        return Err(Problem::new(
            Code::Unknown,
            "only reports come this way; see docs/audience.md",
        ));
    }
    read(body)
}

fn read<T: DeserializeOwned>(frame: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(frame).map_err(|error| Problem::new(Code::Malformed, plain(&error)))
}

/// The library's words without what the client sent: an error isn't a way to be quoted.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(['`', '"']).next().unwrap_or_default().trim_end();
    let what = if error.is_data() && !reason.is_empty() && reason.is_ascii() {
        reason
    } else {
        "not an object in JSON"
    };
    format!(
        "the frame isn't as it should be (character {}): {what}",
        error.column()
    )
}

fn message(message: NewMessage) -> Result<ClientFrame, Problem> {
    check_id(&message.id)?;
    Ok(ClientFrame::Message(message))
}

fn check_id(id: &str) -> Result<(), Problem> {
    if (1..=MAX_CLIENT_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Problem::new(
        Code::Malformed,
        format!("id has 1 to {MAX_CLIENT_ID} visible characters of ASCII"),
    ))
}

fn reaction(reaction: Reaction) -> Result<ClientFrame, Problem> {
    bound("count", reaction.count, 1, MAX_TAPS)?;
    Ok(ClientFrame::Reaction(reaction))
}

fn moderate(moderate: Moderate) -> Result<ClientFrame, Problem> {
    if let Some(id) = &moderate.id {
        check_id(id)?;
    }
    let action = sound(moderate.action).map_err(|problem| problem.about(moderate.id.clone()))?;
    Ok(ClientFrame::Moderate {
        id: moderate.id,
        action,
    })
}

fn sound(action: Action) -> Result<Action, Problem> {
    Ok(match action {
        Action::Timeout {
            author,
            seconds,
            reason,
        } => {
            bound("seconds", seconds, 1, MAX_TIMEOUT_S)?;
            let reason = reason.as_deref().map(short).transpose()?;
            Action::Timeout {
                author,
                seconds,
                reason,
            }
        }
        Action::Ban { author, reason } => Action::Ban {
            author,
            reason: reason.as_deref().map(short).transpose()?,
        },
        Action::Rules(change) => Action::Rules(sound_rules(change)?),
        Action::Goal(goal) => Action::Goal(sound_goal(goal)?),
        other => other,
    })
}

fn sound_rules(change: RulesChange) -> Result<RulesChange, Problem> {
    bound("slow_s", change.slow_s.unwrap_or(0), 0, MAX_SLOW_S)?;
    let followers_only = change.followers_only_s.flatten().unwrap_or(0);
    bound("followers_only_s", followers_only, 0, MAX_FOLLOWERS_ONLY_S)?;
    let Some(words) = &change.words else {
        return Ok(change);
    };
    if words.len() > MAX_WORDS {
        return Err(Problem::new(
            Code::Malformed,
            format!("words may have {MAX_WORDS} entries at most"),
        ));
    }
    let words: Vec<_> = words.iter().map(|word| text::clean(word)).collect();
    if words
        .iter()
        .any(|word| !(1..=MAX_WORD).contains(&word.chars().count()))
    {
        return Err(Problem::new(
            Code::Malformed,
            format!("a word has 1 to {MAX_WORD} characters"),
        ));
    }
    Ok(RulesChange {
        words: Some(words),
        ..change
    })
}

/// The largest goal: what a double holds exactly, since players are written in JavaScript.
const MAX_AMOUNT: u64 = 1 << 53;

fn sound_goal(goal: GoalSetting) -> Result<GoalSetting, Problem> {
    let is_currency =
        goal.currency.len() == 3 && goal.currency.bytes().all(|b| b.is_ascii_uppercase());
    if !is_currency || goal.amount > MAX_AMOUNT {
        return Err(Problem::new(
            Code::Malformed,
            "a goal has a currency of ISO 4217, as EUR, and an amount in its minor units",
        ));
    }
    Ok(GoalSetting {
        title: short(&goal.title)?,
        ..goal
    })
}

fn short(text: &str) -> Result<String, Problem> {
    let cleaned = text::clean(text);
    if cleaned.chars().count() > MAX_REASON {
        return Err(Problem::new(
            Code::TooLong,
            format!("a reason or title has {MAX_REASON} characters at most"),
        ));
    }
    Ok(cleaned)
}

fn bound(what: &str, value: u32, least: u32, most: u32) -> Result<(), Problem> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Problem::new(
        Code::Malformed,
        format!("{what} is between {least} and {most}"),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn code(frame: &str) -> Code {
        parse(frame.as_bytes()).unwrap_err().code
    }

    #[test]
    fn frames_are_read() {
        let hello = parse(br#"{"type":"hello","name":"Ada","history":999,"new":1}"#).unwrap();
        let ClientFrame::Hello(hello) = hello else {
            panic!("{hello:?}");
        };
        assert_eq!(
            (hello.name.as_deref(), hello.history, hello.after),
            (Some("Ada"), 200, None)
        );
        let rules =
            parse(br#"{"type":"moderate","action":{"kind":"rules","followers_only_s":null}}"#)
                .unwrap();
        let change = RulesChange {
            followers_only_s: Some(None),
            ..RulesChange::default()
        };
        assert_eq!(
            rules,
            ClientFrame::Moderate {
                id: None,
                action: Action::Rules(change)
            }
        );
    }

    #[test]
    fn what_is_not_of_the_protocol_is_refused_and_not_repeated() {
        assert_eq!(code("{"), Code::Malformed);
        assert_eq!(code("[]"), Code::Malformed);
        assert_eq!(code(r#"{"type":"sing"}"#), Code::Unknown);
        assert_eq!(
            code(r#"{"type":"message","id":"","text":"x"}"#),
            Code::Malformed
        );
        assert_eq!(
            code(r#"{"type":"reaction","emoji":"x","count":0}"#),
            Code::Malformed
        );
        assert_eq!(
            code(r#"{"type":"moderate","action":{"kind":"timeout","author":"<b>","seconds":1}}"#),
            Code::Malformed
        );
        assert_eq!(code(&" ".repeat(MAX_CLIENT_FRAME + 1)), Code::TooLong);
        assert_eq!(
            parse(b"{\"type\":\"message\xff\"}").unwrap_err().code,
            Code::Malformed
        );
        assert_eq!(
            code(&format!("{}1{}", "[".repeat(4000), "]".repeat(4000))),
            Code::Malformed
        );
        let told = parse(br#"{"type":"moderate","action":{"kind":"<script>"}}"#).unwrap_err();
        assert!(!told.text.contains("script"), "{}", told.text);
    }

    #[test]
    fn a_report_alone_needs_no_type_and_has_no_other() {
        let plain = r#"{"player":"hls","played_ms":10000,"startup_ms":900}"#;
        let report = parse_report(plain.as_bytes()).unwrap();
        assert_eq!(
            (report.player, report.played_ms, report.startup_ms),
            (Player::Hls, 10_000, Some(900))
        );
        let typed = plain.replacen('{', r#"{"type":"report","#, 1);
        assert_eq!(parse_report(typed.as_bytes()), Ok(report));
        assert_eq!(parse(typed.as_bytes()), Ok(ClientFrame::Report(report)));
        let code = |body: &str| parse_report(body.as_bytes()).unwrap_err().code;
        let other = plain.replacen('{', r#"{"type":"message","#, 1);
        assert_eq!(code(&other), Code::Unknown);
        assert_eq!(code(r#"{"player":"hls"}"#), Code::Malformed);
        assert_eq!(code(r#"{"player":"hls","played_ms":-1}"#), Code::Malformed);
        assert_eq!(code("[]"), Code::Malformed);
    }

    #[test]
    fn secrets_are_not_shown() {
        let hello = parse(br#"{"type":"hello","token":"secret","identity":"secret"}"#).unwrap();
        assert!(!format!("{hello:?}").contains("secret"));
    }
}
