//! When a publisher has a picture, of which size, and whether it is a keyframe.

use std::time::Duration;

/// The coding of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Codec {
    /// H.264, constrained baseline, packetization mode 1.
    H264,
    /// VP8.
    Vp8,
}

/// One encoding of the pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerPlan {
    /// Bits a second, keyframes included.
    pub bitrate: u64,
    /// Pixels.
    pub size: (u32, u32),
}

/// What a publisher's pictures are like.
#[derive(Debug, Clone, PartialEq)]
pub struct PicturePlan {
    /// How they are coded.
    pub codec: Codec,
    /// Pictures a second.
    pub rate: f64,
    /// From keyframe to keyframe.
    pub group: Duration,
    /// How many times the mean picture a keyframe has.
    pub key_factor: f64,
    /// The encodings, the best first.
    pub layers: Vec<LayerPlan>,
    /// Keyframes come when they are asked for, too.
    pub honours_requests: bool,
}

impl PicturePlan {
    /// Pictures from keyframe to keyframe.
    fn group_len(&self) -> u64 {
        (self.group.as_secs_f64() * self.rate).round().max(1.0) as u64
    }

    /// When picture `number` is due, after the first.
    pub fn due(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate)
    }

    /// Bytes of a picture of this layer. Those between keyframes are smaller, so that the bitrate is what was asked for.
    pub fn bytes(&self, layer: usize, key: bool) -> usize {
        let mean = self.layers[layer].bitrate as f64 / 8.0 / self.rate;
        let group = self.group_len() as f64;
        let factor = self.key_factor.min(group);
        let of_mean = if key || group <= 1.0 {
            factor
        } else {
            (group - factor) / (group - 1.0)
        };
        (mean * of_mean).round() as usize
    }
}

/// Follows one layer's pictures.
#[derive(Debug, Default)]
pub struct Groups {
    since_key: Option<u64>,
    asked: bool,
}

impl Groups {
    /// Somebody wants a keyframe.
    pub fn ask(&mut self) {
        self.asked = true;
    }

    /// Whether the next picture is a keyframe.
    pub fn next_is_key(&mut self, plan: &PicturePlan) -> bool {
        let asked = std::mem::take(&mut self.asked) && plan.honours_requests;
        let key = asked
            || self
                .since_key
                .is_none_or(|since| since + 1 >= plan.group_len());
        self.since_key = Some(if key {
            0
        } else {
            self.since_key.unwrap_or(0) + 1
        });
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> PicturePlan {
        PicturePlan {
            codec: Codec::H264,
            rate: 30.0,
            group: Duration::from_secs(2),
            key_factor: 6.0,
            layers: vec![LayerPlan {
                bitrate: 2_500_000,
                size: (1280, 720),
            }],
            honours_requests: true,
        }
    }

    #[test]
    fn a_group_has_the_bitrate_and_one_keyframe() {
        let plan = plan();
        let mut groups = Groups::default();
        let keys: Vec<bool> = (0..120).map(|_| groups.next_is_key(&plan)).collect();
        let of_key: Vec<usize> = (0..120).filter(|i| keys[*i]).collect();
        assert_eq!(of_key, [0, 60]);
        let bytes: usize = keys[..60].iter().map(|key| plan.bytes(0, *key)).sum();
        assert!(bytes.abs_diff(2 * 2_500_000 / 8) < 60, "{bytes}");
        assert_eq!(plan.bytes(0, true), 62_500);
    }

    #[test]
    fn a_request_is_honoured_once_if_at_all() {
        let mut plan = plan();
        for honours in [true, false] {
            plan.honours_requests = honours;
            let mut groups = Groups::default();
            groups.next_is_key(&plan);
            groups.ask();
            groups.ask();
            let next: Vec<bool> = (0..3).map(|_| groups.next_is_key(&plan)).collect();
            assert_eq!(next, [honours, false, false]);
        }
    }
}
