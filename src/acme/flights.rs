//! One piece of work for a name at a time, whose result all share who wait for it.

use std::fmt;
use std::sync::Arc;

use dashmap::{DashMap, Entry};
use tokio::sync::watch;

use super::failure::{Failure, FailureKind};
use crate::hostname::Hostname;

/// What a flight comes to.
pub(super) type Outcome = Result<(), Failure>;

/// The names that are worked on. Cloning shares them.
#[derive(Clone, Default)]
pub(super) struct Flights {
    names: Arc<DashMap<Hostname, watch::Receiver<Option<Outcome>>>>,
}

/// What somebody is who comes for a name.
pub(super) enum Boarding {
    /// The first: the work is to be done.
    First(Landing, Seat),
    /// One more.
    Later(Seat),
}

/// Held by whoever works on a name; when it is dropped, whatever happened, the name is free.
pub(super) struct Landing {
    flights: Flights,
    name: Hostname,
    told: watch::Sender<Option<Outcome>>,
    has_landed: bool,
}

/// A place from which the end is seen.
pub(super) struct Seat(watch::Receiver<Option<Outcome>>);

impl Flights {
    /// Comes for a name.
    pub(super) fn board(&self, name: &Hostname) -> Boarding {
        match self.names.entry(name.clone()) {
            Entry::Occupied(flight) => Boarding::Later(Seat(flight.get().clone())),
            Entry::Vacant(entry) => {
                let (told, seen) = watch::channel(None);
                entry.insert(seen.clone());
                let landing =
                    Landing { flights: self.clone(), name: name.clone(), told, has_landed: false };
                Boarding::First(landing, Seat(seen))
            }
        }
    }

    /// How many names are worked on.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}

impl Landing {
    /// The name that is worked on.
    pub(super) fn name(&self) -> &Hostname {
        &self.name
    }

    /// Tells whoever waits how it ends, while there is still something to do.
    pub(super) fn tell(&self, outcome: Outcome) {
        self.told.send_replace(Some(outcome));
    }

    /// Tells everybody how it ended.
    pub(super) fn land(mut self, outcome: Outcome) {
        self.has_landed = true;
        // Those who come from now on find it done, and not in progress.
        self.flights.names.remove(&self.name);
        self.told.send_replace(Some(outcome));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        // After a landing somebody else may be at work on it.
        if !self.has_landed {
            self.flights.names.remove(&self.name);
        }
    }
}

impl Seat {
    /// Waits for the end.
    pub(super) async fn landed(mut self) -> Outcome {
        let outcome = self.0.wait_for(Option::is_some).await.ok();
        outcome
            .and_then(|outcome| outcome.clone())
            .unwrap_or_else(|| Err(Failure::new(FailureKind::Node, "the work on it was given up")))
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("names", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> Hostname {
        Hostname::parse("trk.example.com").unwrap()
    }

    #[tokio::test]
    async fn all_who_wait_see_one_end_and_the_name_is_free_again() {
        let flights = Flights::default();
        let Boarding::First(landing, first) = flights.board(&name()) else { panic!() };
        let Boarding::Later(second) = flights.board(&name()) else { panic!() };
        landing.land(Ok(()));
        assert_eq!((first.landed().await, second.landed().await), (Ok(()), Ok(())));
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test]
    async fn work_that_was_given_up_frees_the_name_and_is_told() {
        let flights = Flights::default();
        let Boarding::First(landing, seat) = flights.board(&name()) else { panic!() };
        drop(landing);
        assert_eq!(seat.landed().await.unwrap_err().kind, FailureKind::Node);
        assert!(matches!(flights.board(&name()), Boarding::First(..)));
    }
}
