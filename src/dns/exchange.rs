//! One question to one server: over UDP, and over TCP when the answer does not fit.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use hickory_net::proto::op::{DnsRequest, DnsResponse, Message, ResponseCode, SerialMessage};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::DnsRequestSender;
use hickory_net::{DnsStreamHandle, NetError};

use super::{Failure, Question, wire};

/// Asks `server` once. Each of the at most three attempts that this takes (UDP, TCP, without
/// EDNS) ends within `timeout`.
pub(super) async fn ask(
    server: SocketAddr,
    question: &Question,
    recursion: bool,
    timeout: Duration,
) -> Result<Message, Failure> {
    let message = attempt(server, question, (recursion, true), timeout).await?;
    match message.metadata.response_code {
        // Servers that know no EDNS say so, or fail to read it (RFC 6891 §7).
        ResponseCode::FormErr | ResponseCode::NotImp | ResponseCode::BADVERS => {
            attempt(server, question, (recursion, false), timeout).await
        }
        _ => Ok(message),
    }
}

async fn attempt(
    server: SocketAddr,
    question: &Question,
    (recursion, edns): (bool, bool),
    timeout: Duration,
) -> Result<Message, Failure> {
    let (message, options) = wire::request(question, recursion, edns)?;
    let mut udp = UdpClientStream::builder(server, TokioRuntimeProvider::new())
        .with_timeout(Some(timeout))
        // Asking again is decided further up, where it is counted.
        .with_max_retries(1)
        // Linux picks from its whole range at random.
        .with_os_port_selection(true)
        .build();
    let sent = udp.send_message(DnsRequest::new(message.clone(), options));
    let response = first(sent).await?;
    if !response.truncation {
        return Ok(response.into_message());
    }
    let over_tcp = tcp(server, &message, timeout);
    tokio::time::timeout(timeout, over_tcp).await.map_err(|_| Failure::TimedOut)?
}

async fn first(
    mut responses: impl futures_util::Stream<Item = Result<DnsResponse, NetError>> + Unpin,
) -> Result<DnsResponse, Failure> {
    match responses.next().await {
        Some(response) => response.map_err(|error| failure(&error)),
        // A time-out ends the stream without an item.
        None => Err(Failure::TimedOut),
    }
}

async fn tcp(server: SocketAddr, message: &Message, timeout: Duration) -> Result<Message, Failure> {
    let bytes = message.to_vec().map_err(|_| Failure::Malformed)?;
    let provider = TokioRuntimeProvider::new();
    let (connecting, mut sender) = TcpClientStream::new(server, None, Some(timeout), provider);
    let mut stream = connecting.await.map_err(|error| failure(&error))?;
    sender.send(SerialMessage::new(bytes, server)).map_err(|error| failure(&error))?;
    let answer = match stream.next().await {
        Some(answer) => answer.map_err(|error| failure(&error))?,
        None => return Err(Failure::Unreachable),
    };
    let answer = answer.to_message().map_err(|_| Failure::Malformed)?;
    let fits = answer.metadata.id == message.metadata.id
        && answer.queries == message.queries
        && !answer.metadata.truncation;
    if fits { Ok(answer) } else { Err(Failure::Malformed) }
}

fn failure(error: &NetError) -> Failure {
    match error {
        NetError::Timeout => Failure::TimedOut,
        NetError::Busy => Failure::Busy,
        NetError::Io(error) if error.kind() == io::ErrorKind::TimedOut => Failure::TimedOut,
        NetError::Io(error) if error.kind() == io::ErrorKind::InvalidData => Failure::Malformed,
        NetError::Io(_) | NetError::NoConnections => Failure::Unreachable,
        _ => Failure::Malformed,
    }
}
