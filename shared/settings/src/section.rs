//! Reads a section as what its user declares, and says of what does not fit which key it is and what would.

use std::fmt;

use config::{ConfigError, Value};
use serde::{
    Deserializer,
    de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor},
    forward_to_deserialize_any,
};

/// Why a section cannot be read.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// Whose value does not fit; none when it is the section as a whole.
    pub(crate) key: Option<String>,
    pub(crate) reason: String,
}

/// Reads the keys of a section.
pub(crate) fn read<T: DeserializeOwned>(keys: impl Iterator<Item = (String, Value)>) -> Result<T, Misfit> {
    T::deserialize(Section { keys, current: None })
}

/// The keys that are still to be read, and the one whose value is next.
struct Section<I> {
    keys: I,
    current: Option<(String, Value)>,
}

impl<'de, I: Iterator<Item = (String, Value)>> Deserializer<'de> for Section<I> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, I: Iterator<Item = (String, Value)>> MapAccess<'de> for Section<I> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        self.current = self.keys.next();
        let Some((key, _)) = &self.current else { return Ok(None) };
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let (key, value) = self.current.take().expect("a value is asked for behind its key");
        seed.deserialize(Setting(value)).map_err(|Misfit { reason, .. }| Misfit { key: Some(key), reason })
    }
}

/// A value. It reads as `config` reads it, but for a choice among words.
struct Setting(Value);

/// The kinds that are left to `config`.
macro_rules! as_config_does {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.0.$method(visitor).map_err(Misfit::from)
        })*
    };
}

impl<'de> Deserializer<'de> for Setting {
    type Error = Misfit;

    as_config_does! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_str
        deserialize_string
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let word = self.0.into_string().map_err(Misfit::from)?;
        IntoDeserializer::<Misfit>::into_deserializer(word).deserialize_enum(name, words, visitor)
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl From<ConfigError> for Misfit {
    fn from(error: ConfigError) -> Self {
        let reason = match error {
            ConfigError::Type { unexpected, expected, .. } => {
                format!("expected {expected}, found {unexpected}")
            }
            ConfigError::At { error, .. } => error.to_string(),
            other => other.to_string(),
        };
        Self { key: None, reason }
    }
}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self { key: None, reason: reason.to_string() }
    }

    fn unknown_variant(word: &str, words: &'static [&'static str]) -> Self {
        Self::custom(format_args!("it must be one of {}, but is {word:?}", words.join(", ")))
    }
}

impl std::error::Error for Misfit {}

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.reason)
    }
}
