//! Texts, read as records of each kind.

#![no_main]
#![allow(dead_code, reason = "each target uses a part of what holds")]

#[path = "../../audit/held.rs"]
mod held;
#[path = "../../audit/zone.rs"]
mod zone;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| held::text(text));
