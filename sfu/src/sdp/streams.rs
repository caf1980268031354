//! What a sender says of its RTP streams: layers and SSRCs.

use super::{SdpError, lines::Line, media::checked_id};

/// The most simulcast layers of one m-section.
pub const MAX_RIDS: usize = 8;
/// The most SSRCs that are noted of one m-section.
const MAX_ANNOUNCED_SSRCS: usize = 64;

/// An announced SSRC with that of its retransmissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SsrcGroup {
    /// The media.
    pub ssrc: u32,
    /// Its retransmissions (RFC 4588, `ssrc-group:FID`).
    pub rtx: Option<u32>,
}

/// Collects `a=rid`, `a=simulcast`, `a=ssrc` and `a=ssrc-group` of a section.
#[derive(Default)]
pub(super) struct Streams {
    /// `a=rid:… send` in order.
    rids: Vec<String>,
    /// `a=simulcast:send` in order.
    simulcast: Option<Vec<String>>,
    ssrcs: Vec<u32>,
    /// FID pairs.
    retransmissions: Vec<(u32, u32)>,
    /// SSRCs of repair streams that we don't use (`FlexFEC`).
    repairs: Vec<u32>,
}

impl Streams {
    /// `<rid> send|recv [<restrictions>]` (RFC 8851 §10). Restrictions tell what the sender will stay below; we forward
    /// whatever comes, so they don't matter.
    pub(super) fn add_rid(&mut self, line: &Line<'_>, value: &str) -> Result<(), SdpError> {
        let mut words = value.split_ascii_whitespace();
        let rid = checked_id(line, words.next().unwrap_or_default())?;
        match words.next() {
            Some("recv") => Ok(()),
            Some("send") if self.rids.contains(&rid) => {
                Err(line.malformed(format!("the rid '{rid}' comes twice")))
            }
            Some("send") => push_bounded(line, &mut self.rids, rid),
            _ => Err(line.malformed("a=rid needs a direction: send or recv")),
        }
    }

    /// `send <layers> [recv <layers>]`: layers separated by `;`, alternatives by `,`, paused ones marked `~`
    /// (RFC 8853 §5.1). Of alternatives the first is taken: the sender prefers it.
    pub(super) fn add_simulcast(&mut self, line: &Line<'_>, value: &str) -> Result<(), SdpError> {
        if self.simulcast.is_some() {
            return Err(line.malformed("a second a=simulcast"));
        }
        let mut words = value.split_ascii_whitespace();
        while let (Some(direction), layers) = (words.next(), words.next()) {
            let layers = layers
                .ok_or_else(|| line.malformed("a=simulcast needs layers behind its direction"))?;
            match direction {
                "send" => self.simulcast = Some(parse_layers(line, layers)?),
                "recv" => {}
                _ => return Err(line.malformed("a=simulcast begins with send or recv")),
            }
        }
        Ok(())
    }

    /// `<ssrc> <attribute>…` (RFC 5576 §4.1)
    pub(super) fn add_ssrc(&mut self, line: &Line<'_>, value: &str) -> Result<(), SdpError> {
        let ssrc = line.number("the SSRC", value.split_ascii_whitespace().next())?;
        if !self.ssrcs.contains(&ssrc) {
            if self.ssrcs.len() == MAX_ANNOUNCED_SSRCS {
                return Err(line.malformed(format!(
                    "more than {MAX_ANNOUNCED_SSRCS} SSRCs in one m-section"
                )));
            }
            self.ssrcs.push(ssrc);
        }
        Ok(())
    }

    /// `<semantics> <ssrc>…` (RFC 5576 §4.2)
    pub(super) fn add_ssrc_group(&mut self, line: &Line<'_>, value: &str) -> Result<(), SdpError> {
        let mut words = value.split_ascii_whitespace();
        let semantics = words.next();
        let ssrcs = words
            .map(|word| line.number("the SSRC", Some(word)))
            .collect::<Result<Vec<u32>, _>>()?;
        let (&[ssrc, repair], true) = (
            ssrcs.as_slice(),
            self.retransmissions.len() < MAX_ANNOUNCED_SSRCS,
        ) else {
            return Ok(());
        };
        match semantics {
            Some("FID") => self.retransmissions.push((ssrc, repair)),
            Some("FEC-FR" | "FEC") if self.repairs.len() < MAX_ANNOUNCED_SSRCS => {
                self.repairs.push(repair);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn is_simulcast(&self) -> bool {
        self.simulcast.is_some()
    }

    /// The rids and the SSRCs. A layer of `a=simulcast` without an `a=rid` doesn't count (RFC 8853 §5.2).
    pub(super) fn finish(self) -> (Vec<String>, Vec<SsrcGroup>) {
        let rtx = |ssrc| {
            self.retransmissions
                .iter()
                .find(|pair| pair.0 == ssrc)
                .map(|pair| pair.1)
        };
        let is_repair = |ssrc| {
            self.retransmissions.iter().any(|pair| pair.1 == ssrc) || self.repairs.contains(&ssrc)
        };
        let ssrcs = self
            .ssrcs
            .iter()
            .filter(|&&ssrc| !is_repair(ssrc))
            .map(|&ssrc| SsrcGroup {
                ssrc,
                rtx: rtx(ssrc),
            })
            .collect();
        let mut rids = self.rids;
        if let Some(layers) = self.simulcast {
            let declared = rids;
            rids = layers
                .into_iter()
                .filter(|layer| declared.contains(layer))
                .collect();
        }
        (rids, ssrcs)
    }
}

fn parse_layers(line: &Line<'_>, layers: &str) -> Result<Vec<String>, SdpError> {
    let mut rids = Vec::new();
    for layer in layers.split(';') {
        let preferred = layer.split(',').next().unwrap_or_default();
        let rid = checked_id(line, preferred.strip_prefix('~').unwrap_or(preferred))?;
        if rids.contains(&rid) {
            return Err(line.malformed(format!("the rid '{rid}' comes twice")));
        }
        push_bounded(line, &mut rids, rid)?;
    }
    Ok(rids)
}

fn push_bounded(line: &Line<'_>, rids: &mut Vec<String>, rid: String) -> Result<(), SdpError> {
    if rids.len() == MAX_RIDS {
        return Err(line.malformed(format!("more than {MAX_RIDS} layers")));
    }
    rids.push(rid);
    Ok(())
}
