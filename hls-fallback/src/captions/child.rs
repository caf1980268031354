//! A recognizer's program: sound into its standard input, text out of its standard output.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::timeout,
};

use super::RecognizeError;

/// How long it may take for an utterance, which lasts 12 s at most.
const PATIENCE: Duration = Duration::from_mins(1);
/// What it may write of an utterance: beyond that it's cut off.
const MOST_TEXT: u64 = 64 << 10;
/// What is kept of its standard error, for the log.
const MOST_SAID: u64 = 16 << 10;
const LAST_SAID: usize = 200;
/// How much nicer it is than the sidecar, which comes first.
const NICER: i32 = 5;

/// Where a program is, by the `PATH`.
pub(super) fn find(program: &'static str, remedy: &'static str) -> Result<PathBuf, RecognizeError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or(RecognizeError::Missing { program, remedy })
}

/// Runs a program with that input; gives what it writes. Dropped, the program is killed.
pub(super) async fn run(
    program: &'static str,
    command: std::process::Command,
    input: Vec<u8>,
) -> Result<String, RecognizeError> {
    run_within(PATIENCE, program, command, input).await
}

async fn run_within(
    patience: Duration,
    program: &'static str,
    command: std::process::Command,
    input: Vec<u8>,
) -> Result<String, RecognizeError> {
    let failed = |source| RecognizeError::Run { program, source };
    let mut child = Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    behind_the_rest(child.id());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // One that ends early says why by its status.
            let _ = stdin.write_all(&input).await;
        }
    };
    let work = async {
        let (text, said, ()) = tokio::join!(read(stdout, MOST_TEXT), read(stderr, MOST_SAID), feed);
        child.wait().await.map(|status| (status, text, said))
    };
    let (status, text, said) = timeout(patience, work)
        .await
        .map_err(|_| RecognizeError::TooSlow {
            program,
            seconds: patience.as_secs(),
        })?
        .map_err(failed)?;
    if !status.success() {
        let said = last_of(&said);
        return Err(RecognizeError::Failed {
            program,
            status,
            said,
        });
    }
    Ok(text)
}

/// What comes, up to `most`; the rest is read and forgotten, so that nobody waits for room in a pipe.
async fn read(from: Option<impl AsyncRead + Unpin>, most: u64) -> String {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        let _ = (&mut from).take(most).read_to_end(&mut bytes).await;
        let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn last_of(said: &str) -> String {
    let line = said.lines().rev().map(str::trim).find(|l| !l.is_empty());
    let line: String = line
        .unwrap_or("it said nothing")
        .chars()
        .take(LAST_SAID)
        .collect();
    line
}

/// The child works for long enough that the moment before doesn't matter.
fn behind_the_rest(id: Option<u32>) {
    let pid = id
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw);
    if pid.is_none() {
        // It has ended; without a process it would be the sidecar's own.
        return;
    }
    let made_way = rustix::process::getpriority_process(None)
        .and_then(|own| rustix::process::setpriority_process(pid, own + NICER));
    if let Err(error) = made_way {
        tracing::debug!(%error, "a recognizer keeps its priority");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shell(script: &str) -> std::process::Command {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn input_goes_in_and_text_comes_out() {
        let input = vec![b'x'; 1 << 20];
        let text = run("sh", shell("wc -c; nice"), input).await.unwrap();
        let own = rustix::process::getpriority_process(None).unwrap();
        let niceness = (own + NICER).min(19);
        let words: Vec<_> = text.split_whitespace().collect();
        assert_eq!(words, ["1048576", &niceness.to_string()]);
    }

    #[tokio::test]
    async fn an_error_says_what_the_program_said() {
        let error = run("sh", shell("echo no model >&2; exit 3"), vec![0; 1 << 20]).await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("status: 3") && error.contains("no model"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn one_that_writes_without_end_is_cut_off() {
        let text = run("sh", shell("head -c 10000000 /dev/zero"), Vec::new()).await;
        assert_eq!(text.unwrap().len() as u64, MOST_TEXT);
    }

    #[tokio::test]
    async fn one_that_hangs_is_given_up() {
        let patience = Duration::from_millis(200);
        let hangs = shell("exec sleep 1000");
        let error = run_within(patience, "sh", hangs, Vec::new()).await;
        let error = error.unwrap_err();
        assert!(matches!(error, RecognizeError::TooSlow { .. }), "{error}");
    }

    #[test]
    fn a_program_that_is_missing_says_where_to_get_it() {
        assert!(find("sh", "").is_ok());
        let error = find("no-such-recognizer", "install it").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no program no-such-recognizer: install it"
        );
    }
}
