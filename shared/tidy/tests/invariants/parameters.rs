//! The template's parameters: CloudFormation accepts exactly what functions and AWS accept later.

use crate::none;
use crate::template::Template;
use anyhow::{Context, Result};
use fancy_regex::Regex;
use kernel::{DomainName, Jurisdiction, LegalEntity, Location, PublicUrl, RegionCode, RegionName};
use serde_json::Value;
use std::str::FromStr;
use tenancy::{Addresses, DisposableDomains, DocumentVersion, EmailAddress, Settings};

/// A parser that finally reads a parameter's text.
type Reader = fn(&str) -> bool;

fn reads<T: FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

/// An optional parameter is empty if it is not set.
fn reads_unless_empty<T: FromStr>(text: &str) -> bool {
    text.is_empty() || reads::<T>(text)
}

fn reads_location(text: &str) -> bool {
    let place = text
        .split_once(',')
        .and_then(|(north, east)| Some((north.parse().ok()?, east.parse().ok()?)));
    text.is_empty()
        || place.is_some_and(|(north, east)| Location::from_degrees(north, east).is_ok())
}

/// Whether Amazon Cognito accepts a text in a domain's prefix.
fn reads_prefix(text: &str) -> bool {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    plain
        && !text.starts_with('-')
        && !["aws", "amazon", "cognito"]
            .iter()
            .any(|word| text.contains(word))
}

/// Whether Amazon API Gateway accepts a text as the origin of a page.
fn reads_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    text == "*"
        || host
            .is_some_and(|host| !host.contains(['/', '*', '?', '#', '@', ' ']) && !host.is_empty())
}

fn reads_domain(text: &str) -> bool {
    text.is_empty() || kernel::is_host_name(text)
}

fn reads_zone(text: &str) -> bool {
    let settings = format!(
        "provisioning=auto builder_toolkit=false answer_minutes=60 confirm_hours=24 grace_days=30 retention_days=30 \
         hosted_zone={text}"
    );
    reads::<Settings>(&settings)
}

/// Each parameter with a pattern: its parser, accepted texts, and refused texts.
const TEXTS: [(&str, Reader, &[&str], &[&str]); 19] = [
    (
        "Name",
        reads_prefix,
        &["meridian", "m1", "acme-saas", "a-"],
        &[
            "",
            "m",
            "Meridian",
            "1m",
            "-m",
            "laws",
            "aws-x",
            "my-amazon",
            "xcognito",
            "a_b",
            "a.b",
            "abcdefghijklmnopqrstu",
        ],
    ),
    (
        "HomeRegion",
        reads::<RegionCode>,
        &["eu-central-1", "us-gov-west-1"],
        &[
            "",
            "eu",
            "eu-central",
            "eu-central-0",
            "eu-central-10",
            "EU-central-1",
            "eu--central-1",
            "eu-a-b-c-1",
            "eu-central-1 ",
        ],
    ),
    (
        "RegionCodes",
        reads::<RegionCode>,
        &["eu-central-1", "us-abcdefghijklmnopqrs-1"],
        &[
            "",
            "x",
            "eu-central-12",
            "eu_central_1",
            "us-abcdefghijklmnopqrst-1",
        ],
    ),
    (
        "SovereignRegionCodes",
        reads_unless_empty::<RegionCode>,
        &["", "eu-central-1"],
        &["x", "eu-central-12", "us-abcdefghijklmnopqrst-1"],
    ),
    (
        "RegionName",
        reads_unless_empty::<RegionName>,
        &["", "Europe (Frankfurt)"],
        &[" Europe", "1", "Zürich", "a\nb", "a;b"],
    ),
    (
        "Jurisdiction",
        reads::<Jurisdiction>,
        &["eu", "us"],
        &["", "e", "EU", "eu-de", "abcdefghi"],
    ),
    (
        "RegionLocation",
        reads_location,
        &[
            "",
            "50.11,8.68",
            "-33.9,151.2",
            "90,180",
            "-90.0,-180.00",
            "0,0",
            "89.999,179.999",
        ],
        &[
            "50.11",
            "91,0",
            "90.1,0",
            "0,181",
            "0,180.5",
            "0,999",
            "a,b",
            "50,11,8",
            "50.11, 8.68",
            "1e1,0",
            "+1,0",
            "NaN,0",
        ],
    ),
    (
        "PublicUrl",
        reads_unless_empty::<PublicUrl>,
        &[
            "",
            "https://api.example.com",
            "https://api.example.com:8443",
            "http://127.0.0.1:4600",
        ],
        &[
            "http://127.0.0.1",
            "http://api.example.com",
            "https://",
            "https://API.example.com",
            "https://a.example/",
            "https://a.example:99999",
            "https://a.example:",
            "https://a.example:65536",
            "api.example.com",
        ],
    ),
    (
        "LegalEntity",
        reads::<LegalEntity>,
        &["default", "acme-gmbh", "1"],
        &["", "-a", "a-", "ACME", "a b", "ä"],
    ),
    (
        "TermsVersion",
        reads::<DocumentVersion>,
        &["1", "2026-10_a.b"],
        &["", "a b", "ä", "a/b"],
    ),
    (
        "DataProcessingVersion",
        reads::<DocumentVersion>,
        &["1", "2026-10"],
        &["", "a b", "ä", "a/b"],
    ),
    (
        "DisposableDomains",
        reads::<DisposableDomains>,
        &[
            "",
            "mailinator.com",
            "a.example, b.example ,c.co.uk",
            "xn--bcher-kva.example",
            "a.xn--p1ai",
        ],
        &[
            "*.x.com",
            "com",
            "x.com;y.com",
            "x.com y.com",
            "@x.com",
            "x..com",
            "-x.com",
            "x-.com",
            "x.123",
            "127.0.0.1",
            "a--b.c",
            "ab--c.example",
            "x.com,,y.com",
            ",",
            "x.com/",
            "bücher.example",
        ],
    ),
    (
        "MailFrom",
        reads_unless_empty::<EmailAddress>,
        &[
            "",
            "no-reply@example.com",
            "a.b+c@mail.example.co.uk",
            "a@xn--bcher-kva.example",
        ],
        &[
            "Acme <a@b.example>",
            "<a@b.example>",
            "a@b",
            "a@127.0.0.1",
            "a@example.123",
            "a@b..example",
            ".a@b.example",
            "a.@b.example",
            "a..b@b.example",
            "a b@b.example",
            "a@b.example,c@d.example",
            "a@b.example ",
            "@b.example",
            "a@",
            "ä@b.example",
            "a@bücher.example",
            "a@-b.example",
            "a@b_c.example",
            "\"a\"@b.example",
            "a@*.example",
        ],
    ),
    (
        "MailIdentity",
        reads_unless_empty::<DomainName>,
        &["", "example.com", "mail.example.co.uk"],
        &[
            "example",
            "-",
            ".",
            "a..b",
            ".example.com",
            "example.com.",
            "a@example.com",
            "*.example.com",
            "1.2.3.4",
        ],
    ),
    (
        "TenantAddress",
        reads::<Addresses>,
        &[
            "",
            "https://{alias}.app.example.com",
            "http://{alias}.localhost:8088",
        ],
        &[
            "https://app.example.com",
            "https://{alias}",
            "https://{alias}.",
            "https://{alias}.a..b",
            "https://{alias}.-a.example",
            "https://{alias}.app.example.com/",
            "https://{alias}.a.example:99999",
            "https://{alias}.a.example:",
            "ftp://{alias}.a.example",
            "https://x.{alias}.example",
            "{alias}.app.example.com",
            "https://{alias}.a_b.example",
        ],
    ),
    (
        "TenantDomain",
        reads_domain,
        &["", "app.example.com", "localhost"],
        &[
            "a..b",
            ".example.com",
            "example.com.",
            "-a.example",
            "*.example.com",
            "a_b.example",
            "https://example.com",
        ],
    ),
    (
        "HostedZoneId",
        reads_zone,
        &["", "Z0123456789ABCDEFGHIJ"],
        &["z1", "Z1 Z2", "/hostedzone/Z1", "Z-1"],
    ),
    (
        "AlarmEmail",
        reads_unless_empty::<EmailAddress>,
        &["", "ops@example.com"],
        &[
            "ops",
            "Ops <ops@example.com>",
            "ops@localhost",
            "ops@example.com,dev@example.com",
        ],
    ),
    (
        "AllowedOrigins",
        reads_origin,
        &["*", "https://app.example.com", "http://localhost:3000"],
        &[
            "",
            "app.example.com",
            "https://*.example.com",
            "https://a.example/",
            "https://",
            "ftp://a.example",
            "**",
        ],
    ),
];

/// Parameters whose pattern is a range of whole numbers: the smallest and the largest.
const NUMBERS: [(&str, u32, u32); 16] = [
    ("CapacityTenants", 0, 999_999),
    ("ClosureGraceDays", 0, 365),
    ("ConfirmWithinHours", 1, 168),
    ("LookupsPerSourcePerHour", 1, 2_000),
    ("MailsPerAddressPerHour", 3, 6_000),
    ("MinimumTenantsForTotals", 2, 999_999),
    ("ProvisioningAnswerMinutes", 1, 10_080),
    ("RequestsBurst", 1, 999_999),
    ("RequestsPerSecond", 1, 999_999),
    ("RetentionDays", 0, 3_650),
    ("SignupsPerSourcePerHour", 1, 2_000),
    ("UnknownAddressesPerSourcePerHour", 1, 2_000),
    ("UsageRequestsBurst", 1, 999_999),
    ("UsageRequestsPerSecond", 1, 999_999),
    ("UsageRollupMemory", 512, 10_240),
    ("UsageSealAfterHours", 1, 720),
];

/// Texts that no code of ours parses: secrets may be any text, and AWS assigns the ARN.
const UNREAD: [&str; 3] = ["HandoverSecret", "SubdomainSecret", "CertificateArn"];

/// A parameter, checked as CloudFormation does.
struct Parameter {
    pattern: Regex,
    length_max: usize,
}

impl Parameter {
    fn of(template: &Template, name: &str) -> Result<Self> {
        let declared = template.parameter(name);
        let pattern = declared["AllowedPattern"]
            .as_str()
            .with_context(|| format!("{name} has no pattern"))?;
        let length_max = declared["MaxLength"]
            .as_u64()
            .and_then(|max| usize::try_from(max).ok());
        Ok(Self {
            pattern: Regex::new(pattern)?,
            length_max: length_max.unwrap_or(usize::MAX),
        })
    }

    fn accepts(&self, text: &str) -> Result<bool> {
        Ok(text.chars().count() <= self.length_max && self.pattern.is_match(text)?)
    }
}

#[test]
fn a_pattern_accepts_exactly_what_its_parser_reads() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (name, reader, valid, invalid) in TEXTS {
        let parameter = Parameter::of(&template, name)?;
        for text in valid {
            if !parameter.accepts(text)? || !reader(text) {
                findings.push(format!("{name}={text:?} is not accepted, or not read"));
            }
        }
        for text in invalid {
            if parameter.accepts(text)? {
                findings.push(format!("{name}={text:?} is accepted"));
            }
        }
    }
    none(
        &findings,
        "Make AllowedPattern accept what the parser in code reads.",
    )
}

/// DNS allows 253 characters.
#[test]
fn a_list_of_domains_refuses_one_that_is_too_long() -> Result<()> {
    let disposable = Parameter::of(&Template::load()?, "DisposableDomains")?;
    let domain = |labels: usize, first: usize| {
        format!("{}{}com", "x.".repeat(labels), "y".repeat(first) + ".")
    };
    for (text, expected) in [
        (domain(124, 1), true),
        (domain(124, 2), false),
        (format!("a.example, {} ,b.example", domain(124, 1)), true),
        (format!("a.example, {} ,b.example", domain(124, 2)), false),
        (format!("a.example,{}", domain(124, 2)), false),
    ] {
        assert_eq!(
            (
                disposable.accepts(&text)?,
                reads::<DisposableDomains>(&text)
            ),
            (expected, expected),
            "{text}"
        );
    }
    Ok(())
}

/// Tries the texts of each parameter on every other one: the parser has to read what its pattern
/// accepts.
#[test]
fn a_parser_reads_what_its_pattern_accepts() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    let texts: Vec<&str> = TEXTS
        .iter()
        .flat_map(|(_, _, valid, invalid)| valid.iter().chain(*invalid).copied())
        .collect();
    for (name, reader, _, _) in TEXTS {
        let parameter = Parameter::of(&template, name)?;
        for text in &texts {
            if parameter.accepts(text)? && !reader(text) {
                findings.push(format!("{name}={text:?} is accepted and not read"));
            }
        }
    }
    none(
        &findings,
        "Make AllowedPattern refuse what the parser in code does not read.",
    )
}

#[test]
fn a_number_is_whole_and_within_its_range() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (name, min, max) in NUMBERS {
        let parameter = Parameter::of(&template, name)?;
        let near = |edge: u32| edge.saturating_sub(150)..=edge + 150;
        for number in near(min)
            .chain(near(max))
            .chain((min..=max).step_by(97))
            .chain(0..=2_100)
        {
            if parameter.accepts(&number.to_string())? != (min..=max).contains(&number) {
                findings.push(format!("{name}={number}: from {min} to {max}"));
            }
        }
        for text in ["", "1.5", "-1", "+1", "01", "1e3", "1 ", "x", "٣"] {
            if parameter.accepts(text)? {
                findings.push(format!("{name}={text:?} is accepted"));
            }
        }
    }
    none(
        &findings,
        "CloudFormation accepts 1.5 as a Number, and functions do not: use a String with a pattern.",
    )
}

#[test]
fn every_parameter_is_checked() -> Result<()> {
    let template = Template::load()?;
    let known = |name: &str| {
        TEXTS.iter().any(|(known, ..)| *known == name)
            || NUMBERS.iter().any(|(known, ..)| *known == name)
            || UNREAD.contains(&name)
    };
    let chosen = |declared: &Value| declared["AllowedValues"].is_array();
    let unknown = template
        .parameters()
        .into_iter()
        .filter(|(name, declared)| !known(name) && !chosen(declared));
    let findings: Vec<String> = unknown
        .map(|(name, _)| format!("{name} is in no table of this file"))
        .collect();
    none(
        &findings,
        "Give the parameter an AllowedPattern, and add its parser here.",
    )
}

#[test]
fn a_default_matches_its_pattern() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (name, declared) in template.parameters() {
        if let (Some(default), true) = (
            declared["Default"].as_str(),
            declared["AllowedPattern"].is_string(),
        ) && !Parameter::of(&template, &name)?.accepts(default)?
        {
            findings.push(format!("{name}={default:?}"));
        }
    }
    none(
        &findings,
        "A default that its own pattern refuses cannot be deployed.",
    )
}
