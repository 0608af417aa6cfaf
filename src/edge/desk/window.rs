//! Through which reactors ask.

use std::time::Duration;

use http::StatusCode;
use tokio::sync::{mpsc, oneshot};

use crate::token::Pass;

/// Where reactors ask the desk. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Window(mpsc::Sender<Call>);

/// What is asked of the desk.
#[derive(Debug)]
pub struct Calls(pub(super) mpsc::Receiver<Call>);

/// What is wanted of a name's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To see it.
    Show,
    /// To have the name looked at.
    Check,
}

/// One question.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) pass: Pass,
    /// The page's path.
    pub(super) path: String,
    pub(super) wish: Wish,
    pub(super) answer: oneshot::Sender<Said>,
}

/// What the desk says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge) enum Said {
    /// A page.
    Page(StatusCode, String),
    /// Go and see the page at this path.
    See(String),
    /// Nothing, in time.
    Nothing,
}

/// A desk's window, and what is asked through it.
pub fn open() -> (Window, Calls) {
    let (window, calls) = mpsc::channel(WAITING);
    (Window(window), Calls(calls))
}

impl Window {
    /// Asks, and waits a bounded time for the answer.
    pub(in crate::edge) async fn ask(&self, pass: Pass, path: String, wish: Wish) -> Said {
        let (answer, said) = oneshot::channel();
        if self.0.try_send(Call { pass, path, wish, answer }).is_err() {
            return Said::Nothing;
        }
        match tokio::time::timeout(PATIENCE, said).await {
            Ok(Ok(said)) => said,
            Ok(Err(_)) | Err(_) => Said::Nothing,
        }
    }
}

/// Questions that wait; with more of them the next is turned away.
const WAITING: usize = 64;
/// Longer than the desk itself waits for a check, and than the store takes to fail.
const PATIENCE: Duration = Duration::from_secs(8);
