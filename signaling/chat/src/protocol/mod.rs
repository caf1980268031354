//! The JSON that clients and the server exchange: `docs/chat-protocol.md`.

mod client;
mod server;

pub use client::{
    Action, ClientFrame, GoalSetting, Hello, NewMessage, Player, Reaction, Report, RulesChange,
    parse, parse_report,
};
pub use server::{
    Broadcast, Code, EventKind, Goal, Problem, Rights, Rules, ServerObject, StreamEvent, Welcome,
    frame, joined,
};

/// The longest frame of a client, in bytes.
pub const MAX_CLIENT_FRAME: usize = 8 << 10;
/// The longest frame of the server, in bytes.
pub const MAX_SERVER_FRAME: usize = 32 << 10;
/// The longest name, in characters.
pub const MAX_NAME: usize = 32;
/// The longest `id` that a client gives what it sends.
pub const MAX_CLIENT_ID: usize = 64;
/// The most taps of one reaction frame.
pub const MAX_TAPS: u32 = 100;
/// The most entries that are told of what was before.
pub const MAX_HISTORY: u32 = 200;
/// Those told without being asked.
pub const DEFAULT_HISTORY: u32 = 50;
/// The most forbidden words of a channel.
pub const MAX_WORDS: usize = 500;
/// The longest forbidden word, in characters.
pub const MAX_WORD: usize = 64;
/// The longest time-out, in seconds: two weeks.
pub const MAX_TIMEOUT_S: u32 = 14 * 24 * 3600;
/// The slowest slow mode, in seconds.
pub const MAX_SLOW_S: u32 = 3600;
/// The longest that one may have to follow before one writes, in seconds: 90 days.
pub const MAX_FOLLOWERS_ONLY_S: u32 = 90 * 24 * 3600;
/// The longest reason, or title of a goal, in characters.
pub const MAX_REASON: usize = 120;
