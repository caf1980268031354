//! Parameter sets in a session description.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::receive::ParameterSets;

/// The most that are taken of one description.
const MAX_SETS: usize = 16;

/// `sprop-parameter-sets` of H.264 (RFC 6184 §8.1); `sprop-vps`, `sprop-sps` and `sprop-pps` of H.265 (RFC 7798 §7.1).
pub(super) fn find(description: &str) -> ParameterSets {
    let mut sets = ParameterSets::default();
    let parameters = description
        .lines()
        .filter_map(|line| line.strip_prefix("a=fmtp:")?.split_once(' '))
        .flat_map(|(_, parameters)| parameters.split(';'))
        .filter_map(|parameter| parameter.trim().split_once('='));
    for (name, value) in parameters {
        let found = match name {
            "sprop-parameter-sets" => &mut sets.h264,
            "sprop-vps" | "sprop-sps" | "sprop-pps" => &mut sets.h265,
            _ => continue,
        };
        let decoded = value.split(',').filter_map(|set| STANDARD.decode(set).ok());
        let room = MAX_SETS.saturating_sub(found.len());
        found.extend(decoded.map(Bytes::from).take(room));
    }
    sets
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn both_codecs_sets_are_found() {
        let description = "m=video 9 UDP/TLS/RTP/SAVPF 102 114\r\n\
            a=fmtp:102 packetization-mode=1; sprop-parameter-sets=Z0IAHg==,aM48gA==\r\n\
            a=fmtp:114 sprop-vps=QAE=;sprop-sps=*;sprop-pps=RAE=\r\n";
        let sets = find(description);
        assert_eq!(
            sets.h264,
            [&[0x67, 0x42, 0, 0x1e][..], &[0x68, 0xce, 0x3c, 0x80]]
        );
        assert_eq!(sets.h265, [&[0x40, 1][..], &[0x44, 1]]);
    }
}
