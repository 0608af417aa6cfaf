//! The node under load: one of our own, or one that somebody else runs.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::timeout;

use crate::arguments::{Plan, Recorded, RunningNode};
use crate::node::{Client, Exceptions, Line, Mint, NAME, Node, Setup, each_recorded};

/// The node under load.
pub(crate) enum Target<'a> {
    Own(Box<Node>),
    Running { node: &'a RunningNode, client: Client, mint: Mint },
}

impl<'a> Target<'a> {
    /// Starts a node, or finds what is needed for the running one.
    pub(crate) fn open(plan: &'a Plan) -> Result<Self, String> {
        let Some(node) = &plan.node else {
            let setup = Setup { hosts: plan.hosts.clone(), ..Setup::default() };
            return Ok(Self::Own(Box::new(Node::start(&setup))));
        };
        let root = CertificateDer::from_pem_file(&node.ca)
            .map_err(|error| format!("--ca {}: {error}", node.ca.display()))?;
        let client = Client::trusting(root)
            .map_err(|error| format!("--ca {}: {error}", node.ca.display()))?;
        let mint = Mint::of(&node.keys)
            .map_err(|error| format!("--keys {}: {error}", node.keys.display()))?;
        Ok(Self::Running { node, client, mint })
    }

    /// Makes a connection for each host and protocol, so that what cannot work is told at once.
    pub(crate) fn reach(&self, plan: &Plan) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let (client, address) = (self.client(), self.https());
            for lane in 0..plan.mailing.lanes() {
                let (protocol, host) = plan.mailing.lane(lane);
                let connecting = Line::connect(&client, address, host, protocol);
                let connected = timeout(PATIENCE, connecting).await;
                let connected = connected.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
                let line = connected.map_err(|error| {
                    format!("--https {address}: {host} over {protocol:?}: {error}")
                })?;
                line.close().await;
            }
            Ok(())
        })
    }

    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    pub(crate) fn client(&self) -> Client {
        match self {
            Self::Own(node) => node.client(),
            Self::Running { client, .. } => client.clone(),
        }
    }

    pub(crate) fn mint(&self) -> Mint {
        match self {
            Self::Own(node) => node.mint().clone(),
            Self::Running { mint, .. } => mint.clone(),
        }
    }

    pub(crate) fn https(&self) -> SocketAddr {
        match self {
            Self::Own(node) => node.https(),
            Self::Running { node, .. } => node.https,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Own(_) => NAME,
            Self::Running { node, .. } => &node.name,
        }
    }

    /// Ends a node of our own, in order.
    pub(crate) fn end(&mut self) {
        if let Self::Own(node) = self {
            let status = node.terminate();
            assert!(status.success(), "the node ended with {status}\n{}", node.told());
        }
    }

    /// Everything that was recorded so far.
    pub(crate) fn each_event(&self, each: &mut dyn FnMut(&str)) -> Result<(), String> {
        match self {
            Self::Own(node) => node.each_event(each),
            Self::Running { node, .. } => match &node.recorded {
                Recorded::Journal(folder) => each_recorded(folder, each)
                    .map_err(|error| format!("--journal {}: {error}", folder.display()))?,
                Recorded::Events(file) => {
                    let wrong = |error| format!("--events {}: {error}", file.display());
                    for line in BufReader::new(File::open(file).map_err(wrong)?).lines() {
                        each(&line.map_err(wrong)?);
                    }
                }
            },
        }
        Ok(())
    }

    /// What the node traced.
    pub(crate) fn exceptions(&self) -> Result<Exceptions, String> {
        match self {
            Self::Own(node) => Ok(node.exceptions()),
            Self::Running { node: RunningNode { traces: Some(file), .. }, .. } => {
                let traces = fs::read(file);
                let traces =
                    traces.map_err(|error| format!("--traces {}: {error}", file.display()))?;
                Ok(Exceptions::read(&String::from_utf8_lossy(&traces)))
            }
            Self::Running { .. } => Ok(Exceptions::default()),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
