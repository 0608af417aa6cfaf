//! Every task and thread is started here, so that every one of them is waited for.
//!
//! A [`Drain`] is a group of tasks with one signal. [`Drain::begin`] asks all of them to finish;
//! [`Drain::finished`] waits until they have, or until a grace has passed. Each thread that runs
//! its own runtime has a [`Drain::branch`] of the process's group: one signal, its own tasks.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A group of tasks and threads that can be asked to end, and waited for.
#[derive(Clone)]
pub struct Drain {
    ending: CancellationToken,
    tasks: TaskTracker,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Drain {
    /// An empty group.
    pub fn new() -> Self {
        Self {
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
            threads: Arc::default(),
        }
    }

    /// A group of its own tasks that hears this group's signal; its threads belong to this group.
    #[must_use]
    pub fn branch(&self) -> Self {
        Self {
            ending: self.ending.clone(),
            tasks: TaskTracker::new(),
            threads: Arc::clone(&self.threads),
        }
    }

    /// Starts a task on the current runtime. It should end soon after [`Drain::ending`] resolves.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.tasks.track_future(task));
    }

    /// Starts a named thread. It should end soon after [`Drain::begin`].
    pub fn thread(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let handle = Builder::new().name(name.to_owned()).spawn(body)?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
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

    /// Waits until every task of this group (not of its branches) has ended, at most `grace`;
    /// returns how many have not.
    pub async fn finished(&self, grace: Duration) -> usize {
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_ok() {
            return 0;
        }
        self.tasks.len()
    }

    /// Waits for every thread of the group and its branches. A thread that panicked is told of.
    pub fn join(&self) {
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(thread = name, "a thread ended by a panic");
            }
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
