//! The EventBridge adapter.
