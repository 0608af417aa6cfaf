//! Zones: a line that chooses who has which record, the sender, the client, then the records.

#![no_main]
#![allow(dead_code, reason = "each target uses a part of what holds")]

#[path = "../../audit/held.rs"]
mod held;
#[path = "../../audit/zone.rs"]
mod zone;

use libfuzzer_sys::fuzz_target;
use waypost::audit::spf::Request;
use waypost::clock::Timestamp;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let [choice, from, helo] = [(); 3].map(|()| lines.next().unwrap_or_default());
    let salt = choice.bytes().fold(0, |salt, byte| salt * 31 % 65_521 + usize::from(byte));
    let ip = if salt.is_multiple_of(2) { "192.0.2.1" } else { "2001:db8::1" };
    let from = if from.is_empty() { "a@example.com" } else { from };
    let now = Timestamp::from_seconds(1_795_000_000);
    let request = Request::new(ip.parse().unwrap(), from, helo, now);
    let mut records: Vec<_> = lines.map(str::to_owned).collect();
    records.push("v=spf1 -all exp=%{p}.example.com".to_owned());
    held::zone(&held::AnyZone::new(records, salt), &request);
});
