mod claims;
mod fixtures;
mod health;
mod laws;
mod onboarding;
mod placement;
mod tenants;
