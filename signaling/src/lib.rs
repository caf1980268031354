//! The HTTP face of a node: WHIP (RFC 9725), WHEP (draft-ietf-wish-whep), the REST API.
//!
//! The crate knows nothing of media or storage: it speaks to a [`Platform`].

pub mod api;
mod names;
pub mod platform;
mod refusal;

pub use names::{ChannelName, InvalidChannelName, InvalidSessionKey, MAX_CHANNEL_NAME, SessionKey};
pub use platform::Platform;
pub use refusal::Refusal;
