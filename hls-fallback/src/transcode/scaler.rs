//! Pictures of any size and format into 4:2:0 of one size: where they are, or in memory.

use std::sync::Arc;

use ffmpeg_next::{
    self as libav, format, frame,
    software::scaling::{self, Flags},
};
use spillway_cuda::{Device, Filter, download, is_on_gpu};

use super::ladder::Size;

/// Scales for one rendition. Not to be moved between threads.
pub(super) struct Scaler {
    to: Size,
    /// Whose pictures may stay there.
    device: Option<Arc<Device>>,
    on_gpu: Option<Filter>,
    in_memory: Option<scaling::Context>,
}

impl Scaler {
    /// Pictures on this GPU stay there; all others come to memory, if they aren't there.
    pub(super) fn new(to: Size, device: Option<Arc<Device>>) -> Self {
        Self {
            to,
            device,
            on_gpu: None,
            in_memory: None,
        }
    }

    /// A picture of its own, whatever becomes of the one that came.
    pub(super) fn scale(&mut self, from: &frame::Video) -> Result<frame::Video, libav::Error> {
        if !is_on_gpu(from) {
            self.scale_in_memory(from)
        } else if self.device.as_ref().is_some_and(|device| device.has(from)) {
            self.scale_on_gpu(from)
        } else {
            self.scale_in_memory(&download(from)?)
        }
    }

    fn scale_on_gpu(&mut self, from: &frame::Video) -> Result<frame::Video, libav::Error> {
        let filter = match self.on_gpu.take() {
            Some(filter) if filter.fits(from) => filter,
            _ => {
                let Size { width, height } = self.to;
                let chain =
                    format!("scale_cuda=w={width}:h={height}:format=yuv420p:interp_algo=bicubic");
                Filter::new(from, &chain)?
            }
        };
        self.on_gpu.insert(filter).run(from)
    }

    fn scale_in_memory(&mut self, from: &frame::Video) -> Result<frame::Video, libav::Error> {
        let fits = |context: &scaling::Context| {
            let input = context.input();
            (input.format, input.width, input.height)
                == (from.format(), from.width(), from.height())
        };
        if !self.in_memory.as_ref().is_some_and(fits) {
            self.in_memory = Some(scaling::Context::get(
                from.format(),
                from.width(),
                from.height(),
                format::Pixel::YUV420P,
                self.to.width,
                self.to.height,
                Flags::BICUBIC,
            )?);
        }
        let mut scaled = frame::Video::empty();
        if let Some(context) = &mut self.in_memory {
            context.run(from, &mut scaled)?;
        }
        Ok(scaled)
    }
}
