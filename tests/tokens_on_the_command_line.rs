//! `spillway token` prints tokens that the server believes, until they are revoked.
#![allow(clippy::unwrap_used)]

mod support;

use support::{error_of, finish, output_of, spillway};
use tempfile::tempdir;

#[test]
fn one_token_is_printed_and_nothing_else() {
    let directory = tempdir().unwrap();
    for arguments in [
        &["token", "publish", "demo"][..],
        &["token", "view", "demo", "--expires", "1h"],
        &["token", "moderate", "demo"],
        &["token", "service", "--expires", "30days"],
        &["token", "admin"],
    ] {
        let printed = output_of(spillway(directory.path()).args(arguments));
        assert_eq!(printed.lines().count(), 1, "{printed}");
        assert_eq!(printed.trim().split('.').count(), 3, "{printed}");
    }
    let listed = output_of(spillway(directory.path()).args(["token", "list"]));
    assert_eq!(listed.lines().count(), 6, "{listed}");
    assert!(!listed.contains("eyJ"), "a token is shown: {listed}");
}

#[test]
fn a_misspelt_data_directory_is_not_made() {
    let directory = tempdir().unwrap();
    for arguments in [
        &["list"][..],
        &["revoke", "0123"],
        &["view", "demo"],
        &["moderate", "demo"],
        &["service"],
        &["admin"],
    ] {
        let mut command = spillway(directory.path());
        command.arg("token").args(arguments);
        let error = error_of(command.args(["--data-dir", "dta"]));
        assert!(
            error.contains("dta") && error.contains("--data-dir"),
            "{error}"
        );
    }
    assert!(!directory.path().join("dta").exists());
}

#[test]
fn the_first_key_says_that_it_made_the_store() {
    let directory = tempdir().unwrap();
    let said = || finish(spillway(directory.path()).args(["token", "publish", "demo"])).stderr;
    let first = String::from_utf8(said()).unwrap();
    assert!(
        first.contains("made a store and a signing key") && first.contains("data"),
        "{first}"
    );
    assert!(said().is_empty());
}

#[test]
fn a_revoked_token_is_listed_as_such() {
    let directory = tempdir().unwrap();
    output_of(spillway(directory.path()).args(["token", "publish", "demo", "--note", "OBS"]));
    let list = || output_of(spillway(directory.path()).args(["token", "list"]));
    let listed = list();
    let id = listed
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    output_of(spillway(directory.path()).args(["token", "revoke", id]));
    assert!(list().contains("revoked") && list().contains("OBS"));
    let error = error_of(spillway(directory.path()).args(["token", "revoke", "nobody"]));
    assert!(error.contains("spillway token list"), "{error}");
}

#[test]
fn the_default_configuration_is_valid_and_so_is_the_commented_file() {
    let directory = tempdir().unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/spillway.toml");
    assert!(
        output_of(spillway(directory.path()).args(["check-config", "--config", file]))
            .contains("valid")
    );
    assert!(output_of(spillway(directory.path()).arg("check-config")).contains("valid"));
}
