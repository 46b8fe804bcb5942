//! Registrations, tenants and users as pure decisions; the only home of personal-data types.
