//! A worker obeys the platform.

use std::time::Instant;

use spillway_sfu::{Accepted, EndReason, Reject};
use tokio::sync::oneshot;

use crate::{
    core::Core,
    mailbox::{Command, DataMessage},
    worker::Worker,
};

impl<C: Core> Worker<C> {
    pub(crate) fn obey(&mut self, now: Instant, command: Command<C::Statistics>) {
        let (engine, out) = (&mut self.engine, &mut self.outlet);
        // Answers that nobody waits for any more are let go; sessions that nobody waits for are closed.
        match command {
            Command::Publish { request, reply } => {
                let channel = request.channel.clone();
                let result = engine.publish(now, request, out);
                let session = result.as_ref().ok().map(|accepted| accepted.session);
                self.outlet.directory.settle(&channel, session);
                self.answer(now, result, reply);
            }
            Command::Watch { request, reply } => {
                let result = engine.watch(now, request, out);
                self.answer(now, result, reply);
            }
            Command::RestartIce {
                session,
                remote,
                reply,
            } => {
                let _ = reply.send(engine.restart_ice(now, session, remote));
            }
            Command::SelectLayers {
                session,
                selection,
                reply,
            } => {
                let _ = reply.send(engine.select_layers(now, session, selection, out));
            }
            Command::SessionLayers { session, reply } => {
                let _ = reply.send(engine.session_layers(now, session));
            }
            Command::Close { session, reply } => {
                let _ = reply.send(engine.close(now, session, EndReason::Closed, out));
            }
            Command::SendData { messages, reply } => {
                let mut untaken = Vec::new();
                for DataMessage {
                    session,
                    channel,
                    text,
                } in messages
                {
                    let message = (channel, text.as_bytes(), false);
                    if engine.send_data(now, session, message, out).is_err() {
                        untaken.push(session);
                    }
                }
                let _ = reply.send(untaken);
            }
            Command::CloseChannel { session, channel } => {
                // One that is gone is closed.
                let _ = engine.close_channel(now, session, channel, out);
            }
            Command::VideoClocks { sessions, reply } => {
                let clocks = sessions.into_iter();
                let clocks = clocks.filter_map(|session| engine.video_clock(now, session));
                let _ = reply.send(clocks.collect());
            }
            Command::Statistics { reply } => {
                let _ = reply.send(self.statistics(now));
            }
            Command::Stop { deadline, reply } => self.stop(now, deadline, reply),
        }
    }

    /// Answers a request for a session. A client that went away meanwhile must not leave one behind.
    fn answer(
        &mut self,
        now: Instant,
        result: Result<Accepted, Reject>,
        reply: oneshot::Sender<Result<Accepted, Reject>>,
    ) {
        if result.is_err() {
            self.outlet.directory.departed(self.outlet.worker);
        }
        if let Err(Ok(accepted)) = reply.send(result)
            && let Err(error) =
                self.engine
                    .close(now, accepted.session, EndReason::Closed, &mut self.outlet)
        {
            tracing::debug!(%error, session = %accepted.session, "an abandoned session was gone already");
        }
    }
}
