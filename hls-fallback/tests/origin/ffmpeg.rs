//! `FFmpeg`: the one that `SPILLWAY_FFMPEG` names, or `ffmpeg` on the path, or the one that `tests/e2e/setup.sh` installs. Without
//! one the tests that need it fail.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

/// # Panics
/// There is none.
pub(crate) fn ffmpeg() -> PathBuf {
    find().expect(
        "no FFmpeg: scripts/setup.sh test installs Debian's, and SPILLWAY_FFMPEG names another",
    )
}

fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("SPILLWAY_FFMPEG") {
        return Some(named.into());
    }
    let runs = |path: &PathBuf| Command::new(path).arg("-version").output().is_ok();
    Some(PathBuf::from("ffmpeg"))
        .filter(runs)
        .or_else(installed)
}

/// The one of `imageio-ffmpeg`.
fn installed() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let python = std::fs::read_dir(cache.join("spillway/venv/lib"))
        .ok()?
        .next()?
        .ok()?;
    let binaries = python.path().join("site-packages/imageio_ffmpeg/binaries");
    let mut files = std::fs::read_dir(binaries)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    files.find(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("ffmpeg-"))
    })
}

pub(crate) fn run(ffmpeg: &PathBuf, arguments: &[&str]) -> Output {
    let output = Command::new(ffmpeg)
        .args(["-nostdin", "-v", "warning"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// How many frames `FFmpeg` decodes, with nothing to complain of.
pub(crate) async fn decoded(ffmpeg: PathBuf, input: String) -> usize {
    tokio::task::spawn_blocking(move || {
        let arguments = [
            "-xerror",
            "-err_detect",
            "explode",
            "-i",
            &input,
            "-fps_mode",
            "passthrough",
        ];
        let output = run(
            &ffmpeg,
            &[&arguments[..], &["-f", "framecrc", "-"]].concat(),
        );
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{input}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).count()
    })
    .await
    .unwrap()
}
