//! How events look elsewhere.

pub mod json;
