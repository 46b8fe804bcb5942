use crate::code::CodePurpose;
use crate::invitation::Invited;
use crate::letter::Letter;
use crate::workspaces::Listed;
use crate::{MailError, Mailer, Sender};
use aws_sdk_sesv2::Client;
use kernel::{Language, Role};
use std::path::Path;
use tenancy::{EmailAddress, InvitationCode};
use testkit::LocalAws;

const SENDER: &str = "hello@provider.example";
const ORGANISATION: &str = "Analytical Engines Ltd";

fn mailer(aws: &LocalAws, sender: &str) -> Mailer {
    Mailer::new(&aws.config, sender.parse().unwrap())
}

/// An address that no other test uses.
fn somebody() -> EmailAddress {
    format!("grace-{}@compilers.example", runtime::new_uuid().simple())
        .parse()
        .unwrap()
}

fn code() -> InvitationCode {
    let invitation = "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d".parse().unwrap();
    InvitationCode::from_random(invitation, [7; 16])
}

fn letter(role: Role) -> Letter {
    invitation(role, "https://{alias}.app.example.com", Language::En)
}

fn invitation(role: Role, addresses: &str, language: Language) -> Letter {
    let invited = Invited {
        organisation: &ORGANISATION.parse().unwrap(),
        alias: &"23456789abcd".parse().unwrap(),
        addresses: &addresses.parse().unwrap(),
        role,
        code: &code(),
        valid_until: "2026-11-27T10:00:59Z".parse().unwrap(),
    };
    Letter::invitation(&invited, language)
}

fn workspaces(addresses: &str, language: Language) -> Letter {
    let (one, other) = (
        "23456789abcd".parse().unwrap(),
        "bcdefghjkmnp".parse().unwrap(),
    );
    let (engines, compilers) = (ORGANISATION.parse().unwrap(), "Compilers".parse().unwrap());
    let listed = [
        Listed {
            organisation: &engines,
            alias: &one,
        },
        Listed {
            organisation: &compilers,
            alias: &other,
        },
    ];
    Letter::workspaces(&listed, &addresses.parse().unwrap(), language)
}

/// Every text in every language, by the name of its file in `src/tests/letters`.
fn letters() -> Vec<(String, Letter)> {
    let mut letters = Vec::new();
    for language in [Language::En, Language::De] {
        let mut add = |name: &str, letter| letters.push((format!("{name}.{language}"), letter));
        for (role, name) in [(Role::Admin, "administrator"), (Role::Member, "member")] {
            add(
                &format!("invitation-{name}"),
                invitation(role, "https://{alias}.app.example.com", language),
            );
        }
        add(
            "invitation-without-address",
            invitation(Role::Member, "", language),
        );
        add(
            "workspaces",
            workspaces("https://{alias}.app.example.com", language),
        );
        add("workspaces-without-address", workspaces("", language));
        for (name, addresses) in [
            ("", "https://{alias}.app.example.com"),
            ("-without-address", ""),
        ] {
            let (alias, addresses) = ("23456789abcd".parse().unwrap(), addresses.parse().unwrap());
            let letter = Letter::new_administrator(&alias, &addresses, language);
            add(&format!("new-administrator{name}"), letter);
        }
        for purpose in CodePurpose::ALL {
            let name = format!("code-{purpose:?}").to_lowercase();
            add(
                &name,
                Letter::code(
                    purpose,
                    "{####}",
                    Some("https://23456789abcd.app.example.com"),
                    language,
                ),
            );
            add(
                &format!("{name}-without-address"),
                Letter::code(purpose, "{####}", None, language),
            );
        }
    }
    letters
}

/// `MERIDIAN_WRITE_LETTERS=1 cargo test -p mail` writes the files.
#[test]
fn every_letter_matches_its_reviewed_text() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/letters");
    for (name, letter) in letters() {
        let file = folder.join(format!("{name}.txt"));
        let text = format!("{}\n\n{}", letter.subject(), letter.text());
        if std::env::var_os("MERIDIAN_WRITE_LETTERS").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&file).unwrap_or_default(),
            text,
            "{name}"
        );
    }
}

#[test]
fn every_letter_is_translated_with_the_same_contents() {
    let letters = letters();
    let (english, german) = letters.split_at(letters.len() / 2);
    for ((name, letter), (_, other)) in english.iter().zip(german) {
        let same_lines = |text: &str| text.lines().filter(|line| line.is_empty()).count();
        assert_eq!(
            same_lines(letter.text()),
            same_lines(other.text()),
            "{name}: paragraphs"
        );
        assert_ne!(
            letter.subject(),
            other.subject(),
            "{name}: the subject is not translated"
        );
        let words = |text: &str| {
            text.lines()
                .filter(|line| line.contains(' '))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let untranslated = words(letter.text())
            .into_iter()
            .filter(|line| words(other.text()).contains(line));
        let shared: Vec<String> = untranslated
            .filter(|line| !line.starts_with("Code: "))
            .collect();
        assert!(shared.is_empty(), "{name}: {shared:?}");
    }
}

#[test]
fn an_invitation_has_everything_needed_to_accept_it() {
    for (name, letter) in letters()
        .iter()
        .filter(|(name, _)| name.starts_with("invitation"))
    {
        let text = letter.text();
        let quoted = if name.ends_with("de") {
            format!("„{ORGANISATION}“")
        } else {
            format!("“{ORGANISATION}”")
        };
        assert!(
            text.lines()
                .any(|line| line == format!("Code: {}", code().reveal())),
            "{name}: {text}"
        );
        assert!(text.lines().any(|line| line == quoted), "{name}: {text}");
        assert!(!letter.subject().contains("Analytical"), "{name}");
        assert_eq!(
            text.contains("https://23456789abcd.app.example.com\n"),
            !name.contains("without"),
            "{name}"
        );
    }
    assert!(
        letter(Role::Member)
            .text()
            .contains("until 2026-11-27 10:00 UTC")
    );
    assert_eq!(format!("{:?}", letter(Role::Admin)), "Letter(..)");
}

/// Cognito refuses a message of more than 20,000 characters, or without the placeholder of the
/// code.
#[test]
fn a_code_survives_as_html() {
    for purpose in CodePurpose::ALL {
        let html = Letter::code(
            purpose,
            "{####}",
            Some("https://a.example/?b&c='<d>"),
            Language::De,
        )
        .html();
        assert!(html.contains("<br>\nCode: {####}<br>"), "{html}");
        assert!(
            html.contains("https://a.example/?b&amp;c=&#39;&lt;d&gt;<br>"),
            "{html}"
        );
        assert!(html.chars().count() < 20_000);
    }
}

#[test]
fn a_sender_is_an_address_or_none() {
    for (text, valid) in [("", true), (SENDER, true), ("nobody", false), (" ", false)] {
        assert_eq!(text.parse::<Sender>().is_ok(), valid, "{text:?}");
    }
}

#[tokio::test]
async fn a_letter_arrives() {
    let aws = testkit::aws().await;
    Client::new(&aws.config)
        .create_email_identity()
        .email_identity(SENDER)
        .send()
        .await
        .unwrap();
    let to = somebody();
    let mailer = mailer(&aws, SENDER);
    assert!(mailer.can_send());
    assert_eq!(mailer.send(&to, &letter(Role::Admin)).await, Ok(()));
    let mails = local_aws::sdk::mailbox(&format!("{}/_ministack/ses/messages", aws.endpoint))
        .await
        .unwrap();
    let mine: Vec<_> = mails
        .iter()
        .filter(|mail| mail.is_to(to.expose()))
        .collect();
    let [mail] = mine.as_slice() else {
        panic!("{} mails", mine.len())
    };
    assert_eq!(
        (mail.subject.as_str(), mail.body_text.as_deref()),
        ("You are invited", Some(letter(Role::Admin).text()))
    );
}

/// SES quotes the sender in its refusal; the error does not.
#[tokio::test]
async fn the_error_of_a_refused_mail_holds_only_a_code() {
    let aws = testkit::aws().await;
    let unverified = mailer(&aws, "stranger@unverified.example");
    let refused = unverified.send(&somebody(), &letter(Role::Member)).await;
    assert_eq!(
        refused,
        Err(MailError::NotTaken {
            code: Some("MessageRejected".to_owned())
        })
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the mail was not taken: MessageRejected"
    );

    let nobody = mailer(&aws, "");
    assert!(!nobody.can_send());
    assert_eq!(
        nobody.send(&somebody(), &letter(Role::Member)).await,
        Err(MailError::NoSender)
    );

    let config = aws
        .config
        .to_builder()
        .endpoint_url("http://127.0.0.1:9")
        .build();
    let unreachable = Mailer::new(&config, SENDER.parse().unwrap());
    let no_answer = Err(MailError::NotTaken { code: None });
    assert_eq!(
        unreachable.send(&somebody(), &letter(Role::Member)).await,
        no_answer
    );
}
