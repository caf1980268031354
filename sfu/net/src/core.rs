//! What a worker drives: the media engine, or in tests a stand-in that shows what the sockets do.

use std::time::Instant;

use spillway_sfu::{
    Accepted, Disposition, EndReason, Engine, EngineStatistics, IceCredentials, LayerSelection,
    LayerStatistics, Output, Path, PeerMessage, PublishRequest, Reject, SessionId, VideoClock,
    WatchRequest, WorkerId,
};

/// The sans-IO engine of one worker, with the driving contract of [`spillway_sfu`]. Every method is [`Engine`]'s.
#[allow(missing_docs)]
pub trait Core: 'static {
    /// What it says of itself.
    type Statistics: Clone + Send + 'static;

    fn publish(
        &mut self,
        now: Instant,
        request: PublishRequest,
        out: &mut dyn Output,
    ) -> Result<Accepted, Reject>;
    fn watch(
        &mut self,
        now: Instant,
        request: WatchRequest,
        out: &mut dyn Output,
    ) -> Result<Accepted, Reject>;
    fn restart_ice(
        &mut self,
        now: Instant,
        session: SessionId,
        remote: IceCredentials,
    ) -> Result<IceCredentials, Reject>;
    fn select_layers(
        &mut self,
        now: Instant,
        session: SessionId,
        selection: LayerSelection,
        out: &mut dyn Output,
    ) -> Result<(), Reject>;
    fn close(
        &mut self,
        now: Instant,
        session: SessionId,
        reason: EndReason,
        out: &mut dyn Output,
    ) -> Result<(), Reject>;
    fn close_all(&mut self, now: Instant, out: &mut dyn Output);
    fn send_data(
        &mut self,
        now: Instant,
        session: SessionId,
        message: (u16, &[u8], bool),
        out: &mut dyn Output,
    ) -> Result<(), Reject>;
    fn close_channel(
        &mut self,
        now: Instant,
        session: SessionId,
        channel: u16,
        out: &mut dyn Output,
    ) -> Result<(), Reject>;
    fn handle_datagram(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &mut [u8],
        out: &mut dyn Output,
    ) -> Disposition;
    fn connection_closed(&mut self, path: Path);
    fn handle_peer(
        &mut self,
        now: Instant,
        from: WorkerId,
        message: PeerMessage,
        out: &mut dyn Output,
    );
    fn hurry(&mut self, now: Instant, hurries: bool);
    fn flush(&mut self, now: Instant, out: &mut dyn Output);
    fn next_timeout(&self) -> Instant;
    fn handle_timeout(&mut self, now: Instant, out: &mut dyn Output);
    fn session_layers(
        &self,
        now: Instant,
        session: SessionId,
    ) -> Result<Vec<LayerStatistics>, Reject>;
    fn video_clock(&self, now: Instant, session: SessionId) -> Option<VideoClock>;
    fn statistics(&self, now: Instant) -> Self::Statistics;
}

impl Core for Engine {
    type Statistics = EngineStatistics;

    fn publish(
        &mut self,
        now: Instant,
        request: PublishRequest,
        out: &mut dyn Output,
    ) -> Result<Accepted, Reject> {
        Engine::publish(self, now, request, out)
    }

    fn watch(
        &mut self,
        now: Instant,
        request: WatchRequest,
        out: &mut dyn Output,
    ) -> Result<Accepted, Reject> {
        Engine::watch(self, now, request, out)
    }

    fn restart_ice(
        &mut self,
        now: Instant,
        session: SessionId,
        remote: IceCredentials,
    ) -> Result<IceCredentials, Reject> {
        Engine::restart_ice(self, now, session, remote)
    }

    fn select_layers(
        &mut self,
        now: Instant,
        session: SessionId,
        selection: LayerSelection,
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        Engine::select_layers(self, now, session, selection, out)
    }

    fn close(
        &mut self,
        now: Instant,
        session: SessionId,
        reason: EndReason,
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        Engine::close(self, now, session, reason, out)
    }

    fn close_all(&mut self, now: Instant, out: &mut dyn Output) {
        Engine::close_all(self, now, out);
    }

    fn send_data(
        &mut self,
        now: Instant,
        session: SessionId,
        message: (u16, &[u8], bool),
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        Engine::send_data(self, now, session, message, out)
    }

    fn close_channel(
        &mut self,
        now: Instant,
        session: SessionId,
        channel: u16,
        out: &mut dyn Output,
    ) -> Result<(), Reject> {
        Engine::close_channel(self, now, session, channel, out)
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &mut [u8],
        out: &mut dyn Output,
    ) -> Disposition {
        Engine::handle_datagram(self, now, path, datagram, out)
    }

    fn connection_closed(&mut self, path: Path) {
        Engine::connection_closed(self, path);
    }

    fn handle_peer(
        &mut self,
        now: Instant,
        from: WorkerId,
        message: PeerMessage,
        out: &mut dyn Output,
    ) {
        Engine::handle_peer(self, now, from, message, out);
    }

    fn hurry(&mut self, now: Instant, hurries: bool) {
        Engine::hurry(self, now, hurries);
    }

    fn flush(&mut self, now: Instant, out: &mut dyn Output) {
        Engine::flush(self, now, out);
    }

    fn next_timeout(&self) -> Instant {
        Engine::next_timeout(self)
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut dyn Output) {
        Engine::handle_timeout(self, now, out);
    }

    fn session_layers(
        &self,
        now: Instant,
        session: SessionId,
    ) -> Result<Vec<LayerStatistics>, Reject> {
        Engine::session_layers(self, now, session)
    }

    fn video_clock(&self, now: Instant, session: SessionId) -> Option<VideoClock> {
        Engine::video_clock(self, now, session)
    }

    fn statistics(&self, now: Instant) -> Self::Statistics {
        Engine::statistics(self, now)
    }
}
