//! Where else pages may connect to.

use std::str::FromStr;

/// The origin of another node, as a content security policy names it: `https://b.example.org`, `http://10.0.0.2:8080`,
/// or `https://*.example.org` for all below a domain (CSP Level 3 §2.3.1, `host-source` with a scheme).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

/// Why a text is no [`WebOrigin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no origin; write scheme, host and port alone, such as https://b.example.org:8443")]
pub struct InvalidWebOrigin;

impl WebOrigin {
    /// As it's written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebOrigin {
    type Err = InvalidWebOrigin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(InvalidWebOrigin)?;
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        };
        let below = host.strip_prefix("*.").unwrap_or(host);
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0);
        if below.split('.').all(is_label) && port.is_none_or(is_port) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidWebOrigin)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for text in [
            "https://b.example.org",
            "http://10.0.0.2:8080",
            "https://*.example.org",
            "http://localhost:65535",
        ] {
            assert!(text.parse::<WebOrigin>().is_ok(), "{text}");
        }
        for text in [
            "",
            "https://",
            "b.example.org",
            "ftp://b.example.org",
            "https://*",
            "https://b.example.org/",
            "https://b.example.org/whep",
            "https://b.example.org:0",
            "https://b.example.org:65536",
            "https://b.example.org; script-src *",
            "https://b.example.org https://c.example.org",
            "https://b..org",
            "https://bücher.example",
            "https://b.example.org\r\nx: y",
        ] {
            assert!(text.parse::<WebOrigin>().is_err(), "{text}");
        }
    }
}
