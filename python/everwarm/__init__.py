"""One cache for Python and Rust."""
