//! The clients and the configuration of the function.

use crate::logins::LoginQueue;

/// The adapters of the handler.
pub(crate) struct Adapters {
    pub(crate) logins: LoginQueue,
}
