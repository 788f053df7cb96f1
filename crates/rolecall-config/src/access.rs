//! The parts of the [`Decoder`] through which serde reads mappings, variants and fields of the tree.

use serde::Deserializer;
use serde::de::value::SeqDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::decode::{DecodeError, Decoder};

/// An entry of a mapping: its name, the place of the name, and its value.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    /// The name with its place. `None` if the field isn't in the file.
    pub(super) key: Option<Decoder<'a>>,
    pub(super) value: Decoder<'a>,
}

/// The entries of a mapping that serde has not read yet.
pub(super) struct Entries<'a> {
    pub(super) rest: std::vec::IntoIter<Entry<'a>>,
    pub(super) next: Option<Decoder<'a>>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some(Entry { name, key, value }) = self.rest.next() else {
            return Ok(None);
        };
        self.next = Some(value);
        match key {
            Some(key) => seed.deserialize(key).map(Some),
            None => seed.deserialize(name.into_deserializer()).map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        match self.next.take() {
            Some(value) => seed.deserialize(value),
            None => Err(DecodeError::custom("a value was read before its key")),
        }
    }
}

/// A variant of an enum: a mapping with one entry, such as `{ env: NAME }`.
pub(super) struct Tagged<'a> {
    pub(super) name: &'a str,
    pub(super) value: Decoder<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Tagged<'a> {
    type Error = DecodeError;
    type Variant = Decoder<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Decoder<'a>), DecodeError> {
        Ok((seed.deserialize(self.name.into_deserializer())?, self.value))
    }
}

impl<'de> VariantAccess<'de> for Decoder<'_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Err(self.wrong_type("a single word"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DecodeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_struct("", fields, visitor)
    }
}

/// Gives serde the parts of a [`Field`](super::field::Field): first its place, then its value.
pub(super) struct FieldAccess<'a> {
    pub(super) decoder: Decoder<'a>,
    /// The number of parts that serde has read.
    pub(super) given: u8,
}

impl<'de> SeqAccess<'de> for FieldAccess<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        self.given += 1;
        match self.given {
            1 => {
                let numbers = self.decoder.at.mark.numbers().into_iter();
                seed.deserialize(SeqDeserializer::<_, DecodeError>::new(numbers)).map(Some)
            }
            2 if self.decoder.absent.is_none() => seed.deserialize(self.decoder).map(Some),
            _ => Ok(None),
        }
    }
}
