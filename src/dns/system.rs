//! The resolvers that the machine itself uses.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::disk::{Access, Disk};

/// The servers of `/etc/resolv.conf` (resolv.conf(5)), at most three as the C library takes;
/// this machine when there is none.
pub(super) fn servers(disk: &dyn Disk) -> Vec<SocketAddr> {
    let mut bytes = vec![0; MAX_FILE];
    let read = disk
        .open(Path::new("/etc/resolv.conf"), Access::Read)
        .and_then(|file| file.read_at(&mut bytes, 0));
    let text = String::from_utf8_lossy(&bytes[..read.unwrap_or(0)]);
    let mut servers = parse(&text);
    if servers.is_empty() {
        servers.push(SocketAddr::from(([127, 0, 0, 1], PORT)));
    }
    servers
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then_some(())?;
        let address: IpAddr = words.next()?.parse().ok()?;
        Some(SocketAddr::new(address, PORT))
    };
    text.lines().filter_map(server).take(SERVERS).collect()
}

const PORT: u16 = 53;
const SERVERS: usize = 3;
const MAX_FILE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_the_c_library_reads_them() {
        let text = "# a comment\nsearch example.com\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 \n\
                    nameserver odd\noptions edns0\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n";
        let servers: Vec<_> = parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"]);
    }
}
