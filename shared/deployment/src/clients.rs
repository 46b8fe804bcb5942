//! Clients of a deployment: HTTP, and AWS with the caller's own credentials.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use aws_config::{Region, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The process's HTTP client, whose connections all callers share.
pub fn http() -> reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(fresh_http).clone()
}

/// An HTTP client with connections of its own. A connection ends with the runtime that opened it,
/// so a process with several runtimes, such as a test binary, cannot share one client.
pub fn fresh_http() -> reqwest::Client {
    // Another part of the program may have installed a provider already; that one is used then.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let built = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(Loopback))
        .build();
    built.unwrap_or_default()
}

/// Resolves every name below `localhost` to this machine, as browsers do but not every system.
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.').to_ascii_lowercase();
            let found: Vec<SocketAddr> = if host.ends_with(".localhost") {
                vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]
            } else {
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect()
            };
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// The configuration of AWS clients for a region of AWS: credentials and endpoints come from the
/// caller's environment and profile.
pub async fn aws(region: &str) -> SdkConfig {
    let tls = tls::Provider::Rustls(CryptoMode::Ring);
    let client = Builder::new().tls_provider(tls).build_https();
    aws_config::from_env()
        .region(Region::new(region.to_owned()))
        .http_client(client)
        .load()
        .await
}
