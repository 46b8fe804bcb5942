//! Reading JSON in one pass: each attribute's text is found, not built, and nothing is a float.
//! What headers say of an event in binary mode is put in the same place.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The attributes that count, in the order in which they are checked.
pub(crate) const FIELDS: [&str; 8] = ["specversion", "type", "source", "id", "subject", "time", "data", "data_base64"];
/// Where the data is among them: what is before it can be in a header.
pub(crate) const DATA: usize = 6;

/// An attribute as it was sent.
#[derive(Clone, Copy)]
pub(crate) enum Field<'b> {
    /// Where it is in a JSON body.
    Json(&'b RawValue),
    /// What a header says, decoded; nothing when that cannot be done.
    Header(Option<&'b str>),
}

impl<'b> Field<'b> {
    /// The text, or nothing when it is another kind of value or not valid Unicode.
    pub(crate) fn text(self) -> Option<Cow<'b, str>> {
        match self {
            Self::Json(raw) => text(raw),
            Self::Header(text) => text.map(Cow::Borrowed),
        }
    }
}

/// An event as it was sent: where its attributes are in the body, or what its headers say.
pub(crate) struct Wire<'b> {
    /// Whether it is an object at all.
    pub(crate) is_object: bool,
    /// The first attribute that is there twice.
    pub(crate) duplicate: Option<&'static str>,
    fields: [Option<Field<'b>>; FIELDS.len()],
}

impl<'b> Wire<'b> {
    const NOT_AN_OBJECT: Self = Self { is_object: false, duplicate: None, fields: [None; FIELDS.len()] };

    /// An event in binary mode: attributes by their place in [`FIELDS`], and data.
    pub(crate) fn of_headers(
        attributes: impl Iterator<Item = (usize, Option<&'b str>)>,
        duplicate: Option<&'static str>,
        data: Option<&'b RawValue>,
    ) -> Self {
        let mut wire = Self { is_object: true, duplicate, ..Self::NOT_AN_OBJECT };
        for (at, text) in attributes {
            wire.fields[at] = Some(Field::Header(text));
        }
        wire.fields[DATA] = data.map(Field::Json);
        wire
    }

    /// The attribute of a name of [`FIELDS`]; null is absent, as in the `CloudEvents` JSON format, 2.2.
    pub(crate) fn field(&self, name: &str) -> Option<Field<'b>> {
        let at = FIELDS.iter().position(|field| *field == name)?;
        self.fields[at].filter(|field| !matches!(field, Field::Json(raw) if raw.get() == "null"))
    }

    /// The data, unless it is absent or null.
    pub(crate) fn data(&self) -> Option<&'b RawValue> {
        match self.field(FIELDS[DATA])? {
            Field::Json(raw) => Some(raw),
            Field::Header(_) => None,
        }
    }
}

/// The text of a JSON string, or nothing when it is another kind of value or not valid Unicode.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw.get()).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// A batch: at most so many events, and how many there were.
pub(crate) struct Batch<'b, const MAX: usize> {
    pub(crate) events: Vec<Wire<'b>>,
    pub(crate) total: usize,
}

/// Which of [`FIELDS`] a key is.
struct Key(Option<usize>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(Key(FIELDS.iter().position(|field| *field == key)))
            }
        }
        from.deserialize_identifier(KeyVisitor)
    }
}

/// Says that a visited value is no object.
macro_rules! not_an_object {
    ($($visit:ident($kind:ty))*) => {
        $(fn $visit<E>(self, _: $kind) -> Result<Self::Value, E> {
            Ok(Wire::NOT_AN_OBJECT)
        })*
    };
}

impl<'de: 'b, 'b> Deserialize<'de> for Wire<'b> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct WireVisitor;
        impl<'de> Visitor<'de> for WireVisitor {
            type Value = Wire<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wire<'de>, A::Error> {
                let mut wire = Wire { is_object: true, ..Wire::NOT_AN_OBJECT };
                while let Some(Key(key)) = map.next_key()? {
                    let Some(at) = key else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    if wire.fields[at].replace(Field::Json(map.next_value()?)).is_some() {
                        wire.duplicate.get_or_insert(FIELDS[at]);
                    }
                }
                Ok(wire)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Wire<'de>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Wire::NOT_AN_OBJECT)
            }

            fn visit_unit<E>(self) -> Result<Wire<'de>, E> {
                Ok(Wire::NOT_AN_OBJECT)
            }

            not_an_object! { visit_bool(bool) visit_u64(u64) visit_i64(i64) visit_f64(f64) visit_str(&str) }
        }
        from.deserialize_any(WireVisitor)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Batch<'de, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct BatchVisitor<const MAX: usize>;
        impl<'de, const MAX: usize> Visitor<'de> for BatchVisitor<MAX> {
            type Value = Batch<'de, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut events = Vec::new();
                while events.len() < MAX
                    && let Some(event) = list.next_element()?
                {
                    events.push(event);
                }
                let mut total = events.len();
                // What is beyond the limit is counted for the refusal, never kept.
                while total >= MAX && list.next_element::<IgnoredAny>()?.is_some() {
                    total += 1;
                }
                Ok(Batch { events, total })
            }
        }
        from.deserialize_seq(BatchVisitor)
    }
}

/// A member of an object, looked up by name.
pub(crate) enum Member<'b> {
    /// What was searched is no object.
    NoObject,
    /// There is no such member, or it is null.
    Absent,
    /// It is there more than once.
    Twice,
    /// Here it is.
    Found(&'b RawValue),
}

/// Looks a member up.
pub(crate) fn member<'b>(object: &'b RawValue, name: &str) -> Member<'b> {
    struct Search<'n>(&'n str);
    struct IsIt<'n>(&'n str);

    impl<'de> serde::de::DeserializeSeed<'de> for IsIt<'_> {
        type Value = bool;

        fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
            from.deserialize_identifier(self)
        }
    }

    impl Visitor<'_> for IsIt<'_> {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a key")
        }

        fn visit_str<E>(self, key: &str) -> Result<bool, E> {
            Ok(key == self.0)
        }
    }

    impl<'de> Visitor<'de> for Search<'_> {
        type Value = Member<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member<'de>, A::Error> {
            let mut found = Member::Absent;
            while let Some(is_it) = map.next_key_seed(IsIt(self.0))? {
                if !is_it {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                let value: &RawValue = map.next_value()?;
                found = match found {
                    Member::Absent if value.get() == "null" => Member::Absent,
                    Member::Absent => Member::Found(value),
                    _ => Member::Twice,
                };
            }
            Ok(found)
        }
    }

    let mut from = serde_json::Deserializer::from_str(object.get());
    from.deserialize_map(Search(name)).unwrap_or(Member::NoObject)
}

/// The element of a list, from 0.
pub(crate) fn element(list: &RawValue, index: usize) -> Member<'_> {
    struct Elements(usize);

    impl<'de> Visitor<'de> for Elements {
        type Value = Member<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Member<'de>, A::Error> {
            for _ in 0..self.0 {
                if list.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(Member::Absent);
                }
            }
            let found: Option<&RawValue> = list.next_element()?;
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(found.filter(|raw| raw.get() != "null").map_or(Member::Absent, Member::Found))
        }
    }

    let mut from = serde_json::Deserializer::from_str(list.get());
    from.deserialize_seq(Elements(index)).unwrap_or(Member::NoObject)
}
