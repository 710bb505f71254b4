//! Any event at all, made of a script's bytes through serde: whatever fields an event has or will have, they are filled.

use super::script::Script;
use super::universe;
use serde::de::value::Error;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Defines a function that makes any event of an enum; an event that is left out does not compile.
macro_rules! any_event {
    ($of:ident: $($event:ident)+) => {
        pub fn any_event(script: &mut super::script::Script) -> Option<$of> {
            let makers = [$(|script: &mut super::script::Script| super::event::any(script).map($of::$event)),+];
            let made = makers[script.below(makers.len())](script);
            match &made {
                $(Some($of::$event(_)) => {})+
                None => {}
            }
            made
        }
    };
}
pub(super) use any_event;

/// A value of the type; `None` when the bytes spell what its constructor refuses.
pub fn any<'a, T: Deserialize<'a>>(script: &mut Script) -> Option<T> {
    T::deserialize(Any { script, field: "" }).ok()
}

/// Quantities refuse what is above their largest.
const QUANTITIES: &[&str] = &["quantity", "cumulative", "excess", "freeze", "left", "lot"];
const SEQUENCE_MAX: usize = 4;

struct Any<'a, 'b> {
    script: &'b mut Script<'a>,
    /// The field that is being filled: texts are ids, and which one only the field says.
    field: &'static str,
}

impl<'de> Any<'_, '_> {
    fn text(&mut self) -> String {
        let script = &mut *self.script;
        match self.field {
            "account" | "client" => universe::any_key(script).client.to_string(),
            "cl_ord_id" | "original_cl_ord_id" => universe::cl_ord_id(script).to_string(),
            "correction" | "execution" => universe::execution(script).to_string(),
            "date" | "expiry" | "trading_date" => universe::any_date(script).to_string(),
            "exchange_order_id" => universe::exchange_order_id(script.below(16)).to_string(),
            "asked_by" | "by" | "proposed_by" | "requested_by" | "approved_by" | "activated_by" => {
                script.pick(universe::PEOPLE).to_owned()
            }
            "symbol" => universe::key().symbol.to_string(),
            "reason" => script.pick(universe::REASONS).to_owned(),
            _ => format!("TEXT{}", script.below(4)),
        }
    }

    fn number(&mut self) -> u64 {
        let number = self.script.number();
        if QUANTITIES.contains(&self.field) {
            number.min(1_000_000_000_000)
        } else {
            number
        }
    }

    fn fields<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Fields {
            script: self.script,
            fields,
        })
    }
}

impl<'de> Deserializer<'de> for Any<'_, '_> {
    type Error = Error;

    /// Ids are bytes then, as they are shortest.
    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.script.flag())
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(self.script.signed())
    }

    fn deserialize_u32<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u32(u32::try_from(self.number()).unwrap_or(u32::MAX))
    }

    fn deserialize_u64<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.number())
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(universe::uuid(self.script).as_bytes())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.script.flag() {
            visitor.visit_some(self)
        } else {
            visitor.visit_none()
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.script.below(SEQUENCE_MAX);
        visitor.visit_seq(Items { of: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Items { of: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.fields(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let index = u32::try_from(self.script.below(variants.len())).unwrap();
        visitor.visit_enum(Variant { of: self, index })
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("events have no such field"))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 f64 char byte_buf unit unit_struct tuple_struct map identifier ignored_any
    }
}

struct Fields<'a, 'b> {
    script: &'b mut Script<'a>,
    /// Those that are left.
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.fields.first() else {
            return Ok(None);
        };
        seed.deserialize((*field).into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let (field, rest) = self.fields.split_first().unwrap();
        self.fields = rest;
        seed.deserialize(Any {
            script: self.script,
            field,
        })
    }
}

struct Items<'a, 'b> {
    of: Any<'a, 'b>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let (script, field) = (&mut *self.of.script, self.of.field);
        seed.deserialize(Any { script, field }).map(Some)
    }
}

struct Variant<'a, 'b> {
    of: Any<'a, 'b>,
    index: u32,
}

impl<'de, 'a, 'b> EnumAccess<'de> for Variant<'a, 'b> {
    type Error = Error;
    type Variant = Any<'a, 'b>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Any<'a, 'b>), Error> {
        let index: serde::de::value::U32Deserializer<Error> = self.index.into_deserializer();
        Ok((seed.deserialize(index)?, self.of))
    }
}

impl<'de> VariantAccess<'de> for Any<'_, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Items { of: self, left })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.fields(fields, visitor)
    }
}
