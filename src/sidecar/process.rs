//! One life of the sidecar.

use std::{io, process::ExitStatus, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, ChildStdin},
    time::timeout,
};

use super::program::Command;

/// A running sidecar; killed when it's dropped.
pub(super) struct Process {
    child: Child,
    /// It ends when this closes, so it never outlives the node, however that ends.
    stdin: Option<ChildStdin>,
}

impl Process {
    pub(super) fn spawn(command: &Command) -> io::Result<Self> {
        let mut child = command.process().spawn()?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    /// Its process identifier, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// How it ended, in words.
    pub(super) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => said(status),
            Err(error) => format!("was lost ({error})"),
        }
    }

    /// Ends it: asked by the end of its input, then by a signal, then not asked any more, all within `limit`.
    pub(super) async fn stop(mut self, limit: Duration) {
        drop(self.stdin.take());
        if timeout(limit / 2, self.child.wait()).await.is_ok() {
            return;
        }
        self.signal(Signal::TERM);
        if timeout(limit / 4, self.child.wait()).await.is_ok() {
            return;
        }
        tracing::warn!("the sidecar doesn't end: it's killed");
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "the sidecar can't be killed");
        }
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let Some(id) = id.and_then(Pid::from_raw) else {
            return;
        };
        if let Err(error) = kill_process(id, signal) {
            tracing::debug!(%error, "the sidecar had ended");
        }
    }
}

fn said(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".into(),
    }
}
