//! The demo's customers. Every personal value of theirs is a canary.

use super::Customer;
use crate::client::signup::Details;
use deployment::Deployment;
use kernel::Mode;
use local_aws::canary::Canary;

/// A person who signs up an organisation in a region.
#[derive(Debug, Clone)]
pub struct Person {
    /// The region.
    pub region: String,
    /// The contents of the form.
    pub details: Details,
    /// The key that makes repeated attempts one sign-up.
    pub idempotency_key: String,
    /// Whether home hands the sign-up over to the region.
    pub through_home: bool,
}

/// A sovereign region publishes totals only if they cover five tenants or more.
const TENANTS_SOVEREIGN: usize = 5;
/// One tenant of each plan.
const TENANTS_OTHER: usize = 3;

/// Invents the customers of every region: enough in a sovereign one for it to publish totals.
pub(super) fn invent(deployment: &Deployment) -> Vec<Person> {
    let mut people = Vec::new();
    for (region, known) in &deployment.regions {
        let (count, plans): (_, &[&str]) = match known.mode {
            Mode::Sovereign => (TENANTS_SOVEREIGN, &["pro-in"]),
            Mode::Shared | Mode::Regional => (TENANTS_OTHER, &["pro", "starter", "enterprise"]),
        };
        // The first tenant of a shared region signs up through home, which hands sign-ups only to
        // such regions.
        let through_home = |number| number == 0 && known.mode == Mode::Shared;
        people.extend((0..count).map(|number| Person {
            through_home: through_home(number),
            ..Person::invent(region, plans[number % plans.len()])
        }));
    }
    people
}

impl Person {
    /// Invents a person whose every personal value is unlike any other text.
    #[must_use]
    pub fn invent(region: &str, plan: &str) -> Self {
        let token = || crate::new_uuid().simple().to_string();
        Self {
            region: region.to_owned(),
            details: Details {
                organisation: format!("Works of Q{}", token()),
                name: format!("Robin K{}", token()),
                email: format!("m{}@customer.example", token()),
                password: format!("Pw1-{}", token()),
                plan: plan.to_owned(),
                billing_anchor: None,
                terms: "1".to_owned(),
                data_processing: "1".to_owned(),
            },
            idempotency_key: format!("demo-{}", token()),
            through_home: false,
        }
    }
}

/// The personal values of customers, each with the only region where it may be.
#[must_use]
pub fn canaries(customers: &[Customer]) -> Vec<Canary> {
    let mut canaries = Vec::new();
    for customer in customers {
        let details = &customer.person.details;
        for (field, value) in [
            ("organisation", &details.organisation),
            ("name", &details.name),
            ("email", &details.email),
        ] {
            let region = customer.person.region.clone();
            canaries.push(Canary {
                region,
                field,
                value: value.clone(),
            });
        }
    }
    canaries
}
