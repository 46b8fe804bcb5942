//! Reading events from JSON in one pass: each attribute is located in the body, not copied, and no
//! number becomes a float. The attributes of binary mode, which come in headers, take the same
//! form.
//!
//! Members that no rule reads are parsed for their syntax alone, so that they cannot refuse the
//! others: names that are not Unicode, numbers out of any bound, any depth. A member that is read
//! must appear once, or the event is refused.

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The attributes that are read, in the order in which they are checked.
pub(crate) const FIELDS: [&str; 8] = [
    "specversion",
    "type",
    "source",
    "id",
    "subject",
    "time",
    "data",
    "data_base64",
];
/// The index of `data` in [`FIELDS`]. The attributes before it can come in headers.
pub(crate) const DATA: usize = 6;

/// An unparsed attribute.
#[derive(Clone, Copy)]
pub(crate) enum Field<'b> {
    /// Its text in a JSON body.
    Json(&'b RawValue),
    /// The decoded value of a header, or nothing when it cannot be decoded.
    Header(Option<&'b str>),
}

impl<'b> Field<'b> {
    /// The text, or nothing when the value is not a string of valid Unicode.
    pub(crate) fn text(self) -> Option<Cow<'b, str>> {
        match self {
            Self::Json(raw) => text(raw),
            Self::Header(text) => text.map(Cow::Borrowed),
        }
    }
}

/// An unparsed event: its attributes, located in the body or decoded from headers.
pub(crate) struct Wire<'b> {
    /// Whether the value is an object at all.
    pub(crate) is_object: bool,
    /// The first attribute that appears twice.
    pub(crate) duplicate: Option<&'static str>,
    fields: [Option<Field<'b>>; FIELDS.len()],
}

impl<'b> Wire<'b> {
    /// The parse of any value but an object. It is refused later, under the event's own index.
    const NOT_AN_OBJECT: Self = Self {
        is_object: false,
        duplicate: None,
        fields: [None; FIELDS.len()],
    };

    /// Makes an event of binary mode from attributes, by their index in [`FIELDS`], and data.
    pub(crate) fn of_headers(
        attributes: impl Iterator<Item = (usize, Option<&'b str>)>,
        duplicate: Option<&'static str>,
        data: Option<&'b RawValue>,
    ) -> Self {
        let mut wire = Self {
            is_object: true,
            duplicate,
            ..Self::NOT_AN_OBJECT
        };
        for (at, text) in attributes {
            wire.fields[at] = Some(Field::Header(text));
        }
        wire.fields[DATA] = data.map(Field::Json);
        wire
    }

    /// Splits a JSON value into the attributes of an event.
    pub(crate) fn of_json(raw: &'b RawValue) -> Self {
        Members::of(raw, &FIELDS).map_or(Self::NOT_AN_OBJECT, Self::of_members)
    }

    fn of_members(members: Members<'b, { FIELDS.len() }>) -> Self {
        let fields = members.found.map(|raw| raw.map(Field::Json));
        Self {
            is_object: true,
            duplicate: members.duplicate.map(|at| FIELDS[at]),
            fields,
        }
    }

    /// The attribute with a name of [`FIELDS`]. Null counts as absent (`CloudEvents` JSON format,
    /// section 2.2).
    pub(crate) fn field(&self, name: &str) -> Option<Field<'b>> {
        let at = FIELDS.iter().position(|field| *field == name)?;
        self.fields[at].filter(|field| !matches!(field, Field::Json(raw) if is_null(raw)))
    }

    /// The data, unless it is absent or null.
    pub(crate) fn data(&self) -> Option<&'b RawValue> {
        match self.field(FIELDS[DATA])? {
            Field::Json(raw) => Some(raw),
            Field::Header(_) => None,
        }
    }
}

/// The text of a JSON string, or nothing when the value is not a string of valid Unicode.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The members of an object, by their index in a list of names.
pub(crate) struct Members<'b, const N: usize> {
    /// The last member of each name.
    pub(crate) found: [Option<&'b RawValue>; N],
    /// The first name that appears twice, with or without escapes, null included.
    pub(crate) duplicate: Option<usize>,
    /// Which names are there more than once.
    repeated: [bool; N],
    /// Whether there are members of other names.
    pub(crate) has_others: bool,
}

impl<'b, const N: usize> Members<'b, N> {
    /// Finds the members, or returns nothing when the value is not an object.
    pub(crate) fn of(object: &'b RawValue, names: &[&str; N]) -> Option<Self> {
        if !object.get().starts_with('{') {
            return None;
        }
        let search = |keys| {
            serde_json::Deserializer::from_str(object.get()).deserialize_map(Search { names, keys })
        };
        // Nearly all objects have keys that decode; only others are parsed a second time.
        search(Keys::Built).or_else(|_| search(Keys::Found)).ok()
    }
}

/// The way in which keys are parsed.
#[derive(Clone, Copy)]
enum Keys {
    /// As decoded texts. This is quick, but fails on a key that is not valid Unicode.
    Built,
    /// As raw JSON, which any key passes.
    Found,
}

/// The search for members with these names.
#[derive(Clone, Copy)]
struct Search<'n, const N: usize> {
    names: &'n [&'n str; N],
    keys: Keys,
}

impl<const N: usize> Search<'_, N> {
    fn place(&self, key: &str) -> Option<usize> {
        self.names.iter().position(|name| *name == key)
    }
}

impl<'de, const N: usize> Visitor<'de> for Search<'_, N> {
    type Value = Members<'de, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de, N>, A::Error> {
        let mut members = Members {
            found: [None; N],
            duplicate: None,
            repeated: [false; N],
            has_others: false,
        };
        while let Some(key) = map.next_key_seed(Key(self))? {
            let Some(at) = key else {
                members.has_others = true;
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if members.found[at].replace(map.next_value()?).is_some() {
                members.duplicate.get_or_insert(at);
                members.repeated[at] = true;
            }
        }
        Ok(members)
    }
}

/// Maps a key to the index of its name.
struct Key<'n, const N: usize>(Search<'n, N>);

impl<'de, const N: usize> DeserializeSeed<'de> for Key<'_, N> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<usize>, D::Error> {
        match self.0.keys {
            Keys::Built => from.deserialize_identifier(self),
            Keys::Found => {
                Ok(text(<&RawValue>::deserialize(from)?).and_then(|key| self.0.place(&key)))
            }
        }
    }
}

impl<const N: usize> Visitor<'_> for Key<'_, N> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.place(key))
    }
}

/// A batch: the first `MAX` events, and the number of all.
pub(crate) struct Batch<E, const MAX: usize> {
    pub(crate) events: Vec<E>,
    pub(crate) total: usize,
}

impl<'b, const MAX: usize> Batch<Wire<'b>, MAX> {
    /// Parses a batch.
    pub(crate) fn read(text: &'b str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).or_else(|_| {
            // A key or a value can be valid JSON and yet fail to decode, such as a lone surrogate.
            // Then the events are located first, and each is parsed on its own.
            let Batch { events, total }: Batch<&RawValue, MAX> = serde_json::from_str(text)?;
            Ok(Self {
                events: events.into_iter().map(Wire::of_json).collect(),
                total,
            })
        })
    }
}

/// Visitor methods for values that are not objects.
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

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Wire<'de>, A::Error> {
                Search {
                    names: &FIELDS,
                    keys: Keys::Built,
                }
                .visit_map(map)
                .map(Wire::of_members)
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

impl<'de, E: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Batch<E, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct BatchVisitor<E, const MAX: usize>(PhantomData<E>);
        impl<'de, E: Deserialize<'de>, const MAX: usize> Visitor<'de> for BatchVisitor<E, MAX> {
            type Value = Batch<E, MAX>;

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
                // Events beyond the limit are counted for the refusal, but not stored: memory stays
                // bounded.
                while total >= MAX && list.next_element::<IgnoredAny>()?.is_some() {
                    total += 1;
                }
                Ok(Batch { events, total })
            }
        }
        from.deserialize_seq(BatchVisitor(PhantomData))
    }
}

/// The result of looking up a member.
pub(crate) enum Member<'b> {
    /// The value is not an object or list.
    NoObject,
    /// There is no such member, or the member is null.
    Absent,
    /// The member appears more than once.
    Twice,
    /// The member's value.
    Found(&'b RawValue),
}

impl<'b> Member<'b> {
    /// The member of a place in the list of names, where its object is one.
    pub(crate) fn of<const N: usize>(members: Option<&Members<'b, N>>, place: usize) -> Self {
        match members {
            None => Self::NoObject,
            Some(members) if members.repeated[place] => Self::Twice,
            Some(members) => members.found[place]
                .filter(|raw| !is_null(raw))
                .map_or(Self::Absent, Self::Found),
        }
    }
}

/// Looks a member up.
pub(crate) fn member<'b>(object: &'b RawValue, name: &str) -> Member<'b> {
    Member::of(Members::of(object, &[name]).as_ref(), 0)
}

fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// Looks up the element of a list, counted from 0.
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
            Ok(found
                .filter(|raw| !is_null(raw))
                .map_or(Member::Absent, Member::Found))
        }
    }

    let mut from = serde_json::Deserializer::from_str(list.get());
    from.deserialize_seq(Elements(index))
        .unwrap_or(Member::NoObject)
}
