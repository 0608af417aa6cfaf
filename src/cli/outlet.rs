//! Lines on their way to standard error, which may hang or fail: on a full disk, behind a reader
//! that sleeps.
//!
//! A reactor that traces must never wait, so lines go into a bounded buffer and a thread of its
//! own writes them. A line that cannot be written is tried again; one that finds no room is
//! counted, and the count is traced once there is room.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::drain::Drain;

/// Where lines are written to. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    waiting: Mutex<Waiting>,
    /// Told when there are lines to write.
    more: Condvar,
    /// Told when all were written.
    written: Condvar,
    limit: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Whether lines were taken and are being written.
    is_writing: bool,
    /// Lines that found no room.
    lost: u64,
    /// Those of them that were told of.
    told: u64,
}

impl Outlet {
    /// Starts the thread that writes lines to `to`, of which at most `limit` bytes wait.
    pub(super) fn start(to: impl Write + Send + 'static, limit: usize) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            waiting: Mutex::default(),
            more: Condvar::new(),
            written: Condvar::new(),
            limit,
        });
        let outlet = Self { inner };
        let writing = outlet.clone();
        // Nobody waits for its end: it lives as long as the process may have something to say.
        Drain::new().thread("traces", move || writing.run(to))?;
        Ok(outlet)
    }

    /// Waits until all lines are written, at most `within`.
    pub(super) fn flush(&self, within: Duration) {
        let waiting = self.lock();
        let is_busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        drop(self.inner.written.wait_timeout_while(waiting, within, is_busy));
    }

    fn run(&self, mut to: impl Write) {
        let mut lines = Vec::new();
        loop {
            let mut waiting = self.lock();
            waiting.is_writing = false;
            if waiting.lines.is_empty() {
                self.inner.written.notify_all();
            }
            while waiting.lines.is_empty() {
                waiting = self.inner.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut lines, &mut waiting.lines);
            waiting.is_writing = true;
            let lost = waiting.lost;
            let is_news = std::mem::replace(&mut waiting.told, lost) != lost;
            drop(waiting);
            if is_news {
                // Goes into the buffer that was just emptied.
                tracing::warn!(traces_lost = lost, "standard error hung, and traces were lost");
            }
            write_all(&mut to, &lines);
            lines.clear();
            lines.shrink_to(KEPT);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Outlet {
    /// Takes one whole line, at once, or counts it as lost.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lock();
        if waiting.lines.len() + line.len() > self.inner.limit {
            waiting.lost += 1;
        } else {
            waiting.lines.extend_from_slice(line);
            self.inner.more.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Outlet {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Writes everything, however long that takes.
fn write_all(to: &mut impl Write, mut lines: &[u8]) {
    while !lines.is_empty() {
        match to.write(lines) {
            Ok(count) if count > 0 => lines = lines.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // There is nobody left to tell.
            _ => std::thread::sleep(RETRY),
        }
    }
}

/// Bytes of buffer that are kept between writes.
const KEPT: usize = 64 << 10;
const RETRY: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Takes as many bytes as it is allowed each time, or fails.
    struct Slow {
        allowed: Receiver<Option<usize>>,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let Ok(Some(count)) = self.allowed.recv() else {
                return Err(io::ErrorKind::StorageFull.into());
            };
            let count = count.min(bytes.len());
            self.taken.send(bytes[..count].to_vec()).map_err(io::Error::other)?;
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_that_sleeps_and_what_has_room_is_kept_in_order() {
        let ((allow, allowed), (taken, all)) = (channel(), channel());
        let mut outlet = Outlet::start(Slow { allowed, taken }, 100).unwrap();
        for number in 0..50 {
            outlet.write_all(format!("line {number:04}\n").as_bytes()).unwrap();
        }
        let lost = outlet.lock().lost;
        assert!((30..=40).contains(&lost), "{lost}: ten find room, and ten more once those go");
        // A part of a line, a failure, and then all of it.
        for step in [Some(7), None, Some(usize::MAX), Some(usize::MAX)] {
            allow.send(step).unwrap();
        }
        outlet.flush(Duration::from_secs(10));
        let text = String::from_utf8(all.try_iter().flatten().collect()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len() as u64, 50 - lost);
        assert!(lines.iter().all(|line| line.len() == 9), "{lines:?}");
        assert!(lines.is_sorted() && lines[0] == "line 0000", "{lines:?}");
    }

    #[test]
    fn a_flush_does_not_wait_for_ever() {
        let ((_allow, allowed), (taken, _all)) = (channel(), channel());
        let mut outlet = Outlet::start(Slow { allowed, taken }, 100).unwrap();
        outlet.write_all(b"line\n").unwrap();
        outlet.flush(Duration::from_millis(10));
    }
}
