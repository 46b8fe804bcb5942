//! The meridian command: local stack, demo, operator commands.
