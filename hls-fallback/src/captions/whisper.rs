//! whisper.cpp: its `whisper-cli`, with a model that the operator names.

use std::{path::PathBuf, process::Command};

use futures_util::future::BoxFuture;

use super::{RATE, RecognizeError, Recognizer, Settings, Word, child};

const PROGRAM: &str = "whisper-cli";
const REMEDY: &str = "install whisper.cpp, so that it's on the PATH";
const MODEL_REMEDY: &str = "name a model of whisper.cpp with --captions-model";

/// Recognizes what its model does.
#[derive(Debug)]
pub(super) struct Whisper {
    program: PathBuf,
    model: PathBuf,
    language: String,
}

impl Whisper {
    pub(super) fn find(settings: &Settings) -> Result<Self, RecognizeError> {
        let model = settings.model.clone();
        let model = model.ok_or(RecognizeError::ModelUnnamed)?;
        if !model.is_file() {
            return Err(RecognizeError::NoModel {
                path: model,
                remedy: MODEL_REMEDY,
            });
        }
        Ok(Self {
            program: child::find(PROGRAM, REMEDY)?,
            model,
            language: settings.language.primary().to_owned(),
        })
    }

    /// A word a line, with its times, of what comes by standard input.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--model").arg(&self.model);
        command.args(["--language", &self.language, "--no-prints"]);
        command.args(["--max-len", "1", "--split-on-word", "--file", "-"]);
        command
    }
}

impl Recognizer for Whisper {
    fn recognize<'a>(
        &'a self,
        utterance: &'a [i16],
    ) -> BoxFuture<'a, Result<Vec<Word>, RecognizeError>> {
        let work = child::run(PROGRAM, self.command(), wav(utterance));
        Box::pin(async move { Ok(words(&work.await?)) })
    }
}

/// As a WAV file: one channel, 16 bits.
fn wav(samples: &[i16]) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut out = Vec::with_capacity(44 + samples.len() * 2);
    out.extend(b"RIFF");
    out.extend((36 + bytes).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    out.extend([1, 0, 1, 0]);
    out.extend(RATE.to_le_bytes());
    out.extend((RATE * 2).to_le_bytes());
    // Bytes of a sample, and its bits.
    out.extend([2, 0, 16, 0]);
    out.extend(b"data");
    out.extend(bytes.to_le_bytes());
    out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    out
}

/// Of lines `[00:00:00.000 --> 00:00:00.500]   word`. What stands in brackets is noise.
fn words(text: &str) -> Vec<Word> {
    text.lines().filter_map(word).collect()
}

fn word(line: &str) -> Option<Word> {
    let (times, text) = line.trim().strip_prefix('[')?.split_once(']')?;
    let (start, end) = times.split_once(" --> ")?;
    let text = text.trim();
    let is_noise = text.starts_with(['[', '(', '*', '♪']) || text.ends_with([']', ')']);
    if text.is_empty() || is_noise {
        return None;
    }
    let (start, end) = (micros(start)?, micros(end)?);
    (start <= end).then(|| Word {
        text: text.to_owned(),
        start,
        end,
    })
}

/// `00:00:00.000`
fn micros(clock: &str) -> Option<u64> {
    let mut parts = clock.split(':');
    let (hours, minutes) = (parts.next()?, parts.next()?);
    let (seconds, ms) = parts.next()?.split_once('.')?;
    let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
    let whole = number(hours)? * 3_600 + number(minutes)? * 60 + number(seconds)?;
    (ms.len() == 3 && parts.next().is_none())
        .then_some(whole.checked_mul(1_000_000)? + number(ms)? * 1_000)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn words_are_read_without_noise() {
        let text = "\n[00:00:00.000 --> 00:00:00.320]   Hello,\n[00:00:00.320 --> 00:01:02.500]  world.\n\
            [00:00:01.000 --> 00:00:02.000]   [BLANK_AUDIO]\n[00:00:01.000 --> 00:00:02.000]   (music)\nwhisper: done\n";
        let seen = words(text);
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].text.as_str(), seen[0].end), ("Hello,", 320_000));
        assert_eq!((seen[1].text.as_str(), seen[1].end), ("world.", 62_500_000));
        for line in [
            "[a --> b] c",
            "[00:00:02.000 --> 00:00:01.000] back",
            "[] x",
            "[00:00 --> 00:01] x",
        ] {
            assert_eq!(word(line), None, "{line}");
        }
    }

    /// In place of whisper.cpp: it checks what it's given, and answers as that does.
    const STAND_IN: &str = r#"#!/bin/sh
[ "$*" = "--model $(dirname "$0")/model.bin --language pt --no-prints --max-len 1 --split-on-word --file -" ] || { echo "arguments: $*" >&2; exit 1; }
[ "$(head -c 12 | tail -c 4)" = WAVE ] || { echo "no WAV" >&2; exit 1; }
cat >/dev/null
echo "[00:00:00.100 --> 00:00:00.400]   bom"
echo "[00:00:00.400 --> 00:00:00.900]   dia"
"#;

    #[tokio::test]
    async fn the_program_is_given_a_file_and_its_options() {
        let folder = tempfile::tempdir().unwrap();
        let (program, model) = (folder.path().join(PROGRAM), folder.path().join("model.bin"));
        std::fs::write(&program, STAND_IN).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let whisper = Whisper {
            program,
            model,
            language: "pt".to_owned(),
        };
        let words = whisper.recognize(&vec![1_000; 16_000]).await.unwrap();
        let said: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(said, ["bom", "dia"]);
        assert_eq!(wav(&[1; 100]).len(), 244);
    }

    #[test]
    fn without_a_model_it_says_so() {
        let mut settings = Settings {
            engine: super::super::Engine::Whisper,
            language: "en".parse().unwrap(),
            model: None,
        };
        let error = Whisper::find(&settings).unwrap_err().to_string();
        assert!(error.contains("--captions-model"), "{error}");
        settings.model = Some("/nowhere/model.bin".into());
        let error = Whisper::find(&settings).unwrap_err().to_string();
        assert!(error.contains("/nowhere/model.bin"), "{error}");
    }
}
