//! Files, read as mark certificates: in PEM as they stand, and as DER that is put into PEM.

#![no_main]
#![allow(dead_code, reason = "each target uses a part of what holds")]

#[path = "../../audit/held.rs"]
mod held;
#[path = "../../audit/zone.rs"]
mod zone;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    held::mark(bytes);
    held::mark(armoured(bytes).as_bytes());
});

/// Bytes in PEM.
fn armoured(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for three in bytes.chunks(3) {
        let whole = three.iter().fold(0, |whole, byte| whole << 8 | u32::from(*byte));
        let whole = whole << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(whole >> (18 - 6 * at)) as usize & 63] as char;
            text.push(if at <= three.len() { digit } else { '=' });
        }
    }
    text + "\n-----END CERTIFICATE-----\n"
}
