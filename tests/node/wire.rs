//! HTTP/1.1 (RFC 9112) for a client that asks one thing at a time and must cost little.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The head of an answer: what of it tells whether the answer is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// The status.
    pub status: u16,
    /// Location.
    pub location: Option<&'a [u8]>,
    /// Content-Type.
    pub content_type: Option<&'a [u8]>,
    /// Content-Length.
    length: Option<usize>,
}

/// Whether an answer has content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// As its Content-Length says.
    Told,
    /// None, since HEAD was asked.
    LeftOut,
}

/// Sends a whole request, reads the whole answer into `buffer`. Anything after its end is an
/// error, and so is an answer that ends before.
pub async fn ask<'a>(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
    content: Content,
    buffer: &'a mut Vec<u8>,
) -> io::Result<Head<'a>> {
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((head, end)) = Head::parse(buffer)? else { continue };
        let length = match (content, head.length) {
            (Content::LeftOut, _) => 0,
            (Content::Told, Some(length)) => length,
            (Content::Told, None) => return Err(invalid("an answer without Content-Length")),
        };
        if buffer.len() > end + length {
            return Err(invalid("more came than was asked for"));
        }
        if buffer.len() == end + length {
            break;
        }
    }
    // Parsed again, since what was borrowed in the loop could not leave it.
    let head = Head::parse(buffer)?;
    head.map(|(head, _)| head).ok_or_else(|| invalid("an answer without its head"))
}

impl<'a> Head<'a> {
    /// The head that begins `bytes`, and where it ends; `None` while it is not complete.
    fn parse(bytes: &'a [u8]) -> io::Result<Option<(Self, usize)>> {
        let mut head = Self::default();
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = bytes[begin..end].strip_suffix(b"\r").ok_or_else(|| invalid("a bare LF"))?;
            begin = end + 1;
            if head.status == 0 {
                let status = line.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
                head.status =
                    status.and_then(number).ok_or_else(|| invalid("no status line"))? as u16;
            } else if line.is_empty() {
                return Ok(Some((head, begin)));
            } else {
                head.field(line)?;
            }
        }
        Ok(None)
    }

    fn field(&mut self, line: &'a [u8]) -> io::Result<()> {
        let colon = memchr::memchr(b':', line).ok_or_else(|| invalid("a field without a colon"))?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // By length first: most fields are none of these.
        match name.len() {
            8 if name.eq_ignore_ascii_case(b"location") => self.location = Some(value),
            12 if name.eq_ignore_ascii_case(b"content-type") => self.content_type = Some(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length =
                    number(value).ok_or_else(|| invalid("a Content-Length of no number"))?;
                self.length = Some(length);
            }
            _ => {}
        }
        Ok(())
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
