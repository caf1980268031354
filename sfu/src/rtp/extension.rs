//! The header extensions that Spillway knows, and the ids they were negotiated under.

/// A header extension that Spillway knows (RFC 8285).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extension {
    /// The m-section that a packet belongs to (RFC 9143 §15).
    Mid,
    /// The simulcast layer that a packet belongs to (RFC 8852).
    Rid,
    /// The simulcast layer that a retransmission repairs (RFC 8852).
    RepairedRid,
    /// The packet's number on its transport, for transport-wide congestion control feedback.
    TransportSequence,
    /// When the packet left its sender.
    AbsSendTime,
    /// When the packet's content was captured.
    AbsCaptureTime,
    /// How long the receiver may hold the picture back.
    PlayoutDelay,
    /// How the picture must be turned (3GPP TS 26.114 §7.4.5).
    VideoOrientation,
    /// How loud the packet's sound is (RFC 6464).
    AudioLevel,
    /// What the frame depends on (AV1 RTP specification, appendix A).
    DependencyDescriptor,
}

impl Extension {
    /// Every extension, in the order of declaration.
    pub const ALL: [Self; 10] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::TransportSequence,
        Self::AbsSendTime,
        Self::AbsCaptureTime,
        Self::PlayoutDelay,
        Self::VideoOrientation,
        Self::AudioLevel,
        Self::DependencyDescriptor,
    ];

    /// The URI that names it in `a=extmap`.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::TransportSequence => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
        }
    }

    /// The extension that a URI names.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.uri() == uri)
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// The ids of the known extensions as negotiated for one transport. With BUNDLE an id means the same in all
/// m-sections (RFC 8285 §7), so one map does for all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExtensionMap {
    /// By [`Extension::index`]; 0, which is no id (RFC 8285 §4.2), where nothing was negotiated.
    ids: [u8; Extension::ALL.len()],
}

impl ExtensionMap {
    /// Notes that `extension` goes by `id`, in place of its earlier id and of the id's earlier extension.
    /// Id 0 means padding (RFC 8285 §4.2): with it the extension becomes unknown.
    pub fn insert(&mut self, extension: Extension, id: u8) {
        for taken in &mut self.ids {
            if *taken == id {
                *taken = 0;
            }
        }
        self.ids[extension.index()] = id;
    }

    /// The id of an extension, if it was negotiated.
    pub const fn id(&self, extension: Extension) -> Option<u8> {
        match self.ids[extension.index()] {
            0 => None,
            id => Some(id),
        }
    }

    /// The extension that goes by `id`.
    pub fn extension(&self, id: u8) -> Option<Extension> {
        self.iter()
            .find_map(|(extension, taken)| (taken == id).then_some(extension))
    }

    /// What was negotiated, in the order of [`Extension::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Extension, u8)> + '_ {
        Extension::ALL
            .into_iter()
            .zip(self.ids)
            .filter(|(_, id)| *id != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_lead_back_to_their_extension() {
        for (index, extension) in Extension::ALL.into_iter().enumerate() {
            assert_eq!(Extension::from_uri(extension.uri()), Some(extension));
            assert_eq!(extension.index(), index);
        }
        assert_eq!(Extension::from_uri("urn:example:unknown"), None);
    }

    #[test]
    fn a_map_translates_both_ways() {
        let mut map = ExtensionMap::default();
        assert_eq!(map.id(Extension::Mid), None);
        assert_eq!(map.extension(0), None);
        map.insert(Extension::Mid, 4);
        map.insert(Extension::PlayoutDelay, 200);
        assert_eq!(map.id(Extension::Mid), Some(4));
        assert_eq!(map.extension(200), Some(Extension::PlayoutDelay));
        assert_eq!(map.extension(5), None);
        let all: Vec<_> = map.iter().collect();
        assert_eq!(all, [(Extension::Mid, 4), (Extension::PlayoutDelay, 200)]);
    }

    #[test]
    fn an_id_means_one_extension_only() {
        let mut map = ExtensionMap::default();
        map.insert(Extension::Mid, 4);
        map.insert(Extension::Rid, 4);
        assert_eq!(map.id(Extension::Mid), None);
        assert_eq!(map.extension(4), Some(Extension::Rid));
        map.insert(Extension::Rid, 0);
        assert_eq!(map, ExtensionMap::default());
    }
}
