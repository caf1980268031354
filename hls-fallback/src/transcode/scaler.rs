//! Pictures of any size and format into 4:2:0 of one size.

use ffmpeg_next::{
    self as libav, format, frame,
    software::scaling::{self, Flags},
};

use super::ladder::Size;

/// Scales for one rendition. Not to be moved between threads.
pub(super) struct Scaler {
    to: Size,
    context: Option<scaling::Context>,
}

impl Scaler {
    pub(super) fn new(to: Size) -> Self {
        Self { to, context: None }
    }

    /// A picture of its own, whatever becomes of the one that came.
    pub(super) fn scale(&mut self, from: &frame::Video) -> Result<frame::Video, libav::Error> {
        let fits = |context: &scaling::Context| {
            let input = context.input();
            (input.format, input.width, input.height)
                == (from.format(), from.width(), from.height())
        };
        if !self.context.as_ref().is_some_and(fits) {
            self.context = Some(scaling::Context::get(
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
        if let Some(context) = &mut self.context {
            context.run(from, &mut scaled)?;
        }
        Ok(scaled)
    }
}
