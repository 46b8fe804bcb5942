mod fixtures;
mod health;
mod laws;
mod onboarding;
mod placement;
mod reservations;
mod tenants;
