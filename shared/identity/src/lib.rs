//! The Cognito adapter.
