//! The end of a connection that we close first.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Says that nothing more will come, and with `lingers` then reads for a while what the client
/// still sends: closing with unread bytes would make the kernel reset the connection, and the
/// client might lose the answer that it has not read yet (RFC 9112 §9.6).
pub(super) async fn close(mut stream: impl AsyncRead + AsyncWrite + Unpin, lingers: bool) {
    let closed = timeout(LONGEST, stream.shutdown()).await;
    if !lingers || !matches!(closed, Ok(Ok(()))) {
        return;
    }
    let mut sink = [0; 1_024];
    let drained = async {
        let mut left = MOST;
        while let Ok(count @ 1..) = stream.read(&mut sink).await {
            left = left.saturating_sub(count);
            if left == 0 {
                return;
            }
        }
    };
    // Whether it ended or was given up makes no difference.
    timeout(LONGEST, drained).await.unwrap_or_default();
}

const LONGEST: Duration = Duration::from_secs(1);
const MOST: usize = 256 << 10;
