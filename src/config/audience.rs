//! `[audience]`: whether it's counted how audiences do.

use serde::{Deserialize, Serialize};

use super::Problem;

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

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let header = &self.country_header;
        if !header.is_empty() && header.parse::<axum::http::HeaderName>().is_err() {
            problems.push(Problem::new(
                "audience.country_header",
                format!("is {header:?}, which no header is called; it's like \"CF-IPCountry\""),
            ));
        }
    }
}
