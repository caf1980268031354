//! A reference to something that libav shares.

use std::{ffi::c_void, ptr::NonNull};

use ffmpeg_next::{
    Error,
    ffi::{AVBufferRef, av_buffer_ref, av_buffer_unref},
    frame,
};

/// One reference, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer(NonNull<AVBufferRef>);

// SAFETY: libav counts references atomically. What is referred to here are GPUs and pools of pictures, which libav itself hands to
// several threads at once: after they have begun they are only read, and pools have a lock of their own.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Takes a reference over.
    ///
    /// # Safety
    /// It is null, or a reference that is the caller's to give away.
    pub(crate) unsafe fn own(reference: *mut AVBufferRef) -> Option<Self> {
        NonNull::new(reference).map(Self)
    }

    /// The pool of a picture on a GPU.
    pub(crate) fn pool_of(picture: &frame::Video) -> Option<Self> {
        // SAFETY: the picture lives, so its pool's reference is null or valid, and another one may be made of it.
        unsafe {
            let pool = (*picture.as_ptr()).hw_frames_ctx;
            if pool.is_null() {
                return None;
            }
            Self::own(av_buffer_ref(pool))
        }
    }

    /// For functions of libav that read it, or make a reference of their own.
    pub(crate) fn as_ptr(&self) -> *mut AVBufferRef {
        self.0.as_ptr()
    }

    /// A reference for somebody else to give back.
    pub(crate) fn share(&self) -> Result<*mut AVBufferRef, Error> {
        // SAFETY: the reference is valid for as long as this is there.
        let shared = unsafe { av_buffer_ref(self.as_ptr()) };
        NonNull::new(shared)
            .map(NonNull::as_ptr)
            .ok_or(Error::Unknown)
    }

    /// Where that is which is referred to: the same for all references to it, and of nothing else while one is there.
    pub(crate) fn data(&self) -> *mut c_void {
        // SAFETY: the reference is valid for as long as this is there.
        unsafe { self.0.as_ref() }.data.cast()
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self.data() == other.data()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut reference = self.as_ptr();
        // SAFETY: the reference is this one's own, and isn't used after it.
        unsafe { av_buffer_unref(&raw mut reference) };
    }
}
