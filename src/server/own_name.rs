//! The platform's own name, certified as customers' names are.

use std::time::Duration;

use crate::config::Settings;
use crate::domains::{Addition, Origin, Register, RegisterError};
use crate::drain::Drain;
use crate::hostname::Hostname;
use crate::store::LocalStore;
use crate::tls::Certificates;

/// Lists the target itself, so that its certificate is there before anybody visits it; not where
/// a file holds one, and not again where somebody removed it.
pub(super) fn list(
    settings: &Settings,
    register: &Register,
    (store, certificates): (&LocalStore, &Certificates),
    drain: &Drain,
) {
    let is_wanted = settings.acme.own_name && !settings.acme.issuers.is_empty();
    let Some(target) = settings.domains.target.clone().filter(|_| is_wanted) else { return };
    if certificates.serves(&target) {
        return;
    }
    let (register, store, ending) = (register.clone(), store.clone(), drain.clone());
    drain.spawn(async move {
        tokio::select! {
            () = add(&register, &store, &target) => {}
            () = ending.ending() => {}
        }
    });
}

async fn add(register: &Register, store: &LocalStore, target: &Hostname) {
    // The store may still be another process's for a while.
    while store.opened().await.is_err() {
        tokio::time::sleep(AGAIN).await;
    }
    loop {
        let listed = match register.show(target).await {
            Err(RegisterError::Missing(_)) => {
                let addition = Addition::of(target.clone());
                register.add(&[addition], Origin::Operator).await.map(|_| ())
            }
            shown => shown.map(|_| ()),
        };
        let Err(error) = listed else { return };
        tracing::warn!(%target, %error, "our own name is not listed yet");
        tokio::time::sleep(AGAIN).await;
    }
}

/// How long after a failure of the store it is tried again.
const AGAIN: Duration = Duration::from_secs(1);
