//! What people write: cleaned before anybody sees it, and folded to what it looks like before it's judged.

use linkify::{LinkFinder, LinkKind};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use unicode_security::confusable_detection::skeleton;

/// Marks on one letter; further ones are left out ("zalgo").
const MARKS: usize = 3;

/// The text as others may see it: composed (NFC), on one line, without what can't be seen or turns the line around.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut marks = 0;
    // Taken out first: they'd keep apart what composes, and marks from being counted.
    for c in text.chars().filter(|&c| !is_invisible(c)).nfc() {
        if !is_emoji_part(c) {
            marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        }
        if marks > MARKS {
            continue;
        }
        if c.is_whitespace() || c.is_control() {
            if !cleaned.is_empty() && !cleaned.ends_with(' ') {
                cleaned.push(' ');
            }
        } else {
            cleaned.push(c);
        }
    }
    cleaned.truncate(cleaned.trim_end().len());
    // Joiners and selectors alone show nothing.
    if cleaned.chars().all(|c| is_emoji_part(c) || c == ' ') {
        cleaned.clear();
    }
    cleaned
}

/// What joins or chooses the form of an emoji: zero width joiner, variation selectors, enclosing keycap.
fn is_emoji_part(c: char) -> bool {
    matches!(c, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{20e3}')
}

/// Zero width, directional or tagging characters (UTS #39 §5.4 and UAX #9 §2), private and unassigned areas without a form,
/// letters that are blank.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
}

/// What a text looks like, for comparison only: one form for letters that are confused with each other (UTS #39 §4), for
/// digits that stand for letters, without case and marks.
pub fn fold(text: &str) -> String {
    let lower: String = text
        .nfkd()
        .flat_map(char::to_lowercase)
        .filter(|&c| !is_combining_mark(c))
        .collect();
    skeleton(&lower)
        .flat_map(char::to_lowercase)
        .filter(|&c| !is_combining_mark(c))
        .map(|c| match c {
            '0' => 'o',
            '1' | 'i' | '|' | '!' => 'l',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            c => c,
        })
        .collect()
}

/// A name's folded letters and digits: what of it tells it from others.
pub fn fold_name(name: &str) -> String {
    fold(name).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Whether there's an address of the web in a text, or something that players make one of.
pub fn has_link(text: &str) -> bool {
    let plain: String = text.nfkc().collect();
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false).kinds(&[LinkKind::Url]);
    finder.links(&plain).next().is_some()
}

/// Words that nobody may write, folded.
#[derive(Debug, Clone, Default)]
pub struct WordFilter {
    phrases: Vec<Vec<String>>,
}

impl WordFilter {
    /// Words or phrases; a word matches whole words only.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let phrases = words
            .into_iter()
            .map(folded_words)
            .filter(|phrase| !phrase.is_empty())
            .collect();
        Self { phrases }
    }

    /// Whether one of them is in the text, however it's spelled: with other letters that look alike, with gaps between letters.
    pub fn catches(&self, text: &str) -> bool {
        if self.phrases.is_empty() {
            return false;
        }
        let words = folded_words(text);
        let joined = join_single_letters(&words);
        self.phrases.iter().any(|phrase| {
            [&words, &joined]
                .iter()
                .any(|words| contains(words, phrase))
        })
    }
}

fn contains(words: &[String], phrase: &[String]) -> bool {
    words.windows(phrase.len()).any(|window| window == phrase)
}

/// Split before folding, which makes letters of `!` and `|`; punctuation at a word's ends is no part of it.
fn folded_words(text: &str) -> Vec<String> {
    let stands_for_letter = |c: char| matches!(c, '@' | '$' | '!' | '|');
    let cleaned = clean(text);
    // Joiners keep letters apart for the filter, and not for who reads.
    let seen: String = cleaned.chars().filter(|&c| !is_emoji_part(c)).collect();
    seen.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c) && !stands_for_letter(c))
        .map(|word| word.trim_end_matches('!'))
        .map(fold_name)
        .filter(|word| !word.is_empty())
        .collect()
}

/// `b a d` is `bad`.
fn join_single_letters(words: &[String]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::with_capacity(words.len());
    let mut spells = false;
    for word in words {
        let is_single = word.chars().nth(1).is_none();
        match joined.last_mut() {
            Some(last) if spells && is_single => last.push_str(word),
            _ => joined.push(word.clone()),
        }
        spells = is_single;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_on_one_line_and_has_nothing_that_cannot_be_seen() {
        assert_eq!(clean("  a\n\tb \u{202e}c\u{200b}\u{0}d  "), "a b c d");
        assert_eq!(clean("\u{200d}\u{fe0f} \u{3164}"), "");
        assert_eq!(clean("👩‍👩‍👧 ❤️ 1️⃣"), "👩‍👩‍👧 ❤️ 1️⃣");
        assert_eq!(
            clean(&format!("z{}", "\u{0301}\u{0316}".repeat(20)))
                .chars()
                .count(),
            4
        );
        assert_eq!(clean("e\u{0301}"), "é");
    }

    #[test]
    fn what_cannot_be_seen_keeps_nothing_apart() {
        assert_eq!(clean("p\u{202e}\u{200b}\u{301}"), "ṕ");
        let apart = format!("z{}", "\u{0301}\u{200b}".repeat(20));
        assert_eq!(
            clean(&apart).chars().count(),
            4,
            "composed, and three marks"
        );
        let joined = clean(&format!("z{}", "\u{0301}\u{200d}".repeat(20)));
        let marks = joined.chars().filter(|&c| is_combining_mark(c));
        assert_eq!(marks.count(), 3, "beside the composed one");
        assert!(WordFilter::new(["bad"]).catches("b\u{200d}a\u{fe0f}d"));
    }

    #[test]
    fn names_that_look_alike_fold_alike() {
        for (one, other) in [
            ("Streamer", "Strеamer"),
            ("Ada", "ΑDА"),
            ("admin", "ADM1N"),
            ("Ada", "Ａ ｄ a"),
            ("moderator", "m_o-d.e r a t o r"),
            ("Paul", "PauI"),
            ("René", "Rene"),
        ] {
            assert_eq!(fold_name(one), fold_name(other), "{one} {other}");
        }
        assert_ne!(fold_name("Ada"), fold_name("Eda"));
        assert_eq!(fold_name("🙂 ~"), "");
    }

    #[test]
    fn words_are_caught_however_they_are_spelled_and_not_inside_of_others() {
        let filter = WordFilter::new(["bad", "very rude"]);
        for text in [
            "BAD",
            "so b a d!",
            "bаd",
            "b@d",
            "ｂａｄ",
            "bad!!!",
            "b\u{200b}ad",
            "Very, RUDE",
        ] {
            assert!(filter.catches(text), "{text}");
        }
        for text in ["badge", "abad", "very nice", "", "rude very"] {
            assert!(!filter.catches(text), "{text}");
        }
        assert!(!WordFilter::new(["", "~"]).catches("anything ~"));
    }

    #[test]
    fn links_are_found_with_and_without_a_scheme() {
        for text in [
            "see https://example.org/x",
            "www.example.org",
            "example.com now",
            "ｅxample．com",
        ] {
            assert!(has_link(text), "{text}");
        }
        for text in ["hello", "well... yes", "3.14", "a.b"] {
            assert!(!has_link(text), "{text}");
        }
    }
}
