//! All promises, in the order of the contracts; the tests of others are made from the same list.

use crate::harness::Bench;
use crate::promise::Kept;
use crate::store::{
    self, conditional, counters, generations, health, leases, notify, scan, suspend, touch,
};

/// A promise of a store, and the check that finds it broken.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// The suite: `store`, or the name of a facet.
    pub suite: &'static str,
    /// The promise, as the name of a test.
    pub name: &'static str,
    pub(crate) check: fn(&Bench<'_>) -> Kept,
}

/// Declares [`PROMISES`], and the macro that makes a test of each promise of a suite.
macro_rules! promises {
    ($dollar:tt $($suite:ident { $($promise:ident)* })*) => {
        /// What stores promise: the suite `store` holds for all, those named after facets for who offers them.
        pub const PROMISES: &[Promise] = &[$($(
            Promise {
                suite: stringify!($suite),
                name: stringify!($promise),
                check: $suite::$promise,
            },
        )*)*];

        /// Makes a test of each promise of one suite.
        #[doc(hidden)]
        #[macro_export]
        macro_rules! __tests_of {
            $(($suite, $dollar harness:path) => {
                mod $suite {
                    $(
                        #[test]
                        fn $promise() {
                            $crate::hold(&$dollar harness(), stringify!($suite), stringify!($promise));
                        }
                    )*
                }
            };)*
        }
    };
}

promises! { $
    store {
        what_was_set_is_found
        what_was_set_stays
        a_set_replaces_whole
        no_reader_sees_parts_of_two_values
        after_its_ttl_a_value_is_not_found
        each_set_brings_its_own_ttl
        remaining_is_never_more_than_was_set
        the_longest_ttl_cuts_longer_ones
        deleting_what_is_not_there_says_false
        bulk_verbs_do_what_single_ones_do
        clear_takes_its_prefix_and_no_other
        two_names_are_never_one_entry
        long_names_are_told_apart
        a_name_that_is_too_long_is_refused
        a_value_that_is_too_large_is_refused
        every_verb_may_be_called_from_any_thread
        an_abandoned_verb_leaves_no_trace
        a_second_handle_sees_what_the_first_did
        a_sweep_takes_only_what_has_expired
        it_says_what_it_is
        it_offers_the_same_facets_always
        a_closed_store_refuses
        random_verbs_agree_with_a_model
    }
    counters {
        its_text_is_its_number
        a_new_one_begins_at_initial
        its_ttl_counts_when_it_begins
        no_change_is_lost
        what_leaves_64_bits_is_refused
        what_is_no_number_stays_what_it_is
    }
    conditional {
        absent_and_present_are_told_apart
        a_version_is_of_one_write
        a_condition_that_does_not_hold_changes_nothing
        it_sets_its_own_ttl
        it_deletes_what_one_write_set
        of_many_at_once_one_wins
    }
    leases {
        it_has_one_holder
        it_ends_by_itself
        who_asks_again_renews
        it_is_given_back
        a_set_under_it_ends_it
        every_other_write_ends_it
        reads_and_vain_writes_leave_it
        clear_ends_those_it_clears
        it_is_no_entry
        of_many_at_once_one_holds
        of_many_leases_each_is_as_if_alone
    }
    scan {
        a_name_is_in_one_page
        names_come_back_as_they_were
        only_names_of_the_prefix_are_given
        what_stays_is_found_while_others_change
        expired_names_are_not_given
    }
    touch {
        it_sets_the_ttl_from_now_on
        bytes_and_version_stay
        what_is_not_there_stays_away
    }
    generations {
        a_beginning_gives_stamps_and_markers
        reading_makes_nothing
        an_invalidation_overtakes_what_began_before
        an_unknown_tag_gets_the_present_number
        a_marker_only_grows
        a_marker_outlives_its_entries
        a_lost_lease_is_told
        an_entry_comes_with_its_markers
        namespaces_are_apart
        settling_and_invalidating_are_one_step_each
        of_many_values_each_is_settled_as_if_alone
        of_many_entries_each_comes_as_if_alone
        many_entries_come_with_what_was_acknowledged
    }
    notify {
        every_change_by_hand_is_told
        an_invalidation_is_told
        what_was_computed_is_not_told
        ones_own_changes_are_left_out
        what_was_told_is_not_told_again
        who_is_far_behind_is_told_of_a_gap
        what_is_told_is_there
    }
    suspend {
        a_suspension_invalidates
        nothing_is_stored_while_it_lasts
        as_many_resume_as_have_suspended
        a_resumption_invalidates
        it_ends_by_itself_as_an_invalidation
        the_longest_span_counts
        an_invalidation_leaves_it
        its_marker_only_grows
    }
    health {
        each_fact_has_a_name_of_its_own
        a_close_look_leaves_nothing_out
        asking_changes_nothing
        a_closed_store_says_nothing
    }
}
