//! The DynamoDB adapter of the fleet set.
