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
    let packets = packets(folder, file, "warning", what);
    assert_eq!(packets.len(), samples, "{what}");
    let times: Vec<i64> = packets.iter().map(|(time, _)| *time).collect();
    for ((time, duration), next) in packets.iter().zip(&times[1..]) {
        assert_eq!(time + duration, *next, "{what}: {packets:?}");
    }
}

/// When each packet is shown, and for how long.
fn packets(folder: &Path, file: &[u8], level: &str, what: &str) -> Vec<(i64, i64)> {
    let path = folder.join("probed.mp4");
    fs::write(&path, file).unwrap();
    let ffprobe = std::env::var_os("SPILLWAY_FFPROBE").unwrap_or_else(|| "ffprobe".into());
    let output = Command::new(ffprobe)
        .args(["-v", level, "-show_entries", "packet=pts,duration"])
        .args(["-of", "csv=print_section=0"])
        .arg(&path)
        .output()
        .expect(
            "no ffprobe: scripts/setup.sh test installs Debian's, and SPILLWAY_FFPROBE names another",
        );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{what}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let packet = |line: &str| {
        let mut numbers = line.split(',').map(|n| n.parse::<i64>().ok());
        numbers.next().flatten().zip(numbers.next().flatten())
    };
    let lines = text.lines().filter(|line| !line.is_empty());
    let packets = lines.map(|line| packet(line).unwrap_or_else(|| panic!("{what}: {line}")));
    packets.collect()
}
