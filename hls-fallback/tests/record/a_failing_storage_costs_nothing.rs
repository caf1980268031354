use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    memory::InMemory,
    path::Path,
    throttle::{ThrottleConfig, ThrottledStore},
};
use spillway_hls::record::{State, Storage};

use crate::{
    film,
    studio::{FakeNode, Take, eventually, film, is_empty, recorder, until, until_over},
};

/// A storage that refuses everything while it is told to.
#[derive(Debug, Clone)]
pub(crate) struct Flaky {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) fails: Arc<AtomicBool>,
}

impl Flaky {
    pub(crate) fn new(store: impl ObjectStore) -> Self {
        Self {
            store: Arc::new(store),
            fails: Arc::default(),
        }
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    fn check(&self) -> Result<()> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(object_store::Error::Generic {
                store: "flaky",
                source: "no space left".into(),
            });
        }
        Ok(())
    }
}

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("flaky")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Flaky {
    async fn put_opts(&self, at: &Path, data: PutPayload, o: PutOptions) -> Result<PutResult> {
        self.check()?;
        self.store.put_opts(at, data, o).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        o: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check()?;
        self.store.put_multipart_opts(at, o).await
    }

    async fn get_opts(&self, at: &Path, o: GetOptions) -> Result<GetResult> {
        self.check()?;
        self.store.get_opts(at, o).await
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(at)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, o: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, o).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_spool_has_room() {
    let spool = tempfile::tempdir().unwrap();
    let store = Flaky::new(InMemory::new());
    let fake = FakeNode::default();
    let storage = Storage::new(Arc::new(store.clone()));
    let mut recorder = recorder(storage, spool.path(), 1 << 30, fake.start().await);
    store.fail(true);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    Take {
        seconds_in: 0,
        first_segment: 100,
        seconds: 6,
        renditions: &[("180p", film(320, 180, 6))],
        sound: &film::sound(6),
    }
    .record(&recording, true);
    drop(recording);
    recorder.end("b1");
    let troubled = until(&mut status, "it says so", |s| s.problem.is_some()).await;
    let problem = troubled.problem.unwrap();
    assert!(problem.contains("no space left"), "{problem}");
    eventually("the node knows", || {
        fake.last()["problem"]
            .as_str()
            .is_some_and(|p| p.contains("no space left"))
    })
    .await;
    store.fail(false);
    let over = until_over(&mut status).await;
    assert_eq!((over.state, over.problem), (State::Ready, None));
    for name in ["index.m3u8", "180p/102.m4s", "audio/102.m4s", "video.mp4"] {
        let path = Path::from(format!("vod/b1/{name}"));
        assert!(store.store.head(&path).await.is_ok(), "{name}");
    }
    eventually("the spool is empty", || is_empty(spool.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_a_slow_one_neither() {
    let spool = tempfile::tempdir().unwrap();
    let slow = ThrottleConfig {
        wait_put_per_call: Duration::from_secs(1),
        wait_get_per_call: Duration::from_millis(50),
        ..ThrottleConfig::default()
    };
    let store = Arc::new(ThrottledStore::new(InMemory::new(), slow));
    let fake = FakeNode::default();
    let node = fake.start().await;
    let mut recorder = recorder(Storage::new(store.clone()), spool.path(), 1 << 30, node);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    let take = Take {
        seconds_in: 0,
        first_segment: 100,
        seconds: 6,
        renditions: &[("180p", film(320, 180, 6))],
        sound: &film::sound(6),
    };
    let began = std::time::Instant::now();
    take.record(&recording, true);
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "those who encode don't wait"
    );
    drop(recording);
    recorder.end("b1");
    let over = until_over(&mut status).await;
    assert_eq!((over.state, over.problem), (State::Ready, None));
}
