//! The sidecar that the node runs beside itself: started, started again when it dies, stopped with the node. Whatever
//! becomes of it, the node goes on.

mod backoff;
mod process;
mod program;

use std::{sync::Arc, time::Duration};

use spillway_signaling::api::model::TokenKind;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    auth::{self, SigningKey},
    config::Config,
    data_dir,
    metrics::Metrics,
    store::{Creation, Page, Store},
    time,
};

use backoff::Backoff;
use process::Process;

/// The name by which it's known to the node.
const ID: &str = "local";
/// Who its token is for, as `spillway token list` shows it.
const NOTE: &str = "this node's own sidecar";
/// How long its end may take before it's killed.
const STOP: Duration = Duration::from_secs(5);
/// More tokens than any store has.
const UNBOUNDED: usize = u32::MAX as usize;
/// Tokens that are read from the store at a time.
const TOKENS_AT_A_TIME: usize = 200;

/// The sidecar that runs beside the node.
pub struct Sidecar {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What it needs of the node.
pub struct Surroundings {
    /// The URL by which it reaches the node.
    pub node_url: String,
    /// Where its token is remembered.
    pub store: Arc<dyn Store>,
    /// What its token is signed with.
    pub key: SigningKey,
    /// Where its restarts are counted.
    pub metrics: Metrics,
}

impl Sidecar {
    /// Starts it, if there is one to start. What stands in the way is logged: a node without LL-HLS is a node all the same.
    pub async fn start(config: &Config, around: Surroundings) -> Option<Self> {
        if !config.hls.enabled {
            tracing::info!(
                "this node runs no sidecar: hls.enabled is false, or --no-hls was given"
            );
            return None;
        }
        let program = match program::find(&config.hls) {
            Ok(program) => program,
            Err(missing) => {
                tracing::warn!("HLS is off: {missing}");
                return None;
            }
        };
        let token = match Token::issue(&around).await {
            Ok(token) => token,
            Err(error) => {
                tracing::error!("HLS is off: the sidecar gets no token: {error:#}");
                return None;
            }
        };
        let recordings = match recordings(config) {
            Ok(recordings) => recordings,
            Err(error) => {
                tracing::error!("nothing is recorded: {error:#}");
                None
            }
        };
        let command = program::Command {
            program,
            node_url: around.node_url,
            id: ID,
            extra: config.hls.args.clone(),
            token: token.text.clone(),
            recordings,
            log: config.log.clone(),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            supervise(&command, &around.metrics, stopped).await;
            token.revoke().await;
        });
        Some(Self { stop, task })
    }

    /// Ends it: within 5 s, and not later than `deadline`.
    pub async fn stop(mut self, deadline: Duration) {
        drop(self.stop);
        if tokio::time::timeout(deadline, &mut self.task)
            .await
            .is_err()
        {
            // Its process goes with the task.
            self.task.abort();
        }
    }
}

/// Where it puts what it records, unless nothing shall be.
fn recordings(config: &Config) -> anyhow::Result<Option<program::Recordings>> {
    if !config.vod.enabled {
        return Ok(None);
    }
    let storage = config
        .vod
        .storage_url(&config.data_dir)
        .map_err(|problem| anyhow::anyhow!("vod.storage {problem}"))?;
    Ok(Some(program::Recordings {
        storage: storage.into(),
        spool: data_dir::spool(&config.data_dir)?,
    }))
}

/// Keeps it running until told to stop.
async fn supervise(
    command: &program::Command,
    metrics: &Metrics,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut backoff = Backoff::default();
    loop {
        let began = Instant::now();
        match Process::spawn(command) {
            Ok(mut process) => {
                tracing::info!(program = %command.program.display(), process = process.id(), "the sidecar runs");
                tokio::select! {
                    ended = process.ended() => {
                        tracing::warn!("the sidecar {ended} after {:.1?}", began.elapsed());
                    }
                    _ = &mut stopped => return process.stop(STOP).await,
                }
            }
            Err(error) => {
                tracing::error!(%error, program = %command.program.display(), "the sidecar can't be started; check hls.command");
            }
        }
        let pause = backoff.next(began.elapsed());
        tracing::info!("the sidecar is started again in {pause:.1?}");
        tokio::select! {
            () = sleep(pause) => { metrics.sidecar_restarts.inc(); }
            _ = &mut stopped => return,
        }
    }
}

/// The token of this run of the node: void when it stops.
struct Token {
    text: String,
    id: String,
    store: Arc<dyn Store>,
}

impl Token {
    async fn issue(around: &Surroundings) -> anyhow::Result<Self> {
        let store = around.store.clone();
        revoke_leftovers(&*store).await?;
        let issued = auth::issue(&around.key, TokenKind::Service, None, None, NOTE.into())?;
        // The bound is for others' tokens: there is one of these for each run, and those of earlier runs are void.
        if store.add_token(&issued.details, UNBOUNDED).await? != Creation::Created {
            anyhow::bail!("the store has no room for it");
        }
        Ok(Self {
            text: issued.token,
            id: issued.details.id,
            store,
        })
    }

    async fn revoke(self) {
        if let Err(error) = self.store.revoke_token(&self.id, time::now()).await {
            tracing::warn!(%error, "the sidecar's token can't be revoked; the next start does it");
        }
    }
}

/// A node that was killed couldn't revoke its sidecar's token.
async fn revoke_leftovers(store: &dyn Store) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = Page {
            after,
            limit: TOKENS_AT_A_TIME,
        };
        let tokens = store.tokens(time::now(), &page).await?;
        for token in &tokens {
            let is_ours = token.kind == TokenKind::Service && token.note == NOTE;
            if is_ours && token.revoked_at.is_none() {
                store.revoke_token(&token.id, time::now()).await?;
            }
        }
        match tokens.last() {
            Some(last) if tokens.len() == TOKENS_AT_A_TIME => after = Some(last.id.clone()),
            _ => return Ok(()),
        }
    }
}
