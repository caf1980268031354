//! Captions: what is said, recognized by a program of its own, as `WebVTT`.
//!
//! ```text
//! conductor ──sound──► Ear (16 kHz) ──queue──► a task: Utterances ──► Recognizer (child process) ──words──► cues ──► Wall
//! ```
//!
//! What it must never do is hold up what is live: the conductor gives sound into a queue of some seconds, and goes on where that is
//! full. A recognizer is a child process at a lower priority, one for each utterance, so that whatever it does to itself it
//! does to that utterance alone.

mod captioner;
mod child;
mod cues;
mod downsample;
mod pocketsphinx;
mod utterances;
mod webvtt;
mod whisper;

use std::{fmt, path::PathBuf, str::FromStr};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use captioner::{Ear, Wall, listen};
pub use downsample::RATE;
pub use webvtt::Cue;

pub(crate) use webvtt::{cue as write_cue, escaped, segment};

#[cfg(test)]
pub(crate) use webvtt::clock;

use pocketsphinx::PocketSphinx;
use whisper::Whisper;

/// What recognizes speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// CMU Sphinx, as Debian has it: English, offline, of modest accuracy.
    PocketSphinx,
    /// whisper.cpp, with a model that the operator has: many languages.
    Whisper,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PocketSphinx => "pocketsphinx",
            Self::Whisper => "whisper",
        })
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pocketsphinx" => Ok(Self::PocketSphinx),
            "whisper" => Ok(Self::Whisper),
            _ => Err("write pocketsphinx or whisper".to_owned()),
        }
    }
}

/// A language's tag, as playlists have it: `en`, `pt-BR` (RFC 5646), in 2 to 35 of letters, digits and -.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(String);

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.0
    }
}

impl TryFrom<String> for Language {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Language {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language without its variety: `pt`.
    fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('-');
        let primary = parts.next().unwrap_or_default();
        let fits = text.len() <= 35
            && (2..=3).contains(&primary.len())
            && primary.bytes().all(|b| b.is_ascii_lowercase())
            && parts.all(|part| {
                (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
            });
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err("write a language's tag, such as en or pt-BR".to_owned())
        }
    }
}

/// How captions are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What recognizes.
    pub engine: Engine,
    /// What is spoken.
    pub language: Language,
    /// The recognizer's model, where that has to be named.
    pub model: Option<PathBuf>,
}

/// A word that was recognized. Times are microseconds, since the beginning of what was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As it is written, without spaces around it.
    pub text: String,
    /// When it begins.
    pub start: u64,
    /// When it ends.
    pub end: u64,
}

/// Turns speech into words.
pub trait Recognizer: Send + Sync {
    /// The words of an utterance: up to 12 s of one channel, [`RATE`] samples a second. Dropped, it ends.
    fn recognize<'a>(
        &'a self,
        utterance: &'a [i16],
    ) -> BoxFuture<'a, Result<Vec<Word>, RecognizeError>>;
}

/// Why there are no captions, or none of an utterance.
#[derive(Debug, thiserror::Error)]
pub enum RecognizeError {
    /// The program isn't there.
    #[error("there is no program {program}: {remedy}")]
    Missing {
        /// Its name.
        program: &'static str,
        /// Where it comes from.
        remedy: &'static str,
    },
    /// Its model isn't there.
    #[error("there is no {}: {remedy}", path.display())]
    NoModel {
        /// Where it was looked for.
        path: PathBuf,
        /// Where it comes from.
        remedy: &'static str,
    },
    /// whisper has no model of its own.
    #[error("whisper needs a model: name it with --captions-model")]
    ModelUnnamed,
    /// pocketsphinx has one language.
    #[error(
        "pocketsphinx recognizes English alone: give --captions-language en, or --captions whisper"
    )]
    Language,
    /// The system starts no process.
    #[error("{program} can't be run: {source}")]
    Run {
        /// Which.
        program: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// It takes too long, or hangs.
    #[error("{program} didn't answer within {seconds} s: this machine is too slow for it")]
    TooSlow {
        /// Which.
        program: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// It ended with an error.
    #[error("{program} ended with {status}: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The end of what it wrote to its standard error.
        said: String,
    },
}

impl Settings {
    /// The recognizer.
    ///
    /// # Errors
    /// Its program or its model isn't there.
    pub fn recognizer(&self) -> Result<Box<dyn Recognizer>, RecognizeError> {
        Ok(match self.engine {
            Engine::PocketSphinx => Box::new(PocketSphinx::find(self)?),
            Engine::Whisper => Box::new(Whisper::find(self)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_a_tag() {
        for good in ["en", "pt-BR", "zh-Hant-TW", "yue"] {
            assert!(good.parse::<Language>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "e",
            "EN",
            "en_US",
            "en-",
            "en\"",
            "english",
            "en-ABCDEFGHI",
        ] {
            assert!(bad.parse::<Language>().is_err(), "{bad}");
        }
        let language = "pt-BR".parse::<Language>();
        assert_eq!(
            language.map(|l| l.primary().to_owned()),
            Ok("pt".to_owned())
        );
    }
}
