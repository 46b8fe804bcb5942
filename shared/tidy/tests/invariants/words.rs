//! The words of names and sentences: a word that was retired does not come back.

use crate::none;
use crate::repository::files;
use anyhow::Result;

/// A retired word, the field's word for it, and where the word is legitimate.
struct Retired {
    /// Case-sensitive: `Fact` was a type, and `fact` may be an English word.
    word: &'static str,
    /// The word to use instead.
    instead: &'static str,
    /// Beginnings of paths where the word has another meaning, such as a statement of IAM.
    allowed: &'static [&'static str],
}

const fn retired(word: &'static str, instead: &'static str) -> Retired {
    retired_but_in(word, instead, &[])
}

const fn retired_but_in(
    word: &'static str,
    instead: &'static str,
    allowed: &'static [&'static str],
) -> Retired {
    Retired {
        word,
        instead,
        allowed,
    }
}

/// The retired words: one line each.
const RETIRED: &[Retired] = &[
    retired("Fact", "BusEvent, or an event"),
    retired("bus fact", "bus event"),
    retired("restated", "published again"),
    retired("Settler", "RollupWriter"),
    retired("Settlement", "RunCompletion (billing), rollup (usage)"),
    retired("Unsettled", "ReconcileError"),
    retired("unsettled", "not rolled up (usage), not complete (a run)"),
    retired("Intake", "SegmentWriter"),
    retired("Lacking", "MissingBlocks"),
    retired("RunRef", "RunMeta"),
    retired("sweeper", "poller"),
    retired("Occasion", "Context"),
    retired("occasions", "contexts"),
    retired("Standing", "JoinConditions, or Billability"),
    retired("StillDue", "TaskPending"),
    retired("DueKind", "TaskKind"),
    retired("DueSeal", "SealTask"),
    retired("Restless", "Contended"),
    retired("Unlooked", "AlertError"),
    retired("Unmetered", "MeteringError"),
    retired("Bar", "Block"),
    retired("Unbar", "Unblock"),
    retired("barred", "blocked"),
    retired("unbar", "unblock"),
    retired("Forget", "Delete"),
    retired("pretend", "reply_to_honeypot"),
    retired("turn_away", "reject"),
    retired_but_in("Right", "Permission", &["cli/src/demo/report.rs"]),
    retired("Desks", "TenantScopes"),
    retired("Reception", "SequenceTracker"),
    retired("reception", "sequence tracker"),
    retired("ReceptionLook", "ReconcileDecision"),
    retired("vanity", "custom subdomain"),
    retired("VanityLabel", "CustomSubdomain"),
    retired("HeldLabel", "ActiveSubdomain"),
    retired("FormerLabel", "FormerSubdomain"),
    retired("LabelClaim", "SubdomainReservation"),
    retired("ClaimDigest", "SubdomainDigest"),
    retired("ClaimSeal", "SubdomainKey"),
    retired("ClaimState", "ReservationState"),
    retired("ClaimPhase", "ReservationPhase"),
    retired("claimant", "holder"),
    retired("editions", "generations"),
    retired("settler", "rollup writer"),
    retired("settlement", "run completion (billing), rollup (usage)"),
    retired(
        "settled",
        "rolled up (usage), completed (a run), written (DNS)",
    ),
    retired("settle", "roll up (usage), complete (a run), write (DNS)"),
    retired(
        "settles",
        "rolls up (usage), completes (a run), writes (DNS)",
    ),
    retired("settling", "rolling up, rollup"),
    retired("fact", "event, bus event"),
    retired("facts", "events, bus events"),
    retired("stated", "published"),
    retired("occasion", "context"),
    retired("intake", "usage-ingest, segment writer"),
    retired("sweep", "poll, poller"),
    retired("sweeps", "polls"),
    retired("swept", "polled"),
    retired("Vanity", "custom subdomain"),
    retired("VanityClaimed", "SubdomainReservationUpdated"),
    retired("VanityDecided", "SubdomainReservationDecided"),
    retired("UsageStreamStated", "UsageStreamEndReported"),
    retired("UsageLevelReached", "UsageThresholdReached"),
    retired("standing", "billability, conditions"),
    retired("is_trapped", "hit_honeypot"),
    retired("Desk", "TenantScope, IssueContext"),
    retired("desk", "scope, context"),
    retired("TURNS", "SLOTS"),
    retired("edition", "generation"),
];

/// Files that name the words in order to retire them.
const NAMES_THEM: [&str; 2] = ["docs/glossary.md", "shared/tidy/tests/invariants/words.rs"];

/// Whether a text has a word as a whole. An underscore ends a word, so `desk` is found in
/// `load_desk`, but not in `desktop`.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        [before, after]
            .into_iter()
            .flatten()
            .all(|neighbour| !neighbour.is_alphanumeric())
    })
}

#[test]
fn no_retired_word_comes_back() -> Result<()> {
    let mut findings = Vec::new();
    for file in files("", &["rs", "md", "yaml"])? {
        if NAMES_THEM.contains(&file.path.as_str()) {
            continue;
        }
        // A whole file is searched first: nearly every one has none of the words.
        for row in RETIRED.iter().filter(|row| has_word(&file.text, row.word)) {
            if row.allowed.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            let lines = file.text.lines().enumerate();
            for (number, _) in lines.filter(|(_, line)| has_word(line, row.word)) {
                findings.push(format!(
                    "{}:{}: {}: {}",
                    file.path,
                    number + 1,
                    row.word,
                    row.instead
                ));
            }
        }
    }
    none(
        &findings,
        "Each line below ends with the field's term. Where the word means something else, list the path with it.",
    )
}

#[test]
fn a_word_is_found_as_a_whole() {
    for (text, word, expected) in [
        ("the intake stores", "intake", true),
        ("intake", "intake", true),
        ("load_desk(now)", "desk", true),
        ("desktop", "desk", false),
        ("a newDesk", "Desk", false),
        ("desktop desk", "desk", true),
        ("Fact::new()", "Fact", true),
        ("a fact", "Fact", false),
        ("factör", "fact", false),
    ] {
        assert_eq!(has_word(text, word), expected, "{word} in {text:?}");
    }
}
