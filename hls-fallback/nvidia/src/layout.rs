//! How a picture lies in the driver's buffer: its three planes one after the other (`IYUV`), each row as long as the driver says.

use crate::error::Error;

/// One plane of a picture.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// Its rows.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// A picture in 4:2:0 with 8 bits: Y, U, V.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a>(pub [Plane<'a>; 3]);

/// How pictures of one size lie in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    width: usize,
    height: usize,
    /// Bytes from one row of Y to the next; of U and V it is half of that.
    pitch: usize,
}

impl Layout {
    pub(crate) fn new(width: u32, height: u32, pitch: u32) -> Result<Self, Error> {
        let is_even = [width, height, pitch].iter().all(|n| n % 2 == 0);
        if !is_even || width == 0 || height == 0 || pitch < width {
            return Err(Error::Size {
                width,
                height,
                pitch,
            });
        }
        Ok(Self {
            width: width as usize,
            height: height as usize,
            pitch: pitch as usize,
        })
    }

    /// Bytes of a whole picture.
    pub(crate) fn bytes(&self) -> usize {
        self.pitch * self.height * 3 / 2
    }

    /// Puts a picture into `bytes`, whatever was in it.
    pub(crate) fn lay_out(&self, picture: &Picture, bytes: &mut Vec<u8>) -> Result<(), Error> {
        bytes.clear();
        bytes.reserve(self.bytes());
        let chroma = (self.width / 2, self.height / 2, self.pitch / 2);
        let sizes = [(self.width, self.height, self.pitch), chroma, chroma];
        for (number, (plane, (width, height, pitch))) in
            picture.0.into_iter().zip(sizes).enumerate()
        {
            for row in 0..height {
                let from = row * plane.stride;
                let pixels = plane.data.get(from..from + width);
                bytes.extend_from_slice(pixels.ok_or(Error::Picture { plane: number })?);
                bytes.resize(bytes.len() + pitch - width, 0);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn picture(planes: [&[u8]; 3], strides: [usize; 3]) -> Picture<'_> {
        let plane = |i: usize| Plane {
            data: planes[i],
            stride: strides[i],
        };
        Picture([plane(0), plane(1), plane(2)])
    }

    #[test]
    fn rows_are_as_long_as_the_driver_says() {
        let layout = Layout::new(4, 2, 8).unwrap();
        let y = [1, 2, 3, 4, 99, 5, 6, 7, 8];
        let picture = picture([&y, &[10, 11, 99], &[20, 21]], [5, 3, 2]);
        let mut bytes = vec![77; 3];
        layout.lay_out(&picture, &mut bytes).unwrap();
        assert_eq!(
            bytes,
            [
                1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8, 0, 0, 0, 0, // Y
                10, 11, 0, 0, // U
                20, 21, 0, 0, // V
            ]
        );
        assert_eq!(bytes.len(), layout.bytes());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (width, height, pitch) in [(4, 2, 2), (3, 2, 8), (4, 3, 8), (4, 2, 9), (0, 2, 8)] {
            let layout = Layout::new(width, height, pitch);
            assert!(matches!(layout, Err(Error::Size { .. })), "{layout:?}");
        }
        let layout = Layout::new(4, 2, 8).unwrap();
        let short = picture([&[0; 8], &[0; 2], &[0; 1]], [4, 2, 2]);
        let laid = layout.lay_out(&short, &mut Vec::new());
        assert!(matches!(laid, Err(Error::Picture { plane: 2 })));
    }
}
