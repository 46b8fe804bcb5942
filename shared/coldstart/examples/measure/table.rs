//! Formats measurements as a table.

use crate::cases::Case;
use std::fmt::Write as _;
use std::time::Duration;

/// The measurements of a case.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// The time from the start of a process to its first answer.
    pub(crate) cold: Vec<Duration>,
    /// The processor time until the first answer.
    pub(crate) cold_processor: Vec<Duration>,
    /// The time from handing out an event to its answer.
    pub(crate) warm: Vec<Duration>,
    /// The processor time of an invocation after the first of a process.
    pub(crate) processor: Vec<Duration>,
    /// The resident memory after the last invocation of a process, in KiB.
    pub(crate) resident_kib: Vec<u64>,
    /// The AWS calls of an invocation after the first.
    pub(crate) calls: usize,
    /// The connections until the first answer.
    pub(crate) connections: usize,
}

/// The medians of each case, and their ratios to those of the first case.
pub(crate) fn markdown(cases: &[Case], figures: &[Figures]) -> String {
    let mut text = "| function (AWS calls; connections) | cold ms | x | cold CPU ms | x | warm p50 ms | x | CPU ms / invocation | x | RSS MB |\n\
                    |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    let ms = |of: &[Duration]| median(of).unwrap_or_default().as_secs_f64() * 1_000.0;
    let of = |figures: &Figures| {
        let Figures {
            cold,
            cold_processor,
            warm,
            processor,
            ..
        } = figures;
        [ms(cold), ms(cold_processor), ms(warm), ms(processor)]
    };
    let floor = figures.first().map_or([1.0; 4], of);
    for (case, figures) in cases.iter().zip(figures) {
        let Figures {
            calls, connections, ..
        } = figures;
        // Writing to a String cannot fail.
        write!(text, "| {} ({calls}; {connections})", case.name).ok();
        for (own, least) in of(figures).into_iter().zip(floor) {
            write!(text, " | {own:.2} | {:.1}", own / least).ok();
        }
        let resident_mb = median(&figures.resident_kib).unwrap_or_default() as f64 / 1_024.0;
        writeln!(text, " | {resident_mb:.1} |").ok();
    }
    text
}

fn median<T: Copy + Ord>(of: &[T]) -> Option<T> {
    let mut sorted = of.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}
