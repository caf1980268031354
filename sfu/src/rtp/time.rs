//! Points in time and delays as RTP and RTCP carry them.

use std::time::Duration;

use super::wire;

/// Seconds from 1900, where NTP counts from, to 1970 (RFC 868).
const UNIX_EPOCH: u64 = 2_208_988_800;

/// A 64-bit NTP timestamp: seconds since 1900 in the upper half, fractions of 2⁻³² s in the lower (RFC 3550 §4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NtpTime(u64);

impl NtpTime {
    /// Takes the timestamp as it is on the wire.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The timestamp as it is on the wire.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The timestamp of a time since 1970. Wraps in 2036, as NTP does.
    pub const fn from_unix(since_1970: Duration) -> Self {
        let seconds = since_1970.as_secs().wrapping_add(UNIX_EPOCH);
        Self((seconds << 32) | fraction(since_1970))
    }

    /// This time and `duration` later.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        let length = (duration.as_secs() << 32) | fraction(duration);
        Self(self.0.wrapping_add(length))
    }

    /// Microseconds since 1900, rounded to the nearest.
    pub const fn micros(self) -> u64 {
        let fraction = ((self.0 & 0xFFFF_FFFF) * 1_000_000 + (1 << 31)) >> 32;
        (self.0 >> 32) * 1_000_000 + fraction
    }

    /// The middle 32 bits, which report blocks refer to a sender report by (RFC 3550 §6.4.1, LSR).
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// The value of the abs-send-time extension: 6 bits of seconds, 18 of fractions.
    pub const fn abs_send_time(self) -> [u8; 3] {
        let [_, a, b, c] = ((self.0 >> 14) as u32).to_be_bytes();
        [a, b, c]
    }
}

/// The part of `duration` below a second, in 2⁻³² s.
const fn fraction(duration: Duration) -> u64 {
    ((duration.subsec_nanos() as u64) << 32) / 1_000_000_000
}

/// The abs-capture-time extension: when a packet's content was captured, by its capturer's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbsCaptureTime {
    /// When the content was captured.
    pub captured: NtpTime,
    /// What the sender of the packet knows its own clock to be ahead of the capturer's, in 2⁻³² s. In the long form.
    pub clock_offset: Option<i64>,
}

impl AbsCaptureTime {
    /// Bytes of the long form.
    pub const MAX_LEN: usize = 16;

    /// Reads the extension's value: 8 bytes in the short form, 16 in the long one.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut rest = value;
        let captured = NtpTime(wire::take_u64(&mut rest)?);
        let clock_offset = match rest {
            [] => None,
            _ => Some(wire::take_u64(&mut rest)?.cast_signed()),
        };
        rest.is_empty().then_some(Self {
            captured,
            clock_offset,
        })
    }

    /// Writes the extension's value into `room`; the part that was used.
    pub fn write(self, room: &mut [u8; Self::MAX_LEN]) -> &[u8] {
        let offset = self.clock_offset.unwrap_or_default().cast_unsigned();
        let value = (u128::from(self.captured.0) << 64) | u128::from(offset);
        *room = value.to_be_bytes();
        let len = if self.clock_offset.is_some() { 16 } else { 8 };
        &room[..len]
    }
}

/// The playout-delay extension: how long the receiver may hold the picture back, in steps of 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayoutDelay {
    /// At least this long, at most [`Self::MAX`].
    pub min: u16,
    /// At most this long, at most [`Self::MAX`].
    pub max: u16,
}

impl PlayoutDelay {
    /// The longest delay that its 12 bits can say: 40.95 s.
    pub const MAX: u16 = 0x0FFF;
    /// As soon as possible: receivers render at once and hurry when they are behind.
    pub const NONE: Self = Self { min: 0, max: 0 };

    /// Reads the extension's value.
    pub const fn from_bytes([a, b, c]: [u8; 3]) -> Self {
        Self {
            min: u16::from_be_bytes([a, b]) >> 4,
            max: u16::from_be_bytes([b, c]) & Self::MAX,
        }
    }

    /// The extension's value. Longer delays than [`Self::MAX`] become that.
    pub fn to_bytes(self) -> [u8; 3] {
        let min = u32::from(self.min.min(Self::MAX));
        let max = u32::from(self.max.min(Self::MAX));
        let [_, a, b, c] = ((min << 12) | max).to_be_bytes();
        [a, b, c]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn unix_time_becomes_ntp_time() {
        let time = NtpTime::from_unix(Duration::from_millis(1500));
        assert_eq!(time.bits(), 0x83AA_7E81_8000_0000);
        assert_eq!(time.micros(), (UNIX_EPOCH + 1) * 1_000_000 + 500_000);
        assert_eq!(time.middle(), 0x7E81_8000);
        assert_eq!(
            time.plus(Duration::from_millis(250)),
            NtpTime::from_unix(Duration::from_millis(1750))
        );
    }

    #[test]
    fn microseconds_survive_the_way_there_and_back() {
        for micros in [0, 1, 333_333, 999_999] {
            let time = NtpTime::from_unix(Duration::from_micros(micros));
            assert_eq!(time.micros() - UNIX_EPOCH * 1_000_000, micros);
        }
    }

    #[test]
    fn abs_send_time_has_18_bits_of_fraction() {
        // 1.5 s: seconds modulo 64 in the upper 6 of 24 bits. 2_208_988_801 mod 64 is 1.
        let time = NtpTime::from_unix(Duration::from_millis(1500));
        assert_eq!(time.abs_send_time(), [0x06, 0x00, 0x00]);
        assert_eq!(NtpTime::from_bits(1 << 14).abs_send_time(), [0, 0, 1]);
    }

    #[test]
    fn capture_times_have_a_short_and_a_long_form() {
        let captured = NtpTime::from_bits(0x0102_0304_0506_0708);
        for clock_offset in [None, Some(-2), Some(7)] {
            let time = AbsCaptureTime {
                captured,
                clock_offset,
            };
            let mut room = [0; 16];
            let value = time.write(&mut room);
            assert_eq!(value.len(), if clock_offset.is_some() { 16 } else { 8 });
            assert_eq!(AbsCaptureTime::parse(value), Some(time));
            assert_eq!(AbsCaptureTime::parse(&value[1..]), None);
        }
        assert_eq!(AbsCaptureTime::parse(&[0; 17]), None);
    }

    #[test]
    fn playout_delays_are_12_bits_each() {
        assert_eq!(PlayoutDelay::NONE.to_bytes(), [0; 3]);
        let delay = PlayoutDelay {
            min: 0x123,
            max: 0xABC,
        };
        assert_eq!(delay.to_bytes(), [0x12, 0x3A, 0xBC]);
        assert_eq!(PlayoutDelay::from_bytes(delay.to_bytes()), delay);
        let endless = PlayoutDelay {
            min: 0,
            max: u16::MAX,
        };
        assert_eq!(endless.to_bytes(), [0x00, 0x0F, 0xFF]);
    }
}
