//! A connection on which any bytes may be sent: for requests that no client library makes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection of bytes.
pub struct Raw {
    stream: Box<dyn Stream>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Raw {
    /// Over any stream, such as TLS.
    pub(super) fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { stream: Box::new(stream) }
    }

    /// Over TCP alone.
    pub async fn plain(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Reads until `wanted` was seen; returns all that came, `wanted` last.
    /// [`io::ErrorKind::TimedOut`] after `within`.
    pub async fn read_until(&mut self, wanted: &[u8], within: Duration) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        let reading = async {
            while !read.ends_with(wanted) {
                read.push(self.stream.read_u8().await?);
            }
            io::Result::Ok(())
        };
        timeout(within, reading).await.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(read)
    }

    /// Reads until the other side closes, in order or by a reset; returns all that came.
    /// [`io::ErrorKind::TimedOut`] after `within`.
    pub async fn read_to_close(&mut self, within: Duration) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        match timeout(within, self.stream.read_to_end(&mut read)).await {
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => Ok(read),
        }
    }
}
