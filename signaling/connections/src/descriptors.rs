//! The file-descriptor table: a server needs one for each connection.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Below this not even the ports, the database and a few clients fit.
const LEAST: u64 = 256;

/// Why the table is too small.
#[derive(Debug, thiserror::Error)]
#[error(
    "this process may open only {0} files, and a server needs {LEAST} at least; raise the limit with `ulimit -n 65536`, or LimitNOFILE=65536 in the systemd unit"
)]
pub struct TooFew(u64);

/// Raises the soft limit to the hard one: the low default is there for programs that use `select`. Returns the limit.
pub fn raise() -> Result<u64, TooFew> {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
    let current = if raised.is_ok() {
        limit.maximum
    } else {
        limit.current
    };
    // None is no limit at all.
    let current = current.unwrap_or(u64::MAX);
    if current < LEAST {
        Err(TooFew(current))
    } else {
        Ok(current)
    }
}
