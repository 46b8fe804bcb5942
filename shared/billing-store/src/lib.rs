//! The DynamoDB adapter of the billing set.
