//! Signed addresses: `/signed/{expires}-{mac}/hls/{channel}/…` and `/signed/{expires}-{mac}/vod/{broadcast}/…` let whoever knows
//! them watch what isn't for everybody, until they expire. They are for players that can't send a token with each request:
//! relative addresses in playlists keep the prefix, and a cache in front checks it and leaves it out of its key. See docs/hls.md.

use std::{fmt, str::FromStr};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{platform::Caller, problem::Problem};

const PREFIX: &str = "/signed/";
/// The most bytes of a signature.
const MAX_SIGNATURE: usize = 128;

/// `{expires}-{mac}`. Whoever knows it may watch, so it's shown to who was let in and to nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(String);

/// A signature that isn't one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signature has the form of seconds, '-' and letters, digits, '-' or '_'")]
pub struct InvalidSignature;

impl Signature {
    /// As it stands in the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Signature {
    type Err = InvalidSignature;

    fn from_str(text: &str) -> Result<Self, InvalidSignature> {
        let (expires, mac) = text.split_once('-').ok_or(InvalidSignature)?;
        let is_number = !expires.is_empty() && expires.bytes().all(|b| b.is_ascii_digit());
        let is_base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let is_mac = !mac.is_empty() && mac.bytes().all(is_base64url);
        (is_number && is_mac && text.len() <= MAX_SIGNATURE)
            .then(|| Self(text.to_owned()))
            .ok_or(InvalidSignature)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

/// On what somebody asks for HLS or a recording.
#[derive(Debug, Clone, Copy)]
pub enum Ticket<'a> {
    /// As who they are: their token, where one is needed.
    Caller(&'a Caller),
    /// By a signed address. The signature is unchecked.
    Signature(&'a Signature),
}

impl<'a> Ticket<'a> {
    pub(crate) fn new(signature: Option<&'a Signature>, caller: &'a Caller) -> Self {
        signature.map_or(Self::Caller(caller), Self::Signature)
    }
}

/// The signature of an address, if it has one, and the path that it's for.
pub(crate) fn split(path: &str) -> Result<(Option<Signature>, &str), Problem> {
    let Some(rest) = path.strip_prefix(PREFIX) else {
        return Ok((None, path));
    };
    let (signature, _) = rest.split_once('/').unwrap_or((rest, ""));
    let path = rest.get(signature.len()..).unwrap_or_default();
    match signature.parse() {
        Ok(signature) => Ok((Some(signature), path)),
        Err(error) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!("this isn't an address that this server signed: {error}"),
        )),
    }
}

/// Sends who was let in to the signed address of the same.
pub(crate) fn moved(signature: &Signature, path: &str, query: &str) -> Result<Response, Problem> {
    let location = format!("{PREFIX}{}{path}{query}", signature.as_str());
    let location = HeaderValue::from_str(&location)
        .map_err(|error| Problem::internal(format_args!("a signed address: {error}")))?;
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_is_split_at_its_signature() {
        let (signature, path) = split("/signed/12-a_b-C/hls/demo/index.m3u8").unwrap();
        assert_eq!(signature.unwrap().as_str(), "12-a_b-C");
        assert_eq!(path, "/hls/demo/index.m3u8");
        let (signature, path) = split("/hls/demo/index.m3u8").unwrap();
        assert_eq!((signature, path), (None, "/hls/demo/index.m3u8"));
    }

    #[test]
    fn what_is_no_signature_is_refused_and_none_is_shown() {
        for bad in ["", "-", "12-", "x-abc", "12", "12-a%2f", &"1".repeat(200)] {
            assert!(bad.parse::<Signature>().is_err(), "{bad}");
        }
        let signature: Signature = "12-abc".parse().unwrap();
        assert!(!format!("{signature:?}").contains("abc"));
    }
}
