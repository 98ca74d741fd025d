//! The contract of stores, layers and codecs as suites of tests.
#![forbid(unsafe_code)]
