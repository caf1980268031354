//! Pictures of one size on a GPU, and the ways between them and memory.

use std::ffi::c_void;

use ffmpeg_next::{
    Error, codec,
    ffi::{
        AVHWFramesContext, AVPixelFormat, av_frame_copy_props, av_hwframe_ctx_alloc,
        av_hwframe_ctx_init, av_hwframe_get_buffer, av_hwframe_transfer_data, avcodec_is_open,
    },
    format::Pixel,
    frame,
};

use crate::{
    buffer::Buffer,
    device::{Device, succeeded},
};

/// A pool of pictures of one size, in 4:2:0 with 8 bits in three planes. An encoder registers its pictures with the driver: it has one
/// pool for as long as it lives, whatever becomes of the source.
#[derive(Debug)]
pub struct Pool {
    buffer: Buffer,
    size: (u32, u32),
}

impl Pool {
    /// Has no pictures yet: they are made as they are needed, and used again.
    pub fn new(device: &Device, (width, height): (u32, u32)) -> Result<Self, Error> {
        // SAFETY: the device's reference is valid, and libav makes one of its own. What it gives back is null or a reference to a
        // context which is ours alone until it is begun, and whose fields are to be set until then.
        let buffer = unsafe {
            let buffer = Buffer::own(av_hwframe_ctx_alloc(device.buffer.as_ptr()));
            let buffer = buffer.ok_or(Error::Unknown)?;
            let context = buffer.data().cast::<AVHWFramesContext>();
            (*context).format = AVPixelFormat::AV_PIX_FMT_CUDA;
            (*context).sw_format = AVPixelFormat::AV_PIX_FMT_YUV420P;
            (*context).width = i32::try_from(width).map_err(|_| Error::InvalidData)?;
            (*context).height = i32::try_from(height).map_err(|_| Error::InvalidData)?;
            succeeded(av_hwframe_ctx_init(buffer.as_ptr()))?;
            buffer
        };
        Ok(Self {
            buffer,
            size: (width, height),
        })
    }

    /// Has an encoder that isn't open yet take pictures of this pool, and of no other.
    pub fn encode_with(&self, context: &mut codec::Context) -> Result<(), Error> {
        // SAFETY: the context is valid, and nobody else has it meanwhile. Before it is open its fields are the user's, and libav gives the
        // reference back with the context; one that is there already would be lost.
        unsafe {
            let context = context.as_mut_ptr();
            if avcodec_is_open(context) != 0 || !(*context).hw_frames_ctx.is_null() {
                return Err(Error::InvalidData);
            }
            (*context).hw_frames_ctx = self.buffer.share()?;
            (*context).pix_fmt = AVPixelFormat::AV_PIX_FMT_CUDA;
            (*context).sw_pix_fmt = AVPixelFormat::AV_PIX_FMT_YUV420P;
        }
        Ok(())
    }

    /// A picture of the pool that shows the same as one of its size and form in memory, or on its GPU.
    pub fn copy(&self, picture: &frame::Video) -> Result<frame::Video, Error> {
        let is_alike = match form_on_gpu(picture) {
            Some((form, device)) => form == Pixel::YUV420P && device == self.device(),
            None => picture.format() == Pixel::YUV420P,
        };
        if !is_alike || (picture.width(), picture.height()) != self.size {
            return Err(Error::InvalidData);
        }
        let mut copy = frame::Video::empty();
        // SAFETY: the pool has begun, the copy is an empty picture until it is one of the pool, and both pictures have planes of
        // the same number and size, as was looked at. They are read and written by nobody else meanwhile.
        unsafe {
            let to = copy.as_mut_ptr();
            succeeded(av_hwframe_get_buffer(self.buffer.as_ptr(), to, 0))?;
            succeeded(av_hwframe_transfer_data(to, picture.as_ptr(), 0))?;
        }
        Ok(copy)
    }

    fn device(&self) -> *mut c_void {
        let context = self.buffer.data().cast::<AVHWFramesContext>();
        // SAFETY: the reference is to such a context, which has its device for as long as it is there.
        unsafe { (*(*context).device_ref).data.cast() }
    }
}

/// What a picture on a GPU looks like there, and on which it is. None of one in memory.
pub(crate) fn form_on_gpu(picture: &frame::Video) -> Option<(Pixel, *mut c_void)> {
    let pool = Buffer::pool_of(picture)?;
    let context = pool.data().cast::<AVHWFramesContext>();
    // SAFETY: what a picture's pool refers to is such a context, which has its device for as long as it is there.
    unsafe {
        Some((
            Pixel::from((*context).sw_format),
            (*(*context).device_ref).data.cast(),
        ))
    }
}

/// The same picture in memory, in the form that it had on its GPU. Of libav 5 one doesn't hear that the copying failed: it shows
/// nothing then, and whatever is next done on that GPU says so.
pub fn download(picture: &frame::Video) -> Result<frame::Video, Error> {
    let (form, _) = form_on_gpu(picture).ok_or(Error::InvalidData)?;
    let mut copy = frame::Video::new(form, picture.width(), picture.height());
    for plane in 0..copy.planes() {
        copy.data_mut(plane).fill(0);
    }
    // SAFETY: both are valid pictures, the one on a GPU, the other of the same form and size in memory that is its own. Nobody else
    // writes to either meanwhile.
    unsafe {
        succeeded(av_hwframe_transfer_data(
            copy.as_mut_ptr(),
            picture.as_ptr(),
            0,
        ))?;
        succeeded(av_frame_copy_props(copy.as_mut_ptr(), picture.as_ptr()))?;
    }
    Ok(copy)
}
