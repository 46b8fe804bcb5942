//! Pages: totals of a meter that change together, and are therefore stored in one item.

use crate::bytes::{Input, write_aggregate, write_text, write_zigzag};
use crate::segment::Malformed;
use crate::window::{Window, WindowKey};
use contract::WindowPart;
use jiff::Timestamp;
use kernel::{BillingAnchor, MeterCode, UsageGroup, WindowSize};
use std::collections::BTreeMap;

/// The first byte of a stored page.
const VERSION: u8 = 1;

/// The key of a page within a tenant. A page holds the minutes of an hour, the hours of a day, or
/// the days of a billing period and the period itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageKey {
    /// The meter.
    pub meter: MeterCode,
    /// The length of the span: an hour, a day or a month.
    pub span: WindowSize,
    /// The start of the span.
    pub start: Timestamp,
}

/// The key of a total within a page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    start: Timestamp,
    size: WindowSize,
    group: UsageGroup,
    part: WindowPart,
}

/// The totals of a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    cells: BTreeMap<Cell, Window>,
}

impl PageKey {
    /// The page of a window. A page starts at its tenant's billing anchor, which follows from the
    /// window's start.
    #[must_use]
    pub fn of(meter: &MeterCode, size: WindowSize, start: Timestamp) -> Self {
        let span = match size {
            WindowSize::Minute => WindowSize::Hour,
            WindowSize::Hour => WindowSize::Day,
            WindowSize::Day | WindowSize::Month => WindowSize::Month,
        };
        let anchor = match size {
            WindowSize::Minute => BillingAnchor::default(),
            WindowSize::Hour => anchor_of(start, 60),
            WindowSize::Day | WindowSize::Month => anchor_of(start, 24 * 60),
        };
        Self {
            meter: meter.clone(),
            span,
            start: span.start(start, anchor),
        }
    }
}

impl PageKey {
    /// The number of windows of one group that the page has room for: the minutes of an hour, the
    /// hours of a day, or the days of a billing period and the period itself.
    #[must_use]
    pub const fn windows_max(&self) -> usize {
        match self.span {
            WindowSize::Minute | WindowSize::Hour => 60,
            WindowSize::Day => 24,
            WindowSize::Month => 31 + 1,
        }
    }
}

/// The offset of a window's start from a whole hour or day.
fn anchor_of(start: Timestamp, minutes: i64) -> BillingAnchor {
    let minutes = start.as_second().div_euclid(60).rem_euclid(minutes);
    u16::try_from(minutes)
        .ok()
        .and_then(BillingAnchor::after_midnight)
        .unwrap_or_default()
}

impl Page {
    /// The total of a key, if the page has one.
    #[must_use]
    pub fn get(&self, key: &WindowKey) -> Option<Window> {
        self.cells.get(&cell(key)).cloned()
    }

    /// All totals. `key` is the page's own key.
    pub fn windows(&self, key: &PageKey) -> impl Iterator<Item = (WindowKey, Window)> {
        self.cells.iter().map(|(cell, window)| {
            let Cell {
                start,
                size,
                ref group,
                part,
            } = *cell;
            (
                WindowKey {
                    meter: key.meter.clone(),
                    group: group.clone(),
                    size,
                    start,
                    part,
                },
                window.clone(),
            )
        })
    }

    pub(crate) fn set(&mut self, key: &WindowKey, window: Window) {
        self.cells.insert(cell(key), window);
    }

    /// Encodes the page in the current version.
    ///
    /// Version 1, big-endian: the version, the number of groups (1 byte) and of totals (2); per
    /// group its length (1) and text; per total the size (1), the part (1), the group's index (1),
    /// the minutes from the page's start to the window's (2), the value's scale and mantissa, the
    /// number of events, the revision, and the latest event's nanoseconds since 1970, or -1.
    /// Numbers are in groups of seven bits from the lowest, and all but the scale zigzag.
    #[must_use]
    pub fn encode(&self, key: &PageKey) -> Vec<u8> {
        let mut groups: Vec<&UsageGroup> = self.cells.keys().map(|cell| &cell.group).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut bytes = Vec::with_capacity(64 * groups.len() + 16 * self.cells.len());
        bytes.push(VERSION);
        bytes.push(u8::try_from(groups.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(
            &u16::try_from(self.cells.len())
                .unwrap_or(u16::MAX)
                .to_be_bytes(),
        );
        for group in &groups {
            write_text(group.as_str(), &mut bytes);
        }
        for (cell, window) in &self.cells {
            let group = groups.binary_search(&&cell.group).unwrap_or_default();
            let minutes = (cell.start.as_second() - key.start.as_second()) / 60;
            bytes.extend_from_slice(&[size_code(cell.size), part_code(cell.part)]);
            bytes.push(u8::try_from(group).unwrap_or(u8::MAX));
            bytes.extend_from_slice(&u16::try_from(minutes).unwrap_or(u16::MAX).to_be_bytes());
            write_aggregate(&window.value, &mut bytes);
            write_zigzag(window.events.into(), &mut bytes);
            write_zigzag(window.revision.into(), &mut bytes);
            write_zigzag(
                window.latest_at.map_or(-1, Timestamp::as_nanosecond),
                &mut bytes,
            );
        }
        bytes
    }

    /// Decodes a stored page.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are not a page of the current version.
    pub fn decode(key: &PageKey, bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(bytes);
        if input.byte()? != VERSION {
            return Err(Malformed::UnknownVersion);
        }
        let groups = input.byte()?;
        let cells = input.short()?;
        let groups: Vec<UsageGroup> = (0..groups)
            .map(|_| input.group())
            .collect::<Result<_, _>>()?;
        let mut page = Self::default();
        for _ in 0..cells {
            let (cell, window) = input.cell(key, &groups)?;
            page.cells.insert(cell, window);
        }
        if input.0.is_empty() {
            Ok(page)
        } else {
            Err(Malformed::Length)
        }
    }
}

impl Input<'_> {
    fn cell(&mut self, key: &PageKey, groups: &[UsageGroup]) -> Result<(Cell, Window), Malformed> {
        let invalid = |part| Malformed::Invalid { part };
        let [size, part, group] = self.chunk()?;
        let minutes = self.short()?;
        let start = Timestamp::from_second(key.start.as_second() + i64::from(minutes) * 60);
        let cell = Cell {
            start: start.map_err(|_| invalid("moment"))?,
            size: size_of(size).ok_or(invalid("size"))?,
            group: groups
                .get(usize::from(group))
                .ok_or(invalid("group"))?
                .clone(),
            part: part_of(part).ok_or(invalid("part"))?,
        };
        let (value, events, revision) = (self.aggregate()?, self.number()?, self.number()?);
        let latest_at = match self.zigzag()? {
            -1 => None,
            nanosecond => {
                Some(Timestamp::from_nanosecond(nanosecond).map_err(|_| invalid("moment"))?)
            }
        };
        Ok((
            cell,
            Window {
                value,
                events,
                latest_at,
                revision,
            },
        ))
    }
}

fn cell(key: &WindowKey) -> Cell {
    Cell {
        start: key.start,
        size: key.size,
        group: key.group.clone(),
        part: key.part,
    }
}

/// The stored code of a size. A code is never reused.
pub(crate) const fn size_code(size: WindowSize) -> u8 {
    match size {
        WindowSize::Minute => 1,
        WindowSize::Hour => 2,
        WindowSize::Day => 3,
        WindowSize::Month => 4,
    }
}

pub(crate) const fn size_of(code: u8) -> Option<WindowSize> {
    match code {
        1 => Some(WindowSize::Minute),
        2 => Some(WindowSize::Hour),
        3 => Some(WindowSize::Day),
        4 => Some(WindowSize::Month),
        _ => None,
    }
}

const fn part_code(part: WindowPart) -> u8 {
    match part {
        WindowPart::Window => 1,
        WindowPart::Adjustment => 2,
    }
}

const fn part_of(code: u8) -> Option<WindowPart> {
    match code {
        1 => Some(WindowPart::Window),
        2 => Some(WindowPart::Adjustment),
        _ => None,
    }
}
