//! The driver's libraries, loaded when they are first asked for.
//!
//! The bindings panic where a library or a function of one is missing, or the driver is too old. So all of that is looked at here,
//! before they are touched.

use std::{
    ffi::{OsStr, c_int, c_uint, c_void},
    sync::OnceLock,
};

use libloading::Library;
use nvidia_video_codec_sdk::sys::nvEncodeAPI::{NVENCAPI_MAJOR_VERSION, NVENCAPI_MINOR_VERSION};

use crate::error::{Error, Version};

const CUDA: &str = "libcuda.so.1";
const NVENC: &str = "libnvidia-encode.so.1";
/// Whose functions the bindings of CUDA look up, all of them at once.
const CUDA_NEEDED: Version = Version {
    major: 12,
    minor: 2,
};
/// Whose structures the bindings of NVENC have.
const NVENC_NEEDED: Version = Version {
    major: NVENCAPI_MAJOR_VERSION,
    minor: NVENCAPI_MINOR_VERSION,
};
/// CUDA's status where there is no device.
const CUDA_ERROR_NO_DEVICE: u32 = 100;

/// NVIDIA's driver with its encoder, in a version that is new enough, and at least one GPU.
#[derive(Debug)]
pub struct Driver {
    gpus: usize,
    pub(crate) nvenc: Nvenc,
    /// Stays loaded: what is below is used until the process ends.
    _cuda: Library,
}

/// The two functions that `libnvidia-encode` has; all others are in the table that the second one fills.
#[derive(Debug)]
pub(crate) struct Nvenc {
    pub(crate) max_version: unsafe extern "C" fn(version: *mut u32) -> u32,
    pub(crate) create_instance: unsafe extern "C" fn(table: *mut c_void) -> u32,
    _library: Library,
}

static DRIVER: OnceLock<Driver> = OnceLock::new();

impl Driver {
    /// Loads the driver, or says what is missing. Once it is loaded it stays so.
    pub fn load() -> Result<&'static Self, Error> {
        Self::load_from(CUDA, NVENC)
    }

    /// The same with libraries of other names. CUDA's is looked up by its usual names again.
    pub fn load_from(
        cuda: impl AsRef<OsStr>,
        nvenc: impl AsRef<OsStr>,
    ) -> Result<&'static Self, Error> {
        if let Some(driver) = DRIVER.get() {
            return Ok(driver);
        }
        let driver = Self::open(cuda.as_ref(), nvenc.as_ref())?;
        // Two threads that come here at once load the same.
        Ok(DRIVER.get_or_init(|| driver))
    }

    /// The one that was loaded.
    pub(crate) fn loaded() -> Option<&'static Self> {
        DRIVER.get()
    }

    /// How many GPUs there are, at least one. They are numbered from 0.
    pub fn gpus(&self) -> usize {
        self.gpus
    }

    fn open(cuda: &OsStr, nvenc: &OsStr) -> Result<Self, Error> {
        let nvenc = Nvenc::open(nvenc)?;
        // SAFETY: loading runs the library's initialization. It is NVIDIA's driver, which every program that uses a GPU loads.
        let cuda = unsafe { Library::new(cuda) }.map_err(Error::Library)?;
        let gpus = count_gpus(&cuda)?;
        Ok(Self {
            gpus,
            nvenc,
            _cuda: cuda,
        })
    }
}

impl Nvenc {
    fn open(name: &OsStr) -> Result<Self, Error> {
        // SAFETY: as of CUDA's library. The types of both functions are those of NVIDIA's header, with the status as the number that
        // it is in C; both are called while the library is loaded only, since they are kept with it.
        let nvenc = unsafe {
            let library = Library::new(name).map_err(Error::Library)?;
            Self {
                max_version: *function(&library, b"NvEncodeAPIGetMaxSupportedVersion\0")?,
                create_instance: *function(&library, b"NvEncodeAPICreateInstance\0")?,
                _library: library,
            }
        };
        let mut version = 0;
        // SAFETY: the function writes one number to where it is told to.
        let status = unsafe { (nvenc.max_version)(&raw mut version) };
        succeeded("NvEncodeAPIGetMaxSupportedVersion", status)?;
        let found = Version {
            major: version >> 4,
            minor: version & 0xf,
        };
        new_enough("NVENC", found, NVENC_NEEDED)?;
        Ok(nvenc)
    }
}

fn count_gpus(cuda: &Library) -> Result<usize, Error> {
    type Initialize = unsafe extern "C" fn(flags: c_uint) -> u32;
    type Number = unsafe extern "C" fn(number: *mut c_int) -> u32;
    let (mut version, mut count) = (0, 0);
    // SAFETY: the types are those of CUDA's header, with the status as the number that it is in C. The functions write one number
    // each to where they are told to. The version may be asked for before anything else.
    unsafe {
        let get_version = function::<Number>(cuda, b"cuDriverGetVersion\0")?;
        succeeded("cuDriverGetVersion", get_version(&raw mut version))?;
        new_enough("CUDA", cuda_version(version), CUDA_NEEDED)?;
        match function::<Initialize>(cuda, b"cuInit\0")?(0) {
            CUDA_ERROR_NO_DEVICE => return Err(Error::NoGpu),
            status => succeeded("cuInit", status)?,
        }
        let get_count = function::<Number>(cuda, b"cuDeviceGetCount\0")?;
        succeeded("cuDeviceGetCount", get_count(&raw mut count))?;
    }
    match usize::try_from(count) {
        Ok(0) | Err(_) => Err(Error::NoGpu),
        Ok(gpus) => Ok(gpus),
    }
}

/// CUDA 12.2 says 12020.
fn cuda_version(number: c_int) -> Version {
    let number = number.unsigned_abs();
    Version {
        major: number / 1_000,
        minor: number % 1_000 / 10,
    }
}

/// # Safety
/// `F` is the function's type, and it isn't called once the library is closed.
unsafe fn function<'a, F>(
    library: &'a Library,
    name: &[u8],
) -> Result<libloading::Symbol<'a, F>, Error> {
    // SAFETY: the caller's.
    unsafe { library.get(name) }.map_err(Error::Library)
}

fn succeeded(call: &'static str, status: u32) -> Result<(), Error> {
    match status {
        0 => Ok(()),
        status => Err(Error::Driver { call, status }),
    }
}

fn new_enough(interface: &'static str, found: Version, needed: Version) -> Result<(), Error> {
    if found >= needed {
        return Ok(());
    }
    Err(Error::TooOld {
        interface,
        found,
        needed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(cuda_version(12_020), CUDA_NEEDED);
        assert_eq!(cuda_version(11_080).to_string(), "11.8");
        let version = |major, minor| Version { major, minor };
        assert!(new_enough("CUDA", version(13, 0), CUDA_NEEDED).is_ok());
        let error = new_enough("NVENC", version(12, 0), NVENC_NEEDED);
        let said = error.map_err(|e| e.to_string());
        assert!(said.is_err_and(|said| said.contains("NVENC 12.0, and 12.1 is needed")));
    }
}
