//! What can be wrong with a configuration, said so that the reader knows what to change.

use std::{fmt, path::PathBuf};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named can't be read.
    #[error("can't read the configuration {path}: {source}; check the path and its permissions", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file isn't TOML, or a key doesn't exist or has the wrong type.
    #[error("{path}, line {line}: {message}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it, and the nearest key if the key is unknown.
        message: String,
    },
    /// A `SPILLWAY_*` variable has a value that its key can't take.
    #[error("the environment variable {variable}: {message}")]
    Variable {
        /// The variable.
        variable: String,
        /// What is wrong with it.
        message: String,
    },
    /// Values that are out of range or contradict each other.
    #[error("the configuration can't be used:{}", list(.0))]
    Invalid(Vec<Problem>),
}

/// One key whose value can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    key: String,
    message: String,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.message)
    }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems
        .iter()
        .map(|problem| format!("\n  - {problem}"))
        .collect();
    lines.concat()
}
