//! What a URL of the origin means.

use super::directives::decimal;

/// What there is under `/hls/{channel}/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource<'a> {
    Multivariant {
        plain: bool,
    },
    /// `manifest.mpd`
    Manifest,
    /// `time`: what time it is.
    Time,
    Rendition {
        name: &'a str,
        file: File,
    },
}

/// What there is under `/hls/{channel}/{rendition}/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Playlist {
        plain: bool,
    },
    /// `init-N.mp4`: the initialization segment that segment N is the first to need.
    Init(u64),
    /// `N.m4s`
    Segment(u64),
    /// `N.P.m4s`
    Part(u64, u32),
    /// `N.vtt`: a segment of captions.
    Caption(u64),
    /// `N-M.m4s`: a row of segments.
    Row(u64, u64),
}

/// The channel and what of it `path` names.
pub(super) fn parse(path: &str) -> Option<(&str, Resource<'_>)> {
    let (channel, rest) = path.strip_prefix("/hls/")?.split_once('/')?;
    let resource = match rest.split_once('/') {
        None if rest == "manifest.mpd" => Resource::Manifest,
        None if rest == "time" => Resource::Time,
        None => Resource::Multivariant {
            plain: playlist(rest)?,
        },
        Some((name, file)) => Resource::Rendition {
            name,
            file: File::parse(file)?,
        },
    };
    Some((channel, resource))
}

/// Whether a playlist's name is that of a plain one.
fn playlist(file: &str) -> Option<bool> {
    match file {
        "index.m3u8" => Some(false),
        "plain.m3u8" => Some(true),
        _ => None,
    }
}

impl File {
    fn parse(file: &str) -> Option<Self> {
        if let Some(plain) = playlist(file) {
            return Some(Self::Playlist { plain });
        }
        if let Some(number) = file.strip_prefix("init-") {
            return canonical(number.strip_suffix(".mp4")?).map(Self::Init);
        }
        if let Some(number) = file.strip_suffix(".vtt") {
            return canonical(number).map(Self::Caption);
        }
        let media = file.strip_suffix(".m4s")?;
        if let Some((segment, part)) = media.split_once('.') {
            return Some(Self::Part(
                canonical(segment)?,
                u32::try_from(canonical(part)?).ok()?,
            ));
        }
        if let Some((first, last)) = media.split_once('-') {
            return Some(Self::Row(canonical(first)?, canonical(last)?));
        }
        canonical(media).map(Self::Segment)
    }
}

/// One piece of media has one URL: caches are spared a second.
fn canonical(text: &str) -> Option<u64> {
    let leading_zero = text.len() > 1 && text.starts_with('0');
    decimal(text).filter(|_| !leading_zero)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn file(file: File) -> (&'static str, Resource<'static>) {
        ("demo", Resource::Rendition { name: "720p", file })
    }

    #[test]
    fn each_url_names_one_thing() {
        assert_eq!(
            parse("/hls/demo/index.m3u8"),
            Some(("demo", Resource::Multivariant { plain: false }))
        );
        assert_eq!(
            parse("/hls/demo/plain.m3u8"),
            Some(("demo", Resource::Multivariant { plain: true }))
        );
        assert_eq!(parse("/hls/demo/720p/7.vtt"), Some(file(File::Caption(7))));
        assert_eq!(
            parse("/hls/demo/manifest.mpd"),
            Some(("demo", Resource::Manifest))
        );
        assert_eq!(parse("/hls/demo/time"), Some(("demo", Resource::Time)));
        assert_eq!(
            parse("/hls/demo/720p/index.m3u8"),
            Some(file(File::Playlist { plain: false }))
        );
        assert_eq!(
            parse("/hls/demo/720p/init-7.mp4"),
            Some(file(File::Init(7)))
        );
        assert_eq!(parse("/hls/demo/720p/7.m4s"), Some(file(File::Segment(7))));
        assert_eq!(
            parse("/hls/demo/720p/7.0.m4s"),
            Some(file(File::Part(7, 0)))
        );
        assert_eq!(parse("/hls/demo/720p/7-9.m4s"), Some(file(File::Row(7, 9))));
    }

    #[test]
    fn what_isnt_a_url_of_ours_names_nothing() {
        for path in [
            "/hls/demo",
            "/hls/demo/",
            "/hls/demo/720p",
            "/hls/demo/720p/",
            "/hls/demo/720p/07.m4s",
            "/hls/demo/720p/+7.m4s",
            "/hls/demo/720p/7.m4s/x",
            "/hls/demo/720p/7.1.2.m4s",
            "/hls/demo/720p/7.4294967296.m4s",
            "/hls/demo/720p/.m4s",
            "/hls/demo/720p/init-.mp4",
            "/hls/demo/other.m3u8",
            "/hls/demo/720p/manifest.mpd",
            "/hls/demo/720p/time",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}
