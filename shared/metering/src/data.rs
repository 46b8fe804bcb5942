//! What a meter looks for in an event's data.

use crate::Reason;
use crate::event::Fault;
use crate::json::{self, Member, Members, Wire};
use catalogue::{Meter, PathStep, ValuePath};
use kernel::UsageGroup;
use serde_json::value::RawValue;

/// The most members that a meter looks for: its value, and its dimensions.
const NAMES_MAX: usize = 1 + UsageGroup::DIMENSIONS_MAX;

/// An event's data, whose first level was looked through once for all that a meter looks for.
pub(crate) struct Data<'b, 'm> {
    /// Where it is, unless it is absent or null.
    raw: Option<&'b RawValue>,
    is_binary: bool,
    /// What was looked for. A place without a name repeats another one's.
    names: [&'m str; NAMES_MAX],
    /// What was found; nothing in what is no object.
    members: Option<Members<'b, NAMES_MAX>>,
}

impl<'b, 'm> Data<'b, 'm> {
    pub(crate) fn of(wire: &Wire<'b>, meter: &'m Meter) -> Self {
        let paths = meter
            .value
            .iter()
            .chain(meter.dimensions.iter().map(|dimension| &dimension.path));
        let mut first_steps = paths.filter_map(|path| match path.steps().first() {
            Some(PathStep::Member(name)) => Some(name.as_str()),
            _ => None,
        });
        let first = first_steps.next();
        let mut names = [first.unwrap_or_default(); NAMES_MAX];
        for (place, name) in names.iter_mut().skip(1).zip(first_steps) {
            *place = name;
        }
        let raw = wire.data();
        let looked_through = raw.filter(|_| first.is_some());
        Self {
            raw,
            is_binary: wire.field("data_base64").is_some(),
            members: looked_through.and_then(|raw| Members::of(raw, &names)),
            names,
        }
    }

    /// What is at a path, if anything.
    pub(crate) fn at(&self, path: &ValuePath) -> Result<Option<&'b RawValue>, Fault> {
        let no_object = || Fault::of(Reason::InvalidData, "data is not a JSON object");
        if self.is_binary {
            return Err(no_object());
        }
        let Some(mut raw) = self.raw else {
            return Ok(None);
        };
        for (depth, step) in path.steps().iter().enumerate() {
            let found = match step {
                PathStep::Member(name) if depth == 0 => self.member(raw, name),
                PathStep::Member(name) => json::member(raw, name),
                PathStep::Element(index) => json::element(raw, *index),
            };
            raw = match found {
                Member::Found(raw) => raw,
                Member::NoObject if depth == 0 && matches!(step, PathStep::Member(_)) => {
                    return Err(no_object());
                }
                Member::NoObject | Member::Absent => return Ok(None),
                Member::Twice => {
                    return Err(Fault::of(
                        Reason::DuplicateField,
                        format!("{} is there twice", named(path)),
                    ));
                }
            };
        }
        Ok(Some(raw))
    }

    fn member(&self, raw: &'b RawValue, name: &str) -> Member<'b> {
        match self.names.iter().position(|looked_for| *looked_for == name) {
            Some(place) => Member::of(self.members.as_ref(), place),
            // A meter with more dimensions than it may have.
            None => json::member(raw, name),
        }
    }
}

/// A path as a caller knows it.
pub(crate) fn named(path: &ValuePath) -> String {
    path.to_string().replacen('$', "data", 1)
}
