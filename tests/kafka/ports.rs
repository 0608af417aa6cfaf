//! Ports that were free a moment ago: Kafka must know all of them before it starts.

use std::net::TcpListener;

/// `count` different ports on this machine, taken from the kernel and given back.
pub fn free(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap()).collect();
    held.iter().map(|held| held.local_addr().unwrap().port()).collect()
}
