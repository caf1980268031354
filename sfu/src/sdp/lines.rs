//! The syntax of SDP: lines, and the sections they fall into (RFC 8866 §5).

use std::str::FromStr;

use super::{MAX_MEDIA, MAX_SDP_BYTES, SdpError};

/// The letters that a line may begin with (RFC 8866 §5). A description with any other is refused, as it asks.
const LINE_TYPES: &[u8] = b"vosiuepcbtrzkam";

/// One `x=value` line.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) kind: u8,
    pub(super) value: &'a str,
}

impl<'a> Line<'a> {
    /// The lines of `text`. Line ends are CR LF, or LF alone; empty lines are skipped.
    pub(super) fn all(text: &'a str) -> Result<Vec<Self>, SdpError> {
        if text.len() > MAX_SDP_BYTES {
            let within = text.bytes().take(MAX_SDP_BYTES);
            return Err(SdpError::Malformed {
                line: 1 + within.filter(|&byte| byte == b'\n').count(),
                reason: format!("the description is longer than {MAX_SDP_BYTES} bytes"),
            });
        }
        (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.is_empty())
            .map(|(number, line)| Self::new(number, line))
            .collect()
    }

    fn new(number: usize, text: &'a str) -> Result<Self, SdpError> {
        let malformed = |reason: &str| SdpError::Malformed {
            line: number,
            reason: reason.to_owned(),
        };
        // A control character that came through could begin a new line in our answer.
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(malformed("control characters aren't allowed"));
        }
        match text.split_at_checked(2) {
            Some((start, value)) if start.ends_with('=') => {
                let kind = start.as_bytes().first().copied().unwrap_or_default();
                if LINE_TYPES.contains(&kind) {
                    Ok(Self {
                        number,
                        kind,
                        value,
                    })
                } else {
                    Err(malformed("there is no such line type in SDP"))
                }
            }
            _ => Err(malformed("a line is one letter, '=' and a value")),
        }
    }

    /// Name and value of an `a=` line; the value is empty for flags.
    pub(super) fn attribute(&self) -> Option<(&'a str, &'a str)> {
        (self.kind == b'a').then(|| self.value.split_once(':').unwrap_or((self.value, "")))
    }

    pub(super) fn malformed(&self, reason: impl Into<String>) -> SdpError {
        SdpError::Malformed {
            line: self.number,
            reason: reason.into(),
        }
    }

    /// Parses a number of this line; `what` names it in the error.
    pub(super) fn number<T: FromStr>(&self, what: &str, text: Option<&str>) -> Result<T, SdpError> {
        text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.malformed(format!("{what} is missing or isn't a number in range")))
    }
}

/// A session description cut into its sections.
pub(super) struct Sections<'a> {
    /// The lines before the first `m=`.
    pub(super) session: Vec<Line<'a>>,
    /// Each m-section with its `m=` line first.
    pub(super) media: Vec<Vec<Line<'a>>>,
}

impl<'a> Sections<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, SdpError> {
        let lines = Line::all(text)?;
        match lines.first() {
            Some(Line {
                kind: b'v',
                value: "0",
                ..
            }) => Ok(Self::split(lines)?),
            first => Err(SdpError::Malformed {
                line: first.map_or(1, |line| line.number),
                reason: "a session description begins with v=0".to_owned(),
            }),
        }
    }

    /// Splits without asking for the session lines, which an `sdpfrag` lacks.
    pub(super) fn split(lines: Vec<Line<'a>>) -> Result<Self, SdpError> {
        let mut sections = Self {
            session: Vec::new(),
            media: Vec::new(),
        };
        for line in lines {
            if line.kind == b'm' {
                if sections.media.len() == MAX_MEDIA {
                    return Err(line.malformed(format!("more than {MAX_MEDIA} m-sections")));
                }
                sections.media.push(vec![line]);
            } else {
                sections
                    .media
                    .last_mut()
                    .unwrap_or(&mut sections.session)
                    .push(line);
            }
        }
        Ok(sections)
    }
}
