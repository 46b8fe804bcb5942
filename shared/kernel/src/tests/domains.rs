//! Names of domains and hosts.

use crate::*;

#[test]
fn a_domain_has_to_be_valid_for_mail_and_dns() {
    for valid in [
        "example.com",
        "EXAMPLE.com",
        "a.b.co.uk",
        "1and1.com",
        "xn--bcher-kva.example",
        "x.xn--p1ai",
        "a-b.de",
    ] {
        assert_eq!(
            valid.parse::<DomainName>().unwrap().as_str(),
            valid.to_ascii_lowercase()
        );
    }
    assert_eq!(
        "Example.COM".parse::<DomainName>().unwrap().to_string(),
        "example.com"
    );
    let (long_label, long) = (format!("{}.com", "a".repeat(64)), "a.".repeat(126) + "com");
    for invalid in [
        "",
        ".",
        "com",
        "a..b",
        ".a.com",
        "a.com.",
        "-a.com",
        "a-.com",
        "a_b.com",
        "a b.com",
        "127.0.0.1",
        "1.2",
        "a.b1",
        "a.c",
        "xn--a.com",
        "xn--.com",
        "a.xn--a",
        "ab--c.com",
        "b\u{fc}cher.de",
        "a\u{3002}com",
        "*.com",
        "a.com/x",
        "a.com:25",
        "[::1]",
        "\u{212a}.com",
        &long_label,
        &long,
    ] {
        assert!(invalid.parse::<DomainName>().is_err(), "{invalid:?}");
    }
    assert!(is_host_name("localhost") && is_host_name("127.0.0.1") && !is_host_name(""));
    assert!(
        is_readable_subdomain("not_a-label")
            && !is_readable_subdomain("XN--a")
            && is_readable_subdomain("xn--p1ai")
    );
}
