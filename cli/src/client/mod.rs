//! A client of Meridian's own APIs. The commands and the demo are built on it.

mod answer;
pub mod correction;
pub mod entrance;
pub mod login;
pub mod onboarding;
pub mod operator;
pub mod signup;
pub mod tenant;
pub mod usage;

pub use answer::Refused;
