use super::{case, fixture};
use axum::body::to_bytes;

/// A file of the page: the policy for its content, and its text.
async fn load(fixture: &super::Fixture, name: &str) -> (String, String) {
    let response = runtime::http::respond(fixture.router.clone(), &case(name).to_string()).await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("cache-control"), "public, max-age=300", "{name}");
    assert_eq!(
        (header("x-content-type-options"), header("referrer-policy")),
        ("nosniff".into(), "no-referrer".into())
    );
    let policy = header("content-security-policy");
    let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (policy, String::from_utf8(text.to_vec()).unwrap())
}

/// A page that could connect anywhere could send a person's input anywhere.
#[tokio::test]
async fn the_page_connects_only_to_the_regions() {
    let fixture = fixture().await;
    let elsewhere = |described: &mut contract::RegionDescribed| {
        described.signup_url = "https://api.eu-central-1.example.com".parse().unwrap();
    };
    fixture.describe("eu-central-1", 2, elsewhere).await;
    let (policy, text) = load(&fixture, "valid-page").await;
    let connects = policy.rsplit("; ").next().unwrap();
    let west = &fixture.west.url;
    assert_eq!(
        connects,
        format!("connect-src 'self' {west} https://api.eu-central-1.example.com")
    );
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; "),
        "{policy}"
    );
    assert!(
        text.contains("home.js") && text.contains("home.css"),
        "{text}"
    );
    for name in ["valid-script", "valid-style"] {
        assert!(!load(&fixture, name).await.1.is_empty(), "{name}");
    }
}
