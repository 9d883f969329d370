//! All integration tests in one binary.

mod examples;
mod generated;
mod pages;
mod readme;
mod shell;
