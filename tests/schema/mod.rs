//! The schemas of events, and whether they hold each field.

#![allow(clippy::disallowed_methods, reason = "a test reads files")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(unreachable_pub, reason = "a module of tests")]

use std::fs;

use jsonschema::Validator;
use serde_json::{Value, json};

/// The schema in a file.
pub fn schema(file: &str) -> Validator {
    let text = fs::read(file).unwrap();
    jsonschema::validator_for(&serde_json::from_slice(&text).unwrap()).unwrap()
}

/// Removes and retypes each field of these parts, to see it refused, and adds one.
pub fn each_field_is_held(schema: &Validator, event: &Value, parts: &[&str]) {
    for part in parts {
        let names: Vec<_> =
            event.pointer(part).unwrap().as_object().unwrap().keys().cloned().collect();
        for name in names {
            let mut without = event.clone();
            without.pointer_mut(part).unwrap().as_object_mut().unwrap().remove(&name);
            assert!(!schema.is_valid(&without), "without {part}/{name}");
            let mut retyped = event.clone();
            retyped.pointer_mut(part).unwrap()[&name] = json!(7.5);
            assert!(!schema.is_valid(&retyped), "{part}/{name} retyped");
        }
        let mut more = event.clone();
        more.pointer_mut(part).unwrap()["colour"] = json!("blue");
        assert!(!schema.is_valid(&more), "{part}/colour");
    }
}
