//! Words as cues: up to two lines that can be read at the pace of speech. Sans-IO.

use super::{Cue, Word};

/// Characters of a line, as broadcasters have them.
const LINE: usize = 37;
/// Lines of a cue.
const LINES: usize = 2;
/// How long a cue may be: microseconds.
const LONGEST: u64 = 6_000_000;
/// And how long it is shown at least, where nothing follows.
const SHORTEST: u64 = 1_200_000;
/// A pause of so long ends a cue.
const PAUSE: u64 = 900_000;

/// The cues of words in order. Each begins with its first word, and is there until the next begins, but not for long.
pub(super) fn cues(words: &[Word]) -> Vec<Cue> {
    let mut cues: Vec<Cue> = Vec::new();
    let mut taken: Vec<&Word> = Vec::new();
    for word in words {
        let full = taken.first().is_some_and(|first| {
            let paused = taken
                .last()
                .is_some_and(|last| word.start.saturating_sub(last.end) > PAUSE);
            paused
                || word.end.saturating_sub(first.start) > LONGEST
                || !fits(taken.iter().copied().chain([word]))
        });
        if full {
            cues.extend(cue(&taken));
            taken.clear();
        }
        taken.push(word);
    }
    cues.extend(cue(&taken));
    let starts: Vec<u64> = cues.iter().skip(1).map(|next| next.start).collect();
    for (cue, next) in cues.iter_mut().zip(starts.into_iter().chain([u64::MAX])) {
        let shown = cue.end.max(cue.start + SHORTEST);
        cue.end = shown.min(next).max(cue.start + 1_000);
    }
    cues
}

fn fits<'a>(words: impl Iterator<Item = &'a Word>) -> bool {
    lines(words).len() <= LINES
}

/// Filled one after the other.
fn lines<'a>(words: impl Iterator<Item = &'a Word>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.text.chars().count() <= LINE => {
                line.push(' ');
                line.push_str(&word.text);
            }
            _ => lines.push(word.text.clone()),
        }
    }
    lines
}

fn cue(words: &[&Word]) -> Option<Cue> {
    let (first, last) = (words.first()?, words.last()?);
    Some(Cue {
        start: first.start,
        end: last.end,
        text: lines(words.iter().copied()).join("\n"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Words of 300 ms each, so many microseconds apart.
    fn words(text: &str, every: u64) -> Vec<Word> {
        let words = text.split(' ').zip(0..);
        words
            .map(|(text, at)| Word {
                text: text.to_owned(),
                start: at * every,
                end: at * every + 300_000,
            })
            .collect()
    }

    #[test]
    fn words_fill_two_lines() {
        let said = "this is what somebody said in a broadcast that goes on for longer than two lines can hold at once";
        let cues = cues(&words(said, 300_000));
        assert_eq!(
            cues[0].text,
            "this is what somebody said in a\nbroadcast that goes on for longer"
        );
        assert_eq!(cues[1].text, "than two lines can hold at once");
        assert_eq!(cues[0].end, cues[1].start);
        let all: Vec<_> = cues.iter().map(|cue| cue.text.replace('\n', " ")).collect();
        assert_eq!(all.join(" "), said);
    }

    #[test]
    fn a_pause_and_six_seconds_end_a_cue() {
        let mut said = words("one two three four", 400_000);
        said[2].start += 2_000_000;
        said[2].end += 2_000_000;
        said[3].start += 2_000_000;
        said[3].end += 2_000_000;
        let parted = cues(&said);
        assert_eq!(
            parted
                .iter()
                .map(|cue| cue.text.as_str())
                .collect::<Vec<_>>(),
            ["one two", "three four"]
        );
        // Shown for longer than it was spoken, as nothing follows at once.
        assert_eq!((parted[0].start, parted[0].end), (0, 1_200_000));
        let slow = cues(&words("a b c d e f g h i", 1_000_000));
        assert!(slow.len() > 1);
        assert!(slow.iter().all(|cue| cue.end - cue.start <= LONGEST));
    }

    #[test]
    fn a_word_longer_than_a_line_is_a_line() {
        let long = "x".repeat(80);
        let cues = cues(&words(&format!("{long} b"), 300_000));
        assert_eq!(cues.len(), 1);
        assert_eq!(cues[0].text, format!("{long}\nb"));
        assert!(super::cues(&[]).is_empty());
    }
}
