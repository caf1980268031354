//! Which GPUs there are, and how busy their encoders: CUDA and NVML, loaded when they are asked for.

use std::{
    ffi::{CString, OsStr, c_char, c_int, c_uint, c_void},
    mem::ManuallyDrop,
    ptr,
};

use libloading::Library;

const CUDA: &str = "libcuda.so.1";
const NVML: &str = "libnvidia-ml.so.1";
/// Bytes of a GPU's address on the bus: `0000:01:00.0`, with room for longer domains.
const ADDRESS: usize = 32;
/// GPUs that are looked at, at most.
const MOST_GPUS: c_int = 64;

/// Why GPUs aren't known, or not how busy they are.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// A library of the driver isn't there, or doesn't contain what it should.
    #[error("NVIDIA's driver isn't there, or without it: {0}")]
    Library(#[from] libloading::Error),
    /// The driver says no.
    #[error("NVIDIA's driver fails at {call}: {status}")]
    Status {
        /// What was called.
        call: &'static str,
        /// What it gave back, of CUDA or of NVML.
        status: u32,
    },
}

/// A GPU's place on the bus. CUDA and NVML number GPUs differently: this is what both know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(CString);

/// All GPUs that CUDA has, in the order in which it numbers them.
pub fn gpus() -> Result<Vec<Address>, DriverError> {
    gpus_from(CUDA)
}

/// The same with a library of another name.
pub fn gpus_from(cuda: impl AsRef<OsStr>) -> Result<Vec<Address>, DriverError> {
    type Initialize = unsafe extern "C" fn(flags: c_uint) -> u32;
    type Count = unsafe extern "C" fn(count: *mut c_int) -> u32;
    type Get = unsafe extern "C" fn(device: *mut c_int, number: c_int) -> u32;
    type GetAddress = unsafe extern "C" fn(to: *mut c_char, length: c_int, device: c_int) -> u32;
    let mut count = 0;
    // SAFETY: loading runs the library's initialization. It is NVIDIA's driver, which every program that uses a GPU loads. The types
    // are those of CUDA's header, with the status as the number that it is in C. The functions write to where they are told to: a
    // number each, and of the address no more bytes than there are. None is called once the library is closed.
    unsafe {
        // Stays loaded: the driver begins threads, and others use it too.
        let cuda = ManuallyDrop::new(Library::new(cuda)?);
        let initialize = cuda.get::<Initialize>(b"cuInit\0")?;
        let get_count = cuda.get::<Count>(b"cuDeviceGetCount\0")?;
        let get = cuda.get::<Get>(b"cuDeviceGet\0")?;
        let get_address = cuda.get::<GetAddress>(b"cuDeviceGetPCIBusId\0")?;
        succeeded("cuInit", initialize(0))?;
        succeeded("cuDeviceGetCount", get_count(&raw mut count))?;
        let address = |number| {
            let (mut device, mut bytes) = (0, [0_u8; ADDRESS]);
            succeeded("cuDeviceGet", get(&raw mut device, number))?;
            let to = bytes.as_mut_ptr().cast();
            // One byte less, so that there's a zero behind it whatever is written.
            let status = get_address(to, ADDRESS as c_int - 1, device);
            succeeded("cuDeviceGetPCIBusId", status)?;
            let text = bytes.split(|byte| *byte == 0).next();
            let text = CString::new(text.unwrap_or_default()).unwrap_or_default();
            Ok(Address(text))
        };
        (0..count.min(MOST_GPUS)).map(address).collect()
    }
}

/// What NVML says of a GPU's encoders, all programs' together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// How busy they were of late, in percent.
    pub busy: u32,
    /// Sessions that there are.
    pub sessions: u32,
}

type Handle = *mut c_void;

/// NVML.
#[derive(Debug)]
pub struct Meters {
    find: unsafe extern "C" fn(address: *const c_char, to: *mut Handle) -> u32,
    busy: unsafe extern "C" fn(Handle, percent: *mut c_uint, period: *mut c_uint) -> u32,
    sessions: unsafe extern "C" fn(
        Handle,
        count: *mut c_uint,
        rate: *mut c_uint,
        latency: *mut c_uint,
    ) -> u32,
    /// Stays loaded while the functions may be called.
    _library: Library,
}

impl Meters {
    /// Loads NVML, or says what is missing.
    pub fn load() -> Result<Self, DriverError> {
        Self::load_from(NVML)
    }

    /// The same with a library of another name.
    pub fn load_from(nvml: impl AsRef<OsStr>) -> Result<Self, DriverError> {
        // SAFETY: as of CUDA's library above; the types are those of NVML's header. The functions are kept with the library.
        unsafe {
            let library = Library::new(nvml)?;
            let initialize = library.get::<unsafe extern "C" fn() -> u32>(b"nvmlInit_v2\0")?;
            succeeded("nvmlInit_v2", initialize())?;
            Ok(Self {
                find: *library.get(b"nvmlDeviceGetHandleByPciBusId_v2\0")?,
                busy: *library.get(b"nvmlDeviceGetEncoderUtilization\0")?,
                sessions: *library.get(b"nvmlDeviceGetEncoderStats\0")?,
                _library: library,
            })
        }
    }

    /// How busy a GPU's encoders are now.
    pub fn read(&self, gpu: &Address) -> Result<Reading, DriverError> {
        let (mut handle, mut busy, mut sessions) = (ptr::null_mut(), 0, 0);
        let (mut period, mut rate, mut latency) = (0, 0, 0);
        // SAFETY: the functions are the library's, which is loaded. The address ends with a zero byte, the handle is the one that NVML
        // gave for it, and the functions write one number each to where they are told to. NVML may be called by any thread.
        unsafe {
            let found = (self.find)(gpu.0.as_ptr(), &raw mut handle);
            succeeded("nvmlDeviceGetHandleByPciBusId_v2", found)?;
            let read = (self.busy)(handle, &raw mut busy, &raw mut period);
            succeeded("nvmlDeviceGetEncoderUtilization", read)?;
            let read = (self.sessions)(handle, &raw mut sessions, &raw mut rate, &raw mut latency);
            succeeded("nvmlDeviceGetEncoderStats", read)?;
        }
        Ok(Reading { busy, sessions })
    }
}

fn succeeded(call: &'static str, status: u32) -> Result<(), DriverError> {
    match status {
        0 => Ok(()),
        status => Err(DriverError::Status { call, status }),
    }
}
