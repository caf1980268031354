//! From where and on what somebody watches, as coarsely as figures of an audience need it: nothing of it tells who it is.

use std::{fmt, net::IpAddr, str::FromStr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// RFC 8942, and User-Agent Client Hints: `?1` on phones.
const IS_MOBILE: HeaderName = HeaderName::from_static("sec-ch-ua-mobile");

/// From where and on what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// As a proxy told it; none if nobody did who is believed.
    pub country: Option<Country>,
    /// As the browser told it.
    pub device: Device,
}

/// A country by its two letters (ISO 3166-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

/// What isn't two letters, or says that it isn't known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country has two letters, as DE")]
pub struct InvalidCountry;

impl FromStr for Country {
    type Err = InvalidCountry;

    fn from_str(text: &str) -> Result<Self, InvalidCountry> {
        match *text.as_bytes() {
            // What proxies call a country that they don't know. Tor's T1 isn't two letters.
            [b'X', b'X'] => Err(InvalidCountry),
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([a, b])),
            _ => Err(InvalidCountry),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

/// The class of a device.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// A computer, and a tablet that says it is one, as iPads do.
    Desktop,
    /// A phone.
    Mobile,
    /// A tablet.
    Tablet,
    /// A television, a box or a console at one.
    Tv,
    /// What doesn't say.
    #[default]
    Other,
}

impl Device {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Desktop,
        Self::Mobile,
        Self::Tablet,
        Self::Tv,
        Self::Other,
    ];

    /// As the API calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Tv => "tv",
            Self::Other => "other",
        }
    }

    /// By what a browser calls itself, and whether it says that it's on a phone.
    fn of(user_agent: &str, is_mobile: bool) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| user_agent.contains(word));
        if has(&TVS) {
            Self::Tv
        } else if has(&["iPad", "Tablet", "PlayBook"]) {
            Self::Tablet
        } else if is_mobile || has(&["iPhone", "iPod", "Mobile", "Windows Phone"]) {
            Self::Mobile
        } else if has(&["Android", "Silk/"]) {
            // Phones say "Mobile" beside it.
            Self::Tablet
        } else if has(&["Windows NT", "Macintosh", "X11", "CrOS"]) {
            Self::Desktop
        } else {
            Self::Other
        }
    }
}

/// What televisions, boxes and consoles have in their names.
const TVS: [&str; 19] = [
    "SMART-TV",
    "SmartTV",
    "Smart TV",
    "Smart-TV",
    "Android TV",
    "GoogleTV",
    "Google TV",
    "AppleTV",
    "Apple TV",
    "Tizen TV",
    "Web0S",
    "NetCast",
    "HbbTV",
    "BRAVIA",
    "CrKey",
    "Roku",
    "; AFT",
    "PlayStation",
    "Xbox",
];

impl Origin {
    /// What a request's headers say. `country` names the header in which one of the `trusted` proxies tells the country.
    pub(crate) fn of(
        peer: IpAddr,
        headers: &HeaderMap,
        country: Option<&HeaderName>,
        trusted: &[IpNet],
    ) -> Self {
        let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
        let peer = peer.to_canonical();
        let is_believed = trusted.iter().any(|net| net.contains(&peer));
        let country = country
            .filter(|_| is_believed)
            .and_then(text)
            .and_then(|told| told.parse().ok());
        let user_agent = text(&header::USER_AGENT).unwrap_or_default();
        let is_mobile = text(&IS_MOBILE) == Some("?1");
        Self {
            country,
            device: Device::of(user_agent, is_mobile),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DEVICES: [(&str, Device); 26] = [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
            Device::Desktop,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
            Device::Desktop,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            Device::Desktop,
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
            Device::Desktop,
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0.0.0 Safari/537.36",
            Device::Desktop,
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            Device::Desktop,
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
            Device::Desktop,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
            Device::Mobile,
        ),
        (
            "Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0",
            Device::Mobile,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
            Device::Mobile,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.7339.122 Mobile/15E148 Safari/604.1",
            Device::Mobile,
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S928B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            Device::Mobile,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            Device::Tablet,
        ),
        (
            "Mozilla/5.0 (Android 14; Tablet; rv:143.0) Gecko/143.0 Firefox/143.0",
            Device::Tablet,
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
            Device::Tablet,
        ),
        (
            "Mozilla/5.0 (Linux; Android 11; KFTRWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/130.4.1 like Chrome/130.0.6723.102 Safari/537.36",
            Device::Tablet,
        ),
        (
            "Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) 94.0.4606.31/7.0 TV Safari/537.36",
            Device::Tv,
        ),
        (
            "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0.5359.211 Safari/537.36 WebAppManager",
            Device::Tv,
        ),
        (
            "Mozilla/5.0 (Linux; Android 9; AFTKA) AppleWebKit/537.36 (KHTML, like Gecko) Silk/130.4.1 like Chrome/130.0.6723.102 Safari/537.36",
            Device::Tv,
        ),
        (
            "Mozilla/5.0 (Linux; Android 12; BRAVIA 4K VH22) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36",
            Device::Tv,
        ),
        (
            "Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.4430.225 Safari/537.36 CrKey/1.56.500000",
            Device::Tv,
        ),
        (
            "Mozilla/5.0 (PlayStation; PlayStation 5/9.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 Safari/605.1.15",
            Device::Tv,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            Device::Tv,
        ),
        ("obs-studio/31.1.2", Device::Other),
        ("Lavf/61.7.100", Device::Other),
        ("", Device::Other),
    ];

    #[test]
    fn devices_are_known_by_what_they_call_themselves() {
        for (user_agent, device) in DEVICES {
            assert_eq!(Device::of(user_agent, false), device, "{user_agent}");
        }
    }

    #[test]
    fn a_hint_makes_a_phone_of_what_does_not_say_otherwise() {
        for (user_agent, device) in DEVICES {
            let hinted = match device {
                Device::Tv => Device::Tv,
                _ if user_agent.contains("iPad") || user_agent.contains("Tablet") => Device::Tablet,
                _ => Device::Mobile,
            };
            assert_eq!(Device::of(user_agent, true), hinted, "{user_agent}");
        }
    }

    fn told(peer: &str, header: Option<&'static str>, value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("cf-ipcountry", value.parse().unwrap());
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let header = header.map(HeaderName::from_static);
        let origin = Origin::of(peer.parse().unwrap(), &headers, header.as_ref(), &trusted);
        origin.country.map(|country| country.to_string())
    }

    #[test]
    fn a_country_is_believed_from_the_proxy_that_is_trusted_and_the_header_that_is_named() {
        let header = Some("cf-ipcountry");
        assert_eq!(told("10.0.0.1", header, "DE").as_deref(), Some("DE"));
        assert_eq!(told("::ffff:10.0.0.1", header, "FR").as_deref(), Some("FR"));
        assert_eq!(told("192.0.2.1", header, "DE"), None);
        assert_eq!(told("10.0.0.1", None, "DE"), None);
        assert_eq!(told("10.0.0.1", Some("x-country"), "DE"), None);
        for unknown in ["XX", "T1", "de", "DEU", "D", "", "D1", "Ä"] {
            assert_eq!(told("10.0.0.1", header, unknown), None, "{unknown}");
        }
    }
}
