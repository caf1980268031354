//! Libraries with the names and functions of NVIDIA's driver. CUDA's do nothing; NVENC's are those in [`nvenc`].

mod nvenc;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use libloading::Library;
use nvidia_video_codec_sdk::sys::nvEncodeAPI::{NV_ENCODE_API_FUNCTION_LIST, NVENCSTATUS};
use spillway_nvidia::Driver;

pub(crate) use nvenc::{PITCH, break_down, seen};

/// A library of that version, under a name that nothing else looks for.
pub(crate) fn cuda(folder: &Path, version: u32, gpus: u32) -> PathBuf {
    let name = format!("cuda-{version}-{gpus}.so");
    compile(folder, &name, &cuda_source(version, gpus, &BTreeSet::new()))
}

/// The same for NVENC.
pub(crate) fn nvenc(folder: &Path, (major, minor): (u32, u32)) -> PathBuf {
    let name = format!("nvenc-{major}-{minor}.so");
    compile(folder, &name, &nvenc_source((major, minor)))
}

type Fill = extern "C" fn(*mut NV_ENCODE_API_FUNCTION_LIST) -> NVENCSTATUS;

/// Loads a driver that works, for the rest of this process.
pub(crate) fn install(folder: &Path, gpus: u32) -> &'static Driver {
    let source = cuda_source(12_020, gpus, &functions_of_cuda());
    // By this name the bindings find it: one that is loaded already isn't looked for in files.
    let cuda = compile(folder, "libcuda.so.1", &source);
    let library = compile(folder, "libnvidia-encode.so.1", &nvenc_source((12, 1)));
    let driver = Driver::load_from(&cuda, &library).unwrap();
    // SAFETY: the library was made above, with a pointer of this name and type, which nothing reads meanwhile.
    unsafe {
        let library = Library::new(&library).unwrap();
        **library.get::<*mut Fill>(b"fill\0").unwrap() = nvenc::fill;
    }
    driver
}

fn compile(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (code, library) = (folder.join(format!("{name}.c")), folder.join(name));
    fs::write(&code, source).unwrap();
    let compiled = Command::new("cc")
        .args([
            "-shared",
            "-fPIC",
            "-w",
            &format!("-Wl,-soname,{name}"),
            "-o",
        ])
        .args([&library, &code])
        .status()
        .unwrap();
    assert!(compiled.success(), "{source}");
    library
}

fn nvenc_source((major, minor): (u32, u32)) -> String {
    format!(
        "unsigned (*fill)(void *);
         unsigned NvEncodeAPIGetMaxSupportedVersion(unsigned *to) {{ *to = {major} << 4 | {minor}; return 0; }}
         unsigned NvEncodeAPICreateInstance(void *table) {{ return fill(table); }}"
    )
}

/// Those that write something; all others do nothing, and say that it went well.
fn cuda_source(version: u32, gpus: u32, others: &BTreeSet<String>) -> String {
    let written = [
        (
            "cuDriverGetVersion",
            format!("int *to) {{ *to = {version};"),
        ),
        ("cuInit", format!("int flags) {{ if (!{gpus}) return 100;")),
        ("cuDeviceGetCount", format!("int *to) {{ *to = {gpus};")),
        ("cuDeviceGet", "int *to, int n) { *to = n;".to_owned()),
        // A context is its GPU's number, and no null pointer.
        (
            "cuDevicePrimaryCtxRetain",
            "long *to, int n) { *to = 0x1000 + n;".to_owned(),
        ),
        ("cuDeviceGetAttribute", "int *to) { *to = 0;".to_owned()),
        ("cuCtxGetCurrent", "void **to) { *to = 0;".to_owned()),
    ];
    let rest = others
        .iter()
        .filter(|n| written.iter().all(|(w, _)| w != n));
    let written = written
        .iter()
        .map(|(name, body)| format!("int {name}({body} return 0; }}"));
    let rest = rest.map(|name| format!("int {name}(void) {{ return 0; }}"));
    written.chain(rest).collect::<Vec<_>>().join("\n")
}

/// The bindings look up hundreds of functions, by names that end with a zero byte in this very program. What isn't one but looks
/// like it does no harm.
fn functions_of_cuda() -> BTreeSet<String> {
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    let mut names = BTreeSet::new();
    for text in program.split(|byte| *byte == 0) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let word = text.rsplit(|byte| !is_word(byte)).next().unwrap_or(text);
        for at in 0..word.len().saturating_sub(2) {
            // What stands before it without a zero byte isn't its beginning.
            if word[at..].starts_with(b"cu")
                && word[at + 2].is_ascii_uppercase()
                && word.len() < 200
            {
                names.insert(String::from_utf8_lossy(&word[at..]).into_owned());
            }
        }
    }
    names
}
