//! A JSON value as it is written, its texts borrowed where they hold no escapes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::excerpt::Excerpt;

/// A value of a row.
#[derive(Debug)]
pub(super) enum Written<'a> {
    Null,
    Text(Cow<'a, str>),
    /// A whole number from 0 up.
    Whole(u64),
    /// An object, its keys in the order of the file, those that stand twice too.
    Table(Vec<(Cow<'a, str>, Self)>),
    /// What no field takes, as it is to be shown.
    Other(String),
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Text(text) => Excerpt(text).fmt(f),
            Self::Whole(number) => number.fmt(f),
            Self::Table(_) => f.write_str("{…}"),
            Self::Other(shown) => f.write_str(shown),
        }
    }
}

impl<'de> Deserialize<'de> for Written<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Written::Null)
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Written::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Written::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Written::Whole(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Written::Other(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Written::Other(number.to_string()))
    }

    fn visit_bool<E: de::Error>(self, is_true: bool) -> Result<Self::Value, E> {
        Ok(Written::Other(is_true.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Written::Other("[…]".to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = table.next_key::<Written<'de>>()? {
            let Written::Text(key) = key else { return Err(de::Error::custom("a key is no text")) };
            pairs.push((key, table.next_value()?));
        }
        Ok(Written::Table(pairs))
    }
}
