//! Every task and thread is started here, so that every one of them is waited for.
//!
//! A [`Drain`] is a group of tasks and threads with one signal. [`Drain::begin`] asks all of them
//! to finish; [`Drain::finished`] waits until they have, or until a grace has passed. Each thread
//! that runs its own runtime has a [`Drain::branch`] of the process's group: one signal, its own
//! tasks.

use std::fmt;
use std::future::Future;
use std::io;
use std::thread::Builder;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A group of tasks and threads that can be asked to end, and waited for.
#[derive(Clone)]
pub struct Drain {
    ending: CancellationToken,
    tasks: TaskTracker,
    /// A thread of this group ended by a panic.
    fallen: CancellationToken,
}

impl Drain {
    /// An empty group.
    pub fn new() -> Self {
        Self {
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
            fallen: CancellationToken::new(),
        }
    }

    /// A group of its own tasks and threads that hears this group's signal.
    #[must_use]
    pub fn branch(&self) -> Self {
        Self { ending: self.ending.clone(), ..Self::new() }
    }

    /// Starts a task on the current runtime. It should end soon after [`Drain::ending`] resolves.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.tasks.track_future(task));
    }

    /// Starts a named thread. It should end soon after [`Drain::begin`]; one that ends by a panic
    /// is told of and counts as ended.
    pub fn thread(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let token = self.tasks.token();
        let (told, fallen) = (name.to_owned(), self.fallen.clone());
        Builder::new().name(name.to_owned()).spawn(move || {
            let _running = Running { name: told, fallen, _token: token };
            body();
        })?;
        Ok(())
    }

    /// Asks every task and thread of the group and its branches to end.
    pub fn begin(&self) {
        self.ending.cancel();
    }

    /// Whether [`Drain::begin`] was called.
    pub fn is_ending(&self) -> bool {
        self.ending.is_cancelled()
    }

    /// Resolves when [`Drain::begin`] is called, at once when it was.
    pub async fn ending(&self) {
        self.ending.cancelled().await;
    }

    /// Resolves when a thread of this group ends by a panic, at once when one has.
    pub async fn fallen(&self) {
        self.fallen.cancelled().await;
    }

    /// Waits until every task and thread of this group (not of its branches) has ended, at most
    /// `grace`; returns how many have not.
    pub async fn finished(&self, grace: Duration) -> usize {
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_ok() {
            return 0;
        }
        self.tasks.len()
    }
}

/// Held by a thread while it runs.
struct Running {
    name: String,
    fallen: CancellationToken,
    _token: TaskTrackerToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(thread = self.name, "a thread ended by a panic");
            self.fallen.cancel();
        }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("ending", &self.is_ending()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_falls_is_told_of_and_counts_as_ended() {
        let drain = Drain::new();
        drain.thread("steady", || ()).unwrap();
        assert_eq!(drain.finished(Duration::from_secs(20)).await, 0);
        assert!(!drain.fallen.is_cancelled());
        drain.thread("falling", || panic!("as it shall")).unwrap();
        drain.fallen().await;
        assert_eq!(drain.finished(Duration::from_secs(20)).await, 0);
    }
}
