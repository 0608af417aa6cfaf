//! A closed loop of connections against one server, and what it cost the server.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use waypost::clock::{Clock, SystemClock};

use crate::client::{Agreed, Client};
use crate::frames::Http2;
use crate::identity::Identity;
use crate::process;
use crate::server::Server;
use crate::waypost::syncs;
use crate::work::{STREAMS, Work};

/// What one piece of work cost one server in one round.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Microseconds of CPU time for each request, of all the server's processes.
    pub(crate) cpu: f64,
    /// Median microseconds from a request (cold: from the connection) to the whole answer.
    pub(crate) p50: f64,
    /// The 99th percentile of the same.
    pub(crate) p99: f64,
    /// Answers each second.
    pub(crate) rate: f64,
    /// Answers for each sync of the journal, where the server tells.
    pub(crate) batch: Option<f64>,
    /// What the handshakes agreed on.
    pub(crate) agreed: Agreed,
}

/// Measures `work` for `length`. An error is one request that went wrong: then no figure counts.
pub(crate) fn run(
    work: Work,
    server: &Server,
    identity: &Identity,
    length: Duration,
) -> Result<Sample, String> {
    let client = Client::new(server, identity, work.group(), work.protocol())?;
    let course = Arc::new(Course::default());
    let threads: Vec<_> = (0..THREADS.min(work.connections()))
        .map(|thread| {
            let (client, course) = (client.clone(), Arc::clone(&course));
            let connections = (work.connections() - thread).div_ceil(THREADS);
            let path = server.path.clone();
            thread::spawn(move || drive(work, connections, &client, &path, &course))
        })
        .collect();
    let window = watch(work, server, &course, length);
    course.stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for thread in threads {
        latencies.append(&mut thread.join().map_err(|_| "a thread of the client panicked")??);
    }
    let window = window?;
    if let Some(failure) = course.failure() {
        return Err(failure);
    }
    latencies.sort_unstable();
    let at = |part: f64| {
        let index = (latencies.len() as f64 * part) as usize;
        latencies.get(index).map_or(f64::NAN, |tenths| f64::from(*tenths) / 10.0)
    };
    let agreed = course.agreed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Sample {
        cpu: window.cpu.as_secs_f64() * 1e6 / window.answers as f64,
        p50: at(0.50),
        p99: at(0.99),
        rate: window.answers as f64 / window.length.as_secs_f64(),
        batch: window.syncs.map(|syncs| window.answers as f64 / syncs as f64),
        agreed: agreed.ok_or("no handshake was made")?,
    })
}

/// What the loop's threads and the one that measures share.
#[derive(Debug, Default)]
struct Course {
    stop: AtomicBool,
    is_recording: AtomicBool,
    answers: AtomicU64,
    /// Connections that had an answer.
    warm: AtomicUsize,
    agreed: Mutex<Option<Agreed>>,
    failure: Mutex<Option<String>>,
}

impl Course {
    fn fail(&self, reason: String) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }

    fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn agree(&self, agreed: &Agreed) -> Result<(), String> {
        let mut all = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_with(|| agreed.clone());
        if all == agreed { Ok(()) } else { Err(format!("one handshake {all}, another {agreed}")) }
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn answered(&self, asked: Instant, latencies: &mut Vec<u32>) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if self.is_recording.load(Ordering::Relaxed) {
            let tenths = asked.elapsed().as_nanos() / 100;
            latencies.push(u32::try_from(tenths).unwrap_or(u32::MAX));
        }
    }
}

struct Window {
    length: Duration,
    cpu: Duration,
    answers: u64,
    syncs: Option<u64>,
}

/// Waits until every connection is warm, then measures for `length`.
fn watch(work: Work, server: &Server, course: &Course, length: Duration) -> Result<Window, String> {
    let begun = SystemClock.now();
    while course.warm.load(Ordering::Relaxed) < work.connections() {
        if let Some(failure) = course.failure() {
            return Err(failure);
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("not every connection had an answer within {PATIENCE:?}"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(WARMING);
    // The metrics are asked for outside the measured window, which they would cost.
    let syncs_before = syncs(server)?;
    course.is_recording.store(true, Ordering::Relaxed);
    let (begun, cpu) = (SystemClock.now(), process::cpu_time(server.process())?);
    let answers = course.answers.load(Ordering::Relaxed);
    thread::sleep(length);
    let answers = course.answers.load(Ordering::Relaxed) - answers;
    let (length, cpu) = (begun.elapsed(), process::cpu_time(server.process())? - cpu);
    course.is_recording.store(false, Ordering::Relaxed);
    let syncs = syncs(server)?.zip(syncs_before).map(|(after, before)| after - before);
    Ok(Window { length, cpu, answers, syncs })
}

/// One thread of the client. Returns latencies in tenths of a microsecond.
fn drive(
    work: Work,
    connections: usize,
    client: &Client,
    path: &str,
    course: &Arc<Course>,
) -> Result<Vec<u32>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            let (client, course, path) = (client.clone(), Arc::clone(course), path.to_owned());
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                let outcome = match work {
                    Work::Cold | Work::ColdHybrid => cold(&client, &course, &mut latencies).await,
                    Work::WarmHttp1 | Work::Lone => http1(&client, &course, &mut latencies).await,
                    Work::WarmHttp2 => http2(&client, &path, &course, &mut latencies).await,
                };
                if let Err(reason) = outcome {
                    course.fail(reason);
                }
                latencies
            });
        }
        let all = async { tasks.join_all().await.concat() };
        tokio::time::timeout(LONGEST, all).await.map_err(|_| "the client never ended".to_owned())
    })
}

async fn cold(client: &Client, course: &Course, latencies: &mut Vec<u32>) -> Result<(), String> {
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut is_warm = false;
    while !course.is_stopping() {
        let asked = SystemClock.now();
        let (mut stream, agreed) = client.connect().await?;
        course.agree(&agreed)?;
        client.ask(&mut stream, &mut buffer).await?;
        course.answered(asked, latencies);
        if !std::mem::replace(&mut is_warm, true) {
            course.warm.fetch_add(1, Ordering::Relaxed);
        }
        // The client leaves first, as browsers do; a server that already left is no fault.
        drop(stream.shutdown().await);
    }
    Ok(())
}

async fn http1(client: &Client, course: &Course, latencies: &mut Vec<u32>) -> Result<(), String> {
    let mut buffer = Vec::with_capacity(BUFFER);
    let (mut stream, agreed) = client.connect().await?;
    course.agree(&agreed)?;
    client.ask(&mut stream, &mut buffer).await?;
    course.warm.fetch_add(1, Ordering::Relaxed);
    while !course.is_stopping() {
        let asked = SystemClock.now();
        client.ask(&mut stream, &mut buffer).await?;
        course.answered(asked, latencies);
    }
    drop(stream.shutdown().await);
    Ok(())
}

async fn http2(
    client: &Client,
    path: &str,
    course: &Course,
    latencies: &mut Vec<u32>,
) -> Result<(), String> {
    let (mut stream, agreed) = client.connect().await?;
    course.agree(&agreed)?;
    let mut connection = Http2::new(path);
    let mut buffer = vec![0; BUFFER];
    let mut asked: Vec<_> = (0..STREAMS).map(|_| (connection.ask(), SystemClock.now())).collect();
    let mut ended = Vec::new();
    let mut is_warm = false;
    while !(course.is_stopping() && asked.is_empty()) {
        stream.write_all(&connection.out).await.map_err(|error| format!("asking: {error}"))?;
        connection.out.clear();
        let count = stream.read(&mut buffer).await.map_err(|error| format!("reading: {error}"))?;
        if count == 0 {
            return Err("the connection ended before the answers did".to_owned());
        }
        connection.read(&buffer[..count], &mut ended)?;
        for stream in ended.drain(..) {
            let place = asked.iter().position(|(open, _)| *open == stream);
            let (_, began) = asked.swap_remove(place.ok_or("an answer that nobody asked for")?);
            course.answered(began, latencies);
            if !std::mem::replace(&mut is_warm, true) {
                course.warm.fetch_add(1, Ordering::Relaxed);
            }
            if !course.is_stopping() {
                asked.push((connection.ask(), SystemClock.now()));
            }
        }
    }
    drop(stream.shutdown().await);
    Ok(())
}

/// As many as cores: the client shares them with the server, whose CPU time alone is counted.
const THREADS: usize = 2;
const WARMING: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(60);
const BUFFER: usize = 16 << 10;
