//! Which program the sidecar is, and how it's called.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::config::{Hls, Log, LogFormat};

/// What the program is called where it lies beside this one.
const NAME: &str = "spillway-hls";
/// The variables that say where recordings go.
const STORAGE: &str = "SPILLWAY_STORAGE";
const SPOOL: &str = "SPILLWAY_SPOOL";

/// Why there is no program to start.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missing {
    /// Nobody built or installed it.
    #[error(
        "there is no {}; build it with `cargo build -p spillway-hls`, name it in hls.command, or say that there is none with --no-hls", .0.display()
    )]
    Beside(PathBuf),
    /// The configuration names something else.
    #[error("hls.command is {}, where there is no program", .0.display())]
    Named(PathBuf),
    /// It isn't known where this program is.
    #[error("it isn't known where this program lies ({0}); name the sidecar in hls.command")]
    Nowhere(io::Error),
}

/// The configured program, or the one that lies beside this one.
pub(super) fn find(hls: &Hls) -> Result<PathBuf, Missing> {
    if !hls.command.as_os_str().is_empty() {
        return existing(&hls.command).ok_or_else(|| Missing::Named(hls.command.clone()));
    }
    let beside = env::current_exe()
        .map_err(Missing::Nowhere)?
        .with_file_name(NAME);
    existing(&beside).ok_or(Missing::Beside(beside))
}

fn existing(path: &Path) -> Option<PathBuf> {
    path.is_file().then(|| path.to_owned())
}

/// How it's called.
pub(super) struct Command {
    pub(super) program: PathBuf,
    pub(super) node_url: String,
    pub(super) id: &'static str,
    pub(super) extra: Vec<String>,
    pub(super) token: String,
    pub(super) recordings: Option<Recordings>,
    pub(super) log: Log,
}

/// Where it puts what it records.
pub(super) struct Recordings {
    /// The URL of the storage.
    pub(super) storage: String,
    /// The directory of what isn't there yet.
    pub(super) spool: PathBuf,
}

impl Command {
    /// The token goes by a variable, since everybody on a machine sees arguments.
    pub(super) fn process(&self) -> tokio::process::Command {
        let log: &[&str] = match self.log.format {
            LogFormat::Human => &[],
            LogFormat::Json => &["--log-json"],
        };
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(["--node", &self.node_url])
            .args(["--listen", "127.0.0.1:0", "--id", self.id, "--supervised"])
            .args(log)
            .args(&self.extra)
            .env("SPILLWAY_TOKEN", &self.token)
            .env("SPILLWAY_LOG_FILTER", &self.log.filter)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // What it logs goes where the node's own log goes.
            .stderr(Stdio::inherit())
            // Ctrl-C in a terminal is for the node, which ends it in order.
            .process_group(0)
            .kill_on_drop(true);
        // Without them it records nothing, whatever this process was given.
        match &self.recordings {
            Some(Recordings { storage, spool }) => command.env(STORAGE, storage).env(SPOOL, spool),
            None => command.env_remove(STORAGE).env_remove(SPOOL),
        };
        command
    }
}
