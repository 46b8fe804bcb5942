//! The DynamoDB adapter of the regional set.
