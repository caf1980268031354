//! Telling the node where the sidecar is, and finding out whether the node takes it.

use std::time::Duration;

use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use url::Url;

use super::node::{Node, NodeError};
use crate::origin::Origin;

/// The node forgets sidecars that it doesn't hear of for 10 s.
const REGISTER: Duration = Duration::from_secs(3);
/// A node that refuses the sidecar for good is asked again so often: it may be that another of the same name is gone by then.
const REFUSED_AGAIN: Duration = Duration::from_secs(10);

/// Whether the node takes the sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It hasn't said yet.
    Unknown,
    /// It does, or it can't be asked now.
    Taken,
    /// It doesn't, and won't for a while.
    Refused,
}

/// Tells a node of a sidecar.
pub(super) struct Registration<'a> {
    pub(super) node: &'a Node,
    pub(super) id: &'a str,
    pub(super) url: &'a Url,
    pub(super) origin: &'a Origin,
    /// Other channels are there now.
    pub(super) changed: &'a Notify,
}

impl Registration<'_> {
    /// Tells the node again and again, and at once when something changes.
    pub(super) async fn keep(&self, admission: &watch::Sender<Admission>) {
        let mut complained = false;
        loop {
            // Those that can be served now.
            let channels = self.origin.names();
            let told = self.node.register(self.id, self.url, &channels).await;
            let now = judge(*admission.borrow(), &told);
            let before = admission.send_replace(now);
            match told {
                Ok(()) => {
                    complained = false;
                    if before == Admission::Refused {
                        tracing::info!("the node takes this sidecar now");
                    }
                }
                Err(error) if now == Admission::Refused => {
                    if before != Admission::Refused {
                        tracing::error!(
                            %error,
                            "the node doesn't take this sidecar, which therefore does nothing; it is asked again every {REFUSED_AGAIN:?}"
                        );
                    }
                    sleep(REFUSED_AGAIN).await;
                    continue;
                }
                Err(error) if !complained => {
                    complained = true;
                    tracing::warn!(%error, "the node doesn't know of this sidecar");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = sleep(REGISTER) => {}
                () = self.changed.notified() => {}
            }
        }
    }
}

/// A node that can't be asked has not changed its mind.
fn judge(before: Admission, told: &Result<(), NodeError>) -> Admission {
    match told {
        Err(error) if error.is_final() => Admission::Refused,
        Err(_) if before == Admission::Refused => Admission::Refused,
        Ok(()) | Err(_) => Admission::Taken,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    #[test]
    fn only_a_refusal_keeps_a_sidecar_from_its_work() {
        use Admission::{Refused, Taken, Unknown};
        let refused = |status| {
            Err(NodeError::Refused {
                status,
                why: String::new(),
            })
        };
        for final_one in [
            StatusCode::CONFLICT,
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::UNPROCESSABLE_ENTITY,
        ] {
            assert_eq!(judge(Unknown, &refused(final_one)), Refused);
            assert_eq!(judge(Taken, &refused(final_one)), Refused);
        }
        for passing in [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
        ] {
            assert_eq!(judge(Unknown, &refused(passing)), Taken);
            assert_eq!(judge(Refused, &refused(passing)), Refused);
        }
        assert_eq!(judge(Refused, &Ok(())), Taken);
    }
}
