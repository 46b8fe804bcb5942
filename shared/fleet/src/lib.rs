//! Directory, desired and applied policy, region health, as pure functions.
