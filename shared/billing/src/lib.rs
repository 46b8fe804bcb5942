//! Catalogue, rating and invoices as pure functions.
