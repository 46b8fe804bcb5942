//! The clients and the configuration of the function.

use crate::logins::LoginQueue;

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) logins: LoginQueue,
}
