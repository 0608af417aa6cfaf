//! Frames of HTTP/2 (RFC 9113) as no client library sends them.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::client::{client_config, tls_with};
use crate::house::{HOST, House, PATIENCE};

/// Frame types (§6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
/// Flags.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// The two halves of a connection that has sent its preface.
pub(crate) async fn open(
    house: &House,
) -> (ReadHalf<TlsStream<TcpStream>>, WriteHalf<TlsStream<TcpStream>>) {
    let config = Arc::new(client_config(house, "h2"));
    let mut stream = tls_with(house, config, HOST).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream.flush().await.unwrap();
    split(stream)
}

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a GET (RFC 7541), without Huffman coding and without the table.
pub(crate) fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x87];
    for (name, value) in [(4, path), (1, HOST)] {
        block.push(name);
        let mut left = value.len();
        if left < 127 {
            block.push(u8::try_from(left).unwrap());
        } else {
            block.push(127);
            left -= 127;
            while left >= 128 {
                block.push(u8::try_from(left % 128).unwrap() | 128);
                left /= 128;
            }
            block.push(u8::try_from(left).unwrap());
        }
        block.extend_from_slice(value.as_bytes());
    }
    block
}

/// Reads a frame: type, flags, stream and payload; `None` when the connection has ended.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
}

/// Reads until the server gives the connection up.
pub(crate) async fn given_up(stream: &mut (impl AsyncRead + Unpin)) {
    let ended = async {
        while let Some((kind, .., payload)) = read(stream).await {
            // GOAWAY with an error, and not the end of a drain.
            if kind == GOAWAY && payload[4..8] != [0; 4] {
                return;
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("the connection goes on");
}
