//! A playlist as it's sent.

use std::{io::Write as _, sync::OnceLock};

use axum::http::HeaderValue;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

/// One rendering of a playlist, shared by all who ask for it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) text: Bytes,
    /// Made for the first who accepts it.
    gzip: OnceLock<Option<Bytes>>,
    /// Weak: it stands for both forms (RFC 9110 §8.8.3.3).
    pub(super) entity_tag: HeaderValue,
}

impl Page {
    /// `tag` is unique among all pages of its URL.
    pub(super) fn new(text: String, tag: &str) -> Self {
        Self {
            text: text.into(),
            gzip: OnceLock::new(),
            entity_tag: HeaderValue::from_str(&format!("W/\"{tag}\""))
                .unwrap_or(HeaderValue::from_static("W/\"\"")),
        }
    }

    pub(super) fn gzip(&self) -> Option<Bytes> {
        self.gzip.get_or_init(|| compress(&self.text)).clone()
    }
}

fn compress(text: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(
        Vec::with_capacity(text.len() / 4 + 64),
        Compression::default(),
    );
    encoder.write_all(text).ok()?;
    encoder.finish().ok().map(Bytes::from)
}
