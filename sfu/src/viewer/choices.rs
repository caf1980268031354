//! What a viewer can get of a track, by what flows and by what the viewer asks for.

use std::time::Instant;

use arrayvec::ArrayVec;

use super::SubLayerCap;
use crate::{
    LayerSelection,
    media::{Layer, SUB_LAYERS, SubLayer, Track},
    sdp::MAX_RIDS,
};

/// Headers and tags on top of payloads.
const OVERHEAD: f64 = 1.05;
/// Choices at most: the worst of more are left out.
const MAX_CHOICES: usize = 32;
/// Above the smallest picture, so many of the highest temporal layers may be chosen: half the frames of a large picture
/// look better than a small picture, a quarter of them doesn't.
const TEMPORAL_STEPS: u8 = 2;

/// Something that a viewer can get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) layer: u8,
    pub(crate) cap: SubLayerCap,
    /// Bits per second, everything included that comes with it.
    pub(crate) bitrate: u64,
}

/// Choices from the worst to the best, each of which takes more than the one before.
pub(crate) type Choices = ArrayVec<Choice, MAX_CHOICES>;

/// What a viewer can get of `track` by what it asks for; `single`: of one spatial layer only. `extra` bits per second come
/// with each.
pub(crate) fn choices(
    now: Instant,
    track: &Track,
    (selection, single): (&LayerSelection, bool),
    extra: u64,
) -> Choices {
    let named = selection
        .rid
        .as_deref()
        .and_then(|rid| track.layers.iter().find(|l| l.rid == rid));
    let most = named.filter(|l| l.flowing(now)).map(Layer::rank);
    let within = |l: &Layer| l.flowing(now) && most.is_none_or(|most| l.rank() <= most);
    let mut layers: ArrayVec<(u8, &Layer), MAX_RIDS> = (0u8..)
        .zip(&track.layers)
        .filter(|(_, l)| within(l))
        .take(MAX_RIDS)
        .collect();
    layers.sort_by_key(|(_, layer)| layer.rank());
    let fits = |l: &Layer| is_small_enough(smallest(l), selection);
    // Where all are too large the smallest comes nearest to what was asked for.
    let fitting = layers.iter().rposition(|(_, l)| fits(l)).unwrap_or(0);
    layers.truncate(fitting + 1);
    let mut found = ArrayVec::new();
    for (place, layer) in layers.into_iter().rev() {
        add_layer(&mut found, (place, layer), selection, single);
    }
    worth_having(&found, extra)
}

/// What no choice goes beyond.
pub(crate) fn ceiling(selection: &LayerSelection, single: bool) -> SubLayerCap {
    SubLayerCap {
        spatial: if single {
            0
        } else {
            selection.max_spatial.unwrap_or(u8::MAX)
        },
        temporal: selection.max_temporal.unwrap_or(u8::MAX),
    }
}

/// One sub-layer of one layer.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    layer: u8,
    spatial: u8,
    temporal: u8,
    cap: SubLayerCap,
    bitrate: u64,
}

impl Candidate {
    /// What has pictures of one size.
    fn picture(&self) -> (u8, u8) {
        (self.layer, self.spatial)
    }
}

/// The size of the smallest picture that a layer has.
fn smallest(layer: &Layer) -> (u16, u16) {
    let sizes = layer.sublayers().map(|s| s.size);
    sizes
        .min_by_key(|&(width, height)| u32::from(width) * u32::from(height))
        .unwrap_or(layer.size)
}

fn is_small_enough((width, height): (u16, u16), selection: &LayerSelection) -> bool {
    selection.max_width.is_none_or(|most| width <= most)
        && selection.max_height.is_none_or(|most| height <= most)
}

/// Adds what can be had of one layer, the best first.
fn add_layer(
    found: &mut ArrayVec<Candidate, MAX_CHOICES>,
    (place, layer): (u8, &Layer),
    selection: &LayerSelection,
    single: bool,
) {
    let highest = ceiling(selection, single);
    let top = layer.sublayers().last();
    let base = layer.sublayers().map(|s| s.spatial).min();
    let allowed = |s: &SubLayer| {
        s.spatial <= highest.spatial
            && s.temporal <= highest.temporal
            && (is_small_enough(s.size, selection) || Some(s.spatial) == base)
    };
    let mut sub_layers: ArrayVec<SubLayer, SUB_LAYERS> =
        layer.sublayers().filter(allowed).collect();
    sub_layers.sort_by_key(|s| (s.spatial, s.temporal));
    if sub_layers.is_empty() {
        // Nothing was measured yet, or nothing flows that low.
        let _ = found.try_push(Candidate {
            layer: place,
            spatial: 0,
            temporal: 0,
            cap: highest,
            bitrate: layer.bitrate,
        });
    }
    for sub_layer in sub_layers.into_iter().rev() {
        let &SubLayer {
            spatial, temporal, ..
        } = &sub_layer;
        let cap = if Some(sub_layer) == top && !single {
            highest
        } else {
            SubLayerCap { spatial, temporal }
        };
        let _ = found.try_push(Candidate {
            layer: place,
            spatial,
            temporal,
            cap,
            bitrate: sub_layer.bitrate,
        });
    }
}

/// What of the candidates, the best first, is worth its bits; the worst first.
fn worth_having(found: &[Candidate], extra: u64) -> Choices {
    let smallest = found.last().map(Candidate::picture);
    let mut choices = Choices::new();
    let (mut picture, mut fastest, mut least) = (None, 0, u64::MAX);
    for candidate in found {
        if picture != Some(candidate.picture()) {
            picture = Some(candidate.picture());
            fastest = candidate.temporal;
        }
        let slow = candidate.temporal + TEMPORAL_STEPS <= fastest;
        // One that takes no less than a better one is of no use.
        if slow && picture != smallest || candidate.bitrate >= least {
            continue;
        }
        least = candidate.bitrate;
        choices.push(Choice {
            layer: candidate.layer,
            cap: candidate.cap,
            bitrate: (candidate.bitrate as f64 * OVERHEAD) as u64 + extra,
        });
    }
    choices.reverse();
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(layer: u8, temporal: u8, bitrate: u64) -> Candidate {
        Candidate {
            layer,
            spatial: 0,
            temporal,
            cap: SubLayerCap {
                spatial: 0,
                temporal,
            },
            bitrate,
        }
    }

    fn chosen(found: &[Candidate]) -> Vec<(u8, u8)> {
        let choices = worth_having(found, 0);
        choices.iter().map(|c| (c.layer, c.cap.temporal)).collect()
    }

    #[test]
    fn half_the_frames_come_before_a_smaller_picture_and_a_quarter_only_without_one() {
        let large = [
            candidate(0, 2, 1000),
            candidate(0, 1, 700),
            candidate(0, 0, 500),
        ];
        assert_eq!(chosen(&large), [(0, 0), (0, 1), (0, 2)]);
        let small = [candidate(1, 1, 300), candidate(1, 0, 200)];
        let both: Vec<Candidate> = large.into_iter().chain(small).collect();
        assert_eq!(chosen(&both), [(1, 0), (1, 1), (0, 1), (0, 2)]);
    }

    #[test]
    fn what_takes_more_than_something_better_is_left_out() {
        let found = [
            candidate(0, 1, 600),
            candidate(0, 0, 300),
            candidate(1, 0, 400),
        ];
        assert_eq!(chosen(&found), [(0, 0), (0, 1)]);
    }
}
