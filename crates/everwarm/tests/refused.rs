//! What does not compile, and what the compiler says about it.

#[test]
fn refusals_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
