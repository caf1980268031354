//! What the driver is told of a rendition and of a picture.

use nvidia_video_codec_sdk::{
    CodecPictureParams, EncodePictureParams, EncoderInitParams,
    sys::nvEncodeAPI::{
        GUID, NV_ENC_BUFFER_FORMAT, NV_ENC_CODEC_H264_GUID, NV_ENC_CONFIG,
        NV_ENC_H264_PROFILE_HIGH_GUID, NV_ENC_PARAMS_RC_MODE, NV_ENC_PIC_PARAMS_H264,
        NV_ENC_PIC_TYPE, NV_ENC_PRESET_P4_GUID, NV_ENC_TUNING_INFO, NVENC_INFINITE_GOPLENGTH,
    },
};

/// The codec, and what it is tuned to: middling effort, no picture held back.
pub(crate) const CODEC: GUID = NV_ENC_CODEC_H264_GUID;
pub(crate) const PRESET: GUID = NV_ENC_PRESET_P4_GUID;
pub(crate) const TUNING: NV_ENC_TUNING_INFO =
    NV_ENC_TUNING_INFO::NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY;
/// Y, U and V one after the other.
pub(crate) const FORMAT: NV_ENC_BUFFER_FORMAT = NV_ENC_BUFFER_FORMAT::NV_ENC_BUFFER_FORMAT_IYUV;

/// What is encoded, and how large it may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Pictures a second, as a fraction.
    pub rate: (u32, u32),
    /// Bits per second aimed at.
    pub bitrate: u32,
    /// Bits per second over a moment at most.
    pub peak_bitrate: u32,
    /// Bits that may be ahead of that.
    pub buffer: u32,
}

/// The session's parameters. Which picture is a keyframe isn't left to the driver: the bindings can't ask it for one.
pub(crate) fn initial<'a>(
    settings: &Settings,
    config: &'a mut NV_ENC_CONFIG,
) -> EncoderInitParams<'a> {
    let mut initial = EncoderInitParams::new(CODEC, settings.width, settings.height);
    initial
        .preset_guid(PRESET)
        .tuning_info(TUNING)
        .display_aspect_ratio(settings.width, settings.height)
        .framerate(settings.rate.0, settings.rate.1)
        .encode_config(config);
    initial
}

/// What is changed of the preset.
pub(crate) fn configured(preset: &NV_ENC_CONFIG, settings: &Settings) -> NV_ENC_CONFIG {
    let mut config = *preset;
    config.profileGUID = NV_ENC_H264_PROFILE_HIGH_GUID;
    config.gopLength = NVENC_INFINITE_GOPLENGTH;
    // No B pictures.
    config.frameIntervalP = 1;
    let rate = &mut config.rcParams;
    rate.rateControlMode = NV_ENC_PARAMS_RC_MODE::NV_ENC_PARAMS_RC_VBR;
    rate.averageBitRate = settings.bitrate;
    rate.maxBitRate = settings.peak_bitrate;
    rate.vbvBufferSize = settings.buffer;
    rate.set_enableLookahead(0);
    rate.set_zeroReorderDelay(1);
    // SAFETY: every part of the union is numbers and pointers, for which all bits are valid; the preset is one of H.264, or zeros.
    let mut h264 = unsafe { config.encodeCodecConfig.h264Config };
    h264.idrPeriod = NVENC_INFINITE_GOPLENGTH;
    h264.chromaFormatIDC = 1;
    h264.set_repeatSPSPPS(1);
    h264.set_outputAUD(0);
    config.encodeCodecConfig.h264Config = h264;
    config
}

/// A picture's parameters: a keyframe, from which decoders begin, or one that refers to the one before. `since` counts from the last
/// keyframe on, which is 0.
pub(crate) fn picture(timestamp: u64, since: u32) -> EncodePictureParams {
    let picture_type = match since {
        0 => NV_ENC_PIC_TYPE::NV_ENC_PIC_TYPE_IDR,
        _ => NV_ENC_PIC_TYPE::NV_ENC_PIC_TYPE_P,
    };
    EncodePictureParams {
        input_timestamp: timestamp,
        picture_type,
        codec_params: Some(CodecPictureParams::H264(NV_ENC_PIC_PARAMS_H264 {
            // Two for each picture (ITU-T H.264 §8.2.1): it has two fields, even where it is coded as one frame.
            displayPOCSyntax: since.wrapping_mul(2),
            refPicFlag: 1,
            ..Default::default()
        })),
    }
}

#[cfg(test)]
mod tests {
    use nvidia_video_codec_sdk::sys::nvEncodeAPI::NV_ENC_PARAMS_FRAME_FIELD_MODE;

    use super::*;

    const SETTINGS: Settings = Settings {
        width: 854,
        height: 480,
        rate: (30_000, 1_001),
        bitrate: 1_300_000,
        peak_bitrate: 1_560_000,
        buffer: 650_000,
    };

    #[test]
    fn a_rendition_becomes_a_configuration() {
        let mut preset = NV_ENC_CONFIG {
            frameFieldMode: NV_ENC_PARAMS_FRAME_FIELD_MODE::NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME,
            gopLength: 250,
            frameIntervalP: 3,
            ..Default::default()
        };
        preset.rcParams.lookaheadDepth = 9;
        preset.rcParams.set_enableLookahead(1);
        let config = configured(&preset, &SETTINGS);
        assert_eq!(config.profileGUID, NV_ENC_H264_PROFILE_HIGH_GUID);
        assert_eq!(config.gopLength, u32::MAX);
        assert_eq!(config.frameIntervalP, 1);
        let rate = config.rcParams;
        assert_eq!(rate.rateControlMode as u32, 1, "VBR");
        assert_eq!(
            (rate.averageBitRate, rate.maxBitRate, rate.vbvBufferSize),
            (1_300_000, 1_560_000, 650_000)
        );
        assert_eq!((rate.enableLookahead(), rate.zeroReorderDelay()), (0, 1));
        // What isn't spoken of stays as the preset has it.
        assert_eq!(rate.lookaheadDepth, 9);
        // SAFETY: as above.
        let h264 = unsafe { config.encodeCodecConfig.h264Config };
        assert_eq!((h264.idrPeriod, h264.chromaFormatIDC), (u32::MAX, 1));
        assert_eq!((h264.repeatSPSPPS(), h264.outputAUD()), (1, 0));
    }

    #[test]
    fn a_session_is_begun_with_the_size_the_rate_and_without_the_drivers_choice_of_pictures() {
        let mut config = NV_ENC_CONFIG::default();
        // The bindings show what they keep in no other way.
        let said = format!("{:?}", initial(&SETTINGS, &mut config));
        for part in [
            "encodeWidth: 854",
            "encodeHeight: 480",
            "darWidth: 854",
            "darHeight: 480",
            "frameRateNum: 30000",
            "frameRateDen: 1001",
            "enablePTD: 0",
            "tuningInfo: NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY",
        ] {
            assert!(said.contains(part), "{part} isn't in {said}");
        }
        assert!(said.contains(&format!("presetGUID: {PRESET:?}")), "{said}");
        assert!(said.contains(&format!("encodeGUID: {CODEC:?}")), "{said}");
    }

    #[test]
    fn pictures_are_keyframes_or_refer_to_the_one_before() {
        let told = |timestamp, since| {
            let picture = picture(timestamp, since);
            let Some(CodecPictureParams::H264(h264)) = picture.codec_params else {
                panic!("not H.264");
            };
            assert_eq!(picture.input_timestamp, timestamp);
            assert_eq!(h264.refPicFlag, 1);
            (picture.picture_type, h264.displayPOCSyntax)
        };
        assert_eq!(told(900, 0), (NV_ENC_PIC_TYPE::NV_ENC_PIC_TYPE_IDR, 0));
        assert_eq!(told(901, 1), (NV_ENC_PIC_TYPE::NV_ENC_PIC_TYPE_P, 2));
        assert_eq!(told(902, 2), (NV_ENC_PIC_TYPE::NV_ENC_PIC_TYPE_P, 4));
    }
}
