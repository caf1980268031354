//! A session of the driver's, with the one buffer that goes in and the one that comes out.

use std::{mem::ManuallyDrop, thread::sleep, time::Duration};

use cudarc::driver::CudaContext;
use nvidia_video_codec_sdk::{
    Bitstream, Buffer, EncoderInput as _, ErrorKind, Session, sys::nvEncodeAPI::NV_ENC_PIC_TYPE,
};

use crate::{
    encoder::Coded,
    error::Error,
    layout::Layout,
    parameters::{self, CODEC, FORMAT, PRESET, Settings, TUNING},
};

/// How often a picture is offered to an encoder that is busy, and how long it is waited in between: a third of a second in all.
const ATTEMPTS: u32 = 170;
const PAUSE: Duration = Duration::from_millis(2);

/// Begins a session. It stays on the thread that began it.
pub(crate) fn begin(gpu: usize, settings: &Settings) -> Result<Session, Error> {
    let cuda = CudaContext::new(gpu).map_err(|error| Error::Cuda {
        gpu,
        said: format!("{error:?}"),
    })?;
    let encoder = nvidia_video_codec_sdk::Encoder::initialize_with_cuda(cuda)?;
    let preset = encoder.get_preset_config(CODEC, PRESET, TUNING)?;
    let mut config = parameters::configured(&preset.presetCfg, settings);
    let initial = parameters::initial(settings, &mut config);
    Ok(encoder.start_session(FORMAT, initial)?)
}

/// A session's buffers. The bindings panic where the driver fails to take them back, and a second panic would end the process. So
/// they are given back by [`Self::end`], and after a failure not at all.
pub(crate) struct Buffers<'s> {
    session: &'s Session,
    input: ManuallyDrop<Buffer<'s>>,
    output: ManuallyDrop<Bitstream<'s>>,
    layout: Layout,
    /// Pictures since the last keyframe, which is 0. None before the first.
    since: Option<u32>,
}

impl<'s> Buffers<'s> {
    pub(crate) fn new(session: &'s Session, settings: &Settings) -> Result<Self, Error> {
        let mut input = ManuallyDrop::new(session.create_input_buffer()?);
        let output = ManuallyDrop::new(session.create_output_bitstream()?);
        // The driver says how long rows are when a buffer is locked, and the bindings once it no longer is.
        drop(input.lock()?);
        let layout = Layout::new(settings.width, settings.height, input.pitch())?;
        Ok(Self {
            session,
            input,
            output,
            layout,
            since: None,
        })
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Encodes a picture that was laid out with [`Self::layout`].
    pub(crate) fn encode(
        &mut self,
        bytes: &[u8],
        timestamp: u64,
        keyframe: bool,
    ) -> Result<Coded, Error> {
        self.fill(bytes)?;
        let since = match self.since {
            Some(since) if !keyframe => since.wrapping_add(1),
            _ => 0,
        };
        self.submit(timestamp, since)?;
        self.since = Some(since);
        let coded = self.output.lock()?;
        Ok(Coded {
            timestamp: coded.timestamp(),
            keyframe: coded.picture_type() == NV_ENC_PIC_TYPE::NV_ENC_PIC_TYPE_IDR,
            data: coded.data().to_vec(),
        })
    }

    fn fill(&mut self, bytes: &[u8]) -> Result<(), Error> {
        assert_eq!(bytes.len(), self.layout.bytes(), "laid out for this buffer");
        let mut memory = self.input.lock()?;
        // SAFETY: the driver made the buffer for pictures of this session's size in this format, with rows of the pitch that it told
        // for this buffer: the layout has that size and that pitch, and the bytes are as many as it has.
        unsafe { memory.write(bytes) };
        Ok(())
    }

    fn submit(&mut self, timestamp: u64, since: u32) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            let picture = parameters::picture(timestamp, since);
            let submitted =
                self.session
                    .encode_picture(&mut *self.input, &mut *self.output, picture);
            match submitted {
                Err(busy) if busy.kind() == ErrorKind::EncoderBusy && attempt < ATTEMPTS => {
                    attempt += 1;
                    sleep(PAUSE);
                }
                submitted => return Ok(submitted?),
            }
        }
    }

    /// Gives the buffers back, after all pictures.
    pub(crate) fn end(self) -> Result<(), Error> {
        self.session.end_of_stream()?;
        drop(ManuallyDrop::into_inner(self.input));
        drop(ManuallyDrop::into_inner(self.output));
        Ok(())
    }
}
