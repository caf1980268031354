//! One client: playlists by blocking reload, parts as they come, the hinted one asked for ahead.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use url::Url;

use super::clock::Clock;
use super::fetch::{FetchError, Fetched, Fetcher};
use super::playback::Playback;
use super::playlist::{self, Media, Part, PlaylistError, Position, Wish};
use super::tally::{Kind, Tally};

/// Before a client that failed begins again, and before a request that failed is made again.
const AGAIN: Duration = Duration::from_secs(1);
/// Requests that may fail one after another before a client gives up and begins anew.
const PATIENCE: u32 = 5;

/// What all clients share.
pub struct Shared {
    /// The multivariant playlist.
    pub url: Url,
    /// Which variant they play.
    pub wish: Wish,
    /// Whether they ask for the hinted part.
    pub hints: bool,
    /// The time.
    pub clock: Clock,
    /// What they see.
    pub tally: RefCell<Tally>,
}

/// Why a client begins anew.
#[derive(Debug, thiserror::Error)]
enum ClientError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("a playlist {0}")]
    Playlist(#[from] PlaylistError),
    #[error("a playlist goes nowhere: its renditions have no media in common")]
    Nowhere,
}

/// Plays until it is dropped; what it shows is in `playback`.
pub async fn play(shared: Rc<Shared>, fetcher: Fetcher, playback: Rc<RefCell<Playback>>) {
    loop {
        let ended = once(&shared, &fetcher, &playback).await;
        let pause = match ended {
            Ok(()) => AGAIN,
            Err(error) => {
                shared.tally.borrow_mut().on_failure(error.to_string());
                match error {
                    ClientError::Fetch(FetchError::Status { retry_after, .. }) => {
                        retry_after.unwrap_or(AGAIN)
                    }
                    _ => AGAIN,
                }
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn once(
    shared: &Shared,
    fetcher: &Fetcher,
    playback: &RefCell<Playback>,
) -> Result<(), ClientError> {
    let what = "the multivariant playlist";
    let answer = shared.playlist(fetcher, &shared.url, what).await?;
    let choice = playlist::choose(answer.text()?, &answer.url, &shared.wish)?;
    let mut tracks = Vec::new();
    let mut reserve: f64 = 0.0;
    for url in choice.playlists {
        let (url, media) = shared.media_playlist(fetcher, &url, "").await?;
        reserve = reserve.max(media.part_target);
        tracks.push((url, media));
    }
    let now = shared.clock.now();
    playback.borrow_mut().begin_anew(tracks.len(), reserve, now);
    let mut following = Vec::new();
    for (index, (url, media)) in tracks.into_iter().enumerate() {
        let (next, moment) = media.start().ok_or(ClientError::Nowhere)?;
        playback.borrow_mut().start_at(moment);
        following.push(Track {
            index,
            name: url.as_str().into(),
            url,
            next,
            init: None,
            ahead: None,
            media,
        });
    }
    let mut following = following.into_iter();
    // A variant has one or two playlists.
    match (following.next(), following.next()) {
        (Some(first), Some(second)) => {
            tokio::try_join!(
                first.follow(shared, fetcher, playback),
                second.follow(shared, fetcher, playback)
            )?;
            Ok(())
        }
        (Some(only), None) => only.follow(shared, fetcher, playback).await,
        (None, _) => Ok(()),
    }
}

/// One media playlist being followed.
struct Track {
    index: usize,
    name: Rc<str>,
    url: Url,
    /// The part that is wanted next.
    next: Position,
    /// The initialization segment that it has.
    init: Option<String>,
    /// The hinted part, once it came.
    ahead: Option<Ahead>,
    media: Media,
}

struct Ahead {
    uri: String,
    arrived: f64,
}

impl Track {
    async fn follow(
        mut self,
        shared: &Shared,
        fetcher: &Fetcher,
        playback: &RefCell<Playback>,
    ) -> Result<(), ClientError> {
        let mut failures = 0;
        loop {
            for part in std::mem::take(&mut self.media.parts) {
                if part.position >= self.next {
                    self.take(part, shared, fetcher, playback).await?;
                }
            }
            if self.media.ended {
                return Ok(());
            }
            let before = self.media.next;
            let (reloaded, ahead) = tokio::join!(
                self.reload(shared, fetcher),
                self.fetch_hinted(shared, fetcher)
            );
            self.ahead = ahead;
            match reloaded {
                Ok(media) => {
                    failures = 0;
                    self.media = media;
                    if self.media.next <= before && !self.media.ended {
                        // It doesn't block: asking at once would be asking without end.
                        tokio::time::sleep(Duration::from_secs_f64(self.media.part_target)).await;
                    }
                }
                Err(error) => {
                    failures += 1;
                    if failures == PATIENCE {
                        return Err(error);
                    }
                    shared.tally.borrow_mut().on_failure(error.to_string());
                    tokio::time::sleep(AGAIN / 2).await;
                }
            }
        }
    }

    async fn reload(&self, shared: &Shared, fetcher: &Fetcher) -> Result<Media, ClientError> {
        let (segment, part) = self.media.next;
        let directives = match (self.media.can_block, self.media.can_skip) {
            (false, _) => String::new(),
            (true, false) => format!("_HLS_msn={segment}&_HLS_part={part}"),
            (true, true) => format!("_HLS_msn={segment}&_HLS_part={part}&_HLS_skip=YES"),
        };
        let (_, media) = shared
            .media_playlist(fetcher, &self.url, &directives)
            .await?;
        Ok(media)
    }

    async fn fetch_hinted(&self, shared: &Shared, fetcher: &Fetcher) -> Option<Ahead> {
        let uri = self.media.hint.clone().filter(|_| shared.hints)?;
        let url = self.url.join(&uri).ok()?;
        // One that came to nothing, as at the end of a segment that came early, is asked for again if it is listed.
        let hinted = shared.media(fetcher, &url, "a hinted part", FRAGMENT);
        let arrived = hinted.await.ok()?;
        Some(Ahead { uri, arrived })
    }

    async fn take(
        &mut self,
        part: Part,
        shared: &Shared,
        fetcher: &Fetcher,
        playback: &RefCell<Playback>,
    ) -> Result<(), ClientError> {
        if part.init != self.init {
            if let Some(uri) = &part.init {
                let what = "an initialization segment";
                let url = self.join(uri, what)?;
                shared.media(fetcher, &url, what, INIT).await?;
            }
            self.init.clone_from(&part.init);
        }
        let arrived = if part.gap {
            None
        } else if let Some(ahead) = self.ahead.take_if(|ahead| ahead.uri == part.uri) {
            Some(ahead.arrived)
        } else {
            let url = self.join(&part.uri, "a part")?;
            shared
                .media(fetcher, &url, "a part", FRAGMENT)
                .await
                .inspect_err(|error| shared.tally.borrow_mut().on_missed(error.to_string()))
                .ok()
        };
        let left_out = part.position != self.next && part.position != (self.next.0 + 1, 0);
        if left_out {
            let why = "a part had left the playlist before it could be fetched";
            shared.tally.borrow_mut().on_missed(why.into());
        }
        self.next = (part.position.0, part.position.1 + 1);
        if let Some(arrived) = arrived {
            let mut tally = shared.tally.borrow_mut();
            tally.on_part(&self.name, part.position, arrived);
            let mut playback = playback.borrow_mut();
            playback.on_media(self.index, part.end, arrived);
            if let Some(behind) = playback.behind().filter(|_| self.index == 0) {
                tally.on_behind(behind);
            }
        }
        Ok(())
    }

    fn join(&self, uri: &str, what: &'static str) -> Result<Url, FetchError> {
        let why = "has no URL";
        self.url
            .join(uri)
            .map_err(|_| FetchError::Invalid { what, why })
    }
}

/// What a fragment may begin with (ISO/IEC 14496-12, ISO/IEC 23000-19 §7.3.2.3), and an initialization segment.
const FRAGMENT: &[&[u8; 4]] = &[b"moof", b"styp", b"prft", b"emsg", b"sidx"];
const INIT: &[&[u8; 4]] = &[b"ftyp"];

impl Shared {
    async fn playlist(
        &self,
        fetcher: &Fetcher,
        url: &Url,
        what: &'static str,
    ) -> Result<Fetched, FetchError> {
        let answer = fetcher.get(url, what).await?;
        let mut tally = self.tally.borrow_mut();
        tally.on_answer(Kind::Playlist, answer.size);
        Ok(answer)
    }

    /// A media playlist, and where it was: what it names is relative to that.
    async fn media_playlist(
        &self,
        fetcher: &Fetcher,
        url: &Url,
        directives: &str,
    ) -> Result<(Url, Media), ClientError> {
        let mut asked = url.clone();
        if !directives.is_empty() {
            asked.set_query(Some(directives));
        }
        let answer = self.playlist(fetcher, &asked, "a media playlist").await?;
        let media = Media::parse(answer.text()?)?;
        let mut url = answer.url;
        url.set_query(None);
        Ok((url, media))
    }

    /// A file that begins with one of those boxes, and when it was here.
    async fn media(
        &self,
        fetcher: &Fetcher,
        url: &Url,
        what: &'static str,
        boxes: &[&[u8; 4]],
    ) -> Result<f64, FetchError> {
        let answer = fetcher.get(url, what).await?;
        let arrived = self.clock.now();
        let mut tally = self.tally.borrow_mut();
        tally.on_answer(Kind::Media, answer.size);
        let first = answer.body.get(4..8);
        if !boxes.iter().any(|name| first == Some(name.as_slice())) {
            tally.broken += 1;
        }
        Ok(arrived)
    }
}
