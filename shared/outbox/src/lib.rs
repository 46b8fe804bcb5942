//! The transactional outbox: rows written beside state in one transaction, relayed, then removed.
