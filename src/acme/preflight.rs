//! What is looked at before an authority is asked.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::challenges::Challenges;
use super::failure::{Failure, FailureKind};
use super::{IssuerConfig, SelfProbe};
use crate::dns::{CaaSet, Issuer, Lookup, Name};
use crate::domains::{Finding, Register, RegisterError};
use crate::fetch::Client;
use crate::hostname::Hostname;

/// Looks before an authority is asked.
#[derive(Clone, Debug)]
pub(super) struct Preflight {
    pub(super) register: Register,
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) challenges: Challenges,
    pub(super) http: Client,
    pub(super) self_probe: SelfProbe,
    pub(super) http_port: u16,
}

/// What CAA records say, as far as anybody does.
#[derive(Debug)]
pub(super) struct Permission(Option<CaaSet>);

impl Preflight {
    /// Whether a name leads to us now, by its zone's own servers, and who may certify it.
    pub(super) async fn look(&self, name: &Hostname) -> Result<Permission, Failure> {
        let refused = |error: RegisterError| Failure::new(FailureKind::Node, error);
        let sight = self.register.look_again(name).await.map_err(refused)?;
        let found = sight.finding.found(&sight.chain);
        match sight.finding {
            Finding::Target
            | Finding::Flattened(_)
            | Finding::Wildcard
            | Finding::Forbidden { .. } => {}
            // That nobody says where it leads is no absence.
            Finding::Failed(..) | Finding::Disagreement => {
                return Err(Failure::new(FailureKind::Unseen, found));
            }
            _ => return Err(Failure::new(FailureKind::NotPointed, found)),
        }
        // Asked a moment ago, so that it is mostly remembered.
        match self.lookup.caa(&Name::from(name)).await {
            Ok(set) => Ok(Permission(set)),
            Err((at, failure)) => {
                let told = format!("CAA records could not be read: {failure} ({at})");
                Err(Failure::new(FailureKind::ChallengeDns, told))
            }
        }
    }

    /// Looks at our own port 80 by the name, as the authority will. Costs as much as a
    /// connection; decides only when it is required.
    pub(super) async fn probe(&self, name: &Hostname) -> Result<(), Failure> {
        if self.self_probe == SelfProbe::Off {
            return Ok(());
        }
        let token = format!("probe-{}", uuid::Uuid::new_v4().simple());
        let told = self.challenges.tell(name, &token, token.clone());
        let (host, port) = (name.as_str(), self.http_port);
        let uri = format!("http://{host}:{port}/.well-known/acme-challenge/{token}");
        let request = Request::builder().uri(uri).body(Bytes::new());
        let request = request.map_err(|error| Failure::new(FailureKind::Node, error))?;
        let answer = self.http.send(request).await;
        drop(told);
        let reason = match answer {
            Ok(answer) if answer.status() == StatusCode::OK && *answer.body() == token => {
                return Ok(());
            }
            Ok(answer) => format!("{} answers {}, and not as we do", name, answer.status()),
            Err(error) => error.to_string(),
        };
        if self.self_probe == SelfProbe::Warn {
            tracing::info!(%name, reason, "our own port 80 was not reached by this name");
            return Ok(());
        }
        Err(Failure::new(FailureKind::Unreachable, reason))
    }
}

impl Permission {
    /// Whether an authority may certify (RFC 8659 §4.2, RFC 8657).
    pub(super) fn permits(&self, issuer: &IssuerConfig, account: &str) -> Result<(), Failure> {
        let Some(set) = &self.0 else { return Ok(()) };
        let mut told = None;
        for domain in &issuer.caa {
            let issuer = Issuer { domain, account: Some(account), method: "http-01" };
            match set.permits(&issuer) {
                Ok(()) => return Ok(()),
                Err(forbidden) => told = told.or(Some(forbidden)),
            }
        }
        // Who has no name in CAA records is not held by them.
        told.map_or(Ok(()), |told| {
            Err(Failure::new(FailureKind::Caa, format!("{} {told}", set.at)))
        })
    }
}
