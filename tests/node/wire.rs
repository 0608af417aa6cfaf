//! HTTP/1.1 (RFC 9112) for a client that asks one thing at a time and must cost little.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The head of an answer that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The status.
    pub status: u16,
    /// The lines of the fields.
    fields: &'a str,
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
        match Head::length(buffer, content)? {
            Some(length) if buffer.len() > length => {
                return Err(invalid("more came than was asked for"));
            }
            Some(length) if buffer.len() == length => break,
            _ => {}
        }
    }
    Head::parse(buffer)?.ok_or_else(|| invalid("an answer without its head"))
}

impl<'a> Head<'a> {
    /// The first field of this name, in lower case; its value without spaces around it.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        let lines = self.fields.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    }

    /// The length of the answer that starts `bytes`, head and content, once its head is complete.
    fn length(bytes: &[u8], content: Content) -> io::Result<Option<usize>> {
        let Some(head) = Head::parse(bytes)? else { return Ok(None) };
        let length = match (content, head.field("content-length")) {
            (Content::LeftOut, _) => 0,
            (Content::Told, Some(length)) => {
                length.parse().map_err(|_| invalid("a Content-Length that is no number"))?
            }
            (Content::Told, None) => return Err(invalid("an answer without Content-Length")),
        };
        Ok(Some(bytes.len() - head.rest(bytes) + length))
    }

    /// Bytes of `bytes`, which begin with this head, behind it.
    fn rest(&self, bytes: &[u8]) -> usize {
        let end = self.fields.as_ptr() as usize + self.fields.len() + END.len();
        bytes.as_ptr() as usize + bytes.len() - end
    }

    fn parse(bytes: &'a [u8]) -> io::Result<Option<Self>> {
        let Some(end) = bytes.windows(END.len()).position(|four| four == END) else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| invalid("a head of no UTF-8"))?;
        let (line, fields) = head.split_once("\r\n").ok_or_else(|| invalid("no fields"))?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| invalid("no status line"))?;
        Ok(Some(Self { status, fields }))
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

const END: &[u8; 4] = b"\r\n\r\n";
