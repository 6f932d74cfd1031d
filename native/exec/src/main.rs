//! Sets itself up as a unit asks, then becomes the service.
#![forbid(unsafe_code)]
fn main() {}
