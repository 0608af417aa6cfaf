//! What surrounds an event that is about a customer's name.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Timestamp;

/// The bytes of an event about `name`: one CloudEvents 1.0 object in JSON, with these data.
pub fn envelope(id: &Uuid, kind: &str, name: &str, time: Timestamp, data: Value) -> Vec<u8> {
    let event = json!({
        "specversion": "1.0",
        "id": id.hyphenated().to_string(),
        "type": kind,
        "source": format!("https://{name}"),
        "subject": name,
        "time": time.to_string(),
        "datacontenttype": "application/json",
        "data": data,
    });
    event.to_string().into_bytes()
}
