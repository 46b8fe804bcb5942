//! Fixtures and the local AWS for adapter and handler tests. A dev-dependency only.
