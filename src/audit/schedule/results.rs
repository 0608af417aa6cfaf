//! What was found, for whoever asks.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::audit::Kept;
use crate::clock::Timestamp;
use crate::hostname::Hostname;
use crate::store::{Kind, Store, StoreError};

/// The results of audits. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Results(Arc<dyn Store>);

impl Results {
    /// Those in a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    /// The last result of a tracking name, if there was one, and when the next audit is due.
    pub async fn of(
        &self,
        name: &Hostname,
    ) -> Result<(Option<Kept>, Option<Timestamp>), StoreError> {
        let Some(stored) = self.0.get(Kind::Audit, name.as_str()).await? else {
            return Ok((None, None));
        };
        let due = stored.content.due.map(|due| due.at);
        Ok((Kept::decode(&stored.content.bytes), due))
    }

    /// The last result of a tracking name in short, as one object; null when there is none.
    pub async fn short(&self, name: &Hostname) -> Result<Value, StoreError> {
        let (kept, due) = self.of(name).await?;
        Ok(kept.map_or(Value::Null, |kept| {
            json!({
                "status": kept.status(),
                "gated": kept.report["gated"],
                "checked_at": kept.checked_at.to_string(),
                "next": due.map(|due| due.to_string()),
                "doubted": topics(&kept.doubted),
                "unanswered": kept.unanswered,
            })
        }))
    }

    /// All of the last result of a tracking name; null when there is none.
    pub async fn whole(&self, name: &Hostname) -> Result<Value, StoreError> {
        let mut object = self.short(name).await?;
        if let ((Some(kept), _), Some(object)) = (self.of(name).await?, object.as_object_mut()) {
            object.insert("report".to_owned(), kept.report);
        }
        Ok(object)
    }
}

fn topics(sections: &[Value]) -> Vec<&Value> {
    sections.iter().map(|section| &section["topic"]).collect()
}
