//! The LL-HLS origin: samples in, playlists and media over HTTP out.
//!
//! ```text
//! samples ──► RenditionWriter (packager, cmaf) ──parts──► Presentation (shelf, playlist) ──pages──► Origin (HTTP)
//! ```
//!
//! A [`Presentation`] is one broadcast; an [`Origin`] knows the presentation of each channel. Who writes calls
//! [`Presentation::add_rendition`] and then, of the [`RenditionWriter`], `start`, `begin_segment` and `push`; nothing here
//! has a clock or a thread of its own. Packaging and playlists are sans-IO; `http` alone knows of requests.
//!
//! What the rules are: RFC 8216bis (the second edition of HLS), and ISO/IEC 23000-19 (CMAF) for the media.

mod asked;
mod bandwidth;
mod captions;
mod channel_list;
mod cmaf;
mod codec;
mod dash;
mod directives;
mod grid;
mod growing;
mod http;
mod packager;
mod page;
mod playlist;
mod presentation;
mod resource;
mod response;
mod segment_groups;
mod settings;
mod shelf;
mod state;
mod writer;

pub use captions::CaptionWriter;
pub use channel_list::{Limits, Origin, PublishError};
pub use cmaf::CmafError;
pub use packager::{Part, PushError, Unit};
pub use presentation::{AddRenditionError, Presentation, RenditionInfo, RenditionKind};
pub use settings::{Settings, SettingsError, first_segment_number, frames_per_part};
pub use writer::{RenditionWriter, Tap};

#[cfg(test)]
pub(crate) use cmaf::test_segment;

pub(crate) use bandwidth::Bandwidth;
pub(crate) use captions::NAME as CAPTIONS;
pub(crate) use cmaf::{init_segment, segment_head, write_chunk};
pub(crate) use codec::{FAMILIAR, family, name as codec_name};
pub(crate) use grid::micros;
pub(crate) use playlist::{Variant, multivariant};
pub(crate) use shelf::{date_line, seconds};

/// Renditions of one presentation, at most.
pub const MAX_RENDITIONS: usize = 16;
/// Bytes of a channel's or a rendition's name, at most.
pub const MAX_NAME: usize = 64;

/// Whether `name` can be a part of a URL as it is: `[A-Za-z0-9_-]{1,64}`.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
