//! `ffprobe`: the one that `SPILLWAY_FFPROBE` names, or the one on the path.

use std::{fs, path::Path, process::Command};

/// It reads a part behind its initialization segment, with as many samples as there are and nothing to complain of.
pub(crate) fn check_part(folder: &Path, init: &[u8], part: &[u8], samples: usize, what: &str) {
    // A part that doesn't begin with a keyframe can't be decoded by itself, of which decoders have to say something: they do in errors.
    let packets = packets(folder, &[init, part].concat(), "fatal", what);
    assert_eq!(packets.len(), samples, "{what}: {packets:?}");
}

/// The same of all parts, one behind the other: each picture is shown as long as the others, and nothing is to be complained of.
pub(crate) fn check_whole(folder: &Path, file: &[u8], samples: usize, what: &str) {
    let times = packets(folder, file, "warning", what);
    assert_eq!(times.len(), samples, "{what}");
    let lasts = times[1] - times[0];
    let even = times.windows(2).all(|two| two[1] - two[0] == lasts);
    assert!(lasts > 0 && even, "{what}: {times:?}");
}

/// When each packet is shown.
fn packets(folder: &Path, file: &[u8], level: &str, what: &str) -> Vec<i64> {
    let path = folder.join("probed.mp4");
    fs::write(&path, file).unwrap();
    let ffprobe = std::env::var_os("SPILLWAY_FFPROBE").unwrap_or_else(|| "ffprobe".into());
    let output = Command::new(ffprobe)
        .args(["-v", level, "-show_entries", "packet=pts"])
        .args(["-of", "csv=print_section=0"])
        .arg(&path)
        .output()
        .expect(
            "no ffprobe: scripts/setup.sh test installs Debian's, and SPILLWAY_FFPROBE names another",
        );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{what}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let time = |line: &str| {
        let number = line.trim_end_matches(',').parse();
        number.unwrap_or_else(|_| panic!("{what}: {line}"))
    };
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(time).collect()
}
