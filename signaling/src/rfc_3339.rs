//! Timestamps in JSON as RFC 3339 text in UTC, for who reads them beside playlists (`EXT-X-PROGRAM-DATE-TIME`).

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

use crate::api::model::Timestamp;

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes it like that"
)]
pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let moment = UNIX_EPOCH + Duration::from_millis(at.0);
    serializer.collect_str(&humantime::format_rfc3339_millis(moment))
}

/// One that may be missing.
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, parse};
    use serde::de::Error as _;

    #[expect(clippy::ref_option, reason = "serde passes it like that")]
    pub(crate) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| parse(&text).map_err(D::Error::custom))
            .transpose()
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    parse(&String::deserialize(from)?).map_err(D::Error::custom)
}

fn parse(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("{text:?} isn't a time such as 2026-01-01T00:00:00.000Z");
    let moment = humantime::parse_rfc3339(text).map_err(|_| wrong())?;
    let since = moment.duration_since(UNIX_EPOCH).map_err(|_| wrong())?;
    u64::try_from(since.as_millis())
        .map(Timestamp)
        .map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written_and_others_are_not() {
        let text = "2026-01-01T00:00:00.120Z";
        assert_eq!(parse(text), Ok(Timestamp(1_767_225_600_120)));
        for bad in [
            "",
            "yesterday",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "1960-01-01T00:00:00Z",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
