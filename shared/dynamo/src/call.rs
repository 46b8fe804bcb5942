//! One call of the SDK.

use crate::Error;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// A call on the heap, its error decoded.
///
/// As a part of the futures around it, a call would make each of them as large as itself, and nest
/// them deeper than the compiler goes. So this is no `async fn`: that would hold the call until it
/// is first polled.
pub(crate) fn call<T, E>(
    call: impl Future<Output = Result<T, SdkError<E>>> + Send,
) -> impl Future<Output = Result<T, Error>> + Send
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let call = Box::pin(call);
    async move { call.await.map_err(Error::of) }
}
