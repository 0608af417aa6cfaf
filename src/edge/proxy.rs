//! The PROXY protocol, versions 1 and 2: a load balancer that passes connections on says with
//! their first bytes whose they are.
//!
//! Only networks in `Config::proxy` are believed, and they must say it; from anybody else the
//! first byte is already the visitor's.

use std::io;
use std::net::IpAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Why a connection that has to begin with a header does not: the proxy's fault, not the
/// visitor's.
#[derive(Debug, Error)]
pub(super) enum ProxyError {
    /// The first bytes are no header.
    #[error("the connection does not begin with a PROXY header")]
    Malformed,
    /// It ended before its header did.
    #[error("the connection ended in its PROXY header: {0}")]
    Ended(#[from] io::Error),
}

/// Reads a header and not one byte more. `None` when the proxy speaks for itself, as its health
/// checks do (LOCAL, UNKNOWN).
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<IpAddr>, ProxyError> {
    let mut header = vec![stream.read_u8().await?];
    match header[0] {
        b'P' => line(stream, &mut header).await?,
        0x0d => block(stream, &mut header).await?,
        _ => return Err(ProxyError::Malformed),
    }
    // What a proxy says of a connection of its own is to be passed over (§2.2).
    if header.get(V2.len()) == Some(&LOCAL) && header.starts_with(V2) {
        return Ok(None);
    }
    let config = ParseConfig::default();
    let (parsed, length) =
        ProxyHeader::parse(&header, config).map_err(|_| ProxyError::Malformed)?;
    if length != header.len() {
        return Err(ProxyError::Malformed);
    }
    Ok(parsed.proxied_address().map(|address| address.source.ip().to_canonical()))
}

/// Version 1: a line of text.
async fn line(
    stream: &mut (impl AsyncRead + Unpin),
    header: &mut Vec<u8>,
) -> Result<(), ProxyError> {
    while !header.ends_with(b"\r\n") {
        // Whatever it is, it is not passed on byte by byte for long.
        if header.len() >= LONGEST_LINE || !V1.starts_with(&header[..header.len().min(V1.len())]) {
            return Err(ProxyError::Malformed);
        }
        header.push(stream.read_u8().await?);
    }
    Ok(())
}

/// Version 2: a head of sixteen bytes, whose last two are the length of the rest.
async fn block(
    stream: &mut (impl AsyncRead + Unpin),
    header: &mut Vec<u8>,
) -> Result<(), ProxyError> {
    header.resize(HEAD, 0);
    stream.read_exact(&mut header[1..]).await?;
    let length = usize::from(u16::from_be_bytes([header[HEAD - 2], header[HEAD - 1]]));
    if !header.starts_with(V2) || length > LONGEST_REST {
        return Err(ProxyError::Malformed);
    }
    header.resize(HEAD + length, 0);
    stream.read_exact(&mut header[HEAD..]).await?;
    Ok(())
}

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command LOCAL.
const LOCAL: u8 = 0x20;
const HEAD: usize = 16;
/// Of version 1, its line end included (proxy-protocol.txt §2.1).
const LONGEST_LINE: usize = 107;
/// Addresses take 216 bytes at most; what else a proxy adds of certificates and the like fits.
const LONGEST_REST: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &length, rest].concat()
    }

    #[tokio::test]
    async fn a_header_is_read_to_its_end_and_no_further() {
        let four = [[192, 0, 2, 7], [10, 0, 0, 1], [0x30, 0x39, 0x01, 0xbb]].concat();
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        six[15] = 7;
        // A TLV of the type 4, which is there to be passed over.
        let more = [&four[..], &[4, 0, 2, 0, 0]].concat();
        let cases: [(Vec<u8>, Option<&str>); 10] = [
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n".to_vec(), Some("192.0.2.7")),
            (b"PROXY TCP6 2001:db8::7 ::1 12345 443\r\n".to_vec(), Some("2001:db8::7")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN 1 2 3 4\r\n".to_vec(), None),
            (v2(0x21, 0x11, &four), Some("192.0.2.7")),
            (v2(0x21, 0x11, &more), Some("192.0.2.7")),
            (v2(0x21, 0x21, &six), Some("2001:db8::7")),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &four), None),
            (v2(0x20, 0x11, &[]), None),
        ];
        for (header, expected) in cases {
            let bytes = [&header[..], b"GET /"].concat();
            let mut stream = &bytes[..];
            let found = read(&mut stream).await.unwrap();
            assert_eq!(found.map(|address| address.to_string()).as_deref(), expected, "{header:?}");
            assert_eq!(stream, b"GET /", "{header:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        let huge = [V2, &[0x21, 0x11, 0xff, 0xff], &[0; 70_000]].concat();
        let cases: [&[u8]; 10] = [
            b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n",
            b"PUT / HTTP/1.1\r\nhost: a.example\r\n\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 12345\r\n",
            b"PROXY TCP4 2001:db8::7 ::1 12345 443\r\n",
            b"PROXY TCP4 a b c d\r\n",
            &long,
            &huge,
            b"\r\n\r\n\0\r\nQUIT\r\x21\x11\0\0",
            &v2(0x21, 0x11, &[1, 2, 3]),
            &v2(0x31, 0x11, &[0; 12]),
        ];
        for bytes in cases {
            let mut stream = bytes;
            let found = read(&mut stream).await;
            assert!(matches!(found, Err(ProxyError::Malformed)), "{bytes:?} {found:?}");
        }
        for bytes in [b"".as_slice(), b"PROXY TCP4", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01"] {
            let mut stream = bytes;
            assert!(matches!(read(&mut stream).await, Err(ProxyError::Ended(_))), "{bytes:?}");
        }
    }
}
