//! One page of the list of domains.

use serde_json::{Value, json};

/// One page of the list of domains.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The domains as objects, in the order of names. One that is damaged in the store has the
    /// state `damaged` and nothing else.
    pub domains: Vec<Value>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<String>,
}

impl Listed {
    /// The page as one object.
    pub fn object(&self) -> Value {
        json!({ "domains": self.domains, "next": self.next })
    }
}
