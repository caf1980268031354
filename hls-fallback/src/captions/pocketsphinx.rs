//! CMU Sphinx: `pocketsphinx_continuous`, as Debian has it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use futures_util::future::BoxFuture;

use super::{RecognizeError, Recognizer, Settings, Word, child};

const PROGRAM: &str = "pocketsphinx_continuous";
const REMEDY: &str = "install it, on Debian with: apt-get install pocketsphinx pocketsphinx-en-us";
/// Where Debian has the model of American English.
const MODEL: &str = "/usr/share/pocketsphinx/model/en-us";
/// Recognizes English.
#[derive(Debug)]
pub(super) struct PocketSphinx {
    program: PathBuf,
    model: PathBuf,
}

impl PocketSphinx {
    pub(super) fn find(settings: &Settings) -> Result<Self, RecognizeError> {
        if settings.language.primary() != "en" {
            return Err(RecognizeError::Language);
        }
        let program = child::find(PROGRAM, REMEDY)?;
        let model = settings.model.clone();
        let model = model.unwrap_or_else(|| PathBuf::from(MODEL));
        let found = Self { program, model };
        for part in [found.acoustic(), found.language(), found.words()] {
            if !part.exists() {
                let (path, remedy) = (part, REMEDY);
                return Err(RecognizeError::NoModel { path, remedy });
            }
        }
        Ok(found)
    }

    fn acoustic(&self) -> PathBuf {
        self.model.join("en-us")
    }

    fn language(&self) -> PathBuf {
        self.model.join("en-us.lm.bin")
    }

    fn words(&self) -> PathBuf {
        self.model.join("cmudict-en-us.dict")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let mut option = |name: &str, value: &Path| {
            command.arg(name).arg(value);
        };
        option("-hmm", &self.acoustic());
        option("-lm", &self.language());
        option("-dict", &self.words());
        option("-infile", Path::new("/dev/stdin"));
        option("-logfn", Path::new("/dev/null"));
        option("-time", Path::new("yes"));
        command
    }
}

impl Recognizer for PocketSphinx {
    fn recognize<'a>(
        &'a self,
        utterance: &'a [i16],
    ) -> BoxFuture<'a, Result<Vec<Word>, RecognizeError>> {
        let bytes = utterance.iter().flat_map(|sample| sample.to_le_bytes());
        let input = bytes.collect();
        let work = child::run(PROGRAM, self.command(), input);
        Box::pin(async move { Ok(words(&work.await?)) })
    }
}

/// Of the lines `word start end confidence`, times in seconds, that follow each sentence. What stands in brackets or after plus signs
/// is noise, and `word(2)` is a way to say a word.
fn words(text: &str) -> Vec<Word> {
    text.lines().filter_map(word).collect()
}

fn word(line: &str) -> Option<Word> {
    let mut fields = line.split(' ');
    let (text, start, end) = (fields.next()?, fields.next()?, fields.next()?);
    let confidence: f64 = fields.next()?.parse().ok()?;
    if fields.next().is_some() || !confidence.is_finite() || text.starts_with(['<', '[', '+']) {
        return None;
    }
    let text = text.split('(').next()?;
    let micros = |seconds: &str| {
        let seconds: f64 = seconds.parse().ok()?;
        let within = (0.0..3_600.0).contains(&seconds);
        within.then_some((seconds * 1e6) as u64)
    };
    let (start, end) = (micros(start)?, micros(end)?);
    (!text.is_empty() && start <= end).then(|| Word {
        text: text.to_owned(),
        start,
        end,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_without_what_is_none() {
        let text = "going to our park\n<s> 0.000 0.450 0.999800\ngoing 1.000 1.650 0.527049\n<sil> 2.660 2.730 0.998601\n\
            to(3) 1.740 1.830 0.716313\n[NOISE] 1.9 2.0 0.5\n++UH++ 2.0 2.1 0.5\nour(3) 2.000 2.5 0.15\n</s> 4.430 4.900 1.000000\n";
        let seen: Vec<_> = words(text)
            .into_iter()
            .map(|word| (word.text, word.start))
            .collect();
        let expected = [("going", 1_000_000), ("to", 1_740_000), ("our", 2_000_000)];
        assert_eq!(seen, expected.map(|(text, start)| (text.to_owned(), start)));
    }

    #[test]
    fn what_is_no_such_line_is_no_word() {
        for line in [
            "",
            "one two three four",
            "word 1.0 2.0",
            "word 2.0 1.0 0.5",
            "word -1 2 0.5",
            "word nan 2 0.5",
            "word 1e9 2e9 0.5",
            "(2) 1.0 2.0 0.5",
            "a 1.0 2.0 0.5 b",
        ] {
            assert_eq!(word(line), None, "{line}");
        }
    }
}
