//! An NVENC that encodes nothing: it checks the order of calls, and writes down what it is told.

use std::{
    ffi::{c_char, c_void},
    mem::offset_of,
    sync::Mutex,
};

use nvidia_video_codec_sdk::sys::nvEncodeAPI::{
    GUID, NV_ENC_BUFFER_FORMAT, NV_ENC_CONFIG, NV_ENC_CONFIG_VER, NV_ENC_CREATE_BITSTREAM_BUFFER,
    NV_ENC_CREATE_INPUT_BUFFER, NV_ENC_INITIALIZE_PARAMS, NV_ENC_LOCK_BITSTREAM,
    NV_ENC_LOCK_INPUT_BUFFER, NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS, NV_ENC_PARAMS_FRAME_FIELD_MODE,
    NV_ENC_PIC_FLAGS, NV_ENC_PIC_PARAMS, NV_ENC_PIC_TYPE, NV_ENC_PRESET_CONFIG, NV_ENC_TUNING_INFO,
    NV_ENCODE_API_FUNCTION_LIST, NVENCAPI_VERSION, NVENCSTATUS,
};

use NVENCSTATUS::{
    NV_ENC_ERR_GENERIC as BROKEN, NV_ENC_ERR_INVALID_CALL as WRONG,
    NV_ENC_ERR_OUT_OF_MEMORY as FULL, NV_ENC_SUCCESS as OK,
};

/// Bytes of a row of Y.
pub(crate) const PITCH: u32 = 16;
const HEIGHT: usize = 4;
/// Room that the driver has behind a picture, and that nobody may write into.
const BEYOND: usize = 64;

/// A picture as it was given in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) kind: NV_ENC_PIC_TYPE,
    pub(crate) order: u32,
    pub(crate) pitch: u32,
    timestamp: u64,
    bytes: Vec<u8>,
}

impl Seen {
    /// Its pixels, where the driver looks for them.
    pub(crate) fn planes(&self, width: usize, height: usize) -> [Vec<u8>; 3] {
        let pitch = PITCH as usize;
        let plane = |from: usize, width: usize, height: usize, pitch: usize| {
            let row = |row: usize| &self.bytes[from + row * pitch..][..width];
            (0..height).flat_map(row).copied().collect()
        };
        let (chroma, half) = (pitch * height, pitch * height / 4);
        [
            plane(0, width, height, pitch),
            plane(chroma, width / 2, height / 2, pitch / 2),
            plane(chroma + half, width / 2, height / 2, pitch / 2),
        ]
    }
}

/// What it was told, and what of it is in use.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) pictures: Vec<Seen>,
    /// Width, height, rate, and whether the driver chooses the kind of pictures.
    pub(crate) initial: Vec<(u32, u32, u32, u32, u32)>,
    pub(crate) average_bitrate: u32,
    pub(crate) open: i32,
    pub(crate) buffers: i32,
    pub(crate) locked: i32,
    pub(crate) ended_before_buffers_went: bool,
    broken: bool,
    input: Vec<u8>,
    output: Vec<u8>,
}

static STATE: Mutex<State> = Mutex::new(State {
    pictures: Vec::new(),
    initial: Vec::new(),
    average_bitrate: 0,
    open: 0,
    buffers: 0,
    locked: 0,
    ended_before_buffers_went: false,
    broken: false,
    input: Vec::new(),
    output: Vec::new(),
});

pub(crate) fn seen() -> State {
    STATE.lock().unwrap().clone()
}

/// From now on everything fails, also giving back.
pub(crate) fn break_down() {
    STATE.lock().unwrap().broken = true;
}

/// Every call goes through here.
fn call(act: impl FnOnce(&mut State) -> NVENCSTATUS) -> NVENCSTATUS {
    let mut state = STATE.lock().unwrap();
    if state.broken {
        return BROKEN;
    }
    act(&mut state)
}

unsafe extern "C" fn open(
    params: *mut NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS,
    encoder: *mut *mut c_void,
) -> NVENCSTATUS {
    let params = unsafe { &*params };
    assert_eq!(params.apiVersion, NVENCAPI_VERSION);
    call(|state| {
        // The context of GPU 0, as CUDA's fake numbers them. All others are full.
        if params.device as usize != 0x1000 {
            return FULL;
        }
        state.open += 1;
        unsafe { *encoder = 8 as *mut c_void };
        OK
    })
}

unsafe extern "C" fn preset(
    _: *mut c_void,
    _: GUID,
    _: GUID,
    _: NV_ENC_TUNING_INFO,
    config: *mut NV_ENC_PRESET_CONFIG,
) -> NVENCSTATUS {
    call(|_| {
        assert_eq!(unsafe { (*config).presetCfg.version }, NV_ENC_CONFIG_VER);
        // What is left at zero isn't a configuration: the bindings take it for a failure.
        let whole_frames = NV_ENC_PARAMS_FRAME_FIELD_MODE::NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME;
        unsafe { (*config).presetCfg.frameFieldMode = whole_frames };
        OK
    })
}

unsafe extern "C" fn initialize(
    _: *mut c_void,
    params: *mut NV_ENC_INITIALIZE_PARAMS,
) -> NVENCSTATUS {
    call(|state| {
        let params = unsafe { &*params };
        let config: &NV_ENC_CONFIG = unsafe { &*params.encodeConfig };
        assert_eq!(config.version, NV_ENC_CONFIG_VER);
        state.average_bitrate = config.rcParams.averageBitRate;
        state.initial.push((
            params.encodeWidth,
            params.encodeHeight,
            params.frameRateNum,
            params.frameRateDen,
            params.enablePTD,
        ));
        OK
    })
}

unsafe extern "C" fn create_input(
    _: *mut c_void,
    params: *mut NV_ENC_CREATE_INPUT_BUFFER,
) -> NVENCSTATUS {
    call(|state| {
        let params = unsafe { &mut *params };
        assert_eq!(
            params.bufferFmt,
            NV_ENC_BUFFER_FORMAT::NV_ENC_BUFFER_FORMAT_IYUV
        );
        state.input = vec![0xee; PITCH as usize * HEIGHT * 3 / 2 + BEYOND];
        state.buffers += 1;
        params.inputBuffer = 16 as *mut c_void;
        OK
    })
}

unsafe extern "C" fn create_output(
    _: *mut c_void,
    params: *mut NV_ENC_CREATE_BITSTREAM_BUFFER,
) -> NVENCSTATUS {
    call(|state| {
        state.buffers += 1;
        unsafe { (*params).bitstreamBuffer = 24 as *mut c_void };
        OK
    })
}

unsafe extern "C" fn lock_input(
    _: *mut c_void,
    params: *mut NV_ENC_LOCK_INPUT_BUFFER,
) -> NVENCSTATUS {
    call(|state| {
        let params = unsafe { &mut *params };
        state.locked += 1;
        params.pitch = PITCH;
        params.bufferDataPtr = state.input.as_mut_ptr().cast();
        OK
    })
}

unsafe extern "C" fn lock_output(
    _: *mut c_void,
    params: *mut NV_ENC_LOCK_BITSTREAM,
) -> NVENCSTATUS {
    call(|state| {
        let params = unsafe { &mut *params };
        let Some(last) = state.pictures.last() else {
            return WRONG;
        };
        state.locked += 1;
        params.pictureType = last.kind;
        params.outputTimeStamp = last.timestamp;
        params.bitstreamBufferPtr = state.output.as_mut_ptr().cast();
        params.bitstreamSizeInBytes = state.output.len() as u32;
        OK
    })
}

unsafe extern "C" fn unlock(_: *mut c_void, _: *mut c_void) -> NVENCSTATUS {
    call(|state| {
        state.locked -= 1;
        OK
    })
}

unsafe extern "C" fn give_back(_: *mut c_void, _: *mut c_void) -> NVENCSTATUS {
    call(|state| {
        state.buffers -= 1;
        OK
    })
}

unsafe extern "C" fn encode(_: *mut c_void, params: *mut NV_ENC_PIC_PARAMS) -> NVENCSTATUS {
    call(|state| {
        let params = unsafe { &*params };
        if params.encodePicFlags == NV_ENC_PIC_FLAGS::NV_ENC_PIC_FLAG_EOS as u32 {
            state.ended_before_buffers_went |= state.buffers == 2;
            return OK;
        }
        if state.locked != 0 {
            return WRONG;
        }
        let (picture, beyond) = state.input.split_at(state.input.len() - BEYOND);
        assert!(beyond.iter().all(|byte| *byte == 0xee), "written beyond");
        let h264 = unsafe { params.codecPicParams.h264PicParams };
        let seen = Seen {
            kind: params.pictureType,
            order: h264.displayPOCSyntax,
            pitch: params.inputPitch,
            timestamp: params.inputTimeStamp,
            bytes: picture.to_vec(),
        };
        state.output = match params.pictureType {
            NV_ENC_PIC_TYPE::NV_ENC_PIC_TYPE_IDR => {
                vec![
                    0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 3,
                ]
            }
            _ => vec![0, 0, 0, 1, 0x41, 4],
        };
        state.pictures.push(seen);
        OK
    })
}

unsafe extern "C" fn destroy(encoder: *mut c_void) -> NVENCSTATUS {
    call(|state| {
        if encoder.is_null() {
            return WRONG;
        }
        state.open -= 1;
        OK
    })
}

unsafe extern "C" fn last_error(_: *mut c_void) -> *const c_char {
    c"it broke".as_ptr()
}

type Unused = unsafe extern "C" fn() -> NVENCSTATUS;

/// What nobody should call.
unsafe extern "C" fn unexpected() -> NVENCSTATUS {
    NVENCSTATUS::NV_ENC_ERR_UNIMPLEMENTED
}

/// What `NvEncodeAPICreateInstance` does: fills the table of functions.
pub(super) extern "C" fn fill(table: *mut NV_ENCODE_API_FUNCTION_LIST) -> NVENCSTATUS {
    let first = offset_of!(NV_ENCODE_API_FUNCTION_LIST, nvEncOpenEncodeSession);
    let end = offset_of!(NV_ENCODE_API_FUNCTION_LIST, reserved2);
    for at in (first..end).step_by(size_of::<Unused>()) {
        // SAFETY: between these two the table has nothing but pointers, nearly all to functions, and the bindings refuse null.
        unsafe { table.byte_add(at).cast::<Unused>().write(unexpected) };
    }
    // SAFETY: the caller's table.
    let table = unsafe { &mut *table };
    table.nvEncOpenEncodeSessionEx = Some(open);
    table.nvEncGetEncodePresetConfigEx = Some(preset);
    table.nvEncInitializeEncoder = Some(initialize);
    table.nvEncCreateInputBuffer = Some(create_input);
    table.nvEncCreateBitstreamBuffer = Some(create_output);
    table.nvEncLockInputBuffer = Some(lock_input);
    table.nvEncUnlockInputBuffer = Some(unlock);
    table.nvEncEncodePicture = Some(encode);
    table.nvEncLockBitstream = Some(lock_output);
    table.nvEncUnlockBitstream = Some(unlock);
    table.nvEncDestroyInputBuffer = Some(give_back);
    table.nvEncDestroyBitstreamBuffer = Some(give_back);
    table.nvEncDestroyEncoder = Some(destroy);
    table.nvEncGetLastErrorString = Some(last_error);
    OK
}
