//! What each part of a click costs by itself: the token, the event, the frame, the append.
//!
//! `cargo bench --bench parts -- append/disk`
//!
//! Each figure comes with its throughput. The journal's hands are moved by the bench, on one
//! thread: what is measured is the writer's work and the disk's, without any wake-up. On a file
//! system in memory a sync costs nothing: there the appends that wait for the disk are VOID and
//! are not measured.

#![expect(clippy::disallowed_methods, reason = "a bench reads clocks and the environment")]
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

mod append;
mod event;
mod frame;
mod nowhere;
mod token;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    token::bench(&mut criterion);
    event::bench(&mut criterion);
    frame::bench(&mut criterion);
    append::bench(&mut criterion);
    criterion.final_summary();
}
