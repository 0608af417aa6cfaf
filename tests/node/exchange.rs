//! A request whose content and answer are streams, over HTTP/1.1 on a connection of its own.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A request in progress.
pub struct Exchange {
    writer: Box<dyn Write + Send>,
    reader: BufReader<Box<dyn Read + Send>>,
    content: Content,
}

/// How far the content of the answer was read.
#[derive(Clone, Copy)]
enum Content {
    /// Before the first chunk.
    Begins,
    /// As many bytes of a chunk are left, and its end.
    Chunk(u64),
    /// Behind the last chunk.
    Ended,
}

impl Exchange {
    /// Over a Unix socket, on which a write that waits longer than `patience` fails
    /// ([`ErrorKind::WouldBlock`]).
    pub fn unix(socket: &Path, patience: Duration) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_write_timeout(Some(patience)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(stream.try_clone().unwrap(), stream)
    }

    /// Over TCP.
    pub fn tcp(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(stream.try_clone().unwrap(), stream)
    }

    fn over(writer: impl Write + Send + 'static, reader: impl Read + Send + 'static) -> Self {
        let reader = BufReader::new(Box::new(reader) as Box<dyn Read + Send>);
        Self { writer: Box::new(writer), reader, content: Content::Begins }
    }

    /// Sends the head of a request with these fields, each ended by CRLF.
    pub fn begin(&mut self, method: &str, path: &str, fields: &str) {
        let head = format!("{method} {path} HTTP/1.1\r\n{fields}\r\n");
        self.writer.write_all(head.as_bytes()).unwrap();
    }

    /// Sends bytes of content as they are, as many as are taken; returns how many.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    /// Sends content as one chunk.
    pub fn chunk(&mut self, bytes: &[u8]) {
        let head = format!("{:x}\r\n", bytes.len());
        self.writer.write_all(&[head.as_bytes(), bytes, b"\r\n"].concat()).unwrap();
    }

    /// Ends the content.
    pub fn end(&mut self) {
        self.writer.write_all(b"0\r\n\r\n").unwrap();
    }

    /// The status and the head of the next answer, of an interim one too.
    pub fn head(&mut self) -> (u16, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.reader.read_line(&mut head).unwrap(), 0, "closed within {head:?}");
        }
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
    }

    /// The next line of an answer in chunks; `None` behind the last.
    pub fn line(&mut self) -> Option<String> {
        let (mut line, mut byte) = (Vec::new(), [0]);
        loop {
            match self.read(&mut byte).unwrap() {
                0 if line.is_empty() => return None,
                0 => panic!("the answer ends within {:?}", String::from_utf8_lossy(&line)),
                _ if byte == *b"\n" => return Some(String::from_utf8(line).unwrap()),
                _ => line.push(byte[0]),
            }
        }
    }

    /// The half that sends and the half that reads, for two threads.
    pub fn split(self) -> (Box<dyn Write + Send>, Self) {
        (self.writer, Self { writer: Box::new(io::sink()), ..self })
    }

    /// Reads the head of the next chunk.
    fn next_chunk(&mut self) -> io::Result<Content> {
        let mut line = String::new();
        if matches!(self.content, Content::Chunk(_)) {
            self.reader.read_line(&mut line)?;
            assert_eq!(line, "\r\n", "a chunk ends where it says");
            line.clear();
        }
        if self.reader.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        match u64::from_str_radix(line.trim_end(), 16).unwrap() {
            0 => Ok(Content::Ended),
            left => Ok(Content::Chunk(left)),
        }
    }
}

/// Reads the content of an answer in chunks.
impl Read for Exchange {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if matches!(self.content, Content::Begins | Content::Chunk(0)) {
            self.content = self.next_chunk()?;
        }
        let Content::Chunk(left) = self.content else { return Ok(0) };
        let most = into.len().min(usize::try_from(left).unwrap());
        let count = self.reader.read(&mut into[..most])?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.content = Content::Chunk(left - count as u64);
        Ok(count)
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
