//! What every function starts with: clients, typed environment, telemetry, HTTP problems, tokens.
