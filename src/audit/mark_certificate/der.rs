//! What stands inside of DER, level by level.

use x509_parser::asn1_rs::{Any, Class, FromDer};

/// The values that stand next to each other; `None` when it is no DER, or more than is read.
pub(super) fn values(mut bytes: &[u8]) -> Option<Vec<Any<'_>>> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        if values.len() == MOST {
            return None;
        }
        let (rest, value) = Any::from_der(bytes).ok()?;
        values.push(value);
        bytes = rest;
    }
    Some(values)
}

/// The values inside of the only value.
pub(super) fn inside(bytes: &[u8]) -> Option<Vec<Any<'_>>> {
    match values(bytes)?.as_slice() {
        [only] => values(only.data),
        _ => None,
    }
}

/// The one with this context tag.
pub(super) fn tagged<'a>(values: &[Any<'a>], tag: u32) -> Option<&'a [u8]> {
    let found = values.iter().find(|value| {
        value.header.class() == Class::ContextSpecific && value.header.tag().0 == tag
    });
    found.map(|value| value.data)
}

/// Values that are read at one level.
const MOST: usize = 32;
