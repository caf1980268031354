//! The dependency descriptor (AV1 RTP specification, appendix A), as far as forwarding untouched needs it.

use super::wire::{take_u8, take_u16};

/// What every dependency descriptor says in its mandatory fields (§A.8.2), and whether a structure follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DependencyDescriptor {
    /// The packet is the first of its frame.
    pub first_in_frame: bool,
    /// The packet is the last of its frame.
    pub last_in_frame: bool,
    /// Which template of the structure the frame follows, 0 to 63.
    pub template_id: u8,
    /// Counts frames, of all layers.
    pub frame_number: u16,
    /// A template dependency structure is attached: the frame begins a coded video sequence.
    pub has_structure: bool,
}

impl DependencyDescriptor {
    /// Reads the extension's value.
    pub fn parse(mut value: &[u8]) -> Option<Self> {
        let flags = take_u8(&mut value)?;
        let frame_number = take_u16(&mut value)?;
        Some(Self {
            first_in_frame: flags & 0x80 != 0,
            last_in_frame: flags & 0x40 != 0,
            template_id: flags & 0x3F,
            frame_number,
            // The first flag of the extended fields (§A.8.2).
            has_structure: value.first().is_some_and(|extended| extended & 0x80 != 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mandatory_fields_are_read() {
        let expected = DependencyDescriptor {
            first_in_frame: true,
            last_in_frame: false,
            template_id: 5,
            frame_number: 0x1234,
            has_structure: false,
        };
        assert_eq!(
            DependencyDescriptor::parse(&[0x85, 0x12, 0x34]),
            Some(expected)
        );
        let with_structure = DependencyDescriptor {
            has_structure: true,
            ..expected
        };
        assert_eq!(
            DependencyDescriptor::parse(&[0x85, 0x12, 0x34, 0x80, 0x00]),
            Some(with_structure)
        );
        assert_eq!(
            DependencyDescriptor::parse(&[0x85, 0x12, 0x34, 0x40]),
            Some(expected)
        );
    }

    #[test]
    fn short_values_are_refused() {
        for len in 0..3 {
            assert_eq!(DependencyDescriptor::parse(&[0; 3][..len]), None);
        }
    }
}
