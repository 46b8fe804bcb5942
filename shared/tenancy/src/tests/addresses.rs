use crate::address::Addresses;
use crate::claims::Bearer;
use crate::user::Username;
use serde_json::json;

#[test]
fn an_address_and_its_subdomain_map_to_each_other() {
    for (pattern, url, host) in [
        (
            "https://{alias}.app.example.com",
            "https://acme.app.example.com",
            "acme.app.example.com",
        ),
        (
            "http://{alias}.localhost:8088",
            "http://acme.localhost:8088",
            "acme.localhost:8088",
        ),
        (
            "https://{alias}.App.Example",
            "https://acme.App.Example",
            "ACME.app.EXAMPLE:443",
        ),
    ] {
        let addresses: Addresses = pattern.parse().unwrap();
        assert_eq!(addresses.url("acme").unwrap(), url);
        assert_eq!(addresses.subdomain(host).unwrap(), "acme", "{host}");
    }
}

#[test]
fn a_host_outside_the_tenants_domain_has_no_subdomain() {
    let addresses: Addresses = "https://{alias}.app.example.com".parse().unwrap();
    let long = format!("{}.app.example.com", "a".repeat(64));
    for host in [
        "",
        ".app.example.com",
        "a.b.app.example.com",
        "app.example.com",
        "acme.example.com",
        "a_b.app.example.com",
        "acme.app.example.com.evil.example",
        &long,
    ] {
        assert_eq!(addresses.subdomain(host), None, "{host}");
    }
    let none: Addresses = "".parse().unwrap();
    assert_eq!(
        (none.subdomain("acme.localhost"), none.url("acme")),
        (None, None)
    );
}

#[test]
fn a_pattern_has_one_subdomain_in_front_of_a_domain() {
    for pattern in [
        "https://app.example.com",
        "https://{alias}",
        "https://{alias}.",
        "ftp://{alias}.example.com",
        "{alias}.example.com",
        "https://{alias}.example.com/path",
        "https://x{alias}.example.com",
        "https://{alias}.{alias}.example.com",
    ] {
        assert!(pattern.parse::<Addresses>().is_err(), "{pattern}");
    }
}

#[test]
fn an_account_of_another_provider_is_a_user_too() {
    let uuid = "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d";
    assert_eq!(Username::of_account(uuid).to_string(), uuid);
    let federated = Username::of_account("idp-23456789abcd_somebody");
    assert_ne!(federated, Username::of_account("idp-23456789abcd_other"));
    assert_ne!(
        federated,
        Username::of_account("idp-23456789abcd_Somebody"),
        "subjects are case-sensitive"
    );
    let bearer: Bearer =
        serde_json::from_value(json!({ "username": "idp-23456789abcd_somebody" })).unwrap();
    assert_eq!((bearer.username, bearer.tenant_id), (federated, None));
}

/// An account with another spelling is another account at the pool. No parser may read it as this
/// user.
#[test]
fn another_spelling_of_a_username_is_another_user() {
    let uuid = "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d";
    let user: Username = uuid.parse().unwrap();
    for other in [
        uuid.replace('-', ""),
        uuid.to_uppercase(),
        format!("{{{uuid}}}"),
        format!("urn:uuid:{uuid}"),
        format!("{uuid} "),
        uuid.replace('0', "\u{ff10}"),
    ] {
        assert!(other.parse::<Username>().is_err(), "{other}");
        assert!(
            serde_json::from_value::<Username>(json!(other)).is_err(),
            "{other}"
        );
        assert_ne!(Username::of_account(&other), user, "{other}");
        let bearer: Bearer = serde_json::from_value(json!({ "username": other })).unwrap();
        assert_ne!(bearer.username, user, "{other}");
        assert!(
            other.parse::<crate::ClientId>().is_err()
                && serde_json::from_value::<crate::ClientId>(json!(other)).is_err()
        );
    }
}
