//! A network that can be slow: a proxy of TCP connections with a rate and a delay.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What a slow network does to each direction of all connections together.
#[derive(Clone, Copy, Debug)]
pub struct Slowness {
    /// Bytes a second.
    pub rate: usize,
    /// How long a byte is on its way.
    pub latency: Duration,
}

/// A proxy on a port of its own. It leads nowhere at first.
#[derive(Clone)]
pub struct Proxy {
    port: u16,
    network: Arc<Network>,
}

#[derive(Default)]
struct Network {
    target: AtomicU16,
    slowness: Mutex<Option<Slowness>>,
    /// When each direction is free again.
    free: [Mutex<Option<Instant>>; 2],
}

impl Proxy {
    /// Begins to listen.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let network = Arc::<Network>::default();
        let of = Arc::clone(&network);
        // Ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming() {
                of.connect(&client.unwrap());
            }
        });
        Self { port, network }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Says where new connections go.
    pub fn lead_to(&self, port: u16) {
        self.network.target.store(port, Ordering::Relaxed);
    }

    /// Makes the network slow, or fast again.
    pub fn slow(&self, slowness: Option<Slowness>) {
        *self.network.slowness.lock().unwrap() = slowness;
    }
}

impl Network {
    fn connect(self: &Arc<Self>, client: &TcpStream) {
        let port = self.target.load(Ordering::Relaxed);
        // Nobody there: the client sees its connection end.
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
        for stream in [client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let clone = |stream: &TcpStream| stream.try_clone().unwrap();
        for (direction, from, to) in
            [(0, clone(client), clone(&server)), (1, clone(&server), clone(client))]
        {
            // A link holds what is on its way and no more; then its sender waits.
            let (sender, receiver) = sync_channel(ON_ITS_WAY);
            let of = Arc::clone(self);
            thread::spawn(move || take(from, &sender));
            thread::spawn(move || of.give(direction, to, &receiver));
        }
    }

    fn give(&self, direction: usize, mut to: TcpStream, chunks: &Receiver<(Instant, Vec<u8>)>) {
        for (taken, bytes) in chunks {
            let slowness = *self.slowness.lock().unwrap();
            if let Some(Slowness { rate, latency }) = slowness {
                let due = {
                    let mut free = self.free[direction].lock().unwrap();
                    let begun = free.unwrap_or(taken).max(taken);
                    let takes = Duration::from_secs_f64(bytes.len() as f64 / rate as f64);
                    *free.insert(begun + takes) + latency
                };
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Both));
    }
}

fn take(mut from: TcpStream, chunks: &SyncSender<(Instant, Vec<u8>)>) {
    let mut bytes = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if chunks.send((Instant::now(), bytes[..count].to_vec())).is_err() {
            break;
        }
    }
}

const CHUNK: usize = 4 << 10;
/// Chunks: what is on its way at 50 kB/s with a latency of two seconds, and some.
const ON_ITS_WAY: usize = 32;
