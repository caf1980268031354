//! A GPU, as libav knows it.

use std::{ffi::CString, ptr};

use ffmpeg_next::{
    Error, codec,
    ffi::{AVHWDeviceType, av_hwdevice_ctx_create, avcodec_is_open},
    format::Pixel,
    frame,
};

use crate::{buffer::Buffer, pool::form_on_gpu};

/// A GPU with a context of CUDA, for as long as anything of it is in use.
#[derive(Debug)]
pub struct Device {
    pub(crate) buffer: Buffer,
    gpu: usize,
}

impl Device {
    /// Loads the driver and begins a context on a GPU: they are numbered from 0, as CUDA does. libav says on standard error what went wrong.
    pub fn open(gpu: usize) -> Result<Self, Error> {
        let name = CString::new(gpu.to_string()).map_err(|_| Error::InvalidData)?;
        let mut context = ptr::null_mut();
        // SAFETY: the name ends with a zero byte, and options there are none. What is written is null or a reference, which is ours.
        let buffer = unsafe {
            let status = av_hwdevice_ctx_create(
                &raw mut context,
                AVHWDeviceType::AV_HWDEVICE_TYPE_CUDA,
                name.as_ptr(),
                ptr::null_mut(),
                0,
            );
            succeeded(status)?;
            Buffer::own(context)
        };
        let buffer = buffer.ok_or(Error::Unknown)?;
        Ok(Self { buffer, gpu })
    }

    /// Its number.
    pub fn gpu(&self) -> usize {
        self.gpu
    }

    /// Has a decoder that isn't open yet decode here what the GPU can: its pictures stay here. What the GPU can't decode, libav
    /// decodes into memory, as if nothing had been said.
    pub fn decode_with(&self, context: &mut codec::Context) -> Result<(), Error> {
        // SAFETY: the context is valid, and nobody else has it meanwhile. Before it is open the field is the user's, to whom libav
        // promises to give the reference back with the context; one that is there already would be lost.
        unsafe {
            let context = context.as_mut_ptr();
            if avcodec_is_open(context) != 0 || !(*context).hw_device_ctx.is_null() {
                return Err(Error::InvalidData);
            }
            (*context).hw_device_ctx = self.buffer.share()?;
        }
        Ok(())
    }

    /// Whether a picture is on it.
    pub fn has(&self, picture: &frame::Video) -> bool {
        form_on_gpu(picture).is_some_and(|(_, device)| device == self.buffer.data())
    }
}

/// Whether a picture is on any GPU, and not in memory.
pub fn is_on_gpu(picture: &frame::Video) -> bool {
    picture.format() == Pixel::CUDA
}

pub(crate) fn succeeded(status: i32) -> Result<(), Error> {
    match status {
        0.. => Ok(()),
        error => Err(Error::from(error)),
    }
}
