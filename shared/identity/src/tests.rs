use crate::accounts::AccountState;
use crate::error::classify;
use crate::error::{IdentityError, TRIGGER_REFUSALS};
use crate::{Account, Identity, Mailing};
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::{ErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::operation::sign_up::SignUpError;
use tenancy::{EmailAddress, Password, Username, Voucher};
use testkit::Pool;

/// The pool of these tests has no trigger that checks it.
const VOUCHER: Voucher = Voucher::from_random([7; 16]);
/// The code that the emulator mails.
const CODE: &str = "123456";

async fn pool() -> (Identity, Client, Pool) {
    let aws = testkit::aws().await;
    let pool = testkit::user_pool(&aws, &["usage/write"]).await;
    let identity = Identity::new(&aws.config, pool.id.clone(), pool.client_id.clone());
    (identity, Client::new(&aws.config), pool)
}

fn ada() -> (Username, EmailAddress, Password) {
    let email: EmailAddress = "ada@engines.example".parse().unwrap();
    let username = Username::of(&"23456789abcd".parse().unwrap(), &email);
    (username, email, "Difference-Engine-2".parse().unwrap())
}

#[tokio::test]
async fn an_account_is_created_once_and_confirmed_by_its_code() {
    let (identity, _, _) = pool().await;
    let (username, email, password) = ada();
    assert_eq!(
        identity
            .sign_up(username, &email, &password, Mailing::AtOnce, &VOUCHER)
            .await,
        Ok(Account::Created)
    );
    assert_eq!(
        identity
            .sign_up(username, &email, &password, Mailing::AtOnce, &VOUCHER)
            .await,
        Ok(Account::Existing)
    );
    assert_eq!(
        identity.confirm(username, "999999").await,
        Err(IdentityError::WrongCode)
    );
    assert_eq!(identity.confirm(username, CODE).await, Ok(()));
    assert_eq!(
        identity.confirm(username, CODE).await,
        Ok(()),
        "already confirmed counts"
    );
    assert_eq!(
        identity.confirm(username, "999999").await,
        Ok(()),
        "whatever the code"
    );
}

#[tokio::test]
async fn a_proved_account_signs_in_at_once_and_keeps_its_password() {
    let (identity, client, pool) = pool().await;
    let (username, email, password) = ada();
    // As if an earlier call had been cut off between its two steps.
    client
        .admin_create_user()
        .user_pool_id(&pool.id)
        .username(username.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(
        identity.create_proved(username, &email, &password).await,
        Ok(Account::Created)
    );
    let other: Password = "Another-Engine-3".parse().unwrap();
    assert_eq!(
        identity.create_proved(username, &email, &other).await,
        Ok(Account::Existing)
    );
    let sign_in = |password: &str| {
        let flow = aws_sdk_cognitoidentityprovider::types::AuthFlowType::UserPasswordAuth;
        let request = client
            .initiate_auth()
            .client_id(&pool.client_id)
            .auth_flow(flow);
        request
            .auth_parameters("USERNAME", username.to_string())
            .auth_parameters("PASSWORD", password)
            .send()
    };
    assert!(sign_in(password.expose()).await.is_ok());
    assert!(
        sign_in(other.expose()).await.is_err(),
        "the first password holds"
    );
}

#[tokio::test]
async fn a_code_can_be_sent_again() {
    let (identity, _, _) = pool().await;
    let (username, email, password) = ada();
    identity
        .sign_up(username, &email, &password, Mailing::AtOnce, &VOUCHER)
        .await
        .unwrap();
    assert_eq!(identity.resend_code(username).await, Ok(()));
    assert_eq!(identity.confirm(username, CODE).await, Ok(()));
}

#[tokio::test]
async fn an_account_that_does_not_exist_has_no_valid_code() {
    let (identity, _, _) = pool().await;
    assert_eq!(
        identity.confirm(ada().0, CODE).await,
        Err(IdentityError::WrongCode)
    );
}

#[tokio::test]
async fn a_pool_with_harder_rules_refuses_the_password() {
    let (identity, client, pool) = pool().await;
    let rules = aws_sdk_cognitoidentityprovider::types::PasswordPolicyType::builder()
        .minimum_length(40)
        .build();
    let policies = aws_sdk_cognitoidentityprovider::types::UserPoolPolicyType::builder()
        .password_policy(rules)
        .build();
    client
        .update_user_pool()
        .user_pool_id(&pool.id)
        .policies(policies)
        .send()
        .await
        .unwrap();
    let (username, email, password) = ada();
    assert_eq!(
        identity
            .sign_up(username, &email, &password, Mailing::AtOnce, &VOUCHER)
            .await,
        Err(IdentityError::PasswordRefused)
    );
}

#[tokio::test]
async fn an_unknown_client_or_no_answer_at_all_is_unavailable() {
    let (_, _, pool) = pool().await;
    let aws = testkit::aws().await;
    let (username, email, password) = ada();
    let stranger = Identity::new(&aws.config, pool.id.clone(), "nobody".to_owned());
    let code = Some("ResourceNotFoundException".to_owned());
    assert_eq!(
        stranger
            .sign_up(username, &email, &password, Mailing::AtOnce, &VOUCHER)
            .await,
        Err(IdentityError::Unavailable { code })
    );
    let config = aws
        .config
        .to_builder()
        .endpoint_url("http://127.0.0.1:9")
        .build();
    let unreachable = Identity::new(&config, pool.id, pool.client_id);
    let no_answer = Err(IdentityError::Unavailable { code: None });
    assert_eq!(
        unreachable
            .sign_up(username, &email, &password, Mailing::AtOnce, &VOUCHER)
            .await,
        no_answer
    );
}

#[tokio::test]
async fn deleting_an_account_again_changes_nothing() {
    let (identity, client, pool) = pool().await;
    let (username, email, password) = ada();
    assert_eq!(
        identity.delete_account(&username.to_string()).await,
        Ok(()),
        "there was none"
    );
    identity
        .sign_up(username, &email, &password, Mailing::AtOnce, &VOUCHER)
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(identity.delete_account(&username.to_string()).await, Ok(()));
    }
    assert!(
        client
            .list_users()
            .user_pool_id(&pool.id)
            .send()
            .await
            .unwrap()
            .users()
            .is_empty()
    );
    let elsewhere = Identity::new(
        &testkit::aws().await.config,
        "eu-west-1_nowhere".to_owned(),
        pool.client_id,
    );
    let code = Some("ResourceNotFoundException".to_owned());
    assert_eq!(
        elsewhere.delete_account(&username.to_string()).await,
        Err(IdentityError::Unavailable { code })
    );
}

#[tokio::test]
async fn a_machine_client_is_found_by_its_name_and_gone_once_deleted() {
    let (identity, client, pool) = pool().await;
    let tenant = "01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f".parse().unwrap();
    let id = tenancy::ClientId::of(tenant, &tenancy::KeyDigest::of("test", "1"));
    assert_eq!(identity.clients_named(&id.to_string()).await, Ok(vec![]));
    let made = identity
        .create_machine(id, &[kernel::MachineScope::UsageWrite])
        .await
        .unwrap();
    assert!(!format!("{made:?}").contains(made.secret.reveal()));
    // More clients than a page lists.
    for _ in 0..62 {
        client
            .create_user_pool_client()
            .user_pool_id(&pool.id)
            .client_name("another")
            .send()
            .await
            .unwrap();
    }
    let late = identity
        .create_machine(id, &[kernel::MachineScope::UsageWrite])
        .await
        .unwrap();
    let both = vec![made.client_id.clone(), late.client_id.clone()];
    assert_eq!(identity.clients_named(&id.to_string()).await, Ok(both));
    assert_eq!(
        identity.machine(&made.client_id).await,
        Ok(Some(made.clone()))
    );
    for _ in 0..2 {
        assert_eq!(identity.delete_client(&made.client_id).await, Ok(()));
    }
    assert_eq!(identity.machine(&made.client_id).await, Ok(None));
    assert_eq!(identity.delete_clients_named(&id.to_string()).await, Ok(()));
    assert_eq!(identity.clients_named(&id.to_string()).await, Ok(vec![]));
}

/// The error of a caller for an exception of Cognito.
fn classified(code: &str, message: &str) -> IdentityError {
    let metadata = ErrorMetadata::builder().code(code).message(message).build();
    classify(&SdkError::service_error(SignUpError::generic(metadata), ()))
}

/// Every error that the references of the called operations list, and the error that a caller gets.
#[test]
fn only_refusals_are_reported_as_refusals() {
    fn check(code: &str, expected: &IdentityError) {
        assert_eq!(
            classified(code, "words of Cognito's own"),
            *expected,
            "{code}"
        );
    }
    check("InvalidPasswordException", &IdentityError::PasswordRefused);
    check(
        "PasswordHistoryPolicyViolationException",
        &IdentityError::PasswordRefused,
    );
    check("CodeMismatchException", &IdentityError::WrongCode);
    check("UserNotFoundException", &IdentityError::WrongCode);
    check("ExpiredCodeException", &IdentityError::ExpiredCode);
    check("LimitExceededException", &IdentityError::TooManyAttempts);
    check(
        "TooManyFailedAttemptsException",
        &IdentityError::TooManyAttempts,
    );
    for code in [
        "AliasExistsException",
        "InvalidParameterException",
        "NotAuthorizedException",
        "UnsupportedUserStateException",
        "UsernameExistsException",
    ] {
        check(
            code,
            &IdentityError::Refused {
                code: code.to_owned(),
            },
        );
    }
    for code in [
        "CodeDeliveryFailureException",
        "ConcurrentModificationException",
        "DuplicateProviderException",
        "ForbiddenException",
        "InternalErrorException",
        "InternalServerError",
        "InvalidEmailRoleAccessPolicyException",
        "InvalidLambdaResponseException",
        "InvalidOAuthFlowException",
        "InvalidSmsRoleAccessPolicyException",
        "InvalidSmsRoleTrustRelationshipException",
        "InvalidUserPoolConfigurationException",
        "PreconditionNotMetException",
        "RequestTimeout",
        "ResourceNotFoundException",
        "ScopeDoesNotExistException",
        "ServiceUnavailable",
        "ThrottlingException",
        "TooManyRequestsException",
        "UnexpectedLambdaException",
        "UnsupportedIdentityProviderException",
        "UnsupportedOperationException",
        "UserImportInProgressException",
        "UserLambdaValidationException",
        "SomethingThatCognitoHasSince",
    ] {
        check(
            code,
            &IdentityError::Unavailable {
                code: Some(code.to_owned()),
            },
        );
    }
    let silent: SdkError<SignUpError, ()> = SdkError::timeout_error("no answer");
    assert_eq!(classify(&silent), IdentityError::Unavailable { code: None });
}

/// Cognito reports a failing trigger and a refusing one by the same exception.
#[test]
fn a_trigger_refuses_by_its_own_words_only() {
    const CODE: &str = "UserLambdaValidationException";
    for word in TRIGGER_REFUSALS {
        let refused = IdentityError::Refused {
            code: word.to_owned(),
        };
        assert_eq!(
            classified(CODE, &format!("PreSignUp failed with error {word}.")),
            refused
        );
    }
    for failure in [
        "PreSignUp failed with error RegistrationUnavailable: see the function's log.",
        "PreSignUp failed with error 2026-11-20T10:00:05.006Z 8f5e Task timed out after 5.00 seconds.",
        "PreSignUp failed with error RequestId: 8f5e Error: Runtime exited with error: signal: killed.",
        "PostConfirmation failed with error ActivationFailed: not-registered: see the function's log.",
        "PreSignUp invocation failed due to configuration error: not-registered.",
        "PreSignUp failed with error not-registered-yet.",
        "not-registered",
        "",
    ] {
        assert_eq!(
            classified(CODE, failure),
            IdentityError::Unavailable {
                code: Some(CODE.to_owned())
            },
            "{failure}"
        );
    }
}

/// A trigger's word that is missing in the list would count as a temporary error.
#[test]
fn every_word_of_a_trigger_is_known() {
    let functions =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions/regional");
    let mut found = 0;
    for function in std::fs::read_dir(functions)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        let name = function.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(source) = std::fs::read_to_string(function.join("src/handler.rs")) else {
            continue;
        };
        if !name.starts_with("auth-") {
            continue;
        }
        // These files contain such texts, in lower case with hyphens, only as refusal words.
        for word in source.split('"').skip(1).step_by(2) {
            let is_word =
                word.contains('-') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            if is_word {
                assert!(TRIGGER_REFUSALS.contains(&word), "{name} has {word}");
                found += 1;
            }
        }
    }
    assert!(found >= 8, "only {found} words found in the files");
}

/// An account with a name unlike ours, as an administrator of the pool may create.
async fn plant(client: &Client, pool: &Pool, name: &str, email: &str) {
    let attribute = aws_sdk_cognitoidentityprovider::types::AttributeType::builder()
        .name("email")
        .value(email);
    let planted = client
        .admin_create_user()
        .user_pool_id(&pool.id)
        .username(name);
    planted
        .user_attributes(attribute.build().unwrap())
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn accounts_are_found_by_their_address_under_any_name() {
    let (identity, client, pool) = pool().await;
    let (username, email, password) = ada();
    identity
        .create_proved(username, &email, &password)
        .await
        .unwrap();
    let simple = username.to_string().replace('-', "");
    plant(&client, &pool, &simple, email.expose()).await;
    plant(
        &client,
        &pool,
        "oidc-23456789abcd_CaSe",
        "grace@engines.example",
    )
    .await;
    let mut both = vec![username.to_string(), simple];
    both.sort();
    assert_eq!(identity.accounts_with(&email).await, Ok(both));
    assert_eq!(
        identity
            .accounts_with(&"nobody@engines.example".parse().unwrap())
            .await,
        Ok(vec![])
    );
    let provider = tenancy::ProviderName::of(&"23456789abcd".parse().unwrap());
    assert_eq!(
        identity.accounts_of_provider(&provider).await,
        Ok(vec!["oidc-23456789abcd_CaSe".to_owned()])
    );
    let other = tenancy::ProviderName::of(&"zzzzzzzzzzzz".parse().unwrap());
    assert_eq!(identity.accounts_of_provider(&other).await, Ok(vec![]));
}

#[tokio::test]
async fn a_token_is_valid_until_its_person_signs_out_everywhere() {
    let (identity, client, pool) = pool().await;
    let (username, email, password) = ada();
    let name = username.to_string();
    assert_eq!(
        identity.account_state(&name).await,
        Ok(AccountState::Missing)
    );
    identity
        .create_proved(username, &email, &password)
        .await
        .unwrap();
    assert_eq!(
        identity.account_state(&name).await,
        Ok(AccountState::Enabled)
    );
    let sign_in = async || {
        let flow = aws_sdk_cognitoidentityprovider::types::AuthFlowType::UserPasswordAuth;
        let request = client
            .initiate_auth()
            .client_id(&pool.client_id)
            .auth_flow(flow);
        let request = request
            .auth_parameters("USERNAME", &name)
            .auth_parameters("PASSWORD", password.expose());
        request
            .send()
            .await
            .unwrap()
            .authentication_result
            .unwrap()
            .access_token
            .unwrap()
    };
    let token = sign_in().await;
    assert_eq!(identity.is_in_session(&token).await, Ok(true));
    client
        .global_sign_out()
        .access_token(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(
        identity.is_in_session(&token).await,
        Ok(false),
        "signed out everywhere"
    );
    // The local AWS compares sign-outs and tokens by the second only.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let token = sign_in().await;
    assert_eq!(identity.is_in_session(&token).await, Ok(true));
    client
        .admin_disable_user()
        .user_pool_id(&pool.id)
        .username(&name)
        .send()
        .await
        .unwrap();
    assert_eq!(
        identity.account_state(&name).await,
        Ok(AccountState::Disabled)
    );
    assert_eq!(identity.is_in_session(&token).await, Ok(false), "disabled");
    client
        .admin_enable_user()
        .user_pool_id(&pool.id)
        .username(&name)
        .send()
        .await
        .unwrap();
    assert_eq!(identity.delete_account(&name).await, Ok(()));
    assert_eq!(identity.is_in_session(&token).await, Ok(false), "gone");
}
