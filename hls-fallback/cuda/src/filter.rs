//! A chain of libav's filters, for pictures in memory and on a GPU alike.

use std::ptr;

use ffmpeg_next::{
    Error,
    ffi::{
        AV_BUFFERSRC_FLAG_KEEP_REF, AVRational, av_buffersrc_add_frame_flags,
        av_buffersrc_parameters_alloc, av_buffersrc_parameters_set, av_free,
        avfilter_graph_alloc_filter, avfilter_init_str,
    },
    filter::{self, Graph},
    format::Pixel,
    frame,
};

use crate::{buffer::Buffer, device::succeeded};

/// Makes one picture of each, for pictures that are all alike.
pub struct Filter {
    graph: Graph,
    /// Format and size.
    form: (Pixel, u32, u32),
    /// Of pictures on a GPU.
    pool: Option<Buffer>,
}

impl Filter {
    /// Whether libav was built with a filter.
    pub fn is_there(name: &str) -> bool {
        filter::find(name).is_some()
    }

    /// For pictures like this one: `scale_cuda=w=640:h=360`.
    pub fn new(like: &frame::Video, chain: &str) -> Result<Self, Error> {
        let sink = filter::find("buffersink").ok_or(Error::FilterNotFound)?;
        let mut new = Self {
            graph: Graph::new(),
            form: (like.format(), like.width(), like.height()),
            pool: Buffer::pool_of(like),
        };
        new.add_source(like)?;
        new.graph.add(&sink, "out", "")?;
        let parser = new.graph.output("in", 0)?.input("out", 0)?;
        parser.parse(chain)?;
        new.graph.validate()?;
        Ok(new)
    }

    fn add_source(&mut self, like: &frame::Video) -> Result<(), Error> {
        let source = filter::find("buffer").ok_or(Error::FilterNotFound)?;
        // SAFETY: graph, filter and picture live until the end of this, and the name ends with a zero byte. The parameters are either null
        // or ours to fill in and to free; libav makes its own reference to the pool. The context is the graph's.
        unsafe {
            let context = avfilter_graph_alloc_filter(
                self.graph.as_mut_ptr(),
                source.as_ptr(),
                c"in".as_ptr(),
            );
            let parameters = av_buffersrc_parameters_alloc();
            if context.is_null() || parameters.is_null() {
                av_free(parameters.cast());
                return Err(Error::Unknown);
            }
            let like = like.as_ptr();
            (*parameters).format = (*like).format;
            (*parameters).width = (*like).width;
            (*parameters).height = (*like).height;
            (*parameters).time_base = AVRational {
                num: 1,
                den: 1_000_000,
            };
            (*parameters).hw_frames_ctx = (*like).hw_frames_ctx;
            let set = av_buffersrc_parameters_set(context, parameters);
            av_free(parameters.cast());
            succeeded(set)?;
            succeeded(avfilter_init_str(context, ptr::null()))
        }
    }

    /// Whether it is for pictures like this one.
    pub fn fits(&self, picture: &frame::Video) -> bool {
        (picture.format(), picture.width(), picture.height()) == self.form
            && Buffer::pool_of(picture) == self.pool
    }

    /// What becomes of a picture that it fits.
    pub fn run(&mut self, picture: &frame::Video) -> Result<frame::Video, Error> {
        if !self.fits(picture) {
            return Err(Error::InvalidData);
        }
        let mut source = self.graph.get("in").ok_or(Error::FilterNotFound)?;
        // SAFETY: the context is that of this graph's source, which lives as long as the graph, and nobody else has it meanwhile. With the
        // flag libav only reads the picture, and makes references of its own to what it shows.
        unsafe {
            succeeded(av_buffersrc_add_frame_flags(
                source.as_mut_ptr(),
                picture.as_ptr().cast_mut(),
                AV_BUFFERSRC_FLAG_KEEP_REF as i32,
            ))?;
        }
        let mut made = frame::Video::empty();
        let mut sink = self.graph.get("out").ok_or(Error::FilterNotFound)?;
        sink.sink().frame(&mut made)?;
        Ok(made)
    }
}
