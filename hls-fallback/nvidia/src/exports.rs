//! The two functions of `libnvidia-encode` that the SDK's bindings link to, passed on to the library that was loaded.
//!
//! Without these a program with the bindings in it would need NVIDIA's libraries to be built, and to start.

use std::ffi::c_void;

use nvidia_video_codec_sdk::sys::nvEncodeAPI::{NV_ENCODE_API_FUNCTION_LIST, NVENCSTATUS};

use crate::driver::Driver;

/// The status as the bindings know it. One that NVIDIA's header doesn't give for these functions must not become a value that the
/// enumeration may not have.
fn known(status: u32) -> NVENCSTATUS {
    match status {
        0 => NVENCSTATUS::NV_ENC_SUCCESS,
        6 => NVENCSTATUS::NV_ENC_ERR_INVALID_PTR,
        15 => NVENCSTATUS::NV_ENC_ERR_INVALID_VERSION,
        _ => NVENCSTATUS::NV_ENC_ERR_GENERIC,
    }
}

/// Tells which version the driver has. `NV_ENC_ERR_NO_ENCODE_DEVICE` if it wasn't loaded.
///
/// # Safety
/// `version` points to a number that may be written.
// SAFETY: no other library of the program has a function of this name: the driver's is opened with its names kept local.
#[unsafe(no_mangle)]
unsafe extern "C" fn NvEncodeAPIGetMaxSupportedVersion(version: *mut u32) -> NVENCSTATUS {
    let Some(driver) = Driver::loaded() else {
        return NVENCSTATUS::NV_ENC_ERR_NO_ENCODE_DEVICE;
    };
    // SAFETY: the caller's, passed on.
    known(unsafe { (driver.nvenc.max_version)(version) })
}

/// Fills the table of the driver's functions. `NV_ENC_ERR_NO_ENCODE_DEVICE` if it wasn't loaded.
///
/// # Safety
/// `table` points to a table with its version set, which may be written.
// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn NvEncodeAPICreateInstance(
    table: *mut NV_ENCODE_API_FUNCTION_LIST,
) -> NVENCSTATUS {
    let Some(driver) = Driver::loaded() else {
        return NVENCSTATUS::NV_ENC_ERR_NO_ENCODE_DEVICE;
    };
    // SAFETY: the caller's, passed on.
    known(unsafe { (driver.nvenc.create_instance)(table.cast::<c_void>()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No test of this program loads a driver.
    #[test]
    fn without_a_driver_there_is_no_device() {
        let (mut version, mut table) = (7, NV_ENCODE_API_FUNCTION_LIST::default());
        // SAFETY: both may be written.
        let (first, second) = unsafe {
            (
                NvEncodeAPIGetMaxSupportedVersion(&raw mut version),
                NvEncodeAPICreateInstance(&raw mut table),
            )
        };
        assert_eq!(first, NVENCSTATUS::NV_ENC_ERR_NO_ENCODE_DEVICE);
        assert_eq!(second, NVENCSTATUS::NV_ENC_ERR_NO_ENCODE_DEVICE);
        assert_eq!(version, 7);
    }

    #[test]
    fn a_status_is_none_that_the_bindings_do_not_know() {
        assert_eq!(known(0), NVENCSTATUS::NV_ENC_SUCCESS);
        assert_eq!(known(15), NVENCSTATUS::NV_ENC_ERR_INVALID_VERSION);
        assert_eq!(known(4_711), NVENCSTATUS::NV_ENC_ERR_GENERIC);
    }
}
