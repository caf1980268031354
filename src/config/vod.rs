//! `[vod]`: recordings, where they are kept, and for how long.

use std::{fmt, path::Path, time::Duration};

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use url::Url;

use super::Problem;

/// The directory of recordings in the data directory.
const DIRECTORY: &str = "media";

/// `[vod]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vod {
    /// Whether the node's own sidecar records. What was recorded is served, and deleted in time, all the same.
    pub enabled: bool,
    /// `file:///path` or `s3://bucket/prefix`. Empty: `media` in the data directory.
    pub storage: String,
    /// How long a recording is kept after its broadcast's end.
    pub retention: KeepFor,
    /// How much all recordings may take; beyond it the oldest go.
    pub quota: Quota,
}

/// A month is 30 days here, as whoever counts on it expects.
const MONTH: Duration = Duration::from_hours(30 * 24);
const QUOTA: u64 = 100_000_000_000;

impl Default for Vod {
    fn default() -> Self {
        Self {
            enabled: true,
            storage: String::new(),
            retention: KeepFor(Some(MONTH)),
            quota: Quota(Some(QUOTA)),
        }
    }
}

/// How long something is kept: a time such as `"30days"`, or `"never"`, which is for ever, as is `"0s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeepFor(pub Option<Duration>);

const NEVER: &str = "never";

impl TryFrom<String> for KeepFor {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == NEVER {
            return Ok(Self(None));
        }
        let time = humantime::parse_duration(&text).map_err(|_| {
            format!("\"{text}\" is no time such as \"30days\"; \"never\" deletes nothing")
        })?;
        Ok(Self((!time.is_zero()).then_some(time)))
    }
}

impl From<KeepFor> for String {
    fn from(KeepFor(time): KeepFor) -> Self {
        time.map_or_else(
            || NEVER.to_owned(),
            |time| humantime::format_duration(time).to_string(),
        )
    }
}

/// How much something may take: a size such as `"100GB"` or `"1TiB"`, or `"unlimited"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quota(pub Option<u64>);

const UNLIMITED: &str = "unlimited";

impl TryFrom<String> for Quota {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == UNLIMITED {
            return Ok(Self(None));
        }
        let size: ByteSize = text.parse().map_err(|_| {
            format!(
                "\"{text}\" is no size such as \"100GB\" or \"1TiB\"; \"unlimited\" is no bound"
            )
        })?;
        Ok(Self(Some(size.as_u64())))
    }
}

impl From<Quota> for String {
    fn from(quota: Quota) -> Self {
        quota.to_string()
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const GB: u64 = 1_000_000_000;
        match self.0 {
            None => f.write_str(UNLIMITED),
            Some(bytes) if bytes > 0 && bytes % GB == 0 => write!(f, "{}GB", bytes / GB),
            Some(bytes) => write!(f, "{bytes}B"),
        }
    }
}

impl Vod {
    /// Where recordings are.
    pub fn storage_url(&self, data_dir: &Path) -> Result<Url, String> {
        if self.storage.is_empty() {
            let directory = std::path::absolute(data_dir.join(DIRECTORY))
                .map_err(|error| format!("is empty, and data_dir leads nowhere: {error}"))?;
            return Url::from_file_path(&directory)
                .map_err(|()| format!("is empty, and {} is no URL", directory.display()));
        }
        let wrong = || {
            format!(
                "is \"{}\"; write file:///srv/media, or s3://bucket/prefix with the credentials in AWS_* variables",
                self.storage
            )
        };
        let url: Url = self.storage.parse().map_err(|_| wrong())?;
        // A password would be shown wherever the address is.
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let is_known = match url.scheme() {
            "file" => url.host_str().is_none() && url.to_file_path().is_ok(),
            "s3" => url.host_str().is_some(),
            _ => false,
        };
        if is_plain && is_known {
            Ok(url)
        } else {
            Err(wrong())
        }
    }

    pub(super) fn check(&self, data_dir: &Path, problems: &mut Vec<Problem>) {
        if let Err(message) = self.storage_url(data_dir) {
            problems.push(Problem::new("vod.storage", message));
        }
        if self.quota == Quota(Some(0)) {
            problems.push(Problem::new(
                "vod.quota",
                "is 0, which keeps nothing; write \"unlimited\" for no bound, or set enabled = false",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn url(storage: &str) -> Result<String, String> {
        let vod = Vod {
            storage: storage.into(),
            ..Vod::default()
        };
        vod.storage_url(Path::new("/srv/spillway"))
            .map(String::from)
    }

    #[test]
    fn recordings_are_in_a_directory_or_a_bucket() {
        for (storage, there) in [
            ("", "file:///srv/spillway/media"),
            ("file:///mnt/a%20b", "file:///mnt/a%20b"),
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/below/it", "s3://bucket/below/it"),
        ] {
            assert_eq!(url(storage).as_deref(), Ok(there));
        }
        for storage in [
            "media",
            "file://host/media",
            "http://example.org/media",
            "memory:///",
            "s3:///below",
            "s3://key:secret@bucket",
            "s3://bucket?x=1",
        ] {
            let error = url(storage).unwrap_err();
            assert!(error.contains("file:///srv/media"), "{storage}: {error}");
        }
    }

    #[test]
    fn times_and_sizes_are_read_as_people_write_them() {
        let keep = |text: &str| KeepFor::try_from(text.to_owned()).map(|keep| keep.0);
        assert_eq!(keep("30days"), Ok(Some(MONTH)));
        assert_eq!(keep("never"), Ok(None));
        assert_eq!(keep("0s"), Ok(None));
        assert!(keep("soon").unwrap_err().contains("30days"));
        let quota = |text: &str| Quota::try_from(text.to_owned()).map(|quota| quota.0);
        assert_eq!(quota("100 GB"), Ok(Some(QUOTA)));
        assert_eq!(quota("1KiB"), Ok(Some(1024)));
        assert_eq!(quota("unlimited"), Ok(None));
        assert!(quota("much").unwrap_err().contains("100GB"));
        for text in ["100GB", "1023B", "unlimited"] {
            let read = Quota::try_from(text.to_owned()).unwrap();
            assert_eq!(String::from(read), text);
        }
    }
}
