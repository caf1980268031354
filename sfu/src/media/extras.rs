//! Header extensions that travel from publisher to viewer with their packet.

use crate::rtp::{
    Extension,
    dependency_descriptor::{ActiveTargets, set_active_targets},
};

/// The extensions passed on, numbered by their place.
const PASSED: [Extension; 4] = [
    Extension::VideoOrientation,
    Extension::AudioLevel,
    Extension::AbsCaptureTime,
    Extension::DependencyDescriptor,
];

/// Bytes that the extras of one packet take at most; what doesn't fit is left out. A dependency descriptor with its
/// whole template structure takes 50 to 120.
pub(crate) const MAX_EXTRAS: usize = 300;

/// RFC 8285 §4.3: the longest value of an extension.
const MAX_VALUE: usize = 255;

/// Encoded extras: for each its number, its length, its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extras<'a>(&'a [u8]);

impl<'a> Extras<'a> {
    /// Extras that [`Extras::as_bytes`] gave.
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for Extras<'a> {
    type Item = (Extension, &'a [u8]);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        Iter(self.0)
    }
}

/// Goes through [`Extras`].
#[derive(Debug)]
pub(crate) struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = (Extension, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[number, length], rest) = self.0.split_first_chunk::<2>()?;
        let (data, rest) = rest.split_at_checked(usize::from(length))?;
        self.0 = rest;
        Some((*PASSED.get(usize::from(number))?, data))
    }
}

/// Collects the extras of one packet.
#[derive(Debug)]
pub(crate) struct ExtrasBuffer {
    bytes: [u8; MAX_EXTRAS],
    length: usize,
}

impl ExtrasBuffer {
    pub(crate) fn new() -> Self {
        Self {
            bytes: [0; MAX_EXTRAS],
            length: 0,
        }
    }

    /// Adds an extension if it is one that travels.
    pub(crate) fn push(&mut self, extension: Extension, data: &[u8]) {
        let Some(number) = PASSED.iter().position(|&passed| passed == extension) else {
            return;
        };
        let end = self.length + 2 + data.len();
        if data.len() > MAX_VALUE || end > MAX_EXTRAS {
            return;
        }
        self.bytes[self.length] = number as u8;
        self.bytes[self.length + 1] = data.len() as u8;
        self.bytes[self.length + 2..end].copy_from_slice(data);
        self.length = end;
    }

    /// Adds all of `extras`, with these active decode targets in their dependency descriptor.
    #[cold]
    pub(crate) fn push_with_targets(&mut self, extras: Extras<'_>, active: ActiveTargets) {
        for (extension, value) in extras {
            let mut changed = [0; MAX_VALUE];
            let length = (extension == Extension::DependencyDescriptor)
                .then(|| set_active_targets(value, active, &mut changed))
                .flatten();
            self.push(extension, length.map_or(value, |length| &changed[..length]));
        }
    }

    pub(crate) fn extras(&self) -> Extras<'_> {
        Extras(&self.bytes[..self.length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_travels_comes_back_in_order() {
        let mut buffer = ExtrasBuffer::new();
        buffer.push(Extension::AudioLevel, &[0x85]);
        buffer.push(Extension::Mid, b"0");
        buffer.push(Extension::DependencyDescriptor, &[1; 90]);
        buffer.push(Extension::DependencyDescriptor, &[2; 250]);
        let seen: Vec<_> = buffer
            .extras()
            .into_iter()
            .map(|(e, d)| (e, d.len()))
            .collect();
        assert_eq!(
            seen,
            [
                (Extension::AudioLevel, 1),
                (Extension::DependencyDescriptor, 90)
            ]
        );
    }
}
