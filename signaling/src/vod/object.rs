//! What a recording consists of, by name.

use std::str::FromStr;

use crate::names::is_name;

/// The most digits of a number in a name.
const MAX_DIGITS: usize = 12;

/// An object of a recording that may be asked for: one of those in docs/vod.md, and nothing else that the storage may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VodObject {
    path: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It grows while the broadcast is under way.
    Playlist,
    /// A name means the same bytes for ever.
    Media,
    /// It's made of the whole, after the end.
    Made,
}

/// A name that no object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no file of a recording is called that")]
pub struct InvalidVodObject;

impl VodObject {
    /// Its path below the broadcast, such as `720p/12.m4s`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it's a playlist: text that must be read at once, since it's written anew as a whole.
    pub fn is_playlist(&self) -> bool {
        self.kind == Kind::Playlist
    }

    pub(super) fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map(|(_, ending)| ending) {
            Some("m3u8") => "application/vnd.apple.mpegurl",
            Some("m4s") => "video/iso.segment",
            Some("mp4") => "video/mp4",
            Some("vtt") => "text/vtt; charset=utf-8",
            Some("jpg") => "image/jpeg",
            _ => "application/octet-stream",
        }
    }

    /// How long caches may keep it.
    pub(super) fn cache_control(&self, is_final: bool) -> &'static str {
        match self.kind {
            Kind::Media => "public, max-age=31536000, immutable",
            Kind::Playlist | Kind::Made if is_final => "public, max-age=3600",
            Kind::Playlist | Kind::Made => "no-cache",
        }
    }
}

impl FromStr for VodObject {
    type Err = InvalidVodObject;

    fn from_str(path: &str) -> Result<Self, InvalidVodObject> {
        let parts: Vec<&str> = path.split('/').collect();
        let kind = match parts[..] {
            ["index.m3u8"] => Kind::Playlist,
            ["video.mp4" | "chapters.vtt" | "poster.jpg" | "storyboard.vtt"] => Kind::Made,
            [name] if is_numbered(name, "storyboard-", ".jpg") => Kind::Made,
            [rendition, "index.m3u8"] if is_name(rendition) => Kind::Playlist,
            ["captions", name] if is_numbered(name, "", ".vtt") => Kind::Made,
            [rendition, name]
                if is_name(rendition)
                    && (is_numbered(name, "init-", ".mp4") || is_numbered(name, "", ".m4s")) =>
            {
                Kind::Media
            }
            _ => return Err(InvalidVodObject),
        };
        Ok(Self {
            path: path.to_owned(),
            kind,
        })
    }
}

fn is_numbered(name: &str, begin: &str, end: &str) -> bool {
    let number = name
        .strip_prefix(begin)
        .and_then(|rest| rest.strip_suffix(end));
    number.is_some_and(|number| {
        (1..=MAX_DIGITS).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_recording_consists_of_may_be_asked_for() {
        for (path, content_type, while_recording) in [
            ("index.m3u8", "application/vnd.apple.mpegurl", "no-cache"),
            (
                "720p/index.m3u8",
                "application/vnd.apple.mpegurl",
                "no-cache",
            ),
            (
                "720p/init-7.mp4",
                "video/mp4",
                "public, max-age=31536000, immutable",
            ),
            (
                "audio/186213344.m4s",
                "video/iso.segment",
                "public, max-age=31536000, immutable",
            ),
            ("video.mp4", "video/mp4", "no-cache"),
            ("chapters.vtt", "text/vtt; charset=utf-8", "no-cache"),
            ("storyboard.vtt", "text/vtt; charset=utf-8", "no-cache"),
            (
                "captions/186213344.vtt",
                "text/vtt; charset=utf-8",
                "no-cache",
            ),
            ("storyboard-12.jpg", "image/jpeg", "no-cache"),
            ("poster.jpg", "image/jpeg", "no-cache"),
        ] {
            let object: VodObject = path.parse().unwrap();
            assert_eq!(object.path(), path);
            assert_eq!(object.content_type(), content_type, "{path}");
            assert_eq!(object.cache_control(false), while_recording, "{path}");
            assert!(object.cache_control(true).starts_with("public"), "{path}");
        }
    }

    #[test]
    fn nothing_else_may() {
        for path in [
            "",
            "/",
            "recording.json",
            "plain.m3u8",
            "720p/",
            "720p/1.2.m4s",
            "720p/1.vtt",
            "720p/-1.m4s",
            "720p/1.m4s#1",
            "720p/init-.mp4",
            "720p/x/1.m4s",
            "../b2/index.m3u8",
            "../index.m3u8",
            "storyboard-.jpg",
            "storyboard-1234567890123.jpg",
            "index.m3u8/",
            "a b/index.m3u8",
        ] {
            assert!(path.parse::<VodObject>().is_err(), "{path}");
        }
    }
}
