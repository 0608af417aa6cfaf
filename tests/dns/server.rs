//! The server: sockets, faults, and what was asked.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdTcp, UdpSocket as StdUdp};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_net::proto::op::{Message, ResponseCode};
use hickory_net::proto::rr::RData;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Notify;

use super::answer::{answer, bare, referral, truncated};
use super::records::{Kind, Records, normal};
use super::{a, ns};

/// The server. Stops when it is dropped.
pub struct DnsServer {
    faces: Vec<Arc<Face>>,
    port: u16,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

struct Face {
    number: usize,
    records: RwLock<Records>,
    faults: RwLock<Vec<(String, Fault)>>,
    asked: Mutex<Vec<Asked>>,
}

/// A question that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The face that it came to.
    pub face: usize,
    /// The name, in lower case, without the final dot.
    pub name: String,
    /// The kind.
    pub kind: Kind,
    /// Whether it came over TCP.
    pub is_tcp: bool,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer comes later.
    Delay(Duration),
    /// No answer comes.
    Drop,
    /// FORMERR to a question with EDNS, as old servers give.
    NoEdns,
    /// Bytes that are no message come.
    Garbage,
    /// The server says to ask others.
    Lame,
    /// REFUSED.
    Refuse,
    /// SERVFAIL.
    ServFail,
    /// SERVFAIL to questions of one kind, as servers give that do not know it.
    ServFailFor(Kind),
    /// Over UDP nothing fits.
    Truncate,
}

impl DnsServer {
    /// A server with a resolver at 127.0.0.1 and `authorities` zones' servers at 127.0.0.2 and so
    /// on, all on one port of the kernel's choice.
    pub fn start(authorities: usize) -> Self {
        let mut bound = Err(io::Error::other("never tried"));
        for _ in 0..50 {
            bound = bind(authorities + 1);
            if bound.is_ok() {
                break;
            }
        }
        let (port, sockets) = bound.expect("a port that is free on every address");
        let face = |number| {
            let records = RwLock::new(Records { ttl: 60, ..Records::default() });
            Arc::new(Face { number, records, faults: RwLock::default(), asked: Mutex::default() })
        };
        let faces: Vec<_> = (0..=authorities).map(face).collect();
        let stop = Arc::new(Notify::new());
        let (serving, stopping) = (faces.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                for (face, (udp, tcp)) in serving.into_iter().zip(sockets) {
                    tokio::spawn(datagrams(
                        Arc::clone(&face),
                        Arc::new(UdpSocket::from_std(udp).unwrap()),
                    ));
                    tokio::spawn(streams(face, TcpListener::from_std(tcp).unwrap()));
                }
                stopping.notified().await;
            });
        });
        Self { faces, port, stop, thread: Some(thread) }
    }

    /// The resolver.
    pub fn resolver(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The port of every face.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Begins a zone on every face, served by the zones' own servers; an absence may be remembered
    /// for `negative_ttl` seconds.
    pub fn zone(&self, apex: &str, negative_ttl: u32) {
        self.change(|records| {
            records.zone(apex, negative_ttl);
            for number in 1..self.faces.len() {
                let server = format!("ns{number}.{apex}");
                records.add(apex, ns(&server));
                records.add(&server, a(address(number)));
            }
        });
    }

    /// Adds a record on every face.
    pub fn add(&self, name: &str, data: RData) {
        self.change(|records| records.add(name, data.clone()));
    }

    /// Removes a name on every face.
    pub fn remove(&self, name: &str) {
        self.change(|records| records.remove(name));
    }

    /// Changes the records of every face.
    pub fn change(&self, change: impl Fn(&mut Records)) {
        for face in &self.faces {
            change(&mut face.records.write().unwrap());
        }
    }

    /// Changes the records of one face.
    pub fn change_at(&self, face: usize, change: impl FnOnce(&mut Records)) {
        change(&mut self.faces[face].records.write().unwrap());
    }

    /// Has `fault` happen to every question for `name` and below it, on every face.
    pub fn fault(&self, name: &str, fault: Fault) {
        for face in 0..self.faces.len() {
            self.fault_at(face, name, fault);
        }
    }

    /// Has `fault` happen on one face.
    pub fn fault_at(&self, face: usize, name: &str, fault: Fault) {
        self.faces[face].faults.write().unwrap().push((normal(name), fault));
    }

    /// Ends all faults.
    pub fn heal(&self) {
        for face in &self.faces {
            face.faults.write().unwrap().clear();
        }
    }

    /// The questions that came since the last call, face by face.
    pub fn asked(&self) -> Vec<Asked> {
        self.faces.iter().flat_map(|f| std::mem::take(&mut *f.asked.lock().unwrap())).collect()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Face {
    fn note(&self, request: &Message, is_tcp: bool) -> Vec<Fault> {
        let Some(query) = request.queries.first() else { return Vec::new() };
        let (name, kind) = (normal(&query.name().to_string()), query.query_type());
        let faults = self.faults.read().unwrap();
        let hit = |(at, _): &&(String, Fault)| {
            name.strip_suffix(at.as_str()).is_some_and(|f| f.is_empty() || f.ends_with('.'))
        };
        let faults = faults.iter().filter(hit).map(|(_, fault)| *fault).collect();
        let asked = Asked { face: self.number, name, kind, is_tcp };
        self.asked.lock().unwrap().push(asked);
        faults
    }

    /// The bytes of the answer; none when none comes.
    async fn answered(&self, bytes: &[u8], is_tcp: bool) -> Option<Vec<u8>> {
        let request = Message::from_vec(bytes).ok()?;
        let mut answer = None;
        for fault in self.note(&request, is_tcp) {
            answer = match fault {
                Fault::Delay(wait) => {
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Fault::Drop => return None,
                Fault::Garbage => return Some([&bytes[..2], &[0x81; 9]].concat()),
                Fault::NoEdns if request.edns.is_none() => None,
                Fault::NoEdns => Some(bare(&request, ResponseCode::FormErr)),
                Fault::Lame => Some(referral(&request)),
                Fault::Refuse => Some(bare(&request, ResponseCode::Refused)),
                Fault::ServFailFor(kind) if !asks_for(&request, kind) => None,
                Fault::ServFail | Fault::ServFailFor(_) => {
                    Some(bare(&request, ResponseCode::ServFail))
                }
                Fault::Truncate if is_tcp => None,
                Fault::Truncate => Some(truncated(&request)),
            };
        }
        let ours = || answer_of(self, &request);
        answer.unwrap_or_else(ours).to_vec().ok()
    }
}

fn asks_for(request: &Message, kind: Kind) -> bool {
    request.queries.first().is_some_and(|query| query.query_type() == kind)
}

fn answer_of(face: &Face, request: &Message) -> Message {
    answer(request, &face.records.read().unwrap(), face.number == 0)
}

async fn datagrams(face: Arc<Face>, socket: Arc<UdpSocket>) {
    let mut buffer = vec![0; 4_096];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { continue };
        let (face, socket) = (Arc::clone(&face), Arc::clone(&socket));
        let bytes = buffer[..length].to_vec();
        tokio::spawn(async move {
            if let Some(answer) = face.answered(&bytes, false).await {
                drop(socket.send_to(&answer, peer).await);
            }
        });
    }
}

async fn streams(face: Arc<Face>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let face = Arc::clone(&face);
        tokio::spawn(async move { drop(conversation(&face, stream).await) });
    }
}

async fn conversation(face: &Face, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let mut request = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut request).await?;
        let Some(answer) = face.answered(&request, true).await else { return Ok(()) };
        stream.write_u16(answer.len() as u16).await?;
        stream.write_all(&answer).await?;
    }
}

type Bound = (u16, Vec<(StdUdp, StdTcp)>);

fn bind(faces: usize) -> io::Result<Bound> {
    let mut port = 0;
    let mut sockets = Vec::new();
    for number in 0..faces {
        let tcp = StdTcp::bind((address(number), port))?;
        port = tcp.local_addr()?.port();
        let udp = StdUdp::bind((address(number), port))?;
        tcp.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;
        sockets.push((udp, tcp));
    }
    Ok((port, sockets))
}

/// The address of a face.
fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, number as u8 + 1)
}
