#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::{
    cipher::{AUTHENTICATION_KEY_LEN, Cipher, Label, derive},
    *,
};

mod vectors;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
