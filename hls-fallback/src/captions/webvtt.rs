//! `WebVTT` (W3C) as HLS has it (RFC 8216bis §3.1.4).

use std::fmt::Write as _;

/// A segment's text: times are microseconds since the media's time 0. A cue that reaches over its ends is in all that it
/// reaches into.
///
/// The clock of cues is tied to the media's at the segment's `start`, in the 33 bits that there are.
pub(crate) fn segment<'a>(start: u64, cues: impl IntoIterator<Item = &'a Cue>) -> String {
    let ticks = (u128::from(start) * 90_000 / 1_000_000) as u64 % (1 << 33);
    let mut out = format!(
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{ticks},LOCAL:{}\n",
        clock(start)
    );
    for next in cues {
        cue(&mut out, next.start, next.end, &escaped(&next.text));
    }
    out
}

/// What is shown, and when: microseconds since the media's time 0.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cue {
    /// From here on.
    pub start: u64,
    /// Until here.
    pub end: u64,
    /// One or two lines, as they are: nothing in them is markup.
    pub text: String,
}

/// Appends a cue; times are microseconds. The text is markup.
pub(crate) fn cue(out: &mut String, start: u64, end: u64, text: &str) {
    // Writing to a String doesn't fail.
    let _ = write!(out, "\n{} --> {}\n{text}\n", clock(start), clock(end));
}

/// Text as markup that means it. An empty line would end the cue.
pub(crate) fn escaped(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<_> = lines
        .map(|line| {
            line.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
        })
        .collect();
    lines.join("\n")
}

/// `00:00:00.000`
pub(crate) fn clock(micros: u64) -> String {
    let ms = micros / 1_000;
    let (seconds, minutes) = (ms / 1_000, ms / 60_000);
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        minutes / 60,
        minutes % 60,
        seconds % 60,
        ms % 1_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_ties_its_clock_to_the_medias() {
        let cue = Cue {
            start: 9_500_000,
            end: 11_000_000,
            text: "over\nthe seam".to_owned(),
        };
        let expected = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:10.000\n\n00:00:09.500 --> 00:00:11.000\nover\nthe seam\n";
        assert_eq!(segment(10_000_000, [&cue]), expected);
    }

    #[test]
    fn the_medias_clock_wraps_after_a_day_and_cues_dont() {
        let day = 27 * 3_600_000_000;
        let text = segment(day, []);
        let ticks = 27 * 3_600 * 90_000 - (1_u64 << 33);
        assert_eq!(
            text,
            format!("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{ticks},LOCAL:27:00:00.000\n")
        );
    }

    #[test]
    fn what_was_said_is_no_markup() {
        assert_eq!(
            escaped("a <b> & c --> d\n\n  e"),
            "a &lt;b&gt; &amp; c --&gt; d\ne"
        );
    }
}
