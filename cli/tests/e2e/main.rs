//! Whole journeys on local regions of every mode: the real template, the real binaries, the real
//! services.
//!
//! One stack serves all scenarios, one after the other; it is stopped at the end, whatever
//! happened.

mod accounts;
mod alerts;
mod billing;
mod books;
mod boundaries;
mod browser;
mod chromium;
mod clients;
mod completeness;
mod connect;
mod costs;
mod days;
mod dead_letters;
mod documents;
mod exactly_once;
mod federation;
mod isolation;
mod kills;
mod life;
mod listener;
mod load;
mod machines;
mod onboarding;
mod outage;
mod poison;
mod provisioning;
mod quiet;
mod redelivery;
mod refusals;
mod residency;
mod routing;
mod runtime_interface;
mod signin;
mod subdomains;
mod usage_clients;
mod widths;

use anyhow::{Context, Result, bail};
use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use local_aws::{Stack, UpOptions};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use tokio::runtime::Runtime;

type Scenario = for<'a> fn(&'a Stack) -> LocalBoxFuture<'a, Result<()>>;

const SCENARIOS: &[(&str, Scenario)] = &[
    ("bad_requests_get_problem_documents", |stack| {
        Box::pin(refusals::bad_requests_get_problem_documents(stack))
    }),
    ("tokens_of_others_are_refused", |stack| {
        Box::pin(refusals::tokens_of_others_are_refused(stack))
    }),
    ("the_commands_of_the_documents_work", |stack| {
        Box::pin(documents::the_commands_of_the_documents_work(stack))
    }),
    ("a_deployment_is_described_from_its_stacks", |stack| {
        Box::pin(connect::a_deployment_is_described_from_its_stacks(stack))
    }),
    ("a_key_makes_one_tenant", |stack| {
        Box::pin(kills::a_key_makes_one_tenant(stack))
    }),
    ("a_killed_sign_up_is_completed_by_its_repetition", |stack| {
        Box::pin(kills::a_killed_sign_up_is_completed_by_its_repetition(
            stack,
        ))
    }),
    ("a_killed_activation_is_completed", |stack| {
        Box::pin(kills::a_killed_activation_is_completed(stack))
    }),
    ("sign_ups_outlive_a_failing_user_pool", |stack| {
        Box::pin(kills::sign_ups_outlive_a_failing_user_pool(stack))
    }),
    ("an_expired_code_is_replaced", |stack| {
        Box::pin(kills::an_expired_code_is_replaced(stack))
    }),
    ("an_address_gets_so_many_mails_in_an_hour", |stack| {
        Box::pin(kills::an_address_gets_so_many_mails_in_an_hour(stack))
    }),
    ("two_hundred_sign_ups_at_once_complete", |stack| {
        Box::pin(kills::two_hundred_sign_ups_at_once_complete(stack))
    }),
    ("home_hands_a_sign_up_over", |stack| {
        Box::pin(onboarding::home_hands_a_sign_up_over(stack))
    }),
    ("a_key_makes_one_onboarding", |stack| {
        Box::pin(onboarding::a_key_makes_one_onboarding(stack))
    }),
    (
        "a_killed_onboarding_is_completed_by_its_repetition",
        |stack| Box::pin(onboarding::a_killed_onboarding_is_completed_by_its_repetition(stack)),
    ),
    ("the_application_makes_pool_and_silo_tenants", |stack| {
        Box::pin(provisioning::the_application_makes_pool_and_silo_tenants(
            stack,
        ))
    }),
    ("silence_is_a_visible_failure", |stack| {
        Box::pin(provisioning::silence_is_a_visible_failure(stack))
    }),
    ("the_builder_toolkit_hears_of_tenants", |stack| {
        Box::pin(provisioning::the_builder_toolkit_hears_of_tenants(stack))
    }),
    ("a_killed_provisioning_is_completed", |stack| {
        Box::pin(provisioning::a_killed_provisioning_is_completed(stack))
    }),
    ("an_administrator_runs_a_tenant", |stack| {
        Box::pin(life::an_administrator_runs_a_tenant(stack))
    }),
    ("nobody_reaches_into_another_tenant", |stack| {
        Box::pin(life::nobody_reaches_into_another_tenant(stack))
    }),
    ("a_suspension_keeps_everybody_out", |stack| {
        Box::pin(life::a_suspension_keeps_everybody_out(stack))
    }),
    ("nobody_makes_a_second_account", |stack| {
        Box::pin(accounts::nobody_makes_a_second_account(stack))
    }),
    ("a_tenant_without_administrators_gets_a_new_one", |stack| {
        Box::pin(accounts::a_tenant_without_administrators_gets_a_new_one(
            stack,
        ))
    }),
    ("an_unconfirmed_sign_up_expires", |stack| {
        Box::pin(life::an_unconfirmed_sign_up_expires(stack))
    }),
    (
        "a_killed_invitation_is_completed_by_its_repetition",
        |stack| Box::pin(boundaries::a_killed_invitation_is_completed_by_its_repetition(stack)),
    ),
    (
        "a_killed_administration_is_completed_by_its_repetition",
        |stack| Box::pin(boundaries::a_killed_administration_is_completed_by_its_repetition(stack)),
    ),
    ("a_killed_suspension_is_completed", |stack| {
        Box::pin(boundaries::a_killed_suspension_is_completed(stack))
    }),
    ("a_killed_erasure_is_completed_by_the_next_run", |stack| {
        Box::pin(boundaries::a_killed_erasure_is_completed_by_the_next_run(
            stack,
        ))
    }),
    ("a_person_signs_up_and_in_through_a_browser", |stack| {
        Box::pin(browser::a_person_signs_up_and_in_through_a_browser(stack))
    }),
    ("a_suspended_tenant_says_so_in_a_browser", |stack| {
        Box::pin(browser::a_suspended_tenant_says_so_in_a_browser(stack))
    }),
    ("a_browser_finds_workspaces", |stack| {
        Box::pin(browser::a_browser_finds_workspaces(stack))
    }),
    ("a_browser_signs_in_without_home", |stack| {
        Box::pin(browser::a_browser_signs_in_without_home(stack))
    }),
    ("a_library_of_others_signs_in", |stack| {
        Box::pin(signin::a_library_of_others_signs_in(stack))
    }),
    ("a_new_password_is_required", |stack| {
        Box::pin(signin::a_new_password_is_required(stack))
    }),
    ("a_suspended_tenant_signs_nobody_in", |stack| {
        Box::pin(signin::a_suspended_tenant_signs_nobody_in(stack))
    }),
    ("mails_are_worded_for_the_tenant", |stack| {
        Box::pin(signin::mails_are_worded_for_the_tenant(stack))
    }),
    ("accounts_move_along_with_their_tenant", |stack| {
        Box::pin(signin::accounts_move_along_with_their_tenant(stack))
    }),
    ("sign_in_costs", |stack| {
        Box::pin(costs::sign_in_costs(stack))
    }),
    (
        "a_tenants_machine_is_made_used_replaced_and_revoked",
        |stack| Box::pin(machines::a_tenants_machine_is_made_used_replaced_and_revoked(stack)),
    ),
    ("a_killed_client_is_completed_by_its_repetition", |stack| {
        Box::pin(machines::a_killed_client_is_completed_by_its_repetition(
            stack,
        ))
    }),
    ("senders_do_not_share_ids", |stack| {
        Box::pin(machines::senders_do_not_share_ids(stack))
    }),
    ("a_machines_token_is_of_its_own_region", |stack| {
        Box::pin(machines::a_machines_token_is_of_its_own_region(stack))
    }),
    ("entitlements_hold_without_home", |stack| {
        Box::pin(machines::entitlements_hold_without_home(stack))
    }),
    ("a_tenant_brings_its_own_identity_provider", |stack| {
        Box::pin(federation::a_tenant_brings_its_own_identity_provider(stack))
    }),
    ("a_killed_rollup_loses_nothing", |stack| {
        Box::pin(kills::a_killed_rollup_loses_nothing(stack))
    }),
    ("clients_of_others_report_usage", |stack| {
        Box::pin(usage_clients::clients_of_others_report_usage(stack))
    }),
    ("every_event_counts_once", |stack| {
        Box::pin(exactly_once::every_event_counts_once(stack))
    }),
    ("months_begin_where_the_tenants_do", |stack| {
        Box::pin(days::months_begin_where_the_tenants_do(stack))
    }),
    ("a_level_of_usage_is_told_once", |stack| {
        Box::pin(alerts::a_level_of_usage_is_told_once(stack))
    }),
    ("usage_of_any_width_counts", |stack| {
        Box::pin(widths::usage_of_any_width_counts(stack))
    }),
    ("usage_is_shown_soon", |stack| {
        Box::pin(load::usage_is_shown_soon(stack))
    }),
    ("the_largest_batch_takes_little_memory", |stack| {
        Box::pin(load::the_largest_batch_takes_little_memory(stack))
    }),
    ("usage_under_load", |stack| {
        Box::pin(load::usage_under_load(stack))
    }),
    ("what_is_lost_is_published_again", |stack| {
        Box::pin(completeness::what_is_lost_is_published_again(stack))
    }),
    ("what_is_lost_at_the_end_is_found_out", |stack| {
        Box::pin(completeness::what_is_lost_at_the_end_is_found_out(stack))
    }),
    ("a_tenant_is_reached_by_its_address", |stack| {
        Box::pin(routing::a_tenant_is_reached_by_its_address(stack))
    }),
    ("an_address_ends_with_its_tenant", |stack| {
        Box::pin(routing::an_address_ends_with_its_tenant(stack))
    }),
    ("only_who_may_changes_names", |stack| {
        Box::pin(routing::only_who_may_changes_names(stack))
    }),
    ("addresses_outlive_home", |stack| {
        Box::pin(routing::addresses_outlive_home(stack))
    }),
    ("one_tenant_of_the_fleet_has_a_label", |stack| {
        Box::pin(subdomains::one_tenant_of_the_fleet_has_a_label(stack))
    }),
    ("a_label_is_refused_where_it_is_asked_for", |stack| {
        Box::pin(subdomains::a_label_is_refused_where_it_is_asked_for(stack))
    }),
    ("a_claim_waits_for_home", |stack| {
        Box::pin(subdomains::a_claim_waits_for_home(stack))
    }),
    ("narrowed_credentials_reach_one_tenant", |stack| {
        Box::pin(isolation::narrowed_credentials_reach_one_tenant(stack))
    }),
    ("a_session_is_of_one_tenant", |stack| {
        Box::pin(isolation::a_session_is_of_one_tenant(stack))
    }),
    ("the_function_alone_reads_no_tenant", |stack| {
        Box::pin(isolation::the_function_alone_reads_no_tenant(stack))
    }),
    ("the_deployed_policy_is_what_refuses", |stack| {
        Box::pin(isolation::the_deployed_policy_is_what_refuses(stack))
    }),
    ("a_region_is_lost_while_it_meters", |stack| {
        Box::pin(outage::a_region_is_lost_while_it_meters(stack))
    }),
    ("a_region_works_without_home", |stack| {
        Box::pin(outage::a_region_works_without_home(stack))
    }),
    ("a_killed_billing_bills_once", |stack| {
        Box::pin(billing::a_killed_billing_bills_once(stack))
    }),
    ("a_tenant_closes_is_billed_and_is_erased", |stack| {
        Box::pin(life::a_tenant_closes_is_billed_and_is_erased(stack))
    }),
    ("nothing_else_is_a_dead_letter", |stack| {
        Box::pin(dead_letters::nothing_else_is_a_dead_letter(stack))
    }),
    ("a_poison_message_ends_in_its_dead_letter_queue", |stack| {
        Box::pin(poison::a_poison_message_ends_in_its_dead_letter_queue(
            stack,
        ))
    }),
    (
        "every_binary_runs_under_the_runtime_interface_emulator",
        |stack| Box::pin(runtime_interface::every_binary_runs(stack)),
    ),
    ("personal_data_stays_in_its_region", |stack| {
        Box::pin(residency::personal_data_stays_in_its_region(stack))
    }),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Faults and outages concern the whole stack: one scenario at a time.
    arguments.test_threads = Some(1);
    let Ok(runtime) = Runtime::new().map(Arc::new) else {
        return ExitCode::FAILURE;
    };
    let stack: Arc<OnceLock<Result<Stack, String>>> = Arc::default();
    let trials = SCENARIOS.iter().map(|(name, scenario)| {
        let (runtime, stack) = (Arc::clone(&runtime), Arc::clone(&stack));
        Trial::test(*name, move || {
            let stack =
                stack.get_or_init(|| runtime.block_on(up()).map_err(|error| format!("{error:#}")));
            let stack = stack
                .as_ref()
                .map_err(|error| Failed::from(error.as_str()))?;
            runtime
                .block_on(play(stack, *scenario))
                .map_err(|error| Failed::from(format!("{error:#}")))
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if stack.get().is_some()
        && let Err(error) = runtime.block_on(Stack::down(&checkout()))
    {
        eprintln!("the stack does not stop: {error:#}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// Plays a scenario on a whole stack, and makes it whole again.
async fn play(stack: &Stack, scenario: Scenario) -> Result<()> {
    let played = scenario(stack).await;
    for region in stack.deployment().regions.keys() {
        stack
            .start_region(region)
            .await
            .context("after the scenario")?;
    }
    stack.control().heal().await.context("after the scenario")?;
    played
}

async fn up() -> Result<Stack> {
    let checkout = checkout();
    if Stack::status(&checkout)
        .await?
        .regions
        .iter()
        .any(|region| region.pid.is_some())
    {
        bail!(
            "a local stack of this checkout is running, and these tests begin with an empty one: meridian local down"
        );
    }
    let stack = Stack::up(UpOptions {
        reset: true,
        ..UpOptions::new(checkout)
    })
    .await?;
    redelivery::hasten(&stack).await?;
    Ok(stack)
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
