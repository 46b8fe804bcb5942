//! Meridian's own APIs, as its users call them: the building blocks of the commands and of the
//! demo.

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
