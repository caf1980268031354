//! `[audience]`: whether it's counted how audiences do.

use serde::{Deserialize, Serialize};

use super::{Http, Problem};

/// `[audience]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audience {
    /// Whether what players report is counted.
    pub enabled: bool,
    /// The header in which one of `http.trusted_proxies` tells a viewer's country. Empty: countries aren't told apart.
    pub country_header: String,
}

impl Default for Audience {
    fn default() -> Self {
        Self {
            enabled: true,
            country_header: String::new(),
        }
    }
}

impl Audience {
    /// The header to read, if there's one and figures are wanted.
    pub(crate) fn header(&self) -> Option<axum::http::HeaderName> {
        self.country_header
            .parse()
            .ok()
            .filter(|_| self.enabled && !self.country_header.is_empty())
    }

    pub(super) fn check(&self, http: &Http, problems: &mut Vec<Problem>) {
        let header = &self.country_header;
        if !header.is_empty() && http.trusted_proxies.is_empty() {
            problems.push(Problem::new(
                "audience.country_header",
                "is never believed, since nobody is in http.trusted_proxies; name the proxy that sends it",
            ));
        }
        if !header.is_empty() && header.parse::<axum::http::HeaderName>().is_err() {
            problems.push(Problem::new(
                "audience.country_header",
                format!("is {header:?}, which no header is called; it's like \"CF-IPCountry\""),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn problems(header: &str, proxies: &[&str]) -> usize {
        let audience = Audience {
            country_header: header.into(),
            ..Audience::default()
        };
        let http = Http {
            trusted_proxies: proxies.iter().map(|net| net.parse().unwrap()).collect(),
            ..Http::default()
        };
        let mut problems = Vec::new();
        audience.check(&http, &mut problems);
        problems.len()
    }

    #[test]
    fn a_country_is_told_by_a_header_of_somebody_who_is_trusted() {
        assert_eq!(problems("", &[]), 0);
        assert_eq!(problems("CF-IPCountry", &["10.0.0.0/8"]), 0);
        assert_eq!(problems("CF-IPCountry", &[]), 1);
        assert_eq!(problems("CF IPCountry", &["10.0.0.0/8"]), 1);
    }

    #[test]
    fn no_header_is_read_where_nothing_is_counted() {
        let named = |enabled| Audience {
            enabled,
            country_header: "CF-IPCountry".into(),
        };
        assert_eq!(named(true).header().unwrap().as_str(), "cf-ipcountry");
        assert_eq!(named(false).header(), None);
        assert_eq!(Audience::default().header(), None);
    }
}
