use std::sync::Arc;

use object_store::{ObjectStoreExt as _, path::Path};
use spillway_hls::record::{State, Storage};

use crate::{
    bucket::Bucket,
    film,
    player::play,
    studio::{FakeNode, Take, film, recorder, until_over},
};

#[tokio::test(flavor = "multi_thread")]
async fn as_a_folder_does() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Bucket::start(&folder.path().join("s3")).await;
    let store = bucket.client().build().unwrap();
    let store = Arc::new(store);
    let fake = FakeNode::default();
    let spool = folder.path().join("spool");
    let node = fake.start().await;
    let mut recorder = recorder(Storage::new(store.clone()), &spool, 1 << 30, node);
    let recording = recorder.begin("b1", "demo").unwrap();
    let mut status = recording.status();
    Take {
        seconds_in: 0,
        first_segment: 100,
        seconds: 4,
        renditions: &[("180p", film(320, 180, 4))],
        sound: &film::sound(4),
    }
    .record(&recording, true);
    drop(recording);
    recorder.end("b1");
    let over = until_over(&mut status).await;
    assert_eq!((over.state, over.problem), (State::Ready, None));
    let file = store.get(&Path::from("vod/b1/video.mp4")).await.unwrap();
    let copy = folder.path().join("copy.mp4");
    std::fs::write(&copy, file.bytes().await.unwrap()).unwrap();
    play(&copy).check_sync(4);
}
