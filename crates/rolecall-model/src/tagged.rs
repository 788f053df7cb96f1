//! Reads enums that are written as a map, with a field that names the variant.
//!
//! serde would first copy all fields, because the tag may be the last of them. rolecall writes it as the first, so here the
//! fields after it are read as they come. If the tag stands elsewhere, serde does it its way.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{CowStrDeserializer, MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};

/// A text that is borrowed from what is read, if it has no escapes there.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// An enum with a tag. [`tagged!`](crate::tagged!) implements it.
pub trait Tagged<'de>: Sized {
    const NAME: &'static str;
    const TAG: &'static str;

    /// Reads the variant that `fields` names.
    ///
    /// # Errors
    ///
    /// Fails if a field is missing or has another form.
    fn of_fields<A: MapAccess<'de>>(fields: Fields<A>) -> Result<Self, A::Error>;

    /// Reads the variant wherever the tag is.
    ///
    /// # Errors
    ///
    /// Fails if there is no tag, or if a field is missing or has another form.
    fn of_any<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Defines an enum with a tag, and reads it. The first two words are the tag and the name of the enum.
#[macro_export]
macro_rules! tagged {
    ($tag:literal, $text:literal, $(#[$meta:meta])* pub enum $name:ident { $($body:tt)* }) => {
        $(#[$meta])*
        #[serde(tag = $tag, rename_all = "kebab-case")]
        pub enum $name { $($body)* }

        const _: () = {
            #[derive(serde::Deserialize)]
            #[serde(remote = $text, rename_all = "kebab-case")]
            enum OfFields { $($body)* }

            #[derive(serde::Deserialize)]
            #[serde(remote = $text, tag = $tag, rename_all = "kebab-case")]
            enum OfAny { $($body)* }

            impl<'de> $crate::tagged::Tagged<'de> for $name {
                const NAME: &'static str = $text;
                const TAG: &'static str = $tag;

                fn of_fields<A: serde::de::MapAccess<'de>>(
                    fields: $crate::tagged::Fields<A>,
                ) -> Result<Self, A::Error> {
                    OfFields::deserialize(fields)
                }

                fn of_any<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    OfAny::deserialize(deserializer)
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    $crate::tagged::read(deserializer)
                }
            }
        };
    };
}

/// Reads an enum with a tag.
///
/// # Errors
///
/// Fails with the messages that serde has for such enums.
pub fn read<'de, T: Tagged<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Reader(PhantomData))
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Tagged<'de>> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "internally tagged enum {}", T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        match map.next_key::<Text<'de>>()? {
            Some(Text(key)) if key == T::TAG => T::of_fields(Fields::new(map, T::TAG, &[])),
            first => {
                let first = first.map(|Text(key)| key);
                T::of_any(MapAccessDeserializer::new(WithFirst { first, map }))
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        T::of_any(SeqAccessDeserializer::new(seq))
    }
}

/// A map whose first key was taken out of it.
struct WithFirst<'de, A> {
    first: Option<Cow<'de, str>>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithFirst<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(CowStrDeserializer::new(key)).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// The rest of a map after the name of its tag: the tag's value, and the fields of the variant that it names.
pub struct Fields<A> {
    map: A,
    tag: &'static str,
    /// The fields before the tag, which must not come a second time.
    earlier: &'static [&'static str],
}

impl<A> Fields<A> {
    pub fn new(map: A, tag: &'static str, earlier: &'static [&'static str]) -> Self {
        Self { map, tag, earlier }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(Text(key)) = self.map.next_key()? else { return Ok(None) };
        if let Some(twice) = self.earlier.iter().chain([&self.tag]).find(|earlier| **earlier == key) {
            return Err(de::Error::duplicate_field(twice));
        }
        seed.deserialize(CowStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// The variants of an enum are read as if the tag stood outside of the map.
impl<'de, A: MapAccess<'de>> Deserializer<'de> for Fields<A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Fields<A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(mut self, seed: V) -> Result<(V::Value, Self), A::Error> {
        Ok((self.map.next_value_seed(seed)?, self))
    }
}

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn unit_variant(mut self) -> Result<(), A::Error> {
        while self.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        seed.deserialize(MapAccessDeserializer::new(self))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &[&str], visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self)
    }
}
