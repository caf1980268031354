//! What viewers are told of a publisher's video layers, and when it's news.

use spillway_sfu::{LayerStatistics, MediaKind, SubLayerStatistics};
use spillway_signaling::VideoLayer;

/// A bitrate that differs by less than this share of what was told isn't news: encoders never keep to one.
const NOTABLE_PERCENT: u64 = 20;

/// The video among a publisher's layers, the largest first.
pub(super) fn video_layers(layers: &[LayerStatistics]) -> Vec<VideoLayer> {
    let mut video: Vec<_> = layers
        .iter()
        .filter(|layer| layer.kind == MediaKind::Video)
        .flat_map(of_encoding)
        .collect();
    // Stable: where no size is known the publisher's order stays.
    video.sort_by_key(|layer| {
        let area = u32::from(layer.width.unwrap_or(0)) * u32::from(layer.height.unwrap_or(0));
        std::cmp::Reverse((area, layer.spatial_layer_id, layer.temporal_layer_id))
    });
    video
}

/// An encoding's layers, each with all that it needs; at least one.
fn of_encoding(layer: &LayerStatistics) -> Vec<VideoLayer> {
    let rid = (!layer.rid.is_empty()).then(|| layer.rid.clone());
    let bitrate = |bits: u64| (layer.flowing && bits > 0).then_some(bits);
    if layer.sub_layers.is_empty() {
        // An entry needs one of rid, spatial and temporal layer (draft-ietf-wish-whep, "layers event").
        let only = rid.is_none().then_some(0);
        return vec![VideoLayer {
            rid,
            spatial_layer_id: only,
            temporal_layer_id: only,
            bitrate: bitrate(layer.bitrate),
            width: known(layer.width),
            height: known(layer.height),
        }];
    }
    let top = layer.sub_layers.iter().map(|sub| sub.spatial).max();
    let size = |sub: &SubLayerStatistics| {
        if sub.height == 0 && Some(sub.spatial) == top {
            (layer.width, layer.height)
        } else {
            (sub.width, sub.height)
        }
    };
    let entries = layer.sub_layers.iter().map(|sub| VideoLayer {
        rid: rid.clone(),
        spatial_layer_id: Some(sub.spatial),
        temporal_layer_id: Some(sub.temporal),
        bitrate: bitrate(sub.bitrate),
        width: known(size(sub).0),
        height: known(size(sub).1),
    });
    entries.collect()
}

fn known(pixels: u16) -> Option<u16> {
    (pixels > 0).then_some(pixels)
}

/// Whether viewers who were told the one should be told the other.
pub(super) fn is_news(told: &[VideoLayer], now: &[VideoLayer]) -> bool {
    told.len() != now.len() || told.iter().zip(now).any(|(told, now)| differs(told, now))
}

fn differs(told: &VideoLayer, now: &VideoLayer) -> bool {
    let without_bitrate = |layer: &VideoLayer| VideoLayer {
        bitrate: None,
        ..layer.clone()
    };
    let bitrate_differs = match (told.bitrate, now.bitrate) {
        (Some(told), Some(now)) => now.abs_diff(told) * 100 > told * NOTABLE_PERCENT,
        (told, now) => told != now,
    };
    bitrate_differs || without_bitrate(told) != without_bitrate(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(rid: &str, (width, height): (u16, u16), bitrate: u64) -> LayerStatistics {
        LayerStatistics {
            kind: MediaKind::Video,
            rid: rid.into(),
            codec: None,
            width,
            height,
            bitrate,
            flowing: true,
            sub_layers: Vec::new(),
        }
    }

    fn sub(spatial: u8, temporal: u8, (width, height): (u16, u16)) -> SubLayerStatistics {
        SubLayerStatistics {
            spatial,
            temporal,
            width,
            height,
            bitrate: 1000,
        }
    }

    #[test]
    fn simulcast_comes_with_the_largest_first_and_without_the_sound() {
        let sound = LayerStatistics {
            kind: MediaKind::Audio,
            ..layer("", (0, 0), 64_000)
        };
        let stalled = LayerStatistics {
            flowing: false,
            ..layer("h", (640, 360), 500_000)
        };
        let layers = video_layers(&[
            sound,
            layer("q", (320, 180), 1),
            stalled,
            layer("f", (1280, 720), 9),
        ]);
        let rids: Vec<_> = layers.iter().map(|layer| layer.rid.as_deref()).collect();
        assert_eq!(rids, [Some("f"), Some("h"), Some("q")]);
        let bitrates: Vec<_> = layers.iter().map(|layer| layer.bitrate).collect();
        assert_eq!(bitrates, [Some(9), None, Some(1)]);
        assert_eq!(layers[0].spatial_layer_id, None);
    }

    #[test]
    fn an_encoding_without_a_name_has_numbers() {
        let layers = video_layers(&[layer("", (1280, 720), 9)]);
        assert_eq!(layers[0].spatial_layer_id, Some(0));
        assert_eq!(layers[0].temporal_layer_id, Some(0));
    }

    #[test]
    fn spatial_and_temporal_layers_are_told_apart_and_the_top_has_the_encodings_size() {
        let mut encoding = layer("", (1280, 720), 3000);
        encoding.sub_layers = vec![sub(0, 0, (640, 360)), sub(1, 0, (0, 0)), sub(1, 1, (0, 0))];
        let told: Vec<_> = video_layers(&[encoding])
            .iter()
            .map(|layer| {
                (
                    layer.spatial_layer_id,
                    layer.temporal_layer_id,
                    layer.height,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (Some(1), Some(1), Some(720)),
                (Some(1), Some(0), Some(720)),
                (Some(0), Some(0), Some(360)),
            ]
        );
    }

    #[test]
    fn noise_is_no_news_but_sets_sizes_and_activity_are() {
        let layers = |height, bitrate| video_layers(&[layer("f", (1280, height), bitrate)]);
        let told = layers(720, 1000);
        assert!(!is_news(&told, &layers(720, 1200)));
        assert!(!is_news(&told, &layers(720, 800)));
        assert!(is_news(&told, &layers(720, 1201)));
        assert!(is_news(&told, &layers(720, 799)));
        assert!(is_news(&told, &layers(360, 1000)));
        assert!(is_news(&told, &layers(720, 0)));
        assert!(is_news(&told, &[]));
    }
}
