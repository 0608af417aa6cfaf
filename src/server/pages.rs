//! The customers' pages of a running node.

use std::sync::Arc;

use super::hostnames::Hostnames;
use super::node::World;
use crate::audit::schedule::Demand;
use crate::config::Settings;
use crate::drain::Drain;
use crate::edge::Platform;
use crate::edge::desk::{self, Calls, Desk, Parts};
use crate::token::PageMint;

/// The platform's own host with a window to the desk, and what is asked through it.
pub(super) fn window(settings: &Settings) -> (Option<Platform>, Calls) {
    let (desk, calls) = desk::open();
    let platform = settings.domains.target.as_ref().map(|host| Platform {
        host: host.clone(),
        origin: PageMint::origin(host, &settings.links.base),
        desk,
    });
    (platform, calls)
}

/// Begins to answer what is asked.
pub(super) fn start(
    settings: &Settings,
    world: &World,
    (hostnames, demand): (&Hostnames, Option<Demand>),
    calls: Calls,
    drain: &Drain,
) {
    let parts = Parts {
        porter: hostnames.porter.clone(),
        results: hostnames.results(),
        demand,
        clock: Arc::clone(&world.clock),
    };
    Desk::start(&settings.edge, parts, calls, drain);
}
