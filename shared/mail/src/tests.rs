use crate::{Letter, MailError, Mailer, Sender};
use aws_sdk_sesv2::Client;
use kernel::{Role, Timestamp};
use tenancy::{EmailAddress, InvitationCode};
use testkit::LocalAws;

const SENDER: &str = "hello@provider.example";

fn mailer(aws: &LocalAws, sender: &str) -> Mailer {
    Mailer::new(&aws.config, sender.parse().unwrap())
}

/// An address that no other test has.
fn somebody() -> EmailAddress {
    format!("grace-{}@compilers.example", runtime::new_uuid().simple()).parse().unwrap()
}

fn code() -> InvitationCode {
    let invitation = "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d".parse().unwrap();
    InvitationCode::from_random(invitation, [7; 16])
}

fn letter(role: Role) -> Letter {
    let until: Timestamp = "2026-11-27T10:00:59Z".parse().unwrap();
    Letter::invitation(
        &"Analytical Engines Ltd".parse().unwrap(),
        &"23456789abcd".parse().unwrap(),
        role,
        &code(),
        until,
    )
}

#[test]
fn an_invitation_says_what_is_needed_to_accept_it() {
    let letter = letter(Role::Member);
    let text = letter.text();
    assert!(text.lines().any(|line| line == format!("Code: {}", code().reveal())), "{text}");
    assert!(text.lines().any(|line| line == "Analytical Engines Ltd"), "{text}");
    assert!(text.contains("as a member") && text.contains("until 2026-11-27 10:00 UTC"), "{text}");
    assert!(self::letter(Role::Admin).text().contains("as an administrator"));
    assert!(!letter.subject().contains("Analytical"));
    assert_eq!(format!("{letter:?}"), "Letter(..)");
}

#[test]
fn a_sender_is_an_address_or_nobody() {
    for (text, valid) in [("", true), (SENDER, true), ("nobody", false), (" ", false)] {
        assert_eq!(text.parse::<Sender>().is_ok(), valid, "{text:?}");
    }
}

#[tokio::test]
async fn a_letter_arrives() {
    let aws = testkit::aws().await;
    Client::new(&aws.config).create_email_identity().email_identity(SENDER).send().await.unwrap();
    let to = somebody();
    let mailer = mailer(&aws, SENDER);
    assert!(mailer.can_send());
    assert_eq!(mailer.send(&to, &letter(Role::Admin)).await, Ok(()));
    let mails = meridian::local::sdk::mailbox(&format!("{}/_ministack/ses/messages", aws.endpoint)).await.unwrap();
    let mine: Vec<_> = mails.iter().filter(|mail| mail.is_to(to.expose())).collect();
    let [mail] = mine.as_slice() else { panic!("{} mails", mine.len()) };
    assert_eq!(
        (mail.subject.as_str(), mail.body_text.as_deref()),
        ("You are invited", Some(letter(Role::Admin).text()))
    );
}

/// SES quotes the sender in its refusal; the error does not.
#[tokio::test]
async fn a_mail_that_is_not_taken_says_no_more_than_a_code() {
    let aws = testkit::aws().await;
    let unverified = mailer(&aws, "stranger@unverified.example");
    let refused = unverified.send(&somebody(), &letter(Role::Member)).await;
    assert_eq!(refused, Err(MailError::NotTaken { code: Some("MessageRejected".to_owned()) }));
    assert_eq!(refused.unwrap_err().to_string(), "the mail was not taken: MessageRejected");

    let nobody = mailer(&aws, "");
    assert!(!nobody.can_send());
    assert_eq!(nobody.send(&somebody(), &letter(Role::Member)).await, Err(MailError::NoSender));

    let config = aws.config.to_builder().endpoint_url("http://127.0.0.1:9").build();
    let unreachable = Mailer::new(&config, SENDER.parse().unwrap());
    let no_answer = Err(MailError::NotTaken { code: None });
    assert_eq!(unreachable.send(&somebody(), &letter(Role::Member)).await, no_answer);
}
