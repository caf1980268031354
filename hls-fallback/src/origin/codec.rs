//! How playlists name a codec (RFC 6381).

use std::fmt::Write as _;

use crate::{bitstream::av1, media::TrackConfig};

/// The element of `CODECS`; nothing if the configuration is too short to be one.
pub(crate) fn name(config: &TrackConfig) -> Option<String> {
    match config {
        // ISO/IEC 14496-15 §E.3: profile, constraints and level, as in the avcC.
        TrackConfig::H264 { avcc, .. } => match avcc[..] {
            [1, profile, constraints, level, ..] => {
                Some(format!("avc1.{profile:02X}{constraints:02X}{level:02X}"))
            }
            _ => None,
        },
        TrackConfig::H265 { hvcc, .. } => h265(hvcc),
        TrackConfig::Vp9 { vpcc, .. } => vp9(vpcc),
        TrackConfig::Av1 { av1c, .. } => av1(av1c),
        // RFC 6381 §3.3: the object type indication of MPEG-4 audio, and the audio object type, its first five bits.
        TrackConfig::Aac { config, .. } => {
            config.first().map(|byte| format!("mp4a.40.{}", byte >> 3))
        }
        // Encapsulation of Opus in ISO Base Media File Format §4.3.2: as in RFC 6381 registrations, in lower case.
        TrackConfig::Opus { .. } => Some("opus".to_owned()),
    }
}

/// The elements of `CODECS` for a rendition that is encoded like this, and like the others at times: one of each decoder, since who
/// plays it needs all of them (RFC 8216bis §4.4.6.2). H.264 is first: hls.js takes variants for alternatives to each other by the
/// first one that they name.
pub(crate) fn names(config: &TrackConfig, others: &[&TrackConfig]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for config in [config].iter().chain(others) {
        let Some(name) = name(config) else { continue };
        if names.iter().all(|known| family(known) != family(&name)) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| family(name) != FAMILIAR);
    names
}

/// What any player has a decoder for.
pub(crate) const FAMILIAR: &str = "avc1";

/// Which decoder it takes: `avc1`.
pub(crate) fn family(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// ISO/IEC 14496-15 §E.3: profile, what it is compatible with (the bits in reverse), tier and level, and constraints without the
/// zeros behind them.
fn h265(hvcc: &[u8]) -> Option<String> {
    let (&[_, profile, a, b, c, d], rest) = hvcc.split_first_chunk()?;
    let (constraints, rest) = rest.split_first_chunk::<6>()?;
    let level = rest.first()?;
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let compatibility = u32::from_be_bytes([a, b, c, d]).reverse_bits();
    let mut name = format!(
        "hvc1.{space}{}.{compatibility:X}.{tier}{level}",
        profile & 0x1f
    );
    let end = constraints.iter().rposition(|byte| *byte != 0);
    for byte in &constraints[..end.map_or(0, |last| last + 1)] {
        // Writing to a String doesn't fail.
        let _ = write!(name, ".{byte:02X}");
    }
    Some(name)
}

/// VP codec ISO media file format binding, "Codecs Parameter String": profile, level, depth; the rest, if it isn't what is taken for
/// granted.
fn vp9(vpcc: &[u8]) -> Option<String> {
    // Behind version and flags.
    let &[profile, level, form, primaries, transfer, matrix] = vpcc.get(4..)?.first_chunk()?;
    let (depth, subsampling, full_range) = (form >> 4, form >> 1 & 7, form & 1);
    let mut name = format!("vp09.{profile:02}.{level:02}.{depth:02}");
    let colours = [primaries, transfer, matrix];
    if (subsampling, full_range) != (1, 0) || !is_usual(colours) {
        let _ = write!(
            name,
            ".{subsampling:02}.{primaries:02}.{transfer:02}.{matrix:02}.{full_range:02}"
        );
    }
    Some(name)
}

/// AV1 codec ISO media file format binding §5: profile, level and tier, depth; the rest, if it isn't what is taken for granted.
fn av1(av1c: &[u8]) -> Option<String> {
    let sequence = av1::of_config(av1c)?;
    let (level, is_high) = sequence.level();
    let colours = sequence.colours();
    let mut name = format!(
        "av01.{}.{level:02}{}.{:02}",
        sequence.profile,
        if is_high { 'H' } else { 'M' },
        colours.depth
    );
    let described = colours.described.unwrap_or([2; 3]);
    let [x, y] = colours.subsampled.map(u8::from);
    let usual = is_usual(described) && !colours.mono && !colours.full_range;
    if !usual || (x, y, colours.position) != (1, 1, 0) {
        let [primaries, transfer, matrix] = described;
        let _ = write!(
            name,
            ".{}.{x}{y}{}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
            u8::from(colours.mono),
            colours.position,
            u8::from(colours.full_range)
        );
    }
    Some(name)
}

/// BT.709, or not told (ITU-T H.273).
fn is_usual(colours: [u8; 3]) -> bool {
    colours == [1; 3] || colours == [2; 3]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use bytes::Bytes;

    use super::*;

    #[test]
    fn codecs_have_the_names_that_players_ask_their_decoders_for() {
        let avcc = Bytes::from_static(&[1, 0x64, 0, 0x1f, 0xff]);
        let video = TrackConfig::H264 {
            avcc,
            width: 1280,
            height: 720,
        };
        assert_eq!(name(&video).as_deref(), Some("avc1.64001F"));
        let config = Bytes::from_static(&[0x11, 0x90]);
        let audio = TrackConfig::Aac {
            config,
            sample_rate: 48_000,
            channels: 2,
        };
        assert_eq!(name(&audio).as_deref(), Some("mp4a.40.2"));
    }

    #[test]
    fn what_is_too_short_has_no_name() {
        let video = TrackConfig::H264 {
            avcc: Bytes::from_static(&[1]),
            width: 2,
            height: 2,
        };
        assert_eq!(name(&video), None);
    }
}
