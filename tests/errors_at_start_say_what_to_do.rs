//! Whatever keeps a server from starting is told in one line, with what to do about it.
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, net::TcpListener, process::Command};

use support::{busy_udp, error_of, serve, spillway};
use tempfile::tempdir;

fn assert_says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "\"{part}\" isn't in: {error}");
    }
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn a_busy_http_port() {
    let directory = tempdir().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let error = error_of(spillway(directory.path()).args([
        "serve",
        "--http",
        &address,
        "--media-port",
        "0",
    ]));
    assert_says(
        &error,
        &[
            "already in use",
            &format!("{}", holder.local_addr().unwrap().port()),
            "--http",
        ],
    );
}

#[test]
fn a_busy_media_port() {
    let directory = tempdir().unwrap();
    let (_holder, port) = busy_udp();
    let port = port.to_string();
    let arguments = [
        "serve",
        "--http",
        "127.0.0.1:0",
        "--media-port",
        &port,
        "--workers",
        "1",
    ];
    let error = error_of(spillway(directory.path()).args(arguments));
    assert_says(&error, &["already in use", &port, "--media-port"]);
}

#[test]
fn a_data_directory_that_another_server_uses() {
    let directory = tempdir().unwrap();
    let lock = fs::File::create(directory.path().join("lock")).unwrap();
    lock.lock().unwrap();
    let error = error_of(serve(directory.path()).args(["--data-dir", "."]));
    assert_says(&error, &["another server", "--data-dir"]);
}

#[test]
fn a_configuration_that_cannot_be_read() {
    let directory = tempdir().unwrap();
    let error = error_of(serve(directory.path()).args(["--config", "missing.toml"]));
    assert_says(&error, &["missing.toml", "check the path"]);
}

#[test]
fn a_configuration_with_an_unknown_key() {
    let directory = tempdir().unwrap();
    fs::write(
        directory.path().join("spillway.toml"),
        "[limits]\n\nviewer = 5\n",
    )
    .unwrap();
    let error =
        error_of(spillway(directory.path()).args(["check-config", "--config", "spillway.toml"]));
    assert_says(
        &error,
        &[
            "spillway.toml",
            "line 3",
            "\"viewer\"",
            "did you mean \"viewers\"?",
        ],
    );
}

#[test]
fn a_data_directory_that_cannot_be_written_to() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = error_of(
        serve(directory.path())
            .arg("--data-dir")
            .arg(file.join("data")),
    );
    assert_says(&error, &["data directory", "--data-dir"]);
}

#[test]
fn tls_files_that_are_missing_no_pem_or_do_not_match() {
    let directory = tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let with_tls = |cert: &str, key: &str| {
        error_of(serve(directory.path()).args(["--tls-cert", cert, "--tls-key", key]))
    };
    for name in ["a", "b"] {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path(&format!("{name}.crt")), made.cert.pem()).unwrap();
        fs::write(
            path(&format!("{name}.key")),
            made.signing_key.serialize_pem(),
        )
        .unwrap();
    }
    assert_says(
        &with_tls("missing.crt", "a.key"),
        &["certificate missing.crt", "--tls-cert"],
    );
    assert_says(&with_tls("a.key", "a.key"), &["a.key holds no certificate"]);
    assert_says(
        &with_tls("a.crt", "b.key"),
        &["a.crt", "b.key", "don't belong together"],
    );
    assert_says(
        &error_of(serve(directory.path()).args(["--tls-cert", "a.crt"])),
        &["http.tls_key", "needs both"],
    );
}

#[test]
fn a_file_descriptor_table_that_is_too_small() {
    let directory = tempdir().unwrap();
    let server = serve(directory.path());
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(server.get_program())
        .args(server.get_args());
    limited
        .current_dir(directory.path())
        .env("SPILLWAY_DATA_DIR", directory.path().join("data"));
    assert_says(
        &error_of(&mut limited),
        &["only 64 files", "ulimit -n", "LimitNOFILE"],
    );
}

#[test]
fn a_signing_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempdir().unwrap();
    support::output_of(spillway(directory.path()).args(["token", "publish", "demo"]));
    let key = directory.path().join("data/token.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert_says(
        &error_of(&mut serve(directory.path())),
        &["token.key", "chmod 600"],
    );
}
