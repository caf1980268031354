//! A driver that isn't one, for libav itself: libraries of the names that it loads, made with the C compiler. The files beside this
//! say what they do. They are found by `LD_LIBRARY_PATH`, so what is to see them runs in a process of its own.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Whether there's a GPU, with which nothing here must interfere.
pub(crate) fn is_real() -> bool {
    ["/dev/nvidiactl", "/dev/dxg"]
        .iter()
        .any(|device| Path::new(device).exists())
}

/// Runs an ignored test of this program where the driver is. Within it [`break_down`] breaks the GPUs.
pub(crate) fn run(test: &str, folder: &Path) -> Output {
    build(folder);
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("LD_LIBRARY_PATH", folder)
        .env("FAKE_BROKEN", folder.join("broken"))
        .env("FAKE_GPUS", "2")
        .output()
        .unwrap()
}

/// From now on the GPUs fail.
pub(crate) fn break_down() {
    fs::write(env::var_os("FAKE_BROKEN").unwrap(), "").unwrap();
}

fn build(folder: &Path) {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(super::SOURCES);
    let loads = |name: &str| strings_of(&loaded(name));
    let (util, codec) = (loads("libavutil.so"), loads("libavcodec.so"));
    let all: BTreeSet<String> = util.union(&codec).cloned().collect();
    let named = |prefix: &'static str| all.iter().filter(move |name| begins(name, prefix));
    for (source, library, names) in [
        ("cuda.c", "libcuda.so.1", named("cu").collect()),
        ("nvcuvid.c", "libnvcuvid.so.1", named("cuvid").collect()),
        ("nvenc.c", "libnvidia-encode.so.1", Vec::new()),
        ("nvml.c", "libnvidia-ml.so.1", Vec::new()),
    ] {
        let code = fs::read_to_string(here.join(source)).unwrap();
        let missing = names
            .into_iter()
            .filter(|n| !code.contains(&format!("int {n}(")));
        // All others that libav looks up do nothing, and say that it went well.
        let stubs = missing.map(|name| format!("int {name}(void) {{ return 0; }}"));
        let stubs = stubs.collect::<Vec<_>>().join("\n");
        let file = folder.join(source);
        fs::write(&file, format!("{code}\n{stubs}")).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-w", "-I"])
            .arg(&here)
            .arg(format!("-Wl,-soname,{library}"))
            .arg("-o")
            .args([&folder.join(library), &file])
            .status()
            .unwrap();
        assert!(compiled.success(), "{source}");
    }
}

/// `cuInit`, not `cue` nor `custom`.
fn begins(name: &str, prefix: &str) -> bool {
    let rest = name.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// The file of a library that this program has loaded.
fn loaded(name: &str) -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut files = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]));
    files.find(|file| file.contains(name)).unwrap().into()
}

/// Words with a zero byte behind them.
fn strings_of(file: &Path) -> BTreeSet<String> {
    let bytes = fs::read(file).unwrap();
    let is_word = |text: &&[u8]| {
        (4..64).contains(&text.len())
            && text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    let words = bytes.split(|byte| *byte == 0).filter(is_word);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}
