//! Names that are shown to other people. They must have visible characters, must not hide any, and
//! must not be a link.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{
    DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, Script,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Characters that fonts draw as nothing although Unicode counts them as letters or symbols: the
/// Braille blank, the null notehead, two blanks of hieroglyphs, and the object replacement
/// character.
const BLANK: [char; 5] = [
    '\u{2800}',
    '\u{1d159}',
    '\u{13441}',
    '\u{13442}',
    '\u{fffc}',
];
/// Schemes that mail programs turn into a link as soon as something follows the colon.
const SCHEMES: [&str; 41] = [
    "http",
    "https",
    "ftp",
    "ftps",
    "sftp",
    "file",
    "mailto",
    "tel",
    "sms",
    "smsto",
    "callto",
    "facetime",
    "skype",
    "sip",
    "sips",
    "xmpp",
    "irc",
    "ircs",
    "news",
    "nntp",
    "ssh",
    "smb",
    "ldap",
    "data",
    "javascript",
    "vbscript",
    "geo",
    "maps",
    "magnet",
    "whatsapp",
    "tg",
    "intent",
    "bitcoin",
    "gopher",
    "msteams",
    "onenote",
    "rtsp",
    "telnet",
    "wais",
    "webcal",
    "zoommtg",
];

const SEEN: &str = "a text with at least one letter, digit or symbol that is seen";
const PLAIN: &str = "on one line, without characters that are not seen or turn others around";
const UNLINKED: &str = "without web addresses, e-mail addresses, telephone numbers and links";

/// Keyboards for Khmer, Lao, Myanmar and Thai put it between words, where a line may break. It is
/// invisible.
const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// Prepares a text for display: composed (UAX 15, form C), trimmed, with a single blank between
/// words.
///
/// # Errors
/// Why the text cannot be shown, worded to follow "must be".
pub(crate) fn displayed(text: &str) -> Result<String, &'static str> {
    let composed = |text: &str| {
        ComposingNormalizerBorrowed::new_nfc()
            .normalize(text)
            .into_owned()
    };
    let text = composed(text.trim());
    if !text.chars().any(is_seen) {
        return Err(SEEN);
    }
    if holds_unseen(&text) {
        return Err(PLAIN);
    }
    let text = composed(&text.replace(ZERO_WIDTH_SPACE, ""));
    if holds_link(&text) {
        return Err(UNLINKED);
    }
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn category(character: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(character)
}

/// Whether a character is invisible by itself (Unicode, `Default_Ignorable_Code_Point`).
fn is_ignorable(character: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

fn is_blank(character: char) -> bool {
    character.is_whitespace() || is_ignorable(character) || BLANK.contains(&character)
}

/// Whether a character is visible by itself, and not only a mark on another.
fn is_seen(character: char) -> bool {
    let category = category(character);
    let drawn = [
        GeneralCategoryGroup::Letter,
        GeneralCategoryGroup::Number,
        GeneralCategoryGroup::Symbol,
    ];
    // Unicode counts a standalone accent as a symbol.
    let is_drawn = category != GeneralCategory::ModifierSymbol
        && drawn.iter().any(|group| group.contains(category));
    is_drawn && !is_blank(character)
}

/// Whether a text contains characters that break lines, are invisible, or hide or reverse the
/// characters beside them.
fn holds_unseen(text: &str) -> bool {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Surrogate,
        Unassigned,
    };
    // The preceding character, and the last one that is neither a mark nor a format character.
    let (mut before, mut base) = (None, None);
    for character in text.chars() {
        let category = category(character);
        let refused = match category {
            // Persian, Hindi and emoji need joiners to be written correctly. Elsewhere joiners are
            // invisible.
            Format if joins(character) => before.is_none_or(joins) || !base.is_some_and(is_joined),
            Format if character == MONGOLIAN_VOWEL_SEPARATOR => {
                base.map(script) != Some(Script::Mongolian)
            }
            Format if character == ZERO_WIDTH_SPACE => {
                !base.is_some_and(is_of_words_without_blanks)
            }
            Control | Format | LineSeparator | ParagraphSeparator | PrivateUse | Surrogate
            | Unassigned => true,
            SpaceSeparator => false,
            // A variation selector chooses the form of an emoji, or of a Han character in a name.
            _ if is_variation_selector(character) => {
                !before.is_some_and(is_seen) || base.is_some_and(|base| !has_variants(base))
            }
            _ => is_blank(character),
        };
        if refused {
            return true;
        }
        // It is removed later, so it must not count as the preceding character.
        if character == ZERO_WIDTH_SPACE {
            continue;
        }
        before = Some(character);
        if !(GeneralCategoryGroup::Mark.contains(category) || category == Format) {
            base = before;
        }
    }
    false
}

fn script(character: char) -> Script {
    CodePointMapData::<Script>::new().get(character)
}

/// Whether a character's script is written without blanks between words.
fn is_of_words_without_blanks(base: char) -> bool {
    matches!(
        script(base),
        Script::Khmer | Script::Lao | Script::Myanmar | Script::Thai
    )
}

/// Whether characters of this script have variants, among which a variation selector chooses.
fn has_variants(base: char) -> bool {
    !matches!(
        script(base),
        Script::Latin | Script::Greek | Script::Cyrillic | Script::Armenian | Script::Georgian
    )
}

/// Whether a joiner after this character can change how the next one is drawn.
fn is_joined(base: char) -> bool {
    let is_parted = matches!(
        script(base),
        Script::Han
            | Script::Hangul
            | Script::Hiragana
            | Script::Katakana
            | Script::Bopomofo
            | Script::Yi
    );
    has_variants(base) && !is_parted && !base.is_ascii() && !base.is_whitespace()
}

/// Separates the last vowel of a Mongolian word from its stem.
const MONGOLIAN_VOWEL_SEPARATOR: char = '\u{180e}';

const fn joins(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

const fn is_variation_selector(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180d}' | '\u{180f}')
}

/// Whether a text contains something that no name has and that programs turn into a link: an
/// address with a scheme, `www.`, a domain with a path or a port, an e-mail address, an IP address,
/// or a telephone number. A bare domain is allowed, since some organisations are named by one.
/// Mails break it with a blank.
fn holds_link(text: &str) -> bool {
    let text = skeleton(text);
    text.split_whitespace().any(is_link) || holds_telephone_number(&text)
}

/// The fewest digits of a telephone number with a country code, of one written in groups, and of
/// any other. Some companies have a number for a name: in Canada up to ten digits together or two
/// groups of four, in Australia three groups of three.
const COUNTRY_NUMBER_DIGITS_MIN: usize = 7;
const GROUPED_NUMBER_DIGITS_MIN: usize = 10;
const NUMBER_DIGITS_MIN: usize = 11;

/// Whether a word consists of digits only, and more than a name has. Digits beside letters are not
/// a telephone number.
fn is_long_number(word: &str) -> bool {
    word.chars().all(char::is_numeric) && word.chars().count() >= NUMBER_DIGITS_MIN
}

/// Whether a text contains a telephone number: with a country code, in groups of digits, or with
/// more digits than a name has.
fn holds_telephone_number(text: &str) -> bool {
    let is_between =
        |c: char| c.is_whitespace() || matches!(c, '.' | '(' | ')' | '/') || is_dash(c);
    let is_part = |c: char| c.is_numeric() || c == '+' || is_between(c);
    text.split(|c: char| !is_part(c)).any(|part| {
        let part = part.trim_matches(is_between);
        let digits = part.chars().filter(|c| c.is_numeric()).count();
        let has_country = part
            .split('+')
            .skip(1)
            .any(|number| number.starts_with(|c: char| c.is_numeric() || c == '('));
        let is_grouped = part.contains(is_between);
        has_country && digits >= COUNTRY_NUMBER_DIGITS_MIN
            || is_grouped && digits >= GROUPED_NUMBER_DIGITS_MIN
    }) || text
        .split(|c: char| !c.is_alphanumeric())
        .any(is_long_number)
}

fn is_dash(character: char) -> bool {
    category(character) == GeneralCategory::DashPunctuation || character == '\u{2212}'
}

/// The text as a link detector reads it: compatible characters unified (UAX 15, form KC), in lower
/// case, without invisible characters, and with look-alikes of dots, slashes and colons replaced.
fn skeleton(text: &str) -> String {
    let compatible = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    let seen = compatible
        .chars()
        .filter(|character| !is_ignorable(*character));
    let plain = seen.map(|character| match character {
        '\u{3002}' | '\u{6d4}' | '\u{2cf9}' | '\u{a60e}' => '.',
        '\u{2044}' | '\u{2215}' | '\u{29f8}' | '\u{29f9}' => '/',
        '\u{2236}' | '\u{a789}' | '\u{2d0}' => ':',
        '\u{2216}' | '\u{29f5}' => '\\',
        other => other,
    });
    plain.flat_map(char::to_lowercase).collect()
}

fn is_link(word: &str) -> bool {
    let begins_word = |at: usize| !word[..at].ends_with(char::is_alphanumeric);
    word.contains("://")
        || word.contains("\\\\")
        || word
            .match_indices("www")
            .any(|(at, _)| begins_word(at) && follows_www(&word[at + 3..]))
        || word
            .match_indices(':')
            .any(|(at, _)| ends_with_scheme(&word[..at]) && word.len() > at + 1)
        || word
            .match_indices('@')
            .any(|(at, _)| is_mailbox(&word[..at], &word[at + 1..]))
        || hosts(word)
            .any(|(host, rest)| is_ip_address(host) || (is_domain(host) && leads_on(rest)))
}

/// Whether the text after `www`, and perhaps a number, starts with a dot.
fn follows_www(rest: &str) -> bool {
    rest.trim_start_matches(|c: char| c.is_ascii_digit())
        .starts_with('.')
}

fn ends_with_scheme(text: &str) -> bool {
    let scheme = text
        .rsplit(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    SCHEMES.contains(&scheme)
}

/// Whether an `@` is part of an e-mail address: the text before it ends with a character that a
/// mailbox may end with (RFC 5322, 3.2.3 and 3.2.4), and a host follows. After a blank or a bracket
/// it starts an account name, such as `(@booking.com)`.
fn is_mailbox(before: &str, after: &str) -> bool {
    let domain = after
        .split(|c: char| !is_host_character(c))
        .next()
        .unwrap_or_default();
    let ends_mailbox = |c: char| c.is_alphanumeric() || "!#$%&'*+-./=?^_`{|}~\"".contains(c);
    before.ends_with(ends_mailbox) && (is_domain(domain) || is_ip_address(domain))
}

/// The longest parts of a word that consist of host characters, each with the text after it.
fn hosts(word: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = word;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !is_host_character(c));
        let end = rest
            .find(|c: char| !is_host_character(c))
            .unwrap_or(rest.len());
        let (host, after) = rest.split_at(end);
        rest = after;
        (!host.is_empty()).then_some((host, after))
    })
}

fn is_host_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '.' | '-' | '_')
}

/// Whether a text reads as a domain. The part after the last dot has at least two characters, which
/// excludes initials.
fn is_domain(host: &str) -> bool {
    host.trim_end_matches('.')
        .rsplit_once('.')
        .is_some_and(|(before, top)| {
            before.ends_with(|c: char| c.is_alphanumeric())
                && top.chars().count() > 1
                && top.contains(char::is_alphabetic)
        })
}

fn is_ip_address(host: &str) -> bool {
    host.trim_matches('.').parse::<std::net::Ipv4Addr>().is_ok()
}

/// Whether a path, a port, a query or a fragment follows the host.
fn leads_on(rest: &str) -> bool {
    let after = rest.strip_prefix(':').unwrap_or_default();
    rest.starts_with(['/', '?', '#']) && rest.len() > 1
        || after.starts_with(|c: char| c.is_ascii_digit())
}
