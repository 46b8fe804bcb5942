//! Calls of the SDK.

use crate::error::Error;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// Moves a call to the heap, and decodes its error.
///
/// Inside the futures around it, a call would make each of them as large as itself, and nest them
/// deeper than the compiler allows. An `async fn` would hold the call by value until it is first
/// polled, so this is a plain function.
pub(crate) fn call<T, E>(
    call: impl Future<Output = Result<T, SdkError<E>>> + Send,
) -> impl Future<Output = Result<T, Error>> + Send
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let call = Box::pin(call);
    async move { call.await.map_err(Error::of) }
}
