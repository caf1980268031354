use std::sync::Arc;

use hyper_util::{rt::TokioIo, server::conn::auto::Builder};
use object_store::{ObjectStoreExt as _, aws::AmazonS3Builder, path::Path};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use spillway_hls::record::{State, Storage};

use crate::{
    film,
    player::play,
    studio::{FakeNode, Take, film, recorder, until_over},
};

/// A server of S3 for one folder.
async fn serve(folder: &std::path::Path) -> String {
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).unwrap());
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let connection = TokioIo::new(connection);
                let executor = hyper_util::rt::TokioExecutor::new();
                let _ = Builder::new(executor)
                    .serve_connection(connection, service)
                    .await;
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn as_a_folder_does() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("s3/recordings");
    std::fs::create_dir_all(&bucket).unwrap();
    let store = AmazonS3Builder::new()
        .with_endpoint(serve(&folder.path().join("s3")).await)
        .with_allow_http(true)
        .with_region("eu-test-1")
        .with_bucket_name("recordings")
        .with_access_key_id("key")
        .with_secret_access_key("secret")
        .build()
        .unwrap();
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
