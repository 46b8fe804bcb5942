//! The manifest of an index: which runs it consists of.

use crate::GROUP_LEVELS;
use jiff::{SignedDuration, Timestamp};
use kernel::SegmentId;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The id of a run. It is never reused: two attempts at the same work write different runs, and the
/// manifest names those that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The attempt that wrote it.
    pub attempt: Uuid,
    /// Which of that attempt's runs.
    pub ordinal: u16,
}

impl RunId {
    const SEGMENT: u16 = u16::MAX;

    /// The id of a segment that serves as a run, because each of its events counted. It is stored
    /// already.
    #[must_use]
    pub const fn of_segment(segment: SegmentId) -> Self {
        Self {
            attempt: *segment.as_uuid(),
            ordinal: Self::SEGMENT,
        }
    }

    /// The segment that serves as this run, unless the run is stored by itself.
    #[must_use]
    pub fn segment(self) -> Option<SegmentId> {
        (self.ordinal == Self::SEGMENT).then(|| SegmentId::from_uuid(self.attempt))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.attempt.hyphenated(), self.ordinal)
    }
}

impl FromStr for RunId {
    type Err = kernel::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (attempt, ordinal) = text.split_once('.')?;
            let id = Self {
                attempt: kernel::canonical_uuid(attempt)?,
                ordinal: ordinal.parse().ok()?,
            };
            (id.to_string() == text).then_some(id)
        };
        parse().ok_or(kernel::Invalid {
            kind: "run id",
            rule: "a lower-case hyphenated UUID, a point and a number",
        })
    }
}

/// A run as a manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunMeta {
    /// Which run.
    pub id: RunId,
    /// How many entries it has.
    pub entries: u32,
    /// When its newest entry was counted, to the second.
    pub newest: Timestamp,
    /// Present where the run is stored in blocks, absent where it is one item.
    pub blocks: Option<BlockMeta>,
}

/// What a manifest says of a run in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockMeta {
    /// The number of the manifest's page that names the run.
    pub list: u32,
    /// The length in words of the Bloom filter of each group that ends with this run, by level; 0
    /// where there is none.
    pub filter_words: [u32; GROUP_LEVELS],
}

impl RunMeta {
    /// Whether its newest entry is not older than entries are kept.
    pub(crate) fn is_live(&self, now: Timestamp, kept: SignedDuration) -> bool {
        now.duration_since(self.newest) <= kept
    }

    /// Appends the bytes to store: the attempt (16), the ordinal (2), the number of entries (4),
    /// the second of the newest (8). A run in blocks adds which levels have a filter, as the bits
    /// of a byte, and the words of each (4).
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.id.attempt.as_bytes());
        to.extend_from_slice(&self.id.ordinal.to_be_bytes());
        to.extend_from_slice(&self.entries.to_be_bytes());
        to.extend_from_slice(&self.newest.as_second().to_be_bytes());
        if let Some(BlockMeta { filter_words, .. }) = self.blocks {
            let present = || {
                filter_words
                    .iter()
                    .enumerate()
                    .filter(|(_, words)| **words > 0)
            };
            to.push(present().fold(0, |bits, (level, _)| bits | (1 << level)));
            present().for_each(|(_, words)| to.extend_from_slice(&words.to_be_bytes()));
        }
    }

    /// Reads one run, and returns it with the bytes behind it. `list` is the number of the page
    /// that names it, of runs in blocks.
    fn read(bytes: &[u8], list: Option<u32>) -> Option<(Self, &[u8])> {
        let (attempt, rest) = bytes.split_first_chunk::<16>()?;
        let (ordinal, rest) = rest.split_first_chunk()?;
        let (entries, rest) = rest.split_first_chunk()?;
        let (newest, mut rest) = rest.split_first_chunk()?;
        let mut blocks = None;
        if let Some(list) = list {
            let (bits, behind) = rest.split_first()?;
            rest = behind;
            let mut filter_words = [0; GROUP_LEVELS];
            for (level, words) in filter_words.iter_mut().enumerate() {
                if bits & (1 << level) != 0 {
                    let (stored, behind) = rest.split_first_chunk()?;
                    *words = u32::from_be_bytes(*stored);
                    rest = behind;
                }
            }
            blocks = Some(BlockMeta { list, filter_words });
        }
        let read = Self {
            id: RunId {
                attempt: Uuid::from_bytes(*attempt),
                ordinal: u16::from_be_bytes(*ordinal),
            },
            entries: u32::from_be_bytes(*entries),
            newest: Timestamp::from_second(i64::from_be_bytes(*newest)).ok()?,
            blocks,
        };
        Some((read, rest))
    }
}

/// The runs of an index, in the order in which they were added: one state of the index, since runs
/// never change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The runs.
    pub runs: Vec<RunMeta>,
}

impl Manifest {
    /// The runs that are not older than entries are kept.
    pub fn live(&self, now: Timestamp, kept: SignedDuration) -> impl Iterator<Item = RunMeta> {
        self.runs
            .iter()
            .filter(move |run| run.is_live(now, kept))
            .copied()
    }

    /// The bytes to store for a list of runs.
    #[must_use]
    pub fn encode<'r>(runs: impl IntoIterator<Item = &'r RunMeta>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for run in runs {
            run.write(&mut bytes);
        }
        bytes
    }

    /// Reads a stored list of runs, or nothing when the bytes are not one. A list of runs in blocks
    /// has a number.
    #[must_use]
    pub fn decode(bytes: &[u8], list: Option<u32>) -> Option<Vec<RunMeta>> {
        let (mut runs, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (run, behind) = RunMeta::read(rest, list)?;
            runs.push(run);
            rest = behind;
        }
        Some(runs)
    }
}
