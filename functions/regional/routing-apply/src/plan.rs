//! Plans the DNS names of tenants. Pure, and absolute: a plan does not depend on earlier ones.

use kernel::{TenantId, TenantStatus, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use tenancy::{CustomSubdomain, Tenant};

/// Tenants by their ids.
pub(crate) type Tenants = BTreeMap<TenantId, Tenant>;

/// The route of each subdomain. Tenants may have chosen subdomains, so a plan must not be logged.
pub(crate) type Plan = BTreeMap<String, Route>;

/// The route of a subdomain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// The subdomain routes to this region.
    Here,
    /// The subdomain does not route to this region.
    Gone,
}

/// The routes of the subdomains of tenants.
pub(crate) fn plan_routes<'a>(
    tenants: impl IntoIterator<Item = &'a Tenant>,
    now: Timestamp,
) -> Plan {
    tenants
        .into_iter()
        .flat_map(|tenant| routes_of(tenant, now))
        .collect()
}

/// The loaded tenants whose routes have changed since they were planned.
pub(crate) fn overtaken(before: &Tenants, loaded: Tenants, now: Timestamp) -> Tenants {
    let planned = |id: &TenantId| before.get(id).map(|tenant| routes_of(tenant, now));
    loaded
        .into_iter()
        .filter(|(id, tenant)| planned(id) != Some(routes_of(tenant, now)))
        .collect()
}

/// Whether one of a tenant's names is among the subdomains.
pub(crate) fn has_one_of(tenant: &Tenant, subdomains: &BTreeSet<String>, now: Timestamp) -> bool {
    routes_of(tenant, now)
        .keys()
        .any(|subdomain| subdomains.contains(subdomain))
}

/// Whether a tenant's names route to the region once they are written.
pub(crate) fn leads_here(tenant: &Tenant) -> bool {
    !matches!(
        tenant.status,
        TenantStatus::Pending | TenantStatus::Provisioning | TenantStatus::Closed
    )
}

/// The routes of a tenant's subdomains. A tenant that is not active yet has no names. The names of
/// a relocating tenant stay until its new region overwrites them, so this region changes nothing.
fn routes_of(tenant: &Tenant, now: Timestamp) -> Plan {
    let route = match tenant.status {
        TenantStatus::Pending | TenantStatus::Provisioning | TenantStatus::Relocating => {
            return Plan::new();
        }
        TenantStatus::Active | TenantStatus::Suspended | TenantStatus::Closing => Route::Here,
        TenantStatus::Closed => Route::Gone,
    };
    let former = tenant
        .former_subdomains(now)
        .map(|subdomain| (subdomain.expose().to_owned(), Route::Gone));
    let chosen = tenant.custom_subdomain().map(CustomSubdomain::expose);
    let present = chosen
        .into_iter()
        .chain([tenant.alias.as_str()])
        .map(|subdomain| (subdomain.to_owned(), route));
    // Present subdomains come last and win: a former subdomain may be in use again.
    former.chain(present).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn tenant(status: TenantStatus) -> Tenant {
        let tenant = json!({
            "tenant": "01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f", "alias": "23456789abcd",
            "signup": "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d", "plan": "starter", "status": status, "version": 2,
            "generation": 2, "policy": { "version": 0, "entitlements": [] }, "admins": 1, "users": 1, "invitations": 0,
        });
        serde_json::from_value(tenant).unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-20T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_name_routes_here_as_long_as_its_tenant_lives_here() {
        for (status, route) in [
            (TenantStatus::Pending, None),
            (TenantStatus::Provisioning, None),
            (TenantStatus::Active, Some(Route::Here)),
            (TenantStatus::Suspended, Some(Route::Here)),
            (TenantStatus::Closing, Some(Route::Here)),
            (TenantStatus::Relocating, None),
            (TenantStatus::Closed, Some(Route::Gone)),
        ] {
            let wanted = route
                .map(|route| ("23456789abcd".to_owned(), route))
                .into_iter()
                .collect();
            assert_eq!(plan_routes([&tenant(status)], now()), wanted, "{status}");
        }
    }

    #[test]
    fn a_custom_subdomain_is_added_and_removed_beside_the_alias() {
        use Route::{Gone, Here};
        let held = |subdomain: &str| json!({ "subdomain": subdomain, "digest": "0".repeat(64), "since": "2026-11-19T10:00:00Z" });
        let former =
            |subdomain: &str, until: &str| json!({ "subdomain": subdomain, "until": until });
        let check = |status, subdomains: Value, wanted: &[(&str, Route)]| {
            let mut tenant = tenant(status);
            tenant.subdomains = serde_json::from_value(subdomains.clone()).unwrap();
            let of_alias = (
                "23456789abcd",
                if status == TenantStatus::Closed {
                    Gone
                } else {
                    Here
                },
            );
            let wanted: Plan = wanted
                .iter()
                .chain([&of_alias])
                .map(|(subdomain, route)| ((*subdomain).to_owned(), *route))
                .collect();
            assert_eq!(
                plan_routes([&tenant], now()),
                wanted,
                "{status} {subdomains}"
            );
        };
        check(TenantStatus::Active, json!({ "revision": 1 }), &[]);
        check(
            TenantStatus::Active,
            json!({ "revision": 1, "held": held("acme") }),
            &[("acme", Here)],
        );
        check(
            TenantStatus::Closed,
            json!({ "revision": 1, "held": held("acme") }),
            &[("acme", Gone)],
        );
        let changed = json!({
            "revision": 2, "held": held("acme"),
            "former": [former("acme", "2026-11-20T09:00:00Z"), former("apex", "2026-11-20T09:00:00Z"),
                       former("long-ago", "2026-10-20T09:00:00Z")],
        });
        check(
            TenantStatus::Active,
            changed,
            &[("acme", Here), ("apex", Gone)],
        );
    }

    #[test]
    fn only_a_changed_route_overtakes_a_plan() {
        let at = |status| BTreeMap::from([(tenant(status).id, tenant(status))]);
        let check = |before, then, moved: bool| {
            assert_eq!(
                !overtaken(&at(before), at(then), now()).is_empty(),
                moved,
                "{before} to {then}"
            );
        };
        check(TenantStatus::Active, TenantStatus::Suspended, false);
        check(TenantStatus::Active, TenantStatus::Closed, true);
        check(TenantStatus::Pending, TenantStatus::Provisioning, false);
        check(TenantStatus::Pending, TenantStatus::Active, true);
    }
}
