mod fixtures;
mod health;
mod laws;
mod tenants;
