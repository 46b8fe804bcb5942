//! Strict JSON: a struct is parsed only from an object, at every level.
//!
//! Serde's derived code also accepts a list of a struct's fields by position, and its errors use
//! the terms of Rust. Here a list is refused for a struct, a repeated member is refused, and an
//! error names the member and its rule.

use super::{Problem, ProblemKind};
use serde::Serialize;
use serde::de::value::StringDeserializer;
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _,
    Expected, IntoDeserializer as _, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt::{self, Display};

/// The type name by which [`Verbatim`] requests the text itself.
const VERBATIM: &str = "meridian::Verbatim";

/// The most levels of a document, the same as in `serde_json`. Each level is a nested call, so the
/// limit bounds the stack.
const LEVELS_MAX: usize = 128;

/// Parses a document.
///
/// # Errors
/// 400 when the document is not JSON or has too many levels; 422 with the wrong member when it is
/// not of its type.
pub(super) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let malformed = |detail: String| Problem::new(ProblemKind::MalformedJson).detail(detail);
    // The parser's message may quote the document, so only the caller, who sent it, may see it.
    let document: &RawValue =
        serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
    if is_too_deep(document.get()) {
        return Err(malformed(format!("It has more than {LEVELS_MAX} levels.")));
    }
    T::deserialize(Value(document)).map_err(Mismatch::into_problem)
}

/// Whether a JSON text has too many levels.
fn is_too_deep(text: &str) -> bool {
    let (mut level, mut is_text, mut is_escaped) = (0_usize, false, false);
    text.bytes().any(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => level += 1,
            b']' | b'}' if !is_text => level = level.saturating_sub(1),
            _ => {}
        }
        level > LEVELS_MAX
    })
}

/// A part of a document, byte for byte as it was sent.
#[derive(Clone)]
pub struct Verbatim(String);

impl Verbatim {
    /// The text, which is JSON.
    #[must_use]
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Verbatim {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct VerbatimVisitor;
        impl Visitor<'_> for VerbatimVisitor {
            type Value = Verbatim;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Verbatim, E> {
                Ok(Verbatim(text.to_owned()))
            }
        }
        from.deserialize_newtype_struct(VERBATIM, VerbatimVisitor)
    }
}

/// A member of a document that is not of its type.
#[derive(Debug, PartialEq, Eq)]
struct Mismatch {
    /// The path to the member, the innermost name first.
    path: Vec<String>,
    /// The rule, in words that complete "must be".
    reason: String,
}

/// A member as a problem document names it.
#[derive(Serialize)]
struct Field {
    field: String,
    reason: String,
}

impl Mismatch {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            reason: reason.into(),
        }
    }

    fn within(mut self, member: impl Into<String>) -> Self {
        self.path.push(member.into());
        self
    }

    fn into_problem(self) -> Problem {
        let Self { mut path, reason } = self;
        path.reverse();
        let field = path.join(".");
        let problem = Problem::new(ProblemKind::InvalidBody);
        if field.is_empty() {
            return problem.detail(format!("The body must be {reason}."));
        }
        problem
            .detail(format!("{field} must be {reason}."))
            .with("fields", [Field { field, reason }])
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: Display>(message: T) -> Self {
        let message = message.to_string();
        // Errors of `kernel` read `plan must be ...`; the member's name is added by `within`.
        Self::new(
            message
                .split_once(" must be ")
                .map_or(message.as_str(), |(_, rule)| rule),
        )
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(in_words(&expected.to_string()))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(in_words(&expected.to_string()))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(in_words(&expected.to_string()))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let reason = match expected {
            [] => "absent: no members are expected".to_owned(),
            expected => format!("absent, or one of {}", expected.join(", ")),
        };
        Self::new(reason).within(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("present").within(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        repeated(field)
    }
}

fn repeated(member: &str) -> Mismatch {
    Mismatch::new("there only once").within(member)
}

/// Translates serde's expectations, which use the terms of Rust, to those of JSON.
fn in_words(expected: &str) -> String {
    let words = match expected {
        "a borrowed string" | "string" | "str" => "a string",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "bool" => "a boolean",
        "unit" => "null",
        "a map" => "an object",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "an object",
        other if other.starts_with("enum ") => "a string",
        other => other,
    };
    words.to_owned()
}

/// A value that is parsed lazily, only as deep as its type goes.
#[derive(Clone, Copy)]
struct Value<'de>(&'de RawValue);

/// The members of an object, in their order.
struct Members<'de>(Vec<(String, Value<'de>)>);

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(from).map(Self)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(MembersVisitor)
    }
}

impl<'de> Value<'de> {
    fn is(self, begins: char) -> bool {
        self.0.get().starts_with(begins)
    }

    /// Parses the value as a type of one level. The document is known to be JSON, so this fails
    /// only for another kind of value, or for a text or number that the type cannot hold.
    fn parse<T: Deserialize<'de>>(self, reason: &str) -> Result<T, Mismatch> {
        serde_json::from_str(self.0.get()).map_err(|_| Mismatch::new(reason))
    }

    /// The members. Fails when one is repeated.
    fn members(self) -> Result<Vec<(String, Self)>, Mismatch> {
        let Members(members) = self.parse("an object")?;
        let mut seen = HashSet::with_capacity(members.len());
        match members.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            Some((name, _)) => Err(repeated(name)),
            None => Ok(members),
        }
    }

    fn visit_number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let number: serde_json::Number = self.parse("a number")?;
        match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), _, _) => visitor.visit_u64(number),
            (None, Some(number), _) => visitor.visit_i64(number),
            (None, None, Some(number)) => visitor.visit_f64(number),
            (None, None, None) => Err(Mismatch::new("a smaller number")),
        }
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0.get().as_bytes() {
            [b'{', ..] => visitor.visit_map(Object::of(self.members()?)),
            [b'[', ..] => visitor.visit_seq(List {
                items: self.parse::<Vec<Self>>("a list")?.into_iter(),
                at: 0,
            }),
            [b'"', ..] => visitor.visit_string(self.parse("a text in Unicode")?),
            b"null" => visitor.visit_unit(),
            b"true" => visitor.visit_bool(true),
            b"false" => visitor.visit_bool(false),
            _ => self.visit_number(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Object::of(self.members()?))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.get() == "null" {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if name == VERBATIM {
            visitor.visit_borrowed_str(self.0.get())
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        if self.is('"') {
            let variant: String = self.parse("a text in Unicode")?;
            return visitor.visit_enum(variant.into_deserializer());
        }
        match self.members().map(<[_; 1]>::try_from) {
            Ok(Ok([(variant, value)])) => visitor.visit_enum(Variant { variant, value }),
            Err(mismatch) if !mismatch.path.is_empty() => Err(mismatch),
            _ => Err(Mismatch::new(format!("one of {}", variants.join(", ")))),
        }
    }

    /// An ignored value may be anything but an object with a repeated member.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.is('{') {
            self.members()?;
        }
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier
    }
}

/// An object that is being parsed.
struct Object<'de> {
    members: std::vec::IntoIter<(String, Value<'de>)>,
    open: Option<(String, Value<'de>)>,
}

impl<'de> Object<'de> {
    fn of(members: Vec<(String, Value<'de>)>) -> Self {
        Self {
            members: members.into_iter(),
            open: None,
        }
    }
}

impl<'de> MapAccess<'de> for Object<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        let Some((name, value)) = self.members.next() else {
            return Ok(None);
        };
        let key: StringDeserializer<Mismatch> = name.clone().into_deserializer();
        self.open = Some((name, value));
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mismatch> {
        let (name, value) = self
            .open
            .take()
            .ok_or_else(|| Mismatch::custom("a member"))?;
        seed.deserialize(value)
            .map_err(|mismatch| mismatch.within(name))
    }
}

/// A list that is being parsed.
struct List<'de> {
    items: std::vec::IntoIter<Value<'de>>,
    at: usize,
}

impl<'de> SeqAccess<'de> for List<'de> {
    type Error = Mismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mismatch> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let at = self.at;
        self.at += 1;
        seed.deserialize(item)
            .map(Some)
            .map_err(|mismatch| mismatch.within(at.to_string()))
    }
}

/// An enum variant with a value: `{"variant": value}`.
struct Variant<'de> {
    variant: String,
    value: Value<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Mismatch;
    type Variant = Value<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Value<'de>), Mismatch> {
        let name: StringDeserializer<Mismatch> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self.value))
    }
}

impl<'de> VariantAccess<'de> for Value<'de> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        Deserialize::deserialize(self)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mismatch> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }
}

#[cfg(test)]
mod tests;
