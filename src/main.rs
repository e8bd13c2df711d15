//! strata.

fn main() {}
