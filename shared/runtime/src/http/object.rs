//! JSON in which an object is an object, at every level.
//!
//! What serde derives for a struct also takes a list of its fields by their position, and tells of
//! what is wrong in words about Rust. Here a struct is read from an object only, a member that is
//! there twice is refused, and an error names the member and what it has to be.

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

/// By this name a [`Verbatim`] asks for the text itself.
const VERBATIM: &str = "meridian::Verbatim";

/// How many levels of a document are read, as in `serde_json`: each is a call within another.
const THRESHOLDS_MAX: usize = 128;

/// Reads a document.
///
/// # Errors
/// 400 when it is not JSON, or of too many levels; 422 when it is not of its type, with the member
/// that is wrong.
pub(super) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let malformed = |detail: String| Problem::new(ProblemKind::MalformedJson).detail(detail);
    // The message of the parser goes to the caller, who sent the text that it quotes, and nowhere
    // else.
    let document: &RawValue =
        serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
    if is_too_deep(document.get()) {
        return Err(malformed(format!(
            "It has more than {THRESHOLDS_MAX} levels."
        )));
    }
    T::deserialize(Value(document)).map_err(Mismatch::into_problem)
}

/// Whether a text, which is JSON, has too many levels.
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
        level > THRESHOLDS_MAX
    })
}

/// A part of a document as it was sent, byte for byte.
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

/// What is wrong with one member of a document.
#[derive(Debug, PartialEq, Eq)]
struct Mismatch {
    /// The names of the members that lead to it, the innermost first.
    path: Vec<String>,
    /// What it must be, in words that complete "must be".
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
        // What kernel says of a value: `plan must be ...`.
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

/// What serde expects, in words for who has never seen Rust.
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

/// A value that is read when its type is known, and only as deep as that type goes.
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

    /// The value as a type of one level. The document has been found to be JSON, so what fails here
    /// is another kind of value, or a text or a number that JSON can write and the type cannot
    /// hold.
    fn parse<T: Deserialize<'de>>(self, reason: &str) -> Result<T, Mismatch> {
        serde_json::from_str(self.0.get()).map_err(|_| Mismatch::new(reason))
    }

    /// The members, each of which is there once.
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

    /// What nobody reads may be anything, unless it is an object with a member twice.
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

/// An object that is being read.
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

/// A list that is being read.
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

/// A variant of an enumeration that holds something: `{"variant": value}`.
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
