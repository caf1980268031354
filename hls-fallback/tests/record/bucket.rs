//! A server of S3 in this process, of which it can be asked to misbehave.

use std::{
    convert::Infallible,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use object_store::aws::AmazonS3Builder;
use s3s::{Body, HttpResponse, auth::SimpleAuth, service::S3ServiceBuilder};
use spillway_hls::record::Storage;
use url::Url;

/// What it does to requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Answers with this status.
    Status(u16),
    /// Answers after so long.
    Slow(Duration),
}

/// A bucket below a folder.
pub(crate) struct Bucket {
    endpoint: String,
    fault: Arc<Mutex<Fault>>,
    /// Requests that met a fault.
    pub(crate) faulty: Arc<AtomicUsize>,
}

const NAME: &str = "recordings";

impl Bucket {
    pub(crate) async fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder.join(NAME)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).unwrap());
        builder.set_auth(SimpleAuth::from_single("key", "secret"));
        let service = builder.build();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bucket = Self {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            fault: Arc::new(Mutex::new(Fault::None)),
            faulty: Arc::default(),
        };
        let (fault, faulty) = (bucket.fault.clone(), bucket.faulty.clone());
        let answer = move |request: hyper::Request<hyper::body::Incoming>| {
            let (service, faulty) = (service.clone(), faulty.clone());
            let fault = *fault.lock().unwrap();
            async move {
                if fault != Fault::None {
                    faulty.fetch_add(1, Ordering::Relaxed);
                }
                match fault {
                    Fault::None => {}
                    Fault::Status(status) => return Ok::<_, Infallible>(refusal(status)),
                    Fault::Slow(time) => tokio::time::sleep(time).await,
                }
                let request = request.map(Body::from);
                Ok(service.call(request).await.unwrap_or_else(|_| refusal(500)))
            }
        };
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let answer = hyper::service::service_fn(answer.clone());
                tokio::spawn(async move {
                    let connection = TokioIo::new(connection);
                    let _ = Builder::new(TokioExecutor::new())
                        .serve_connection(connection, answer)
                        .await;
                });
            }
        });
        bucket
    }

    pub(crate) fn misbehave(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    pub(crate) fn client(&self) -> AmazonS3Builder {
        AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_region("eu-test-1")
            .with_access_key_id("key")
            .with_secret_access_key("secret")
            .with_bucket_name(NAME)
    }

    /// As a sidecar uses it.
    pub(crate) fn storage(&self) -> Storage {
        let url = Url::parse(&format!("s3://{NAME}/below")).unwrap();
        Storage::bucket(&url, self.client()).unwrap()
    }
}

/// As S3 says it.
fn refusal(status: u16) -> HttpResponse {
    let (code, message) = match status {
        403 => ("AccessDenied", "Access Denied"),
        503 => ("SlowDown", "Please reduce your request rate."),
        _ => ("InternalError", "We encountered an internal error."),
    };
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut answer = HttpResponse::new(Body::from(body));
    *answer.status_mut() = status.try_into().unwrap();
    answer
}
