//! The manifest of an index: the list of its runs.

use crate::groups::GROUP_LEVELS;
use jiff::{SignedDuration, Timestamp};
use kernel::SegmentId;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The id of a run. Ids are never reused: two attempts at the same rollup write different runs, and
/// the manifest names the valid ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The attempt that wrote the run.
    pub attempt: Uuid,
    /// The number of the run within the attempt.
    pub ordinal: u16,
}

impl RunId {
    /// The ordinal of segments. No attempt writes so many runs.
    const SEGMENT: u16 = u16::MAX;

    /// The id of a segment that serves as a run, since all of its events counted. The segment is
    /// already stored.
    #[must_use]
    pub const fn of_segment(segment: SegmentId) -> Self {
        Self {
            attempt: *segment.as_uuid(),
            ordinal: Self::SEGMENT,
        }
    }

    /// The segment that serves as this run, or nothing when the run has items of its own.
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

/// The entry of a run in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunMeta {
    /// The run's id.
    pub id: RunId,
    /// The number of entries.
    pub entries: u32,
    /// The time at which the newest entry was counted, in whole seconds.
    pub newest: Timestamp,
    /// Present for a run in blocks, absent for a run in one item.
    pub blocks: Option<BlockMeta>,
}

/// The part of an entry that only runs in blocks have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockMeta {
    /// The number of the list that names the run.
    pub list: u32,
    /// The length in words of the Bloom filter of each group that ends with this run, by level; 0
    /// if there is none.
    pub filter_words: [u32; GROUP_LEVELS],
}

impl RunMeta {
    /// Whether the newest entry is still within the retention.
    pub(crate) fn is_live(&self, now: Timestamp, retention: SignedDuration) -> bool {
        now.duration_since(self.newest) <= retention
    }

    /// Appends the stored bytes: the attempt (16), the ordinal (2), the number of entries (4), the
    /// second of the newest (8). A run in blocks adds the levels with a filter as the bits of a
    /// byte, and the words of each filter (4).
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

    /// Reads one entry, and returns it with the bytes behind it. `list` is the number of the list,
    /// for runs in blocks.
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

/// The runs of an index, in the order in which they were added. Since runs never change, a manifest
/// is a snapshot of the index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The runs.
    pub runs: Vec<RunMeta>,
}

impl Manifest {
    /// The runs whose newest entry is still within the retention.
    pub fn live(&self, now: Timestamp, retention: SignedDuration) -> impl Iterator<Item = RunMeta> {
        self.runs
            .iter()
            .filter(move |run| run.is_live(now, retention))
            .copied()
    }

    /// Encodes a list of runs.
    #[must_use]
    pub fn encode<'r>(runs: impl IntoIterator<Item = &'r RunMeta>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for run in runs {
            run.write(&mut bytes);
        }
        bytes
    }

    /// Decodes a stored list of runs. Returns nothing when the bytes are not a list. `list` is the
    /// number of a list of runs in blocks.
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
