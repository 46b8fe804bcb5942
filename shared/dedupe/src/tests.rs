mod compaction;
mod lookups;
mod sorted_runs;
