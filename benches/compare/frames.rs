//! Just enough HTTP/2 (RFC 9113) and HPACK (RFC 7541) to ask and to know every answer's status.
//!
//! A whole client costs more than the servers that are measured. This one sends the fields of
//! each request from the compression table after the first, as browsers do, and keeps of the
//! servers' table only which entries are a `:status`. Entries are never forgotten: a connection
//! here lives for seconds, and what a server adds to its table in them fits into its 4,096 bytes.

use std::collections::VecDeque;

use crate::client::{ACCEPT, ACCEPT_LANGUAGE, USER_AGENT};
use crate::identity::HOST;

/// One connection's state.
#[derive(Debug)]
pub(crate) struct Http2 {
    path: String,
    next: u32,
    /// Bytes to be sent.
    pub(crate) out: Vec<u8>,
    inbound: Vec<u8>,
    /// The servers' table, newest first: the status, or `None` for any other field.
    table: VecDeque<Option<u16>>,
    unreturned: u32,
}

impl Http2 {
    /// A connection that asks for `path`; the preface waits in `out`.
    pub(crate) fn new(path: &str) -> Self {
        let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // SETTINGS_ENABLE_PUSH = 0
        frame(&mut out, SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 0]);
        frame(&mut out, WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        let (inbound, table) = (Vec::new(), VecDeque::new());
        Self { path: path.to_owned(), next: 1, out, inbound, table, unreturned: 0 }
    }

    /// Adds a request to `out`; returns its stream.
    pub(crate) fn ask(&mut self) -> u32 {
        let mut block = vec![0x82, 0x87]; // :method GET, :scheme https
        block.push(0x04); // :path, not indexed
        text(&mut block, &self.path);
        if self.next == 1 {
            // :authority, user-agent, accept and accept-language enter the table.
            for (index, value) in [(1, HOST), (58, USER_AGENT), (19, ACCEPT), (17, ACCEPT_LANGUAGE)]
            {
                block.push(0x40 | index);
                text(&mut block, value);
            }
        } else {
            block.extend([65, 64, 63, 62].map(|index| 0x80 | index));
        }
        let stream = self.next;
        frame(&mut self.out, HEADERS, END_STREAM | END_HEADERS, stream, &block);
        self.next += 2;
        stream
    }

    /// Takes what came; `ended` gets the streams whose answers are complete. Anything but a 302
    /// is an error.
    pub(crate) fn read(&mut self, bytes: &[u8], ended: &mut Vec<u32>) -> Result<(), String> {
        self.inbound.extend_from_slice(bytes);
        let inbound = std::mem::take(&mut self.inbound);
        let mut rest = &inbound[..];
        while let Some((head, after)) = rest.split_at_checked(9) {
            let length =
                usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let Some((payload, after)) = after.split_at_checked(length) else { break };
            let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
            self.take(head[3], head[4], stream, payload, ended)?;
            rest = after;
        }
        let unread = inbound.len() - rest.len();
        self.inbound = inbound;
        self.inbound.drain(..unread);
        Ok(())
    }

    fn take(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
        ended: &mut Vec<u32>,
    ) -> Result<(), String> {
        match kind {
            HEADERS if flags & (PADDED | PRIORITY) == 0 && flags & END_HEADERS != 0 => {
                let status =
                    self.status(payload).ok_or("a header block that was not understood")?;
                if status != 302 {
                    return Err(format!("answered {status}"));
                }
            }
            DATA => self.give_back(payload.len()),
            SETTINGS if flags & ACK == 0 => frame(&mut self.out, SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => frame(&mut self.out, PING, ACK, 0, payload),
            SETTINGS | PING | WINDOW_UPDATE => {}
            _ => return Err(format!("a frame of type {kind} with flags {flags:#x}")),
        }
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            ended.push(stream);
        }
        Ok(())
    }

    fn give_back(&mut self, bytes: usize) {
        self.unreturned += u32::try_from(bytes).unwrap_or(WINDOW);
        if self.unreturned > WINDOW / 2 {
            frame(&mut self.out, WINDOW_UPDATE, 0, 0, &self.unreturned.to_be_bytes());
            self.unreturned = 0;
        }
    }

    /// Follows the table through a header block; the value of `:status`.
    fn status(&mut self, block: &[u8]) -> Option<u16> {
        let mut block = Block(block);
        let mut status = None;
        while let Some(&first) = block.0.first() {
            if first & 0x80 != 0 {
                let index = block.integer(7)?;
                let found = match index {
                    0 => return None,
                    8..=14 => Some([200, 204, 206, 304, 400, 404, 500][index - 8]),
                    1..=61 => None,
                    _ => *self.table.get(index - 62)?,
                };
                status = status.or(found);
            } else if first & 0xe0 == 0x20 {
                // A table of another size: all that servers do is to confirm ours.
                block.integer(5)?;
            } else {
                let is_kept = first & 0x40 != 0;
                let name = block.integer(if is_kept { 6 } else { 4 })?;
                if name == 0 {
                    block.string()?;
                }
                let (is_compressed, value) = block.string()?;
                let found = if (8..=14).contains(&name) {
                    Some(digits(value, is_compressed)?)
                } else {
                    None
                };
                if is_kept {
                    self.table.push_front(found);
                }
                status = status.or(found);
            }
        }
        status
    }
}

/// What is left of a header block.
struct Block<'a>(&'a [u8]);

impl<'a> Block<'a> {
    /// An integer with a prefix of `bits` (RFC 7541 §5.1).
    fn integer(&mut self, bits: u32) -> Option<usize> {
        let mask = (1 << bits) - 1;
        let (first, mut rest) = self.0.split_first()?;
        let mut value = usize::from(*first) & mask;
        if value == mask {
            let mut shift = 0;
            loop {
                let (byte, after) = rest.split_first()?;
                rest = after;
                value += usize::from(byte & 0x7f).checked_shl(shift)?;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
        }
        self.0 = rest;
        Some(value)
    }

    /// A string's bytes as they are, and whether they are Huffman coded (RFC 7541 §5.2).
    fn string(&mut self) -> Option<(bool, &'a [u8])> {
        let is_compressed = self.0.first()? & 0x80 != 0;
        let length = self.integer(7)?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some((is_compressed, bytes))
    }
}

/// Three digits, perhaps Huffman coded: 0 to 2 take five bits, 3 to 9 six (RFC 7541, appendix B).
fn digits(bytes: &[u8], is_compressed: bool) -> Option<u16> {
    if !is_compressed {
        return std::str::from_utf8(bytes).ok()?.parse().ok();
    }
    let bits = bytes.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
    let mut left = u32::try_from(bytes.len()).ok()? * 8;
    let mut value = 0;
    for _ in 0..3 {
        let five = bits >> left.checked_sub(5)? & 0x1f;
        let digit = if five <= 2 {
            left -= 5;
            five
        } else {
            left = left.checked_sub(6)?;
            (bits >> left & 0x3f).checked_sub(0x19)? + 3
        };
        value = value * 10 + u16::try_from(digit).ok()?;
    }
    Some(value)
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A string as it is, not Huffman coded (RFC 7541 §5.2).
fn text(block: &mut Vec<u8>, value: &str) {
    let mut length = value.len();
    if length < 127 {
        block.push(length as u8);
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push((length % 128) as u8 | 0x80);
            length /= 128;
        }
        block.push(length as u8);
    }
    block.extend_from_slice(value.as_bytes());
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// What the connection may receive before it gives back (the 65,535 of the start are extra).
const WINDOW: u32 = 1 << 30;
