//! Uploads the functions' packages and the template to the bucket that deployments read.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::packages::Package;
use super::template::{self, Code};

/// The bucket of packages and templates.
pub(crate) const BUCKET: &str = "meridian-local-code";

/// Uploads what the bucket lacks; returns the template's URL.
///
/// # Errors
/// When S3 refuses, or the template names a function without a package.
pub(crate) async fn upload(
    config: &SdkConfig,
    region: &str,
    template: &Value,
    packages: &[Package],
) -> Result<Code> {
    let s3 = Client::from_conf(
        aws_sdk_s3::config::Builder::from(config)
            .force_path_style(true)
            .build(),
    );
    make_bucket(&s3, region).await?;
    let mut code = BTreeMap::new();
    for package in packages {
        let key = format!("{}/{}.zip", package.name, package.digest);
        if s3
            .head_object()
            .bucket(BUCKET)
            .key(&key)
            .send()
            .await
            .is_err()
        {
            let body = ByteStream::from_path(&package.path).await?;
            let put = s3
                .put_object()
                .bucket(BUCKET)
                .key(&key)
                .body(body)
                .send()
                .await;
            put.with_context(|| format!("cannot upload {key}"))?;
        }
        code.insert(
            package.name.clone(),
            Code {
                bucket: BUCKET.to_owned(),
                key,
            },
        );
    }
    let template = template::with_code(template.clone(), &code)?;
    let template = template::with_local_permissions(template::with_local_resources(template));
    let text = serde_json::to_vec(&template)?;
    let digest: String = Sha256::digest(&text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let key = format!("template/{digest}.json");
    let put = s3
        .put_object()
        .bucket(BUCKET)
        .key(&key)
        .body(ByteStream::from(text))
        .send()
        .await;
    put.context("cannot upload the template")?;
    Ok(Code {
        bucket: BUCKET.to_owned(),
        key,
    })
}

/// Creates the bucket unless it exists.
async fn make_bucket(s3: &Client, region: &str) -> Result<()> {
    if s3.head_bucket().bucket(BUCKET).send().await.is_ok() {
        return Ok(());
    }
    // S3 refuses `us-east-1` as a location constraint: it is the default.
    let place = (region != "us-east-1").then(|| {
        let place = BucketLocationConstraint::from(region);
        CreateBucketConfiguration::builder()
            .location_constraint(place)
            .build()
    });
    let create = s3
        .create_bucket()
        .bucket(BUCKET)
        .set_create_bucket_configuration(place);
    create.send().await.context("CreateBucket")?;
    Ok(())
}
