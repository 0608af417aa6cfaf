//! One question to one server: over UDP, and over TCP when the answer does not fit.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use hickory_net::proto::op::{Message, ResponseCode, SerialMessage};
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::{DnsStreamHandle, NetError};
use tokio::net::UdpSocket;

use super::wire::Recursion;
use super::{Failure, Question, wire};

/// Asks `server` once. Each of the at most three attempts that this takes (UDP, TCP, without
/// EDNS) ends within `timeout`.
pub(super) async fn ask(
    server: SocketAddr,
    question: &Question,
    recursion: Recursion,
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
    (recursion, edns): (Recursion, bool),
    timeout: Duration,
) -> Result<Message, Failure> {
    let request = wire::request(question, recursion, edns)?;
    let answer = within(timeout, udp(server, &request)).await?;
    if !answer.metadata.truncation {
        return Ok(answer);
    }
    let answer = within(timeout, tcp(server, &request, timeout)).await?;
    let fits = wire::answers(&answer, &request) && !answer.metadata.truncation;
    if fits { Ok(answer) } else { Err(Failure::Malformed) }
}

async fn within(
    timeout: Duration,
    answer: impl Future<Output = Result<Message, Failure>>,
) -> Result<Message, Failure> {
    tokio::time::timeout(timeout, answer).await.unwrap_or(Err(Failure::TimedOut))
}

/// Asks over UDP from a port that the system picks at random. Asking again is decided further up,
/// where it is counted. hickory's client would do, but it keeps the bytes that it cannot read.
async fn udp(server: SocketAddr, request: &Message) -> Result<Message, Failure> {
    let bytes = request.to_vec().map_err(|_| Failure::Malformed)?;
    let any = if server.is_ipv4() { ANY_IP4 } else { ANY_IP6 };
    let socket = UdpSocket::bind(any).await.map_err(|error| unsent(&error))?;
    socket.send_to(&bytes, server).await.map_err(|error| unsent(&error))?;
    let mut buffer = vec![0; LARGEST];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer).await.map_err(|error| unsent(&error))?;
        // Whoever else sends, or guesses wrong, is not heard: the answer may still come.
        if (peer.ip(), peer.port()) != (server.ip(), server.port())
            || buffer.get(..2) != bytes.get(..2)
        {
            continue;
        }
        let answer = wire::message(buffer.get(..length).unwrap_or_default())?;
        if wire::answers(&answer, request) {
            return Ok(answer);
        }
    }
}

async fn tcp(server: SocketAddr, message: &Message, timeout: Duration) -> Result<Message, Failure> {
    let bytes = message.to_vec().map_err(|_| Failure::Malformed)?;
    let provider = TokioRuntimeProvider::new();
    let (connecting, mut sender) = TcpClientStream::new(server, None, Some(timeout), provider);
    let mut stream = connecting.await.map_err(|error| failure(&error))?;
    sender.send(SerialMessage::new(bytes, server)).map_err(|error| failure(&error))?;
    match stream.next().await {
        Some(answer) => wire::message(answer.map_err(|error| failure(&error))?.bytes()),
        None => Err(Failure::Unreachable),
    }
}

fn unsent(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut => Failure::TimedOut,
        _ => Failure::Unreachable,
    }
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

const ANY_IP4: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
const ANY_IP6: (IpAddr, u16) = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
/// What is read of a datagram: servers that know no EDNS may send more than was asked for.
const LARGEST: usize = 16_384;
