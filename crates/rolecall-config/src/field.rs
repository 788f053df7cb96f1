//! A [`Field`]: a value with its place in the file. An error in it doesn't affect its siblings.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::source::Mark;

/// The type name by which [`decode`](super::decode) knows that the value is wanted together with its place.
pub const FIELD: &str = "$rolecall::Field";

/// The type name by which decoding knows that one word, such as `all`, may replace a whole value.
pub const WORD_OR: &str = "$rolecall::WordOr";

/// The type name by which decoding knows that a list may replace a single value.
pub const LIST_OR: &str = "$rolecall::ListOr";

/// A value with its place. `value` is `None` if the value was wrong. Then there is a finding for it.
#[derive(Clone, Debug)]
pub struct Field<T> {
    pub mark: Mark,
    pub value: Option<T>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldVisitor<T> {
            type Value = Field<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Field<T>, A::Error> {
                let numbers: [u32; 5] = access.next_element()?.unwrap_or_default();
                // The decoder has recorded an error already, so it is dropped here: the field stays empty, and
                // decoding continues with its siblings.
                let value = access.next_element().ok().flatten();
                Ok(Field { mark: Mark::of_numbers(numbers), value })
            }
        }

        deserializer.deserialize_newtype_struct(FIELD, FieldVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
