//! As much of HLS playlists (RFC 8216bis §4.4) as it takes to follow the newest media.

use std::time::SystemTime;

use url::Url;

/// Why a playlist can't be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaylistError {
    /// It doesn't begin with `#EXTM3U`.
    #[error("isn't a playlist")]
    NoPlaylist,
    /// A tag that can't be read.
    #[error("has a line that can't be read: {0}")]
    Line(String),
    /// There's nothing to choose from.
    #[error("has no rendition{}", .0.as_ref().map(|name| format!(" of {name}")).unwrap_or_default())]
    NoRendition(Option<String>),
    /// Segments without parts.
    #[error("has no parts: it isn't low-latency HLS")]
    NoParts,
}

/// The media playlists of one choice of a multivariant playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Bits a second, as the playlist says.
    pub bandwidth: u64,
    /// The variant's media playlist, and that of its sound, if that is apart.
    pub playlists: Vec<Url>,
}

/// Which variant to play.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Wish {
    /// The one of the least bandwidth, of those with pictures if there are any.
    #[default]
    Lowest,
    /// The one of the most.
    Highest,
    /// The one whose URL has this directory, `360p`.
    Named(String),
}

impl std::str::FromStr for Wish {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "lowest" => Self::Lowest,
            "highest" => Self::Highest,
            name => Self::Named(name.to_owned()),
        })
    }
}

/// Chooses a variant of a multivariant playlist that was read at `base`.
pub fn choose(text: &str, base: &Url, wish: &Wish) -> Result<Choice, PlaylistError> {
    let mut lines = lines(text)?;
    let mut groups: Vec<(String, String)> = Vec::new();
    let mut variants: Vec<(u64, bool, Option<String>, String)> = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(list) = line.strip_prefix("#EXT-X-MEDIA:") {
            if attribute(list, "TYPE") == Some("AUDIO")
                && let (Some(group), Some(uri)) =
                    (attribute(list, "GROUP-ID"), attribute(list, "URI"))
            {
                groups.push((group.to_owned(), uri.to_owned()));
            }
        } else if let Some(list) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            let bandwidth = attribute(list, "BANDWIDTH")
                .and_then(|value| value.parse().ok())
                .ok_or_else(|| PlaylistError::Line(line.to_owned()))?;
            let uri = lines
                .next()
                .ok_or_else(|| PlaylistError::Line(line.to_owned()))?;
            let group = attribute(list, "AUDIO").map(str::to_owned);
            let has_pictures = attribute(list, "RESOLUTION").is_some();
            variants.push((bandwidth, has_pictures, group, uri.to_owned()));
        }
    }
    if variants.iter().any(|(_, has_pictures, ..)| *has_pictures) && !matches!(wish, Wish::Named(_))
    {
        variants.retain(|(_, has_pictures, ..)| *has_pictures);
    }
    let chosen = match wish {
        Wish::Lowest => variants.iter().min_by_key(|(bandwidth, ..)| *bandwidth),
        Wish::Highest => variants.iter().max_by_key(|(bandwidth, ..)| *bandwidth),
        Wish::Named(name) => variants
            .iter()
            .find(|(.., uri)| uri.split('/').any(|directory| directory == name)),
    };
    let Some((bandwidth, _, group, uri)) = chosen else {
        let named = match wish {
            Wish::Named(name) => Some(name.clone()),
            Wish::Lowest | Wish::Highest => None,
        };
        return Err(PlaylistError::NoRendition(named));
    };
    let sound = groups
        .iter()
        .find(|(id, _)| group.as_ref() == Some(id))
        .map(|(_, uri)| uri);
    let playlists = [Some(uri), sound]
        .into_iter()
        .flatten()
        .map(|uri| base.join(uri).map_err(|_| PlaylistError::Line(uri.clone())))
        .collect::<Result<_, _>>()?;
    Ok(Choice {
        bandwidth: *bandwidth,
        playlists,
    })
}

/// Where a part stands: its segment's number, and its own within that.
pub type Position = (u64, u32);

/// A part that is complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Where it stands.
    pub position: Position,
    /// Its URL, relative to the playlist's.
    pub uri: String,
    /// Its initialization segment's.
    pub init: Option<String>,
    /// It has a keyframe.
    pub independent: bool,
    /// There's nothing in it.
    pub gap: bool,
    /// Seconds since 1970 at which it begins and ends, by `EXT-X-PROGRAM-DATE-TIME`; if the playlist has none, its media
    /// time.
    pub begin: f64,
    /// See `begin`.
    pub end: f64,
}

/// The parts of a media playlist, whole or a delta update.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is something that a playlist says or doesn't"
)]
pub struct Media {
    /// Seconds.
    pub part_target: f64,
    /// Seconds that a player should stay behind the end.
    pub hold_back: f64,
    /// `_HLS_msn` may be asked for.
    pub can_block: bool,
    /// `_HLS_skip` may be asked for.
    pub can_skip: bool,
    /// Times are those of a clock.
    pub is_dated: bool,
    /// Those that are listed.
    pub parts: Vec<Part>,
    /// Where the part that comes next will stand.
    pub next: Position,
    /// The URL of that part.
    pub hint: Option<String>,
    /// Nothing comes any more.
    pub ended: bool,
}

impl Media {
    /// Reads a media playlist.
    pub fn parse(text: &str) -> Result<Self, PlaylistError> {
        let mut reader = Reader::default();
        for line in lines(text)? {
            reader
                .line(line)
                .ok_or_else(|| PlaylistError::Line(line.chars().take(120).collect()))?;
        }
        let media = reader.media;
        if media.part_target > 0.0 {
            Ok(media)
        } else {
            Err(PlaylistError::NoParts)
        }
    }

    /// Where a player begins: with the last independent part that isn't later than `hold_back` behind the end, and at
    /// that moment. None: there's none yet.
    pub fn start(&self) -> Option<(Position, f64)> {
        let moment = self.parts.last()?.end - self.hold_back;
        let independent = || self.parts.iter().filter(|part| part.independent);
        let first = independent()
            .take_while(|part| part.begin <= moment)
            .last()
            .or_else(|| independent().next())?;
        Some((first.position, moment.max(first.begin)))
    }
}

#[derive(Default)]
struct Reader {
    media: Media,
    init: Option<String>,
    /// Of the next part or segment.
    time: f64,
    /// Of the segment that `EXTINF` was of.
    duration: Option<f64>,
    /// Its parts reached so far.
    parts_end: Option<f64>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Option<()> {
        let (tag, value) = line.split_once(':').unwrap_or((line, ""));
        match tag {
            "#EXT-X-MEDIA-SEQUENCE" => self.media.next = (value.parse().ok()?, 0),
            "#EXT-X-SKIP" => {
                let skipped: u64 = attribute(value, "SKIPPED-SEGMENTS")?.parse().ok()?;
                self.media.next.0 = self.media.next.0.checked_add(skipped)?;
            }
            "#EXT-X-PART-INF" => self.media.part_target = number(value, "PART-TARGET")?,
            "#EXT-X-SERVER-CONTROL" => {
                self.media.can_block = attribute(value, "CAN-BLOCK-RELOAD") == Some("YES");
                self.media.can_skip = attribute(value, "CAN-SKIP-UNTIL").is_some();
                self.media.hold_back = number(value, "PART-HOLD-BACK").unwrap_or_default();
            }
            "#EXT-X-PROGRAM-DATE-TIME" => {
                self.time = seconds_since_1970(value)?;
                self.media.is_dated = true;
            }
            "#EXT-X-MAP" => self.init = Some(attribute(value, "URI")?.to_owned()),
            "#EXT-X-PART" => self.part(value)?,
            "#EXT-X-PRELOAD-HINT" if attribute(value, "TYPE") == Some("PART") => {
                self.media.hint = Some(attribute(value, "URI")?.to_owned());
            }
            "#EXTINF" => self.duration = Some(value.split(',').next()?.parse().ok()?),
            "#EXT-X-ENDLIST" => self.media.ended = true,
            _ if !line.starts_with('#') => self.segment()?,
            _ => {}
        }
        Some(())
    }

    fn part(&mut self, value: &str) -> Option<()> {
        let begin = self.parts_end.unwrap_or(self.time);
        let end = begin + number(value, "DURATION")?;
        let is = |name| attribute(value, name) == Some("YES");
        self.media.parts.push(Part {
            position: self.media.next,
            uri: attribute(value, "URI")?.to_owned(),
            init: self.init.clone(),
            independent: is("INDEPENDENT"),
            gap: is("GAP"),
            begin,
            end,
        });
        self.media.next.1 = self.media.next.1.checked_add(1)?;
        self.parts_end = Some(end);
        Some(())
    }

    fn segment(&mut self) -> Option<()> {
        self.time += self.duration.take()?;
        self.parts_end = None;
        self.media.next = (self.media.next.0.checked_add(1)?, 0);
        Some(())
    }
}

fn lines(text: &str) -> Result<impl Iterator<Item = &str>, PlaylistError> {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && (!line.starts_with('#') || line.starts_with("#EXT")));
    if lines.next() == Some("#EXTM3U") {
        Ok(lines)
    } else {
        Err(PlaylistError::NoPlaylist)
    }
}

fn number(list: &str, name: &str) -> Option<f64> {
    let value: f64 = attribute(list, name)?.parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value)
}

fn seconds_since_1970(text: &str) -> Option<f64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    Some(
        time.duration_since(SystemTime::UNIX_EPOCH)
            .ok()?
            .as_secs_f64(),
    )
}

/// The value of an attribute (RFC 8216bis §4.2), without its quotes.
fn attribute<'a>(mut list: &'a str, name: &str) -> Option<&'a str> {
    loop {
        let (key, rest) = list.split_once('=')?;
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (value, rest) = quoted.split_once('"')?;
                (value, rest.strip_prefix(',').unwrap_or(rest))
            }
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        if key.trim() == name {
            return Some(value);
        }
        list = rest;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MASTER: &str = "#EXTM3U
#EXT-X-VERSION:9
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"a, b\",DEFAULT=YES,URI=\"audio/index.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"sound\"
720p/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,AUDIO=\"sound\"
360p/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=96000
audio/index.m3u8
";

    fn chosen(wish: &str) -> Result<Vec<String>, PlaylistError> {
        let base = Url::parse("http://127.0.0.1/hls/demo/index.m3u8").unwrap();
        let choice = choose(MASTER, &base, &wish.parse().unwrap())?;
        Ok(choice
            .playlists
            .iter()
            .map(|url| url.path().to_owned())
            .collect())
    }

    #[test]
    fn a_variant_is_chosen_with_its_sound() {
        let with = |name: &str| {
            Ok(vec![
                format!("/hls/demo/{name}/index.m3u8"),
                "/hls/demo/audio/index.m3u8".into(),
            ])
        };
        assert_eq!(chosen("lowest"), with("360p"));
        assert_eq!(chosen("highest"), with("720p"));
        assert_eq!(chosen("720p"), with("720p"));
        assert_eq!(
            chosen("audio"),
            Ok(vec!["/hls/demo/audio/index.m3u8".into()])
        );
        let none = Err(PlaylistError::NoRendition(Some("1080p".into())));
        assert_eq!(chosen("1080p"), none);
    }

    const MEDIA: &str = "#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=0.6
#EXT-X-PART-INF:PART-TARGET=0.200000
#EXT-X-MEDIA-SEQUENCE:10
#EXT-X-SKIP:SKIPPED-SEGMENTS=3
#EXT-X-MAP:URI=\"init-10.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z
#EXT-X-PART:DURATION=0.2,URI=\"13.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.2,URI=\"13.1.m4s\"
#EXTINF:0.4,
13.m4s
#EXT-X-PART:DURATION=0.2,URI=\"14.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.2,URI=\"14.1.m4s\"
#EXT-X-PART:DURATION=0.2,URI=\"14.2.m4s\"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"14.3.m4s\"
";

    #[test]
    fn parts_have_their_places_and_times() {
        let media = Media::parse(MEDIA).unwrap();
        let places: Vec<Position> = media.parts.iter().map(|part| part.position).collect();
        assert_eq!(places, [(13, 0), (13, 1), (14, 0), (14, 1), (14, 2)]);
        assert_eq!(
            (media.next, media.hint.as_deref()),
            ((14, 3), Some("14.3.m4s"))
        );
        assert!(media.can_block && media.can_skip && media.is_dated && !media.ended);
        let midnight = 1_767_225_600.0;
        let last = media.parts.last().unwrap();
        assert!((last.end - midnight - 1.0).abs() < 1e-6, "{last:?}");
        assert_eq!(last.init.as_deref(), Some("init-10.mp4"));
        // 0.6 s before the end: in the first segment's last part, which is decoded from its beginning.
        let (first, moment) = media.start().unwrap();
        assert_eq!(first, (14, 0));
        assert!((moment - midnight - 0.4).abs() < 1e-6);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "rubbish",
            "#EXTM3U\n#EXTINF:x,\n1.m4s",
            "#EXTM3U\n1.m4s",
        ] {
            assert!(Media::parse(text).is_err(), "{text:?}");
        }
        let no_parts = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:2,\n1.m4s\n";
        assert_eq!(Media::parse(no_parts), Err(PlaylistError::NoParts));
        // Whatever a line lacks, nothing panics.
        for cut in 0..MEDIA.len() {
            let _ = Media::parse(&MEDIA[..cut]);
            let base = Url::parse("http://a/").unwrap();
            let _ = choose(&MASTER[..cut.min(MASTER.len())], &base, &Wish::Lowest);
        }
    }
}
