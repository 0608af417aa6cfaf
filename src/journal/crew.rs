//! The journal's two hands, the writer's and the keeper's, and the threads that move them.

use std::io;

use super::directory::Held;
use super::driver::Driver;
use super::keeper::Keeper;
use super::writer::Action;
use crate::drain::Drain;

/// The hands of one journal. [`Crew::start`] gives each a thread; without threads they move by
/// turns, as a simulation does it, in any order.
#[derive(Debug)]
pub struct Crew {
    pub(super) driver: Driver,
    pub(super) keeper: Keeper,
    /// The lock on our directory. It goes last: whoever takes it finds a directory that nobody
    /// writes.
    pub(super) own: Held,
}

/// Which call of the disk the writer's next turn makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A write to the open segment.
    Write,
    /// A sync of it.
    Sync,
}

impl Crew {
    /// Starts a thread for each hand. They end when the journal is closed and what it took is
    /// durable, or when it is abandoned.
    pub fn start(self, drain: &Drain) -> io::Result<()> {
        let Self { driver, keeper, own } = self;
        drain.thread("journal-keeper", move || keeper.run())?;
        drain.thread("journal-writer", move || {
            driver.run();
            drop(own);
        })
    }

    /// The writer goes on by one step, which calls the disk once at most. False when it cannot:
    /// no frame, no segment, or the time to try again has not come.
    pub fn write(&mut self) -> bool {
        self.driver.turn()
    }

    /// The keeper prepares the segment that was asked for, and looks after retention. False when
    /// none was.
    pub fn keep(&mut self) -> bool {
        self.keeper.turn()
    }

    /// The keeper looks after retention, as it does each minute.
    pub fn retain(&mut self) {
        self.keeper.retain();
    }

    /// The call that the writer's next turn makes, if it makes one.
    pub fn next_call(&self) -> Option<Call> {
        match self.driver.next {
            Action::Write { .. } => Some(Call::Write),
            Action::Sync => Some(Call::Sync),
            _ => None,
        }
    }

    /// Whether the writer has ended: the journal is closed, and what it took is durable or given
    /// up.
    pub fn is_over(&self) -> bool {
        self.driver.is_over()
    }
}
