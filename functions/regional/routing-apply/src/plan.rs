//! Which names lead to the region: pure, and absolute.

use kernel::{TenantId, TenantStatus, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use tenancy::{Tenant, VanityLabel};

/// Tenants by their ids.
pub(crate) type Tenants = BTreeMap<TenantId, Tenant>;

/// What the zone has to say of each label. Tenants may have chosen some: they are not for logs.
pub(crate) type Plan = BTreeMap<String, Route>;

/// What the zone has to say of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// It leads to this region.
    Here,
    /// It does not lead to this region.
    Gone,
}

/// What the zone has to say of the labels of tenants.
pub(crate) fn plan_routes<'a>(
    tenants: impl IntoIterator<Item = &'a Tenant>,
    now: Timestamp,
) -> Plan {
    tenants
        .into_iter()
        .flat_map(|tenant| routes_of(tenant, now))
        .collect()
}

/// The tenants of whom the zone has to say something else now.
pub(crate) fn overtaken(before: &Tenants, loaded: Tenants, now: Timestamp) -> Tenants {
    let said = |id: &TenantId| before.get(id).map(|tenant| routes_of(tenant, now));
    loaded
        .into_iter()
        .filter(|(id, tenant)| said(id) != Some(routes_of(tenant, now)))
        .collect()
}

/// Whether one of a tenant's names is among these.
pub(crate) fn has_one_of(tenant: &Tenant, labels: &BTreeSet<String>, now: Timestamp) -> bool {
    routes_of(tenant, now)
        .keys()
        .any(|label| labels.contains(label))
}

/// Whether a tenant's names lead to the region once they are written.
pub(crate) fn leads_here(tenant: &Tenant) -> bool {
    !matches!(
        tenant.status,
        TenantStatus::Pending | TenantStatus::Provisioning | TenantStatus::Closed
    )
}

/// A tenant that is not in use yet has no name yet. One that moves has had its names since it was:
/// they stay until the region that it moves to writes them, and are not taken back then.
fn routes_of(tenant: &Tenant, now: Timestamp) -> Plan {
    let route = match tenant.status {
        TenantStatus::Pending | TenantStatus::Provisioning | TenantStatus::Relocating => {
            return Plan::new();
        }
        TenantStatus::Active | TenantStatus::Suspended | TenantStatus::Closing => Route::Here,
        TenantStatus::Closed => Route::Gone,
    };
    let former = tenant
        .former_labels(now)
        .map(|label| (label.expose().to_owned(), Route::Gone));
    let chosen = tenant.vanity_label().map(VanityLabel::expose);
    let present = chosen
        .into_iter()
        .chain([tenant.alias.as_str()])
        .map(|label| (label.to_owned(), route));
    // A label that was given up and taken again is a present one.
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
    fn a_name_leads_here_as_long_as_its_tenant_lives_here() {
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
    fn a_chosen_label_comes_and_goes_beside_the_alias() {
        use Route::{Gone, Here};
        let held = |label: &str| json!({ "label": label, "claim": "0".repeat(64), "since": "2026-11-19T10:00:00Z" });
        let former = |label: &str, until: &str| json!({ "label": label, "until": until });
        let check = |status, vanity: Value, wanted: &[(&str, Route)]| {
            let mut tenant = tenant(status);
            tenant.vanity = serde_json::from_value(vanity.clone()).unwrap();
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
                .map(|(label, route)| ((*label).to_owned(), *route))
                .collect();
            assert_eq!(plan_routes([&tenant], now()), wanted, "{status} {vanity}");
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
    fn only_another_route_overtakes() {
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
