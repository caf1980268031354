use std::time::{Duration, Instant};

use super::stun::{self, Check, Refusal};
use crate::{IceCredentials, Path};

/// Paths of one peer that are remembered; the one that has been silent longest is forgotten first. Browsers with
/// several interfaces, IPv4, IPv6 and TCP check from about ten.
const MAX_PATHS: usize = 16;
/// A path that carries media is given up for one that was merely checked once it has been silent for this long.
const PATH_SILENCE: Duration = Duration::from_secs(2);
/// For so long a nomination holds against one of a path that the peer itself likes less. Peers with aggressive
/// nomination nominate all their pairs and mean the best of them (RFC 5245 §8.1.1.2); those with regular nomination
/// repeat it on the one that they use, so that waiting this long costs little.
const NOMINATION_HOLDS: Duration = Duration::from_secs(1);

/// The ICE side of one session: which paths are the peer's, and which of them carries media.
///
/// Only binding requests that are authentic change anything here.
pub(crate) struct IceLite {
    /// Ours and the peer's; after an ICE restart those before it, until the peer has used the new ones.
    credentials: Vec<(IceCredentials, IceCredentials)>,
    selected: Option<Selected>,
    known: Vec<KnownPath>,
}

struct Selected {
    path: Path,
    priority: u32,
    nominated: Option<Instant>,
    heard: Instant,
}

struct KnownPath {
    path: Path,
    heard: Instant,
}

/// What became of a STUN datagram.
pub(crate) struct Handled {
    /// To be sent back the way it came.
    pub(crate) response: Vec<u8>,
    /// Authentic, and whether the selected path moved. Otherwise nothing changed.
    pub(crate) outcome: Result<Moved, Refusal>,
}

/// Whether the selected path changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved(pub(crate) bool);

impl IceLite {
    pub(crate) fn new(local: IceCredentials, remote: IceCredentials) -> Self {
        Self {
            credentials: vec![(local, remote)],
            selected: None,
            known: Vec::new(),
        }
    }

    /// RFC 8445 §9: media stays on its path until the peer nominates one with the new credentials.
    pub(crate) fn restart(&mut self, local: IceCredentials, remote: IceCredentials) {
        self.credentials.truncate(1);
        self.credentials.insert(0, (local, remote));
    }

    /// Where media goes.
    pub(crate) fn path(&self) -> Option<Path> {
        self.selected.as_ref().map(|selected| selected.path)
    }

    /// When something authentic last came over the selected path.
    pub(crate) fn last_heard(&self) -> Option<Instant> {
        self.selected.as_ref().map(|selected| selected.heard)
    }

    /// Whether an authentic check came over `path`.
    pub(crate) fn knows(&self, path: Path) -> bool {
        self.known.iter().any(|known| known.path == path)
    }

    /// Something authentic came over `path`.
    pub(crate) fn heard(&mut self, now: Instant, path: Path) {
        if let Some(selected) = self
            .selected
            .as_mut()
            .filter(|selected| selected.path == path)
        {
            selected.heard = now;
        }
    }

    pub(crate) fn handle(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
    ) -> Result<Handled, Refusal> {
        let answer = stun::answer(datagram, path.remote, &self.credentials)?;
        let outcome = answer
            .check
            .map(|check| Moved(self.checked(now, path, check)));
        Ok(Handled {
            response: answer.response,
            outcome,
        })
    }

    /// Returns whether the selected path moved.
    fn checked(&mut self, now: Instant, path: Path, check: Check) -> bool {
        if check.generation == 0 && self.credentials.len() > 1 {
            // The peer took up the restart: what was nominated before it counts no more.
            self.credentials.truncate(1);
            if let Some(selected) = &mut self.selected {
                selected.nominated = None;
            }
        }
        self.remember(now, path);
        let nominated = check.use_candidate.then_some(now);
        match &mut self.selected {
            Some(selected) if selected.path == path => {
                selected.heard = now;
                selected.priority = check.priority;
                selected.nominated = nominated.or(selected.nominated);
                false
            }
            Some(selected) if !selected.yields_to(now, check) => false,
            _ => {
                self.selected = Some(Selected {
                    path,
                    priority: check.priority,
                    nominated,
                    heard: now,
                });
                true
            }
        }
    }

    fn remember(&mut self, now: Instant, path: Path) {
        if let Some(known) = self.known.iter_mut().find(|known| known.path == path) {
            known.heard = now;
            return;
        }
        if self.known.len() == MAX_PATHS {
            let selected = self.path();
            let oldest = (0..self.known.len())
                .filter(|&at| Some(self.known[at].path) != selected)
                .min_by_key(|&at| self.known[at].heard);
            if let Some(oldest) = oldest {
                self.known.swap_remove(oldest);
            }
        }
        self.known.push(KnownPath { path, heard: now });
    }
}

impl Selected {
    /// Whether a check over another path moves media there.
    fn yields_to(&self, now: Instant, check: Check) -> bool {
        let silent = now.saturating_duration_since(self.heard) >= PATH_SILENCE;
        match (check.use_candidate, self.nominated) {
            (false, _) => silent,
            (true, None) => true,
            (true, Some(at)) => {
                check.priority >= self.priority
                    || now.saturating_duration_since(at) >= NOMINATION_HOLDS
            }
        }
    }
}
